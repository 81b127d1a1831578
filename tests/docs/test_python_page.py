"""Every block of the page on Python runs as it stands, one after the other, against a real server and a data folder."""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import dicomgate
from dicomgate import assembly, config, connect, connect_async
from dicomgate.cli import local
from dicomgate.client.archive import Archive
from dicomgate.client.async_archive import AsyncArchive
from dicomgate.client.getting import Failure, Outcome
from dicomgate.client.offered_services import Capabilities
from dicomgate.client.offers import Receipt
from dicomgate.client.request import Patience
from dicomgate.client.results import Result
from dicomgate.client.store import Pace
from dicomgate.client.tokens import DevicePrompt
from dicomgate.samples import phantoms
from dicomgate.samples.modules import write
from dicomgate.testing.serving import serving

PAGE = Path(__file__).parents[2] / "docs/how-to/python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.slow


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch, or as much of it as the page uses."""
    try:
        import torch  # noqa: F401
    except ImportError:
        _stand_in(monkeypatch)


def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(dataset: Any, batch_size: None, num_workers: int) -> Iterator[Any]:
        return (dataset[place] for place in range(len(dataset)))

    top, utils, data = (types.ModuleType(name) for name in ("torch", "torch.utils", "torch.utils.data"))
    top.from_numpy = lambda array: array  # type: ignore[attr-defined]
    data.Dataset, data.DataLoader = object, load  # type: ignore[attr-defined]
    for name, module in {"torch": top, "torch.utils": utils, "torch.utils.data": data}.items():
        monkeypatch.setitem(sys.modules, name, module)


def test_every_block_of_the_python_page_runs(
    tmp_path: Path, torch: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
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
    assert "(1, 2, 256, 256)" in said
    assert said.endswith("3\n")


def _names(kind: Any) -> list[str]:
    return [name for name in vars(kind) if not name.startswith("_")]


def test_every_public_name_is_on_the_page() -> None:
    text = re.sub(r"^```.*?^```$", "", PAGE.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    code = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", " ".join(re.findall(r"`[^`]+`", text))))
    verbs = {name for kind in (Archive, AsyncArchive) for name in _names(kind)}
    said = {name for kind in (Result, Capabilities, Outcome, Failure, Receipt) for name in _names(kind)}
    said |= {
        field.name
        for kind in (Receipt, Capabilities, Outcome, Failure, Pace, Patience, DevicePrompt)
        for field in fields(kind)
    }
    options = {name for ask in (connect, connect_async) for name in inspect.signature(ask).parameters}
    for name in verbs:
        options |= set(inspect.signature(getattr(AsyncArchive, name, None) or getattr(Archive, name)).parameters)
    missing = (verbs | said | options | set(dicomgate.__all__)) - code - {"self"}
    assert missing == set()


def test_a_verb_of_one_is_one_of_the_other() -> None:
    plain, looped = set(_names(Archive)), set(_names(AsyncArchive))
    assert {"aclose" if name == "close" else name for name in plain} == looped
    for name in plain - {"close"}:
        takes = [list(inspect.signature(getattr(kind, name)).parameters) for kind in (Archive, AsyncArchive)]
        assert takes[0] == takes[1]
