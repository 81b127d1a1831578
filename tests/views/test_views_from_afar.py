"""Views over an origin whose studies must be brought first: what is brought for which search (LC-34)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from test_views_lasting import store
from views_service import LEGACY_CT, slice_of, uid, value

from dicomgate import assembly, config, errors
from dicomgate.archive.archive import Archive
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.matching import AnyOf, Match, OneOf, Query
from dicomgate.dicom.uids import Level, Target
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.views import afar, view
from dicomgate.views.view import Name, View

MODALITY, PATIENT = ("00080060",), ("00100020",)


@dataclass
class Bringing:
    """Brings nothing, for all is here; `brought` are the studies that it was asked for."""

    brought: list[str] = field(default_factory=list)
    is_compared: bool = True

    def fetch(self, study: str) -> None:
        self.brought.append(study)

    def is_here(self, study: str) -> bool:
        return self.is_compared and study in self.brought


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with assembly.open_archive(tmp_path / "data", config.Settings()) as opened:
        yield opened


@contextmanager
def distant(archive: Archive, folder: Path) -> Iterator[tuple[View, Bringing]]:
    bringing = Bringing()
    shown = view.make(
        Name.ENHANCED,
        archive.origin,
        lambda: SqliteIndex(folder / "enhanced.sqlite", durable=False),
        folder,
        afar=bringing,
    )
    with closing(shown):
        yield shown, bringing


def find(shown: View, level: Level, *matches: Match) -> list[JSONDataset]:
    return list(shown.search(Query(level=level, matches=matches, relational=level is not Level.STUDY)).datasets)


def test_only_studies_that_a_search_can_be_about_are_brought(archive: Archive, tmp_path: Path) -> None:
    store(archive, slice_of("scans"), slice_of("others", Modality="OT"), slice_of("thorax"))
    with distant(archive, tmp_path) as (shown, bringing):
        assert find(shown, Level.SERIES, Match(MODALITY, OneOf(("MR",)))) == []
        assert bringing.brought == []
        (one,) = find(shown, Level.SERIES, Match(MODALITY, OneOf(("OT",))))
        assert value(one, "0020000D") == uid("others")
        assert bringing.brought == [uid("others")]
        (one,) = find(shown, Level.INSTANCE, Match(MODALITY, OneOf(("CT",))), Match(PATIENT, OneOf(("thorax",))))
        assert value(one, "00080016") == LEGACY_CT
        assert bringing.brought == [uid("others"), uid("thorax")]
        either = AnyOf((OneOf(("OT",)), OneOf(("XX",))))
        assert len(find(shown, Level.SERIES, Match(MODALITY, either))) == 1


def test_more_than_a_few_are_not_brought(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(afar, "MOST", 2)
    store(archive, *(slice_of(f"few{number}") for number in range(3)))
    with distant(archive, tmp_path) as (shown, bringing):
        with pytest.raises(errors.TooLarge, match="PatientID"):
            find(shown, Level.INSTANCE)
        assert bringing.brought == []
        assert len(find(shown, Level.INSTANCE, Match(PATIENT, OneOf(("few0", "few1"))))) == 2


def test_a_search_waits_so_long_and_goes_on_where_it_stopped(archive: Archive, tmp_path: Path) -> None:
    store(archive, *(slice_of(f"slow{number}") for number in range(3)))
    with distant(archive, tmp_path) as (shown, _):
        shown.prepared.patience = -1.0
        for number in (1, 2):
            with pytest.raises(errors.Unavailable, match=f"{number} of 3"):
                find(shown, Level.INSTANCE)
        assert len(find(shown, Level.INSTANCE)) == 3


def test_a_study_counts_as_in_the_view_while_its_list_is_right(archive: Archive, tmp_path: Path) -> None:
    store(archive, *(slice_of("counts", number) for number in (1, 2)))
    with distant(archive, tmp_path) as (shown, _):

        def count() -> int:
            (study,) = find(shown, Level.STUDY)
            return int(value(study, "00201208"))

        assert count() == 2
        shown.metadata(Target(uid("counts")))
        assert count() == 1
        store(archive, slice_of("counts", 3))
        assert count() == 3
        shown.metadata(Target(uid("counts")))
        assert count() == 1


def test_what_has_to_be_compared_counts_as_changed(archive: Archive, tmp_path: Path) -> None:
    store(archive, slice_of("compared"))
    with distant(archive, tmp_path) as (shown, bringing):
        shown.metadata(Target(uid("compared")))
        number, is_changed = shown.changed(uid("compared"), archive.origin.retrieve.changed("", 0)[0])
        assert not is_changed
        bringing.is_compared = False
        assert shown.changed(uid("compared"), number) == (number, True)
