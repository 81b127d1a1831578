"""Notes of corrections under way, and the sweep that clears those of dead processes (D5, D8)."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from dicomgate import assembly, config, errors
from dicomgate.archive.intents import Intents
from dicomgate.testing import instances


def sweep(intents: Intents) -> int:
    with intents.swept() as count:
        return count


def test_a_sweep_just_before_a_note_is_locked_does_not_lose_it_D8(tmp_path: Path, monkeypatch) -> None:
    """Another process starts, and finds the new note that nobody holds yet."""
    intents = Intents(tmp_path / "corrections")
    lock, swept = fcntl.flock, []

    def sweep_first(file, operation) -> None:
        if operation == fcntl.LOCK_EX and not swept:
            swept.append(True)
            assert sweep(intents) == 1
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", sweep_first)
    with intents.noted(["a key"]):
        assert swept
        assert intents.keys() == {"a key"}
        assert sweep(intents) == 0
    assert not list(intents.directory.iterdir())


def test_only_notes_are_cleared_whose_files_were_judged_D8(tmp_path: Path, monkeypatch) -> None:
    """A process dies after the sweep has looked at the files of the dead, and before it looks at their notes."""
    data = tmp_path / "data"
    with assembly.open_archive(data, config.Settings()) as archive:
        judge, notes = archive.blobs.sweep, archive.intents.directory

        def die_after(known) -> int:
            done = judge(known)
            notes.mkdir(exist_ok=True)
            (notes / "of-the-dead").write_bytes(b'["its key"]')
            return done

        monkeypatch.setattr(archive.blobs, "sweep", die_after)
        archive.sweep()
        assert archive.intents.keys() == {"its key"}
        monkeypatch.undo()
        archive.sweep()
        assert archive.intents.keys() == set()


@pytest.mark.parametrize("failing", ["write", "fsync"])
def test_a_note_that_cannot_be_written_leaves_nothing_D3(tmp_path: Path, monkeypatch, failing: str) -> None:
    intents = Intents(tmp_path / "corrections")
    intents.directory.mkdir()
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(errors.OutOfSpace), intents.noted(["a key"]):
        pytest.fail("it was not noted")
    monkeypatch.undo()
    assert not list(intents.directory.iterdir())
    if before:
        assert len(os.listdir("/proc/self/fd")) <= before


def test_a_note_that_is_kept_stays_until_its_process_ends_D8(tmp_path: Path) -> None:
    intents = Intents(tmp_path / "corrections")
    target = instances.new_target()
    with intents.noted([str(target.instance)]) as note:
        note.keep()
    assert intents.keys() == {str(target.instance)}
    assert sweep(intents) == 0
