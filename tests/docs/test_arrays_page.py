"""Every Python block of the page on arrays runs as it stands, one after the other, against a real server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dicomgate import assembly, config
from dicomgate.cli import local
from dicomgate.samples import phantoms
from dicomgate.samples.modules import write
from dicomgate.testing.serving import serving

PAGE = Path(__file__).parents[2] / "docs/how-to/arrays.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.slow


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.chdir(tmp_path)
    makers = (phantoms.ct_torso, phantoms.mr_head, phantoms.us_heart)
    contents = [write(one) for maker in makers for _, one in zip(range(6), maker(), strict=False)]
    with assembly.open_archive(Path("archive"), config.Settings()) as archive:
        for _ in local.keep_contents(archive, contents):
            pass
    with serving(assembly.application(config.Settings(), data=Path("archive"))) as served:
        yield served.url


def test_every_block_runs_as_written(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = BLOCK.findall(PAGE.read_text("utf-8"))
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block.replace("http://127.0.0.1:8104", address), str(PAGE), "exec"), names)
    said = capsys.readouterr().out
    assert "(6, 256, 256) int16 HU (3.0, 1.4, 1.4)" in said
    assert "missing: () otherwise: ()" in said
    assert "(6, 256, 256)\n" in said
    assert said.count("uint8") == 3
    assert names["stored"].array.dtype == "uint16"
    assert names["double"].array.dtype == "float64"
