"""What becomes of one offered instance (STOW-14, -15, -18, -19; T9 to T12)."""

from __future__ import annotations

import hashlib
import threading
import zlib
from pathlib import Path

import pytest

from dicomgate import assembly, config, errors
from dicomgate.archive import replaced
from dicomgate.dicom import part10, syntaxes
from dicomgate.dicom.outcomes import Reason, Refused, Stored
from dicomgate.dicom.source import BytesSource
from dicomgate.testing import instances


def read(archive, target) -> bytes:
    with archive.origin.retrieve.retrieve(target) as found:
        return b"".join(next(found).file())


def blobs_on_disk(archive) -> int:
    return len(list(archive.blobs.keys()))


def test_stored_bytes_come_back_unchanged_D1(archive, store) -> None:
    target = instances.new_target()
    content = instances.make(target)
    assert store(content) == Stored(target, instances.SECONDARY_CAPTURE)
    assert read(archive, target) == content


@pytest.mark.slow
def test_large_instance_goes_through_the_spool_and_leaves_nothing_there(archive, store) -> None:
    target = instances.new_target()
    content = instances.make(target, rows=2000, columns=2000)
    assert len(content) > 4 << 20
    assert isinstance(store(content), Stored)
    assert read(archive, target) == content
    assert list(archive.spool.directory.iterdir()) == []


def test_same_bytes_again_are_success_and_no_second_blob_STOW_18(archive, store) -> None:
    content = instances.make()
    assert not store(content).again
    assert store(content).again
    assert blobs_on_disk(archive) == 1


def test_the_same_data_set_behind_other_file_meta_information_is_the_same_again_T10(archive, store) -> None:
    """One came over the web, the other by DIMSE, where file meta information is written anew (PS3.10 §7.1)."""
    target = instances.new_target()
    content = instances.make(target)
    sop_class = "1.2.840.10008.5.1.4.1.1.7"
    data_set = content[part10.read_beginning(BytesSource(content)).dataset_offset :]
    by_dimse = part10.write_beginning(
        sop_class=sop_class, instance=str(target.instance), transfer_syntax=syntaxes.EXPLICIT_LITTLE
    )
    assert by_dimse + data_set != content
    store(content)
    assert store(by_dimse + data_set) == Stored(target, sop_class, again=True)
    assert (read(archive, target), blobs_on_disk(archive), list(archive.notes())) == (content, 1, [])
    for changed in (data_set[:-1] + b"\1", data_set + b"\xfc\xff\xfc\xffOB\0\0\0\0\0\0"):
        outcome = store(by_dimse + changed)
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.OTHER_CONTENT


def test_the_same_bytes_in_another_transfer_syntax_are_another_data_set() -> None:
    one, other = (
        BytesSource(
            part10.write_beginning(sop_class=instances.SECONDARY_CAPTURE, instance="1.2.3", transfer_syntax=syntax)
            + b"\x08\0\x18\0UI\x06\x001.2.3\0"
        )
        for syntax in ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90")
    )
    assert part10.has_same_data_set(one, one)
    assert not part10.has_same_data_set(one, other)


def test_a_deflated_data_set_may_have_its_padding_or_not() -> None:
    meta = part10.write_beginning(
        sop_class="1.2.840.10008.5.1.4.1.1.7", instance="1.2.3", transfer_syntax="1.2.840.10008.1.2.1.99"
    )
    deflated = zlib.compress(b"\x08\0\x18\0UI\x06\x001.2.3\0" * 9, wbits=-15)
    padded, other = BytesSource(meta + deflated + b"\0"), BytesSource(meta + deflated + b"\1")
    for first, second, expected in ((deflated, padded, True), (deflated, other, False), (deflated[:-1], padded, False)):
        one = BytesSource(meta + first)
        assert part10.has_same_data_set(one, second) is expected
        assert part10.has_same_data_set(second, one) is expected


def test_other_content_is_refused_and_kept_aside_T10(archive, store) -> None:
    target = instances.new_target()
    first = instances.make(target)
    store(first)
    other = instances.make(target, attributes={"PatientComments": "changed"})
    outcome = store(other)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.OTHER_CONTENT
    assert read(archive, target) == first
    assert blobs_on_disk(archive) == 1
    notes = list(archive.notes())
    assert [note["digest"] for note in notes] == [hashlib.sha256(other).hexdigest()]
    assert (archive.aside.directory / f"{notes[0]['digest']}.dcm").read_bytes() == other


@pytest.mark.parametrize("duplicates", ["replace", "keep-first"])
def test_other_content_by_policy_STOW_18(tmp_path: Path, duplicates) -> None:
    settings = config.Settings(store=config.Store(duplicates=duplicates))
    target = instances.new_target()
    first = instances.make(target)
    second = instances.make(target, attributes={"PatientComments": "changed"})
    with assembly.open_archive(tmp_path, settings) as archive:
        for content in (first, second):
            arrival = archive.spool.arrival()
            arrival.write(content)
            assert isinstance(archive.origin.store.accept(arrival), Stored)
        archive.sweep()
        assert read(archive, target) == (second if duplicates == "replace" else first)
        assert blobs_on_disk(archive) == 1
        assert archive.counts().instances == 1


def test_replaced_bytes_go_while_the_server_runs(tmp_path: Path, monkeypatch) -> None:
    """After a while in which those who found them still read them; a month of replacing must not fill the disk."""
    monkeypatch.setattr(replaced, "_GRACE", 0.0)
    target = instances.new_target()
    made = [instances.make(target, attributes={"PatientComments": f"take {number}"}) for number in range(6)]
    with assembly.open_archive(tmp_path, config.Settings(store=config.Store(duplicates="replace"))) as archive:
        for content in made:
            arrival = archive.spool.arrival()
            arrival.write(content)
            assert isinstance(archive.origin.store.accept(arrival), Stored)
        assert read(archive, target) == made[-1]
        assert blobs_on_disk(archive) == 1
        assert archive.index.garbage() == []


def test_an_instance_that_is_replaced_while_it_is_asked_for_is_not_said_to_be_absent_D4(tmp_path: Path) -> None:
    target = instances.new_target()
    made = [instances.make(target, attributes={"PatientComments": f"take {number}"}) for number in range(2)]
    with assembly.open_archive(tmp_path, config.Settings(store=config.Store(duplicates="replace"))) as archive:
        for content in made:
            arrival = archive.spool.arrival()
            arrival.write(content)
            archive.origin.store.accept(arrival)
            if content is made[0]:
                with archive.origin.retrieve.retrieve(target) as found:
                    instance = next(found)
        assert b"".join(instance.file(range(9))) == made[0][:9]  # the bytes stay a while
        for ask in (instance.file, lambda: instance.frame(1)):
            with pytest.raises(errors.Unavailable):  # 503, for there is such an instance
                ask()
        archive.sweep()
        with pytest.raises(errors.Unavailable):
            list(instance.file(range(9)))
        archive.index.remove(target)
        for ask in (instance.file, lambda: list(instance.file(range(9)))):
            with pytest.raises(errors.NotFound):
                ask()


def test_known_uid_in_another_study_is_refused_under_every_policy_T10(tmp_path: Path) -> None:
    settings = config.Settings(store=config.Store(duplicates="replace"))
    target = instances.new_target()
    elsewhere = instances.new_target()
    moved = type(target)(elsewhere.study, elsewhere.series, target.instance)
    with assembly.open_archive(tmp_path, settings) as archive:
        for content in (instances.make(target), instances.make(moved)):
            arrival = archive.spool.arrival()
            arrival.write(content)
            outcome = archive.origin.store.accept(arrival)
        assert outcome.reason is Reason.OTHER_PARENT
        assert archive.counts().instances == 1


def test_known_study_of_another_patient_is_refused_T10(archive, store) -> None:
    first = instances.new_target()
    store(instances.make(first))
    outcome = store(instances.make(instances.new_target(first.study), attributes={"PatientID": "P2"}))
    assert outcome.reason is Reason.OTHER_PATIENT
    assert archive.counts().instances == 1


@pytest.mark.parametrize("duplicates", ["refuse", "replace", "keep-first", "keep-versions"])
def test_known_instance_of_another_patient_leaves_the_first_untouched_under_every_policy_T10(
    tmp_path: Path, duplicates
) -> None:
    target = instances.new_target()
    first = instances.make(target)
    other = instances.make(target, attributes={"PatientID": "P9", "PatientName": "Other^Name"})
    with assembly.open_archive(tmp_path, config.Settings(store=config.Store(duplicates=duplicates))) as archive:
        outcomes = []
        for content in (first, other):
            arrival = archive.spool.arrival()
            arrival.write(content)
            outcomes.append(archive.origin.store.accept(arrival))
        if duplicates in {"replace", "keep-versions"}:
            assert isinstance(outcomes[1], Refused)
            assert outcomes[1].reason is Reason.OTHER_PATIENT
        assert read(archive, target) == first
        assert len(archive.origin.versions.versions(target)) == 1


def test_wrong_study_in_the_address_STOW_15(store) -> None:
    assert store(instances.make(), study="1.2.3").reason is Reason.WRONG_STUDY


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"StudyInstanceUID": None}, Reason.MISSING_UID),
        ({"SeriesInstanceUID": ""}, Reason.MISSING_UID),
        ({"StudyInstanceUID": "1." + "2" * 68}, Reason.MALFORMED_UID),
        ({"SeriesInstanceUID": "../../etc/passwd"}, Reason.MALFORMED_UID),
        ({"SeriesInstanceUID": "1..2"}, Reason.MALFORMED_UID),
        ({"SeriesInstanceUID": ["1.2", "1.3"]}, Reason.MALFORMED_UID),
        ({"SeriesInstanceUID": ["1.2.3", "1.2.4"]}, Reason.MALFORMED_UID),
    ],
)
@pytest.mark.filterwarnings("ignore:.*UI.*")
def test_uids_that_are_none_T9(archive, store, attributes, reason) -> None:
    outcome = store(instances.make(attributes=attributes))
    assert isinstance(outcome, Refused)
    assert outcome.reason is reason
    assert blobs_on_disk(archive) == 0


def test_unknown_transfer_syntax_STOW_14(store) -> None:
    content = instances.make().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0")
    assert store(content).reason is Reason.SYNTAX_NOT_SUPPORTED


def test_garbage_and_truncation_are_the_senders_fault_AMB_04(archive, store) -> None:
    for content in (b"", b"no DICOM at all" * 50, instances.make()[:600]):
        outcome = store(content)
        assert isinstance(outcome, Refused)
        assert outcome.syntax_fault
    assert blobs_on_disk(archive) == 0


def test_executable_preamble_is_cleared_T12(archive, store) -> None:
    target = instances.new_target()
    content = instances.make(target)
    armed = b"#!/bin/sh\n".ljust(128, b"\0") + content[128:]
    assert isinstance(store(armed), Stored)
    assert read(archive, target) == content
    row = archive.index.find_row(target)
    assert row.original_digest == hashlib.sha256(armed).hexdigest()
    assert store(armed).again, "the same bytes again are a success, also when they were changed on the way in"


def test_tiff_preamble_is_kept_T12(archive, store) -> None:
    target = instances.new_target()
    dual = b"II*\0".ljust(128, b"\1") + instances.make(target)[128:]
    store(dual)
    assert read(archive, target) == dual


def test_sixteen_senders_of_one_instance_T11(archive, store) -> None:
    content = instances.make()
    outcomes = _at_once(lambda number: store(content), 16)
    assert sum(isinstance(outcome, Stored) for outcome in outcomes) == 16
    assert sum(not outcome.again for outcome in outcomes) == 1
    assert archive.counts().instances == 1
    assert blobs_on_disk(archive) == 1


def test_sixteen_first_instances_of_one_study_T11(archive, store) -> None:
    first = instances.new_target()
    contents = [instances.make(instances.new_target(first.study, first.series)) for _ in range(16)]
    outcomes = _at_once(lambda number: store(contents[number]), 16)
    assert all(isinstance(outcome, Stored) for outcome in outcomes)
    counts = archive.counts()
    assert (counts.studies, counts.series, counts.instances) == (1, 1, 16)


@pytest.mark.parametrize("syntax", [syntaxes.IMPLICIT_LITTLE, syntaxes.EXPLICIT_BIG, syntaxes.DEFLATED_LITTLE])
def test_other_encodings_are_kept_byte_for_byte_STOW_20(archive, store, syntax) -> None:
    target = instances.new_target()
    content = instances.make(target, syntax=syntax)
    assert isinstance(store(content), Stored)
    assert read(archive, target) == content


def _at_once(deed, count):
    results = [None] * count
    barrier = threading.Barrier(count)

    def work(number: int) -> None:
        barrier.wait()
        results[number] = deed(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
