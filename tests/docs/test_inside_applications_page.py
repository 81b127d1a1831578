"""The Python of the page on other applications runs as it stands, with the base of the package alone."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from dicomgate import assembly, config, extras
from dicomgate.cli import local
from dicomgate.samples import phantoms
from dicomgate.samples.modules import write
from dicomgate.testing.processes import PATIENCE
from dicomgate.testing.serving import serving

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/inside-applications.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LACKING = sorted({name for names in extras.EXTRAS.values() for name in names} | {"uvloop"})
BASE_ALONE = f"""
import sys

class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {LACKING}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Lacking())
"""


@pytest.mark.slow
def test_the_block_runs_without_any_extra(tmp_path: Path) -> None:
    contents = [write(one) for _, one in zip(range(2), phantoms.ct_torso(), strict=False)]
    with assembly.open_archive(tmp_path / "served", config.Settings()) as archive:
        for _ in local.keep_contents(archive, contents):
            pass
    (block,) = BLOCK.findall(PAGE.read_text("utf-8"))
    with serving(assembly.application(config.Settings(), data=tmp_path / "served")) as served:
        script = BASE_ALONE + block.replace("http://127.0.0.1:8104", served.url)
        words = [sys.executable, "-c", script]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    (uid,) = done.stdout.split()
    assert uid.replace(".", "").isdigit()


def test_the_base_asks_for_no_numpy_and_for_every_pydicom_that_the_page_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = {re.split(r"[^A-Za-z0-9_-]", name)[0].lower(): name for name in project["dependencies"]}
    assert not {"numpy", "pillow", "imagecodecs", "uvicorn"} & set(asked)
    ((least, end),) = re.findall(r"from ([\d.]+) on and before (\d+) is", PAGE.read_text("utf-8"))
    assert asked["pydicom"].replace(" ", "") == f"pydicom>={least},<{end}"


def test_the_table_of_extras_is_that_of_the_project() -> None:
    offered = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    named = re.findall(r"^\|.*`pip install 'dicomgate\[(\w+)\]'` \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert set(named) == set(offered)
