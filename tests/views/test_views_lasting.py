"""What a view lists survives its process, is bounded, and is of one study at a time (LC-02, LC-34)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from views_service import CT, LEGACY_CT, Service, slice_of, uid, value

from dicomgate import assembly, config, errors
from dicomgate.archive.archive import Archive
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.matching import Match, OneOf, Query
from dicomgate.dicom.uids import Level, Target
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.origin import Piece
from dicomgate.testing.serving import serving
from dicomgate.views import view
from dicomgate.views.shown import Making, Shown
from dicomgate.views.sources import Held
from dicomgate.views.view import Name, View


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with assembly.open_archive(tmp_path / "data", config.Settings()) as opened:
        yield opened


@contextmanager
def opened(archive: Archive, folder: Path, name: Name = Name.ENHANCED) -> Iterator[View]:
    with closing(
        view.make(name, archive.origin, lambda: SqliteIndex(folder / f"{name}.sqlite", durable=False), folder)
    ) as shown:
        yield shown


def store(archive: Archive, *contents: bytes) -> None:
    assert archive.origin.store is not None
    for content in contents:
        arrival = archive.spool.arrival()
        try:
            arrival.write(content)
            archive.origin.store.accept(arrival)
        finally:
            arrival.discard()


def classes(shown: View, study: str) -> list[str]:
    with shown.retrieve(Target(uid(study))) as found:
        return [one.facts.sop_class for one in found]


def test_a_restart_finds_the_list_as_it_was(archive: Archive, tmp_path: Path) -> None:
    store(archive, slice_of("lasting", 1), slice_of("lasting", 2))
    with opened(archive, tmp_path) as first:
        before = first.metadata(Target(uid("lasting")))[0]
    with opened(archive, tmp_path) as again:
        lines = again.prepared.index.changed("", 0)[0]
        assert again.metadata(Target(uid("lasting")))[0] == before
        assert again.prepared.index.changed("", 0)[0] == lines  # nothing was listed anew
        store(archive, slice_of("lasting", 3))
        assert again.metadata(Target(uid("lasting")))[0] != before


def test_two_processes_share_a_list(archive: Archive, tmp_path: Path) -> None:
    store(archive, slice_of("shared", 1), slice_of("shared", 2))
    with opened(archive, tmp_path) as one, opened(archive, tmp_path) as other:
        before = list(one.metadata(Target(uid("shared")))[1])
        assert list(other.metadata(Target(uid("shared")))[1]) == before
        store(archive, slice_of("shared", 3))
        assert list(other.metadata(Target(uid("shared")))[1]) == list(one.metadata(Target(uid("shared")))[1]) != before
        with one.retrieve(Target(uid("shared"))) as found:
            (image,) = found
        assert b"".join(image.file())[128:132] == b"DICM"


def test_a_search_waits_so_long_and_no_longer(archive: Archive, tmp_path: Path) -> None:
    for number in range(3):
        store(archive, slice_of(f"slow{number}"))
    asked = Query(level=Level.STUDY)
    with opened(archive, tmp_path) as shown:
        shown.prepared.patience = -1.0
        for _ in range(3):
            with pytest.raises(errors.Unavailable, match="being prepared"):
                shown.search(asked)
        assert len(list(shown.search(asked).datasets)) == 3


def test_a_study_of_too_many_instances_is_shown_as_received(archive: Archive, tmp_path: Path) -> None:
    store(archive, *(slice_of("many", number) for number in (1, 2, 3)))
    with opened(archive, tmp_path) as shown:
        shown.prepared.most = 2
        assert classes(shown, "many") == [CT] * 3


def test_instances_that_contradict_each_other_are_each_shown(archive: Archive, tmp_path: Path) -> None:
    def askew(number: int) -> bytes:
        return slice_of("askew", number, PixelSpacing=[0.5 + number / 10, 0.5], SliceThickness=number)

    store(archive, *map(askew, range(1, 6)))
    with opened(archive, tmp_path) as shown:
        assert classes(shown, "askew") == [LEGACY_CT] * 5


@dataclass(frozen=True)
class Unwritable:
    """How something is made that turns out to be impossible."""

    making: Making

    @property
    def attributes(self) -> JSONDataset:
        return self.making.attributes

    def size(self) -> int:
        raise errors.Malformed("a value that its VR cannot hold")

    def file(self, span: range) -> Iterator[bytes]:
        return self.making.file(span)

    def frame(self, number: int) -> bytes:
        return self.making.frame(number)

    def bulk(self, path: str, span: range | None) -> Piece:
        return self.making.bulk(path, span)


def test_what_cannot_be_written_is_shown_as_received_LC_07(archive: Archive, tmp_path: Path) -> None:
    store(archive, slice_of("unwritable", 1), slice_of("unwritable", 2))
    with opened(archive, tmp_path) as shown:
        whole = shown.prepared.show

        def show(held: Held) -> Iterator[Shown]:
            for one in whole(held):
                yield one if one.made is None else replace(one, made=Unwritable(one.made))

        shown.prepared.show = show
        assert classes(shown, "unwritable") == [CT] * 2


def test_a_search_of_one_study_lists_no_other(archive: Archive, tmp_path: Path) -> None:
    store(archive, slice_of("alone"), slice_of("others"))
    with opened(archive, tmp_path) as shown:
        named = Match(("0020000D",), OneOf((uid("alone"),)))
        assert len(list(shown.search(Query(level=Level.INSTANCE, matches=(named,), relational=True)).datasets)) == 1
        assert shown.prepared.index.counts().studies == 1


@pytest.mark.slow
def test_a_series_of_thousands_is_listed_in_bounded_time(archive: Archive, tmp_path: Path) -> None:
    """Hostile: as many as are stored quickly, all at one place, each of another size."""
    store(archive, *(slice_of("crowd", number, ImagePositionPatient=[0, 0, 0]) for number in range(1, 401)))
    with opened(archive, tmp_path) as shown:
        (one,) = classes(shown, "crowd")
        assert one == LEGACY_CT


@pytest.mark.slow
def test_a_list_that_cannot_be_read_is_made_again(tmp_path: Path) -> None:
    def find() -> list[str]:
        with serving(assembly.application(config.Settings(), data=tmp_path)) as served:
            service = Service(served)
            service.store(*[slice_of("garbage", number) for number in range(1, 4)])
            return [value(one, "00080018") for one in service.json("/dicomweb/enhanced/instances")]

    before = find()
    lists = list((tmp_path / "views").glob("*.sqlite"))
    assert lists
    for path in lists:
        path.write_bytes(b"garbage" * 1000)
    assert len(before) == 1
    assert find() == before


def break_pages(path: Path, table: str) -> None:
    """All but the first, or the one with which a table begins. The first says that the file is one of ours."""
    with closing(sqlite3.connect(path)) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        where = "name = ? OR tbl_name = ?" if table else "? = ?"
        roots = connection.execute(f"SELECT rootpage FROM sqlite_master WHERE {where}", (table, table)).fetchall()
    content = bytearray(path.read_bytes())
    for number in range(2, len(content) // size + 1):
        if not table or (number,) in roots:
            content[(number - 1) * size : number * size] = b"\xff" * size
    path.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize(("table", "statuses"), [("", [200, 200]), ("instance", [503, 200]), ("study", [503, 200])])
def test_a_list_with_broken_pages_is_made_again_LC_34(tmp_path: Path, table: str, statuses: list[int]) -> None:
    """Seen when it is opened, or while it is served: then it is 503 once, and all is told again."""
    with serving(assembly.application(config.Settings(), data=tmp_path)) as served:
        service = Service(served)
        service.store(*[slice_of("page", number) for number in range(1, 4)])
        (before,) = service.json("/dicomweb/enhanced/instances")
        service.json("/dicomweb/classic/instances")
    for path in (tmp_path / "views").glob("*.sqlite"):
        break_pages(path, table)
    with serving(assembly.application(config.Settings(), data=tmp_path)) as served:
        service = Service(served)
        for root in ("enhanced", "classic"):
            asked = [service.get(f"/dicomweb/{root}/instances", "application/dicom+json").status for _ in range(2)]
            assert asked == statuses
        (after,) = service.json("/dicomweb/enhanced/instances")
        assert value(after, "00080018") == value(before, "00080018")
        service.store(slice_of("page", 4))
        assert value(service.json("/dicomweb/enhanced/instances")[0], "00280008") == 4
