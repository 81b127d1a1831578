"""SOP Classes in Study is counted where it is asked for or matched (PS3.18 Table 10.6.3-3, QIDO-15)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomgate import assembly, config
from dicomgate.archive.archive import Archive
from dicomgate.dicom.matching import Match, OneOf, Query
from dicomgate.dicom.uids import Level, Target
from dicomgate.testing import instances

CT, MR, CAPTURE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.7"
CLASSES, STUDY = "00080062", "0020000D"


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    settings = config.Settings(store=config.Store(allow_delete=True))
    with assembly.open_archive(tmp_path / "data", settings) as opened:
        yield opened


def store(archive: Archive, study: str, series: str, sop_class: str) -> Target:
    assert archive.origin.store is not None
    target = instances.new_target(study, series)
    arrival = archive.spool.arrival()
    arrival.write(instances.make(target, attributes={"SOPClassUID": sop_class, "PatientID": "1"}))
    archive.origin.store.accept(arrival)
    return target


def find(archive: Archive, **how: object) -> dict[str, list[str] | None]:
    asked = Query(level=Level.STUDY, **how)  # type: ignore[arg-type]
    found = archive.origin.search.search(asked).datasets
    return {one[STUDY]["Value"][0]: one.get(CLASSES, {}).get("Value") for one in found}


def test_the_classes_of_a_study_are_returned_when_asked_for_QIDO_15(archive: Archive) -> None:
    store(archive, "1.2.1", "1.2.1.1", MR)
    gone = store(archive, "1.2.1", "1.2.1.1", CAPTURE)
    store(archive, "1.2.1", "1.2.1.2", CT)
    store(archive, "1.2.2", "1.2.2.1", CT)
    assert find(archive) == {"1.2.1": None, "1.2.2": None}
    whole = {"1.2.1": [CT, MR, CAPTURE], "1.2.2": [CT]}
    assert find(archive, include=((CLASSES,),)) == whole
    assert find(archive, include_all=True) == whole
    assert archive.origin.delete is not None
    archive.origin.delete.delete(gone)
    assert find(archive, include=((CLASSES,),)) == {"1.2.1": [CT, MR], "1.2.2": [CT]}


@pytest.mark.parametrize(("sop_class", "studies"), [(CT, {"1.2.1", "1.2.2"}), (MR, {"1.2.1"}), (CAPTURE, set())])
def test_studies_are_found_by_their_classes(archive: Archive, sop_class: str, studies: set[str]) -> None:
    store(archive, "1.2.1", "1.2.1.1", MR)
    store(archive, "1.2.1", "1.2.1.2", CT)
    store(archive, "1.2.2", "1.2.2.1", CT)
    store(archive, "1.2.3", "1.2.3.1", "1.2.840.10008.5.1.4.1.1.128")
    found = find(archive, matches=(Match((CLASSES,), OneOf((sop_class,))),))
    assert found.keys() == studies
    assert all(sop_class in (classes or ()) for classes in found.values())


def test_series_tell_the_classes_of_their_study_with_its_attributes(archive: Archive) -> None:
    store(archive, "1.2.1", "1.2.1.1", MR)
    asked = Query(level=Level.SERIES, relational=True, include_all=True)
    (one,) = archive.origin.search.search(asked).datasets
    assert one[CLASSES]["Value"] == [MR]
