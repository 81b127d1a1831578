"""Patient and study attributes put right in every file of a study (RET-09, D4, D6, D8, T10)."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pydicom
import pytest

from dicomgate import assembly, config, errors
from dicomgate.dicom import part10, syntaxes
from dicomgate.dicom.matching import Match, OneOf, Query
from dicomgate.dicom.outcomes import Caution, Reason, Refused, Stored
from dicomgate.dicom.source import BytesSource
from dicomgate.dicom.uids import Level, Target
from dicomgate.index.base import ChangeKind
from dicomgate.testing import instances
from dicomgate.testing.entries import dataset

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

WANTED = dataset(PatientID="P2", PatientName="Dör^Jane", StudyDescription="corrected", AccessionNumber=None)


@pytest.fixture
def settings() -> config.Settings:
    return config.Settings(store=config.Store(allow_delete=True, allow_update=True))


def store(archive, content: bytes):
    arrival = archive.spool.arrival()
    try:
        arrival.write(content)
        return archive.origin.store.accept(arrival)
    finally:
        arrival.discard()


def fill(archive, count: int = 3) -> list[tuple[Target, bytes]]:
    first = instances.new_target()
    targets = [first, *(instances.new_target(first.study, first.series) for _ in range(count - 2))]
    if count > 1:
        targets.append(instances.new_target(first.study))
    stored = [(target, instances.make(target)) for target in targets]
    for _, content in stored:
        assert isinstance(store(archive, content), Stored)
    return stored


def served(archive, target: Target) -> bytes:
    with archive.origin.retrieve.retrieve(target) as found:
        return b"".join(next(found).file())


def everything(archive, study: str) -> dict[str, object]:
    target = Target(study)
    found = [
        list(archive.search(Query(level=level, scope=None, relational=True, include_all=True)).datasets)
        for level in Level
    ]
    with archive.origin.retrieve.retrieve(target) as stored:
        files = {each.facts.target: b"".join(each.file()) for each in stored}
    versions = {
        each: [(one.number, one.digest, one.why) for one in archive.origin.versions.versions(each)] for each in files
    }
    return {
        "found": found,
        "files": files,
        "metadata": list(archive.origin.retrieve.metadata(target)[1]),
        "versions": versions,
        "counts": archive.counts(),
    }


def blob_files(data: Path) -> list[Path]:
    return [path for path in (data / "blobs").rglob("*") if path.is_file() and path.parent.name != "open"]


def test_instances_metadata_and_search_agree_RET_09(archive) -> None:
    stored = fill(archive)
    study = stored[0][0].study
    before, _ = archive.origin.retrieve.metadata(Target(study))
    done = archive.origin.update.update(study, WANTED)
    assert (done.corrected, done.unchanged) == (3, 0)
    for target, original in stored:
        now = pydicom.dcmread(io.BytesIO(served(archive, target)))
        assert (now.PatientID, str(now.PatientName), now.StudyDescription) == ("P2", "Dör^Jane", "corrected")
        assert now.AccessionNumber == ""
        was = pydicom.dcmread(io.BytesIO(original))
        assert now.PixelData == was.PixelData
        (record,) = now.OriginalAttributesSequence
        assert (record.ReasonForTheAttributeModification, record.ModifyingSystem) == ("CORRECT", "DICOMGATE")
        (modified,) = record.ModifiedAttributesSequence
        assert (modified.PatientID, str(modified.PatientName), modified.AccessionNumber) == ("P1", "Doe^Jane", "A1")
    version, texts = archive.origin.retrieve.metadata(Target(study))
    assert version != before
    assert all(b'"P2"' in text and "Dör".encode() in text for text in texts)
    (found,) = archive.search(
        Query(level=Level.STUDY, matches=(Match(("00100020",), OneOf(("P2",))),), include_all=True)
    ).datasets
    assert found["00100010"]["Value"] == [{"Alphabetic": "Dör^Jane"}]
    assert not archive.search(Query(level=Level.STUDY, matches=(Match(("00100020",), OneOf(("P1",))),))).datasets
    kinds = [change.kind for change in archive.index.changes()]
    assert kinds[-3:] == [ChangeKind.CORRECTED] * 3


def test_what_was_stored_stays_as_a_version(archive) -> None:
    stored = fill(archive)
    archive.origin.update.update(stored[0][0].study, WANTED)
    for target, original in stored:
        assert [one.why for one in archive.origin.versions.versions(target)] == ["corrected", ""]
        assert b"".join(archive.origin.versions.version(target, 1).file()) == original
    assert list(archive.verify(lambda _: None)) == []


def test_without_keeping_nothing_of_the_original_is_left(tmp_path) -> None:
    settings = config.Settings(store=config.Store(allow_update=True, keep_originals=False))
    with assembly.open_archive(tmp_path / "data", settings) as archive:
        stored = fill(archive)
        archive.origin.update.update(stored[0][0].study, WANTED)
        assert len(blob_files(tmp_path / "data")) == 3
        assert len(archive.origin.versions.versions(stored[0][0])) == 1
        assert list(archive.verify(lambda _: None)) == []
        again = store(archive, stored[0][1])
        assert isinstance(again, Stored)
        assert again.again


def test_the_original_sent_again_undoes_nothing_T10(archive) -> None:
    stored = fill(archive)
    archive.origin.update.update(stored[0][0].study, WANTED)
    for target, original in stored:
        before = served(archive, target)
        outcome = store(archive, original)
        assert isinstance(outcome, Stored)
        assert (outcome.again, outcome.warning) == (True, Caution.COERCED)
        assert served(archive, target) == before


def test_twice_the_same_changes_nothing_the_second_time(archive) -> None:
    study = fill(archive)[0][0].study
    archive.origin.update.update(study, WANTED)
    before = everything(archive, study)
    done = archive.origin.update.update(study, WANTED)
    assert (done.corrected, done.unchanged) == (0, 3)
    assert everything(archive, study) == before


def test_the_original_sent_again_behind_other_file_meta_information_undoes_nothing_T10(archive) -> None:
    stored = fill(archive)
    archive.origin.update.update(stored[0][0].study, WANTED)
    for target, original in stored:
        before = served(archive, target)
        outcome = store(archive, bytes(128) + _with_other_meta(original, str(target.instance)))
        assert (outcome.again, outcome.warning) == (True, Caution.COERCED)
        assert served(archive, target) == before


def _with_other_meta(content: bytes, instance: str) -> bytes:
    """As it comes by DIMSE; without the preamble."""
    beginning = part10.read_beginning(BytesSource(content))
    sop_class = beginning.meta["00020002"]["Value"][0]
    other = part10.write_beginning(sop_class=sop_class, instance=instance, transfer_syntax=beginning.transfer_syntax)
    return other[128:] + content[beginning.dataset_offset :]


def test_corrected_twice_both_are_recorded_in_order(archive) -> None:
    (target, _), *_ = fill(archive)
    archive.origin.update.update(target.study, WANTED)
    archive.origin.update.update(target.study, dataset(PatientID="P3"))
    now = pydicom.dcmread(io.BytesIO(served(archive, target)))
    told = [item.ModifiedAttributesSequence[0].PatientID for item in now.OriginalAttributesSequence]
    assert (now.PatientID, told) == ("P3", ["P1", "P2"])
    assert len(archive.origin.versions.versions(target)) == 3


@pytest.mark.parametrize("uid", [syntaxes.IMPLICIT_LITTLE, "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.4.90"])
def test_every_way_of_encoding_is_corrected(archive, uid: str) -> None:
    target = instances.new_target()
    frames = [b"\xff\x4f\xff\x51" + bytes(50)] * 3 if uid.startswith("1.2.840.10008.1.2.4") else None
    content = instances.make(target, syntax=uid, frames=frames)
    store(archive, content)
    archive.origin.update.update(target.study, WANTED)
    with archive.origin.retrieve.retrieve(target) as found:
        instance = next(found)
        now = pydicom.dcmread(io.BytesIO(b"".join(instance.file())))
        assert now.PatientID == "P2"
        if frames:
            assert b"".join(instance.frame(2).chunks) == frames[1]


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("StudyInstanceUID", "1.2.3"),
        ("SeriesDescription", "x"),
        ("Rows", 3),
        ("ModalitiesInStudy", "CT"),
        ("NumberOfStudyRelatedInstances", 3),
        ("SpecificCharacterSet", "ISO_IR 100"),
        ("SOPInstanceUID", "1.2.3"),
    ],
)
def test_other_attributes_are_refused_by_name(archive, keyword: str, value: object) -> None:
    study = fill(archive, 1)[0][0].study
    with pytest.raises(errors.Malformed, match=keyword):
        archive.origin.update.update(study, {**WANTED, **dataset(**{keyword: value})})
    assert archive.counts().versions == 0


def test_what_is_not_there_or_was_deleted(archive) -> None:
    with pytest.raises(errors.NotFound):
        archive.origin.update.update("1.2.3", WANTED)
    study = fill(archive)[0][0].study
    archive.origin.delete.delete(Target(study))
    with pytest.raises(errors.Gone):
        archive.origin.update.update(study, WANTED)


def test_a_damaged_file_does_not_become_a_good_one_D6(archive, tmp_path) -> None:
    stored = fill(archive)
    study = stored[0][0].study
    path = sorted(blob_files(tmp_path / "data"))[1]
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    count = len(blob_files(tmp_path / "data"))
    with pytest.raises(errors.Unavailable):
        archive.origin.update.update(study, WANTED)
    assert len(blob_files(tmp_path / "data")) == count
    assert archive.counts().versions == 0
    assert list((tmp_path / "data" / "corrections").iterdir()) == []


def test_what_comes_meanwhile_is_corrected_too_or_refused_RET_09(archive, monkeypatch) -> None:
    stored = fill(archive)
    study = stored[0][0].study
    exchange, late = archive.index.exchange, instances.new_target(study)

    def exchange_after_a_store(*about, **named):
        monkeypatch.undo()
        assert isinstance(store(archive, instances.make(late)), Stored)
        return exchange(*about, **named)

    monkeypatch.setattr(archive.index, "exchange", exchange_after_a_store)
    done = archive.origin.update.update(study, WANTED)
    assert done.corrected == 4
    assert pydicom.dcmread(io.BytesIO(served(archive, late))).PatientID == "P2"
    outcome = store(archive, instances.make(instances.new_target(study)))
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.OTHER_PATIENT


def test_stores_and_corrections_at_once_leave_one_patient_RET_09_D4(archive) -> None:
    study = fill(archive)[0][0].study
    stop = threading.Event()
    outcomes: list[object] = []

    def keep_storing() -> None:
        while not stop.is_set() and len(outcomes) < 200:
            outcomes.append(store(archive, instances.make(instances.new_target(study))))

    threads = [threading.Thread(target=keep_storing) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(3):
            archive.origin.update.update(study, dataset(PatientID=f"X{number}"))
            patients = {
                one["00100020"]["Value"][0]
                for one in archive.search(Query(level=Level.INSTANCE, relational=True, include_all=True)).datasets
            }
            assert patients == {f"X{number}"}
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert all(isinstance(one, Stored) or one.reason is Reason.OTHER_PATIENT for one in outcomes)
    assert list(archive.verify(lambda _: None)) == []


def test_two_corrections_at_once_leave_the_one_or_the_other_D4(archive) -> None:
    study = fill(archive, 6)[0][0].study
    faults: list[BaseException] = []

    def correct(name: str) -> None:
        try:
            archive.origin.update.update(study, dataset(PatientID=name, StudyDescription=name))
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=correct, args=(f"C{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    found = archive.search(Query(level=Level.INSTANCE, relational=True, include_all=True)).datasets
    assert len({(one["00100020"]["Value"][0], one["00081030"]["Value"][0]) for one in found}) == 1
    assert list(archive.verify(lambda _: None)) == []


def test_rebuilt_from_the_files_alone_D6(tmp_path, settings) -> None:
    data = tmp_path / "data"
    with assembly.open_archive(data, settings) as archive:
        study = fill(archive)[0][0].study
        archive.origin.update.update(study, WANTED)
        archive.origin.update.update(study, dataset(PatientID="P3"))
        before = everything(archive, study)
    for path in data.glob("index.sqlite*"):
        path.unlink()
    assert list(assembly.rebuild(data, settings, lambda _: None)) == []
    with assembly.open_archive(data, settings) as archive:
        assert everything(archive, study) == before


def test_a_deleted_study_leaves_no_version_D7(archive, tmp_path) -> None:
    study = fill(archive)[0][0].study
    archive.origin.update.update(study, WANTED)
    archive.origin.delete.delete(Target(study))
    assert blob_files(tmp_path / "data") == []


def test_without_room_nothing_has_changed_D3(tmp_path) -> None:
    size = len(instances.make())
    settings = config.Settings(store=config.Store(allow_update=True, quota_bytes=4 * size))
    with assembly.open_archive(tmp_path / "data", settings) as archive:
        stored = fill(archive)
        with pytest.raises(errors.Unavailable, match="quota"):
            archive.origin.update.update(stored[0][0].study, WANTED)
        assert [served(archive, target) for target, _ in stored] == [content for _, content in stored]
        assert len(blob_files(tmp_path / "data")) == 3


@pytest.mark.parametrize("moment", ["exchange", "close"])
def test_an_interrupt_while_the_rows_are_switched_takes_no_file_away_D8(archive, tmp_path, monkeypatch, moment) -> None:
    """Ctrl-C in `admin correct`: the index's own thread goes on, and points at the new files."""
    stored = fill(archive)
    study = stored[0][0].study
    exchange = archive.index.exchange

    def interrupted(*arguments, **named):
        exchange(*arguments, **named)
        raise KeyboardInterrupt

    def close(note) -> None:
        raise KeyboardInterrupt

    if moment == "exchange":
        monkeypatch.setattr(archive.index, "exchange", interrupted)
    else:
        monkeypatch.setattr("dicomgate.archive.intents.Note.close", close)
    with pytest.raises(KeyboardInterrupt):
        archive.origin.update.update(study, WANTED)
    monkeypatch.undo()
    assert list(archive.verify(lambda _: None)) == []
    assert all(b"P2" in served(archive, target) for target, _ in stored)
    assert len(blob_files(tmp_path / "data")) == 6


def test_a_rebuild_leaves_out_what_a_killed_correction_wrote_D8(tmp_path, settings, monkeypatch) -> None:
    """The process dies after some new files, and the index is lost as well: the old files alone are right."""
    data = tmp_path / "data"
    with assembly.open_archive(data, settings) as archive:
        stored = fill(archive)
        study = stored[0][0].study
        before = everything(archive, study)
        put, count = archive.blobs.put, []

        class Killed(BaseException):
            pass

        def put_two(key, content) -> None:
            if len(count) == 2:
                raise Killed
            count.append(key)
            put(key, content)

        monkeypatch.setattr(archive.blobs, "put", put_two)
        monkeypatch.setattr("dicomgate.archive.correct.Corrector._abandon", lambda *_: None)
        monkeypatch.setattr("dicomgate.archive.intents.Note.close", lambda *_: None)
        with pytest.raises(Killed):
            archive.origin.update.update(study, WANTED)
        monkeypatch.undo()
        assert len(blob_files(data)) == 5
    for path in data.glob("index.sqlite*"):
        path.unlink()
    assert list(assembly.rebuild(data, settings, lambda _: None)) == []
    with assembly.open_archive(data, settings) as archive:
        assert everything(archive, study) == before
