"""Quota and the least free room (D3): what does not fit is refused, what is stored stays, a delete makes room."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from dicomgate import assembly, config, errors
from dicomgate.archive import room as room_module
from dicomgate.archive.reserve import Reserve
from dicomgate.archive.room import Room
from dicomgate.dicom.outcomes import Outcome, Reason, Refused, Stored
from dicomgate.testing import instances


def _store(archive, content: bytes) -> Outcome:
    arrival = archive.spool.arrival()
    try:
        arrival.write(content)
        return archive.origin.store.accept(arrival)
    finally:
        arrival.discard()


def _open(data: Path, **bounds):
    return assembly.open_archive(data, config.Settings(store=config.Store(allow_delete=True, **bounds)))


def test_quota_is_told_per_instance_and_a_delete_makes_room_D3(tmp_path: Path) -> None:
    first, second = instances.new_target(), instances.new_target()
    contents = {target: instances.make(target) for target in (first, second)}
    size = len(contents[first])
    with _open(tmp_path / "data", quota_bytes=size + 10) as archive:
        assert isinstance(_store(archive, contents[first]), Stored)
        refused = _store(archive, contents[second])
        assert isinstance(refused, Refused)
        assert (refused.reason, refused.is_full) == (Reason.OUT_OF_RESOURCES, False)
        assert "quota" in refused.message
        assert isinstance(_store(archive, contents[first]), Stored)  # nothing more is kept of it
        archive.origin.delete.delete(first)
        assert isinstance(_store(archive, contents[second]), Stored)


def test_a_used_up_quota_is_told_before_a_body_is_read_D3(tmp_path: Path) -> None:
    content = instances.make()
    with _open(tmp_path / "data", quota_bytes=len(content)) as archive:
        archive.origin.store.require_room()
        _store(archive, content)
        with pytest.raises(errors.Unavailable) as caught:
            archive.origin.store.require_room()
        assert not isinstance(caught.value, errors.OutOfSpace)


def test_what_other_processes_store_counts_D3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = instances.make()
    with _open(tmp_path / "data", quota_bytes=len(content)) as one, _open(tmp_path / "data") as other:
        one.origin.store.require_room()
        _store(other, content)
        monkeypatch.setattr(room_module, "_FRESH", 0.0)
        one.room.count_again()
        with pytest.raises(errors.Unavailable):
            one.origin.store.require_room()


def test_little_room_on_the_disk_is_told_before_it_is_full_D3(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path)
    more_than_there_is = free.f_blocks * free.f_frsize * 2
    with _open(tmp_path / "data", min_free_bytes=more_than_there_is) as archive:
        with pytest.raises(errors.Unavailable, match="little room"):
            archive.origin.store.require_room()
        refused = _store(archive, instances.make())
        assert isinstance(refused, Refused)
        assert (refused.reason, refused.is_full) == (Reason.OUT_OF_RESOURCES, False)
        assert archive.counts().instances == 0


def test_claims_made_at_once_do_not_pass_the_quota_together_D3(tmp_path: Path) -> None:
    room = Room(Reserve(tmp_path / "reserve", size=4096), lambda: 0, quota=100)
    inside, refused = threading.Barrier(11), []

    def claim() -> None:
        try:
            with room.claim(10):
                inside.wait(300)
        except errors.Unavailable:
            refused.append(1)

    threads = [threading.Thread(target=claim) for _ in range(10)]
    for thread in threads:
        thread.start()
    while room._under_way < 100:
        time.sleep(0.001)
    with pytest.raises(errors.Unavailable), room.claim(10):
        pass
    inside.wait(300)
    for thread in threads:
        thread.join()
    assert not refused
    with pytest.raises(errors.Unavailable):
        room.require(1)  # they count until the index is asked again
    room.count_again()
    room.require(100)
