"""The built-in page in a real browser, over a real server: what a person sees after a click on a link to a study."""

import html
import re
import shutil
import subprocess

import pytest

from dicomgate.cli import main
from dicomgate.samples import modules, phantoms
from dicomgate.testing import processes

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
    "--no-first-run",
    "--virtual-time-budget=8000",
    "--dump-dom",
]

pytestmark = [pytest.mark.interop, pytest.mark.skipif(BROWSER is None, reason="no Chromium here")]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    (folder / "scans").mkdir()
    for maker in (phantoms.ct_torso, phantoms.us_heart, phantoms.map_head, phantoms.cr_hand):
        for dataset in list(maker())[:3]:
            (folder / "scans" / f"{dataset.SOPInstanceUID}.dcm").write_bytes(modules.write(dataset))
    poisoned = next(phantoms.us_still())
    poisoned.PatientName = "<script>document.title+1</script>"
    poisoned.StudyDescription = "<img src=x onerror=document.title='run'>"
    (folder / "scans" / "poisoned.dcm").write_bytes(modules.write(poisoned))
    assert main.run(["store", str(folder / "archive"), str(folder / "scans")]) == 0
    with processes.running(data=folder / "archive", log=folder / "log") as running:
        yield running


@pytest.fixture
def look(server, tmp_path):
    """The page as it stands some seconds after it was opened at a study."""

    def open_at(study=""):
        words = [BROWSER, *FLAGS, f"--user-data-dir={tmp_path}", f"{server.url}/#{study}"]
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=100).stdout

    return open_at


def inside(page, pattern):
    found = re.search(pattern, page, re.DOTALL)
    return html.unescape(found[1]) if found else None


def test_the_list_shows_every_study_and_text_stays_text_T15(look):
    page = look()
    names = [html.unescape(name) for name in re.findall(r"<strong>(.*?)</strong>", page)]
    assert sorted(names) == sorted(
        [
            "Brontë-Ångström Zoé",
            "Kim Haneul  金 하늘",
            "Соколова Вера",
            "Παπαδάκη Ελένη",
            "<script>document.title+1</script>",
        ]
    )
    assert inside(page, r"<title>(.*?)</title>") == "dicomgate"
    assert inside(page, r'id="count"[^>]*>(.*?)<') == "5 studies"


@pytest.mark.parametrize(
    ("maker", "caption", "place"),
    [
        (phantoms.ct_torso, "256 × 256\nC 40  W 400", "2 of 3"),
        (phantoms.us_heart, "320 × 240", "1 of 24"),
        (phantoms.map_head, "256 × 256", "1 of 1"),
        (phantoms.cr_hand, "420 × 600\nC 1900  W 3700", "1 of 1"),
    ],
)
def test_a_link_to_a_study_shows_its_picture(look, maker, caption, place):
    page = look(next(maker()).StudyInstanceUID)
    assert inside(page, r"<figcaption[^>]*>(.*?)</figcaption>") == caption
    assert inside(page, r"<output[^>]*>(.*?)</output>") == place
    assert not re.search(r"<canvas[^>]*hidden", page)
