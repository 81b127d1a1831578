"""Room kept for the time when the disk is full (D3); tests/crash fills real disks."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dicomgate import errors
from dicomgate.archive.reserve import Reserve


def test_the_room_is_taken_once_and_really(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "reserve", size=1 << 20)
    reserve.require()
    reserve.require()
    status = os.stat(tmp_path / "reserve")
    assert (status.st_size, list(tmp_path.iterdir())) == (1 << 20, [tmp_path / "reserve"])
    assert status.st_blocks * 512 >= 1 << 20  # not a hole


def _pretend(monkeypatch: pytest.MonkeyPatch, path: Path, *, blocks: int, available: int) -> None:
    real = os.statvfs(path)
    disk = os.statvfs_result((4096, 4096, blocks, available, available, *real[5:]))
    monkeypatch.setattr(os, "statvfs", lambda path: disk)


def test_of_a_small_disk_only_a_small_part_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend(monkeypatch, tmp_path, blocks=320, available=300)
    Reserve(tmp_path / "reserve").require()
    assert os.stat(tmp_path / "reserve").st_size == 10 * 4096


def test_without_room_nothing_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend(monkeypatch, tmp_path, blocks=320, available=19)
    with pytest.raises(errors.OutOfSpace):
        Reserve(tmp_path / "reserve").require()
    assert list(tmp_path.iterdir()) == []


def test_it_is_given_up_for_a_deed_that_finds_no_room(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "reserve", size=4096)
    reserve.require()

    def deed() -> str:
        if reserve.path.exists():
            raise errors.OutOfSpace("no room")
        return "done"

    assert reserve.help_out(deed) == "done"
    reserve.require()
    assert reserve.path.exists()


def test_what_fails_with_the_room_too_fails(tmp_path: Path) -> None:
    def deed() -> str:
        raise errors.OutOfSpace("no room")

    with pytest.raises(errors.OutOfSpace):
        Reserve(tmp_path / "reserve").help_out(deed)


def test_many_may_want_it_at_once(tmp_path: Path) -> None:
    def want(number: int) -> None:
        reserve = Reserve(tmp_path / "reserve", size=4096)
        for _ in range(50):
            reserve.require()
            if number == 0:
                reserve.give_up()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(want, range(8)))
