"""Every block of the page on Python runs as it stands, one after the other, against a real server and a data folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dicomgate import assembly, config
from dicomgate.cli import local
from dicomgate.samples import phantoms
from dicomgate.samples.modules import write
from dicomgate.testing.serving import serving

PAGE = Path(__file__).parents[2] / "docs/how-to/python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.slow


def test_every_block_of_the_python_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    contents = [write(one) for _, one in zip(range(3), phantoms.ct_torso(), strict=False)]
    Path("incoming").mkdir()
    for number, content in enumerate(contents):
        Path("incoming", str(number)).write_bytes(content)
    for folder in ("served", "archive"):
        with assembly.open_archive(Path(folder), config.Settings()) as archive:
            for _ in local.keep_contents(archive, contents[:2]):
                pass
    names: dict[str, Any] = {}
    with serving(assembly.application(config.Settings(), data=Path("served"))) as served:
        for block in BLOCK.findall(PAGE.read_text("utf-8")):
            exec(compile(block.replace("http://127.0.0.1:8104", served.url), str(PAGE), "exec"), names)
    said = capsys.readouterr().out
    assert "(2, 256, 256) HU ()" in said
    assert "1 (256, 256) uint16" in said
    assert said.count("stored") == 3
    assert said.endswith("3\n")
