"""D1, D7: the order of what is done before an answer, where nobody may trace system calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from crash_instances import LARGE, SMALL, Maker

from dicomgate import assembly, config
from dicomgate.archive.archive import Archive
from dicomgate.blobs.disk import Disk
from dicomgate.dicom.outcomes import Stored
from dicomgate.index import connections
from dicomgate.index.sqlite import SqliteIndex

SETTINGS = config.Settings(store=config.Store(allow_delete=True))


class Record:
    """The steps taken, each with the name of what it was done to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[tuple[str, str]] = []
        for name in ("write", "sync", "rename", "unlink"):
            self._watch(monkeypatch, Disk, name)
        for name in ("add", "remove", "forget_garbage"):
            self._watch(monkeypatch, SqliteIndex, name)

    def _watch(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        call: Callable[..., Any] = getattr(owner, name)

        def watched(self_: Any, *arguments: Any) -> Any:
            done = call(self_, *arguments)  # noted when it has ended: a change of the index, when it is durable
            self.steps.append((name, _place(arguments) if owner is Disk else "index"))
            return done

        monkeypatch.setattr(owner, name, watched)


def _place(arguments: Sequence[Any]) -> str:
    path = Path(os.readlink(f"/proc/self/fd/{arguments[0]}")) if isinstance(arguments[0], int) else arguments[-1]
    if path.is_dir():
        return "directory"
    return "aside" if path.suffix == ".part" else "spool" if path.parent.name == "spool" else "blob"


@pytest.mark.parametrize(
    ("shape", "before"),
    [
        (SMALL, [("write", "aside"), ("sync", "aside"), ("rename", "blob")]),
        (LARGE, [("sync", "spool"), ("rename", "blob")]),
    ],
)
def test_bytes_then_name_then_row_then_answer(
    here: Path, chance: Random, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int], before: list[tuple[str, str]]
) -> None:
    maker, record = Maker(chance), Record(monkeypatch)
    with assembly.open_archive(here / "data", SETTINGS) as archive:
        _store(archive, maker.new(maker.uid(), maker.uid()).content)
        record.steps.clear()
        specimen = maker.new(maker.uid(), maker.uid(), shape)
        _store(archive, specimen.content)
        assert record.steps == [*before, ("sync", "directory"), ("add", "index")]
        record.steps.clear()
        assert archive.origin.delete is not None
        assert archive.origin.delete.delete(specimen.target) == 1
        assert record.steps == [
            ("remove", "index"), ("unlink", "blob"), ("sync", "directory"), ("forget_garbage", "index")
        ]  # fmt: skip


def _store(archive: Archive, content: bytes) -> None:
    arrival = archive.spool.arrival()
    arrival.write(content)
    assert archive.origin.store is not None
    assert isinstance(archive.origin.store.accept(arrival), Stored)
    arrival.discard()


def test_a_commit_returns_when_it_is_durable(here: Path) -> None:
    """`synchronous = FULL`: SQLite syncs its log before a commit returns."""
    connection = connections.connect(here / "index.sqlite", durable=True)
    try:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    finally:
        connection.close()
