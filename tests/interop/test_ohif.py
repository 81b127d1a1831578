"""OHIF as its makers publish it, served by nginx, in a real browser over a real server: what a radiologist sees.

Pictures are measured on the screen (colours, brightness), no request may fail. V1-V5, V7, V15.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pytest

from dicomgate.cli import main
from dicomgate.samples import modules, phantoms
from dicomgate.testing import processes

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "objects"
VIEWERS = ROOT / ".venv" / "viewers"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
LACKING = [
    name
    for name, there in (
        ("Chromium", BROWSER),
        ("nginx", NGINX),
        ("node", shutil.which("node")),
        ("the viewers (make viewers)", (VIEWERS / "ohif-app" / "dist").is_dir()),
        ("../shared/data", DATA.is_dir()),
    )
    if not there
]
pytestmark = pytest.mark.skipif(bool(LACKING), reason=f"not here: {', '.join(LACKING)}")

PAGE = ROOT / "docs" / "how-to" / "ohif.md"
NGINX_CONFIGURATION = """
{user}daemon off; worker_processes 1; pid {here}/nginx.pid; error_log {here}/error.log;
events {{}}
http {{
  include /etc/nginx/mime.types; types {{ application/wasm wasm; }}
  access_log {here}/access.log;
  client_body_temp_path {here}/1; proxy_temp_path {here}/2; fastcgi_temp_path {here}/3; uwsgi_temp_path {here}/4;
  scgi_temp_path {here}/5;
  server {{
    listen 127.0.0.1:{port};
    root {viewer};
    add_header Cross-Origin-Opener-Policy same-origin;
    add_header Cross-Origin-Embedder-Policy require-corp;
    location = /app-config.js {{ alias {here}/app-config.js; }}
    location /dicomweb {{ proxy_pass http://127.0.0.1:{server}; proxy_set_header Host $http_host; }}
    location / {{ try_files $uri /index.html; }}
  }}
  server {{
    listen 127.0.0.1:{apart};
    root {viewer};
    location = /app-config.js {{ alias {here}/apart.js; }}
    location / {{ try_files $uri /index.html; }}
  }}
  server {{
    listen 127.0.0.1:{enhanced};
    root {viewer};
    location = /app-config.js {{ alias {here}/enhanced.js; }}
    location / {{ try_files $uri /index.html; }}
  }}
}}
"""
VIEWPORT = "[data-cy=viewport-pane] canvas, [data-cy=viewport-pane] .cornerstone-canvas"
UNNAMED = "an instance that says no modality"


@dataclass(frozen=True)
class Site:
    """OHIF at an address; `apart`: where the services are at another; `studies`: UIDs by what is in them.

    `enhanced`: where it asks for the enhanced view.
    """

    url: str
    apart: str
    enhanced: str
    here: Path
    studies: dict[str, str]

    def look(self, path: str, *steps: dict[str, Any], url: str = "") -> list[dict[str, Any]]:
        """What was seen at each step; every request was answered, and no script broke."""
        shot = self.here / f"{path.partition('?')[0].strip('/') or 'list'}-{len(list(self.here.glob('*.png')))}.png"
        task = {"browser": BROWSER, "url": (url or self.url) + path, "shot": str(shot), "steps": steps}
        words = ["node", str(Path(__file__).parent / "ohif" / "look.mjs"), str(VIEWERS)]
        done = subprocess.run(words, input=json.dumps(task), capture_output=True, text=True, check=False, timeout=400)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert answer["error"] is None, (answer["error"], answer["failed"], answer["asked"][-12:])
        assert answer["failed"] == []
        seen: list[dict[str, Any]] = answer["steps"]
        return seen


def _gather(folder: Path) -> dict[str, str]:
    studies: dict[str, str] = {}
    folder.mkdir()
    for name, maker in (("ct", phantoms.ct_torso), ("mr", phantoms.mr_head)):
        for dataset in maker():
            (folder / f"{dataset.SOPInstanceUID}.dcm").write_bytes(modules.write(dataset))
            studies[name] = str(dataset.StudyInstanceUID)
    dataset = next(iter(phantoms.cr_hand()))
    del dataset.Modality
    dataset.PatientName = UNNAMED
    (folder / "nameless.dcm").write_bytes(modules.write(dataset))
    for name, files in (
        ("clip", ["xa-us/I_000003.dcm"]),
        ("seg", ["highdicom/ct_image.dcm", "highdicom/seg_image_ct_binary_single_frame.dcm"]),
        ("pdf", ["pdf/doc_evle.dcm"]),
        ("slide", ["highdicom/sm_image_jpegls.dcm"]),
    ):
        for file in files:
            found = next(DATA.rglob(Path(file).name))
            shutil.copy(found, folder / f"{name}-{found.name}")
            studies[name] = str(pydicom.dcmread(found, specific_tags=["StudyInstanceUID"]).StudyInstanceUID)
    return studies


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    here = tmp_path_factory.mktemp("ohif")
    studies = _gather(here / "files")
    assert main.run(["store", str(here / "archive"), str(here / "files")]) == 0
    (here / "app-config.js").write_text(_config(""))
    with processes.running(data=here / "archive", log=here / "log") as server:
        (here / "apart.js").write_text(_config(server.url))
        (here / "enhanced.js").write_text(_config(server.url, root="/dicomweb/enhanced"))
        with _nginx(here, server.port) as (url, apart, enhanced):
            yield Site(url, apart, enhanced, here, studies)


def _config(host: str, root: str = "/dicomweb") -> str:
    """The configuration of the page on OHIF, with the services at that address."""
    (written,) = re.findall(r"^```js\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return re.sub(r"(Root: ')/dicomweb", rf"\1{host}{root}", written)


@contextmanager
def _nginx(here: Path, server: int) -> Iterator[tuple[str, str, str]]:
    """The viewer and the server's services under one address, and twice the viewer alone."""
    with socket.socket() as one, socket.socket() as other, socket.socket() as third:
        for probe in (one, other, third):
            probe.bind(("127.0.0.1", 0))
        port, apart, enhanced = (probe.getsockname()[1] for probe in (one, other, third))
    written = NGINX_CONFIGURATION.format(
        user="user root; " if os.geteuid() == 0 else "",  # the folder is the test's own
        here=here,
        port=port,
        apart=apart,
        enhanced=enhanced,
        viewer=VIEWERS / "ohif-app" / "dist",
        server=server,
    )
    (here / "nginx.conf").write_text(written)
    with subprocess.Popen([str(NGINX), "-c", str(here / "nginx.conf")], stderr=subprocess.DEVNULL) as nginx:
        try:
            until(lambda: all(map(_answers, (port, apart, enhanced))))
            yield f"http://127.0.0.1:{port}", f"http://127.0.0.1:{apart}", f"http://127.0.0.1:{enhanced}"
        finally:
            nginx.terminate()


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + processes.PATIENCE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def _answers(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


def text(*wanted: str) -> dict[str, Any]:
    return {"do": "text", "text": list(wanted)}


def picture(at: str = VIEWPORT, **least: Any) -> dict[str, Any]:
    return {"do": "picture", "at": at, **least}


def test_the_list_of_studies_V1(site: Site) -> None:
    """Also of a study that says no modality; a part of a name finds it."""
    names = ["Bront\u00eb-\u00c5ngstr\u00f6m", "Pediatric", "Sakura", UNNAMED]
    search = {"do": "type", "at": "input#patientName, input[data-cy=input-patientName]"}
    site.look("/", text(*names), search | {"text": "sakura"}, text("1\nStudies"))


def test_a_stack_is_scrolled_V2(site: Site) -> None:
    first, *_, last = site.look(
        f"/viewer?StudyInstanceUIDs={site.studies['ct']}",
        picture(colours=60, bright=0.05),
        text("1/64"),
        {"do": "wheel", "at": VIEWPORT, "turns": 20},
        text("/64)"),
        picture(colours=60, bright=0.05),
    )
    assert first["colours"] >= 60
    assert last["colours"] >= 60


def test_the_enhanced_view_of_a_series_is_a_stack_LC_34(site: Site) -> None:
    """One object of 64 frames, scrolled as the series is; another slice is another picture."""
    first, _, _, _, last = site.look(
        f"/viewer?StudyInstanceUIDs={site.studies['ct']}",
        picture(colours=60, bright=0.05),
        text("1/64"),
        {"do": "wheel", "at": VIEWPORT, "turns": 20},
        text("/64)"),
        picture(colours=60, bright=0.05),
        url=site.enhanced,
    )
    assert first["colours"] >= 60
    assert last["colours"] >= 60


@pytest.mark.parametrize("name", ["mr", "clip"])
def test_pictures_are_there_V3(site: Site, name: str) -> None:
    """An MR volume; a clip compressed as JPEG, several frames."""
    (seen,) = site.look(f"/viewer?StudyInstanceUIDs={site.studies[name]}", picture(colours=60, bright=0.05))
    assert seen["colours"] >= 60


def test_services_of_another_host_are_reached_V15(site: Site) -> None:
    path = f"/viewer?StudyInstanceUIDs={site.studies['ct']}"
    (seen,) = site.look(path, picture(colours=60, bright=0.05), url=site.apart)
    assert seen["colours"] >= 60


def test_a_segmentation_lies_over_its_pictures(site: Site) -> None:
    before, _, after = site.look(
        f"/viewer?StudyInstanceUIDs={site.studies['seg']}",
        picture(colours=60, bright=0.05),
        {"do": "open", "at": "[data-cy=study-browser-thumbnail-no-image]", "text": "SEG"},
        picture(colours=60, warm=0.02),
    )
    assert before["warm"] < 0.005 < after["warm"]


def test_a_document_is_shown_FRM_06(site: Site) -> None:
    asked, seen = site.look(
        f"/viewer?StudyInstanceUIDs={site.studies['pdf']}",
        {"do": "asked", "address": "/bulkdata/00420011"},
        picture("[data-cy=viewport-grid], #viewport-grid, .viewport-wrapper, body", warm=0.003, bright=0.15),
    )
    assert asked["status"] == 200
    assert seen["warm"] > 0


def test_a_slide_is_shown_V4(site: Site) -> None:
    (seen,) = site.look(
        f"/microscopy?StudyInstanceUIDs={site.studies['slide']}", picture(".ol-viewport", colours=30, bright=0.08)
    )
    assert seen["bright"] > 0
