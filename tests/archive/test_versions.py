"""Another content under a known UID, kept beside the first: versions (STOW-18, D6, D7, T10)."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from dicomgate import assembly, config, errors
from dicomgate.dicom.matching import Query
from dicomgate.dicom.outcomes import Reason, Refused, Stored
from dicomgate.dicom.uids import Level, Target
from dicomgate.testing import instances

TARGET = instances.new_target()
FILES = [instances.make(TARGET, attributes={"StudyDescription": f"version {number}"}) for number in range(3)]


@pytest.fixture
def settings() -> config.Settings:
    return config.Settings(store=config.Store(allow_delete=True, duplicates="keep-versions"))


def read(archive, number: int) -> bytes:
    return b"".join(archive.origin.versions.version(TARGET, number).file())


def everything(archive) -> list:
    found = [list(archive.search(Query(level=level, relational=True, include_all=True)).datasets) for level in Level]
    versions = [(one.number, one.digest, one.size, one.why) for one in archive.origin.versions.versions(TARGET)]
    return [*found, versions, [read(archive, one[0]) for one in versions]]


def blob_files(data: Path) -> list[Path]:
    return [path for path in (data / "blobs").rglob("*") if path.is_file() and path.parent.name != "open"]


def test_the_newest_is_served_and_the_earlier_ones_stay_STOW_18(archive, store) -> None:
    for content in FILES:
        outcome = store(content)
        assert isinstance(outcome, Stored)
        assert not outcome.again
    assert [(one.number, one.why) for one in archive.origin.versions.versions(TARGET)] == [
        (1, "replaced"),
        (2, "replaced"),
        (3, ""),
    ]
    assert [read(archive, number) for number in (1, 2, 3)] == FILES
    with archive.origin.retrieve.retrieve(TARGET) as found:
        assert b"".join(next(found).file()) == FILES[2]
    assert archive.counts().instances == 1
    with pytest.raises(errors.NotFound):
        archive.origin.versions.version(TARGET, 4)
    with pytest.raises(errors.NotFound):
        archive.origin.versions.versions(Target(TARGET.study, TARGET.series, "1.2.3"))


def test_an_earlier_one_sent_again_changes_nothing_T10(archive, store) -> None:
    for content in FILES:
        store(content)
    outcome = store(FILES[0])
    assert isinstance(outcome, Stored)
    assert outcome.again
    assert len(archive.origin.versions.versions(TARGET)) == 3
    assert read(archive, 3) == FILES[2]


def test_verify_reads_earlier_ones_too_D6(archive, store, tmp_path) -> None:
    for content in FILES:
        store(content)
    assert list(archive.verify(lambda _: None)) == []
    first = min(blob_files(tmp_path / "data"))
    first.write_bytes(first.read_bytes()[:-1] + b"?")
    (damage,) = archive.verify(lambda _: None)
    assert "differ" in damage.problem
    with pytest.raises(errors.Unavailable):
        read(archive, 1)


def test_nothing_of_any_version_is_left_after_a_delete_D7(archive, store, tmp_path) -> None:
    for content in FILES:
        store(content)
    assert archive.origin.delete.delete(TARGET) == 1
    assert blob_files(tmp_path / "data") == []
    with pytest.raises(errors.Gone):
        archive.origin.versions.versions(TARGET)


def test_a_sweep_leaves_earlier_ones_alone_D5(tmp_path, settings) -> None:
    for content in FILES:
        with assembly.open_archive(tmp_path / "data", settings) as archive:
            archive.sweep()
            arrival = archive.spool.arrival()
            arrival.write(content)
            archive.origin.store.accept(arrival)
    with assembly.open_archive(tmp_path / "data", settings) as archive:
        assert archive.sweep() == 0
        assert [read(archive, number) for number in (1, 2, 3)] == FILES


def test_rebuilt_from_the_files_alone_D6(tmp_path, settings) -> None:
    data = tmp_path / "data"
    with assembly.open_archive(data, settings) as archive:
        for content in FILES:
            arrival = archive.spool.arrival()
            arrival.write(content)
            archive.origin.store.accept(arrival)
        before = everything(archive)
    for path in data.glob("index.sqlite*"):
        path.unlink()
    assert list(assembly.rebuild(data, settings, lambda _: None)) == []
    with assembly.open_archive(data, settings) as archive:
        assert everything(archive) == before


def test_another_study_under_a_known_UID_is_no_version_T10(archive, store) -> None:
    store(FILES[0])
    other = Target("1.2.3", TARGET.series, TARGET.instance)
    outcome = store(instances.make(other))
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.OTHER_PARENT
    assert len(archive.origin.versions.versions(TARGET)) == 1


def test_each_version_tells_its_own_metadata(archive, store) -> None:
    for content in FILES:
        store(content)
    with archive.origin.retrieve.retrieve(TARGET) as found:
        current = next(found).metadata()
    assert current == next(archive.origin.retrieve.metadata(TARGET)[1])
    told = [archive.origin.versions.version(TARGET, number).metadata() for number in (1, 2, 3)]
    assert told[2] == current
    descriptions = [orjson.loads(text)["00081030"]["Value"] for text in told]
    assert descriptions == [["version 0"], ["version 1"], ["version 2"]]


@pytest.mark.parametrize("only", ["pixels", "attributes"])
def test_what_came_after_a_correction_is_the_newest_after_a_rebuild_too_D6(tmp_path, only: str) -> None:
    """It has no record of a change, as the file before the correction had none; it is not that file."""
    data = tmp_path / "data"
    settings = config.Settings(store=config.Store(duplicates="keep-versions"))
    old = FILES[0]
    new = FILES[1] if only == "attributes" else old.replace(old[-8:], b"12345678")
    with assembly.open_archive(data, settings) as archive:
        assert isinstance(keep(archive, old), Stored)
        archive.corrector.update(TARGET.study, {"00081030": {"vr": "LO", "Value": ["corrected"]}})
        assert isinstance(keep(archive, new), Stored)
        assert [one.why for one in archive.origin.versions.versions(TARGET)] == ["corrected", "replaced", ""]
        before = everything(archive)
        assert read(archive, 3) == new
    for path in data.glob("index.sqlite*"):
        path.unlink()
    assert list(assembly.rebuild(data, settings, lambda _: None)) == []
    with assembly.open_archive(data, settings) as archive:
        assert everything(archive) == before


@pytest.mark.slow
def test_a_rebuild_does_not_take_what_was_being_refused_for_a_version_T10_D6(tmp_path, settings) -> None:
    data = tmp_path / "data"
    with assembly.open_archive(data, settings) as archive:
        keep(archive, FILES[0])
        before = everything(archive)
        left = archive.blobs.new_key()
        archive.blobs.put(left, instances.make(Target("1.2.3", TARGET.series, TARGET.instance)))
    for path in data.glob("index.sqlite*"):
        path.unlink()
    damages = list(assembly.rebuild(data, settings, lambda _: None))
    assert [(one.key, one.problem) for one in damages] == [(left, "a second file of this instance")]
    with assembly.open_archive(data, settings) as archive:
        assert everything(archive) == before


def keep(archive, content: bytes):
    arrival = archive.spool.arrival()
    try:
        arrival.write(content)
        return archive.origin.store.accept(arrival)
    finally:
        arrival.discard()
