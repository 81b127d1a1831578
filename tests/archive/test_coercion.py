"""What arrives is brought into line with what is known here (STOW-09, STOW-13, STOW-18, T10)."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pydicom
import pytest

from dicomgate import assembly, config, errors
from dicomgate.dicom import part10, syntaxes
from dicomgate.dicom.outcomes import Caution, Reason, Refused, Stored
from dicomgate.dicom.source import BytesSource
from dicomgate.testing import instances

RULES = ("IssuerOfPatientID=HOSPITAL", "InstitutionName?=Clinic", "StudyID?=7")


@pytest.fixture
def opened(tmp_path: Path):
    def start(**bounds):
        return assembly.open_archive(tmp_path / "data", config.Settings(store=config.Store(**bounds)))

    return start


def store(archive, content: bytes):
    arrival = archive.spool.arrival()
    try:
        arrival.write(content)
        return archive.origin.store.accept(arrival)
    finally:
        arrival.discard()


def served(archive, target) -> bytes:
    with archive.origin.retrieve.retrieve(target) as found:
        return b"".join(next(found).file())


def test_off_by_default_every_byte_is_kept(opened) -> None:
    target = instances.new_target()
    content = instances.make(target)
    with opened() as archive:
        assert store(archive, content) == Stored(target, instances.SECONDARY_CAPTURE)
        assert served(archive, target) == content


@pytest.mark.parametrize("uid", [syntaxes.EXPLICIT_LITTLE, syntaxes.IMPLICIT_LITTLE, "1.2.840.10008.1.2.2"])
def test_what_is_set_is_recorded_and_told_STOW_09_STOW_13(opened, uid: str) -> None:
    target = instances.new_target()
    content = instances.make(target, syntax=uid, attributes={"IssuerOfPatientID": "ELSEWHERE"})
    with opened(coerce=RULES, system_name="OUR-PACS") as archive:
        outcome = store(archive, content)
        assert isinstance(outcome, Stored)
        assert (outcome.again, outcome.warning) == (False, Caution.COERCED)
        now = pydicom.dcmread(io.BytesIO(served(archive, target)))
        assert (now.IssuerOfPatientID, now.InstitutionName, now.StudyID) == ("HOSPITAL", "Clinic", "1")
        (record,) = now.OriginalAttributesSequence
        assert (record.ReasonForTheAttributeModification, record.ModifyingSystem) == ("COERCE", "OUR-PACS")
        (modified,) = record.ModifiedAttributesSequence
        assert modified.IssuerOfPatientID == "ELSEWHERE"
        assert modified["InstitutionName"].is_empty
        assert "StudyID" not in modified
        (echo,) = outcome.originals
        assert echo["04000550"]["Value"][0]["00100021"]["Value"] == ["ELSEWHERE"]
        row = archive.index.find_row(target)
        assert row.original_digest == hashlib.sha256(content).hexdigest()
        assert list(archive.verify(lambda _: None)) == []


def test_the_same_sent_again_is_success_though_something_else_is_stored_T10_STOW_18(opened, tmp_path) -> None:
    target = instances.new_target()
    content = instances.make(target)
    with opened(coerce=RULES) as archive:
        store(archive, content)
        before = served(archive, target)
        for _ in range(2):
            outcome = store(archive, content)
            assert isinstance(outcome, Stored)
            assert (outcome.again, outcome.warning) == (True, Caution.COERCED)
        assert served(archive, target) == before
        assert store(archive, before).again  # what is stored, sent back
        other = store(archive, instances.make(target, columns=16))
        assert isinstance(other, Refused)
        assert other.reason is Reason.OTHER_CONTENT
    with opened() as archive:  # no longer coerced, and still known
        assert store(archive, content).again
        assert archive.counts().instances == 1


@pytest.mark.parametrize("uid", [syntaxes.EXPLICIT_LITTLE, syntaxes.IMPLICIT_LITTLE, syntaxes.DEFLATED_LITTLE])
def test_the_same_by_another_door_is_the_same_again_T10(opened, uid: str) -> None:
    """File meta information differs there, and is no part of what is compared."""
    target = instances.new_target()
    content, other = (instances.make(target, syntax=uid, columns=columns) for columns in (8, 16))
    with opened(coerce=RULES) as archive:
        store(archive, content)
        before = served(archive, target)
        outcome = store(archive, by_dimse(content))
        assert outcome == Stored(target, instances.SECONDARY_CAPTURE, again=True, warning=Caution.COERCED)
        assert served(archive, target) == before
        refused = store(archive, by_dimse(other))
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.OTHER_CONTENT
    with opened(coerce=("InstitutionName=Another",)) as archive:  # by other rules it becomes something else
        assert isinstance(store(archive, by_dimse(content)), Refused)


def by_dimse(content: bytes) -> bytes:
    beginning = part10.read_beginning(BytesSource(content))
    sop_class, instance = (beginning.meta[tag]["Value"][0] for tag in ("00020002", "00020003"))
    meta = part10.write_beginning(sop_class=sop_class, instance=instance, transfer_syntax=beginning.transfer_syntax)
    return meta + content[beginning.dataset_offset :]


def test_what_was_stored_before_rules_came_is_the_same_again_T10(opened) -> None:
    target = instances.new_target()
    content = instances.make(target)
    with opened() as archive:
        store(archive, content)
    with opened(coerce=RULES) as archive:
        outcome = store(archive, content)
        assert (outcome.again, outcome.warning) == (True, None)
        assert served(archive, target) == content


def test_what_needs_no_change_keeps_every_byte(opened) -> None:
    target = instances.new_target()
    content = instances.make(target, attributes={"IssuerOfPatientID": "HOSPITAL", "InstitutionName": "X"})
    with opened(coerce=RULES) as archive:
        assert store(archive, content).warning is None
        assert served(archive, target) == content


def test_another_patient_is_refused_unless_coerced_to_the_studys(opened) -> None:
    first = instances.new_target()
    second = instances.new_target(first.study)
    wrong = instances.make(
        second, attributes={"PatientID": "P9", "PatientName": "Other^Name", "EthnicGroup": "none", "PatientSex": "M"}
    )
    with opened() as archive:
        store(archive, instances.make(first))
        refused = store(archive, wrong)
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.OTHER_PATIENT
        assert len(list(archive.notes())) == 1
    with opened(other_patient="coerce") as archive:
        outcome = store(archive, wrong)
        assert isinstance(outcome, Stored)
        assert outcome.warning is Caution.COERCED
        now = pydicom.dcmread(io.BytesIO(served(archive, second)))
        assert (now.PatientID, str(now.PatientName), now.PatientSex) == ("P1", "Doe^Jane", "F")
        assert "EthnicGroup" not in now
        (modified,) = now.OriginalAttributesSequence[0].ModifiedAttributesSequence
        assert (modified.PatientID, str(modified.PatientName), modified.EthnicGroup) == ("P9", "Other^Name", "none")
        assert archive.counts().studies == 1


@pytest.mark.parametrize(
    ("patient", "name", "is_other"),
    [
        ("P1", "Roe^Jane", True),
        ("P1", "Doe^Jane^Mary", True),
        ("P1", "DÖE JANE^^", False),  # another way to write it
        ("P1", "", False),
        ("", "Doe^Jane", True),
    ],
)
def test_the_name_of_a_known_patient_is_brought_into_line_where_patients_are_T10(
    opened, patient: str, name: str, is_other: bool
) -> None:
    first = instances.new_target()
    second = instances.new_target(first.study)
    content = instances.make(second, attributes={"PatientID": patient, "PatientName": name})
    with opened(other_patient="coerce") as archive:
        store(archive, instances.make(first))
        outcome = store(archive, content)
        assert isinstance(outcome, Stored)
        assert outcome.warning is (Caution.COERCED if is_other else None)
        now = pydicom.dcmread(io.BytesIO(served(archive, second)))
        assert str(now.PatientName) == ("Doe^Jane" if is_other else name)
        assert ("OriginalAttributesSequence" in now) is is_other


def test_one_number_is_one_patient_and_without_it_the_name_decides_T10(opened) -> None:
    with opened() as archive:
        for patient in ("P1", ""):
            first = instances.new_target()
            store(archive, instances.make(first, attributes={"PatientID": patient}))
            for name, is_taken in (("Roe^Jane", patient == "P1"), ("doe^jane", True), ("", True)):
                second = instances.new_target(first.study)
                attributes = {"PatientID": patient, "PatientName": name}
                outcome = store(archive, instances.make(second, attributes=attributes))
                assert isinstance(outcome, Stored) is is_taken, (patient, name)
        assert [note["reason"] for note in archive.notes()] == ["C412"]


def test_first_instances_of_two_names_at_once_become_one_patient_T11(opened) -> None:
    """Each finds no study when it is looked at; the index judges the later one again."""
    first = instances.new_target()
    names = [f"Doe^{name}" for name in ("Jane", "Mary", "Ann", "Eve")]
    targets = [instances.new_target(first.study) for _ in names]
    with opened(other_patient="coerce") as archive:

        def send(number: int) -> object:
            return store(archive, instances.make(targets[number], attributes={"PatientName": names[number]}))

        with ThreadPoolExecutor(len(names)) as pool:
            outcomes = list(pool.map(send, range(len(names))))
        assert all(isinstance(outcome, Stored) for outcome in outcomes)
        found = {str(pydicom.dcmread(io.BytesIO(served(archive, target))).PatientName) for target in targets}
        assert len(found) == 1


def test_what_is_refused_is_kept_aside_as_it_was_sent_whatever_the_rules_T10(opened) -> None:
    target = instances.new_target()
    other = instances.make(target, attributes={"PatientComments": "changed"})
    stranger = instances.make(instances.new_target(target.study), attributes={"PatientID": "P9"})
    with opened(coerce=RULES) as archive:
        store(archive, instances.make(target))
        for content, reason in ((other, Reason.OTHER_CONTENT), (other, Reason.OTHER_CONTENT)):
            outcome = store(archive, content)
            assert isinstance(outcome, Refused)
            assert outcome.reason is reason
        assert isinstance(store(archive, stranger), Refused)
        digests = [hashlib.sha256(content).hexdigest() for content in (other, stranger)]
        assert sorted(note["digest"] for note in archive.notes()) == sorted(digests)
        kept = [(archive.aside.directory / f"{digest}.dcm").read_bytes() for digest in digests]
        assert kept == [other, stranger]


def test_a_study_that_is_corrected_meanwhile_is_followed_RET_09(opened, monkeypatch) -> None:
    first = instances.new_target()
    second = instances.new_target(first.study)
    with opened(other_patient="coerce", allow_update=True) as archive:
        store(archive, instances.make(first))
        acceptor = archive.origin.store
        put = archive.blobs.put

        def put_after_a_correction(key, content) -> None:
            monkeypatch.undo()
            archive.origin.update.update(first.study, {"00100020": {"vr": "LO", "Value": ["P2"]}})
            put(key, content)

        monkeypatch.setattr(archive.blobs, "put", put_after_a_correction)
        arrival = archive.spool.arrival()
        arrival.write(instances.make(second, attributes={"PatientID": "P9"}))
        outcome = acceptor.accept(arrival)
        arrival.discard()
        assert isinstance(outcome, Stored)
        assert pydicom.dcmread(io.BytesIO(served(archive, second))).PatientID == "P2"
        assert list(archive.notes()) == []


def test_coerced_ones_are_rebuilt_as_they_are_D6(opened, tmp_path) -> None:
    settings = config.Settings(store=config.Store(coerce=RULES))
    targets = [instances.new_target() for _ in range(3)]
    with opened(coerce=RULES) as archive:
        for target in targets:
            store(archive, instances.make(target))
        before = [served(archive, target) for target in targets]
    for path in (tmp_path / "data").glob("index.sqlite*"):
        path.unlink()
    assert list(assembly.rebuild(tmp_path / "data", settings, lambda _: None)) == []
    with opened(coerce=RULES) as archive:
        assert [served(archive, target) for target in targets] == before
        assert archive.counts().versions == 0


@pytest.mark.parametrize("rule", ["StudyInstanceUID=1.2.3", "Nonsense=1", "PatientID", "PixelData=1"])
def test_a_rule_that_cannot_be_is_told_at_once(rule: str, tmp_path) -> None:
    file = tmp_path / "dicomgate.toml"
    file.write_text(f"[store]\ncoerce = ['{rule}']\n")
    with pytest.raises(config.WrongSetting, match=r"store\.coerce"):
        config.read(file=file, environment={})


def test_two_rules_for_one_attribute_are_told_when_the_archive_opens(opened) -> None:
    with pytest.raises(errors.Malformed, match="twice"), opened(coerce=("PatientID=1", "PatientID?=2")):
        pass


def test_an_executable_preamble_and_coercion_together_T12(opened) -> None:
    target = instances.new_target()
    content = b"MZ" + bytes(126) + instances.make(target)[128:]
    with opened(coerce=RULES) as archive:
        assert store(archive, content).warning is Caution.COERCED
        assert served(archive, target)[:128] == bytes(128)
        assert archive.index.find_row(target).original_digest == hashlib.sha256(content).hexdigest()
        assert store(archive, content).again


@pytest.mark.parametrize("name", ["x" * 65, "a\\b", "a\nb"])
def test_a_name_that_no_record_could_hold_is_told_at_once(name: str, tmp_path) -> None:
    with pytest.raises(config.WrongSetting, match=r"store\.system_name"):
        config.read(environment={}, directory=tmp_path, options={"store.system_name": name})


def test_a_change_is_never_without_its_author(opened) -> None:
    target = instances.new_target()
    with opened(coerce=RULES, system_name="") as archive:
        store(archive, instances.make(target))
        now = pydicom.dcmread(io.BytesIO(served(archive, target)))
        assert now.OriginalAttributesSequence[0].ModifyingSystem == "DICOMGATE"
