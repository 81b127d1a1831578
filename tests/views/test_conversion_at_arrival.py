"""Series are converted once they are quiet; what came stays (LC-02; PS3.4 C.3.5)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from views_service import LEGACY_CT, Service, key_object, slice_of, uid, value

from dicomgate import assembly, config
from dicomgate.archive.archive import Archive
from dicomgate.dicom.uids import Target
from dicomgate.testing import processes
from dicomgate.testing.serving import serving
from dicomgate.views.arrival import Converter


class Clock:
    """Seconds that pass when they are told to."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with assembly.open_archive(tmp_path / "data", config.Settings()) as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def begin(archive: Archive, clock: Clock, told: list[dict[str, Any]], tmp_path: Path) -> Callable[[], Converter]:
    def start() -> Converter:
        return Converter(
            origin=archive.origin,
            index=archive.index,
            folder=tmp_path,
            arrival=archive.spool.arrival,
            remove=archive.deleter.delete,
            quiet_seconds=60,
            tell=lambda event, **facts: told.append({"event": event, **facts}),
            now=clock,
        )

    return start


def store(archive: Archive, *contents: bytes) -> None:
    assert archive.origin.store is not None
    for content in contents:
        arrival = archive.spool.arrival()
        try:
            arrival.write(content)
            archive.origin.store.accept(arrival)
        finally:
            arrival.discard()


def objects(archive: Archive, study: str) -> list[tuple[str, int]]:
    with archive.origin.retrieve.retrieve(Target(uid(study))) as found:
        return [
            (one.facts.target.instance or "", one.facts.frame_count)
            for one in found
            if one.facts.sop_class == LEGACY_CT
        ]


def test_a_quiet_series_is_converted_and_stays(archive: Archive, begin: Callable[[], Converter], clock: Clock) -> None:
    converter = begin()
    converter.look()
    store(archive, *(slice_of("quiet", number) for number in (1, 2, 3)), key_object("quiet", 2))
    converter.look()
    assert objects(archive, "quiet") == []
    clock.ahead = 61
    converter.look()
    ((_, frames),) = objects(archive, "quiet")
    assert frames == 3
    assert archive.counts().instances == 5


def test_twice_is_once(archive: Archive, begin: Callable[[], Converter], clock: Clock, told: list[Any]) -> None:
    converter = begin()
    converter.look()
    store(archive, *(slice_of("once", number) for number in (1, 2)))
    clock.ahead = 61
    converter.look()
    before = objects(archive, "once")
    clock.ahead = 200
    converter.look()
    converter.look()
    assert objects(archive, "once") == before
    assert len(told) == 1


def test_a_series_that_grows_is_converted_anew(archive: Archive, begin: Callable[[], Converter], clock: Clock) -> None:
    converter = begin()
    converter.look()
    store(archive, slice_of("grown", 1), slice_of("grown", 2))
    clock.ahead = 61
    converter.look()
    ((first, _),) = objects(archive, "grown")
    store(archive, slice_of("grown", 3))
    clock.ahead = 200
    converter.look()
    ((second, frames),) = objects(archive, "grown")
    assert (frames, second != first) == (3, True)
    assert archive.index.was_deleted(Target(uid("grown"), None, None)) is False
    assert archive.counts().instances == 4


def test_after_a_restart_what_waits_is_found_again(
    archive: Archive, begin: Callable[[], Converter], clock: Clock
) -> None:
    first = begin()
    first.look()
    store(archive, slice_of("restart", 1), slice_of("restart", 2))
    first.look()
    clock.ahead = 61
    begin().look()
    ((_, frames),) = objects(archive, "restart")
    assert frames == 2


def test_what_was_there_before_stays_as_it_is(archive: Archive, begin: Callable[[], Converter], clock: Clock) -> None:
    store(archive, slice_of("before", 1), slice_of("before", 2))
    clock.ahead = 61
    begin().look()
    assert objects(archive, "before") == []


def test_a_series_that_still_comes_waits_while_another_is_converted(
    archive: Archive, begin: Callable[[], Converter], clock: Clock
) -> None:
    converter = begin()
    converter.look()
    store(archive, slice_of("several", 1), slice_of("several", 2))
    converter.look()
    quiet = max(change.time for change in archive.index.changes())
    store(archive, slice_of("several", 1, series="2"))
    late = max(change.time for change in archive.index.changes())
    converter.now = lambda: 60 + (quiet + late) / 2
    converter.look()
    assert [frames for _, frames in objects(archive, "several")] == [2]
    converter.now = lambda: late + 61
    converter.look()
    assert sorted(frames for _, frames in objects(archive, "several")) == [1, 2]


def test_an_object_goes_only_when_the_one_in_its_place_can_be_made(
    archive: Archive, begin: Callable[[], Converter], clock: Clock
) -> None:
    """A series grows still, another of the study is quiet: what there is of the first stays for now."""
    converter = begin()
    converter.look()
    store(archive, slice_of("place", 1), slice_of("place", 2))
    clock.ahead = 61
    converter.look()
    ((first, _),) = objects(archive, "place")
    store(archive, slice_of("place", 1, series="2"))
    quiet = max(change.time for change in archive.index.changes())
    store(archive, slice_of("place", 3))
    late = max(change.time for change in archive.index.changes())
    converter.now = lambda: 60 + (quiet + late) / 2
    converter.look()
    assert sorted(frames for _, frames in objects(archive, "place")) == [1, 2]
    assert first in dict(objects(archive, "place"))
    converter.now = lambda: late + 61
    converter.look()
    assert sorted(frames for _, frames in objects(archive, "place")) == [1, 3]


def test_a_journal_that_was_begun_anew_is_read_again(
    archive: Archive, begin: Callable[[], Converter], clock: Clock, tmp_path: Path
) -> None:
    (tmp_path / "converted").write_text("1000000")
    store(archive, slice_of("anew", 1), slice_of("anew", 2))
    clock.ahead = 61
    begin().look()
    assert [frames for _, frames in objects(archive, "anew")] == [2]


@pytest.mark.slow
def test_a_server_does_so_when_it_is_told_to(tmp_path: Path) -> None:
    settings = config.Settings(views=config.Views(convert_at_arrival=True, quiet_seconds=0.1))
    with serving(assembly.application(settings, data=tmp_path / "data")) as served:
        service = Service(served)
        service.store(slice_of("served", 1), slice_of("served", 2))
        end = time.monotonic() + processes.PATIENCE
        while True:
            found = service.json(f"/dicomweb/studies/{uid('served')}/instances")
            if any(value(one, "00080016") == LEGACY_CT and value(one, "00280008") == 2 for one in found):
                break
            assert time.monotonic() < end, found
            time.sleep(0.02)
        assert sum(value(one, "00080016") != LEGACY_CT for one in found) == 2
        (shown,) = service.json(f"/dicomweb/enhanced/studies/{uid('served')}/instances")
        assert value(shown, "00280008") == 2
