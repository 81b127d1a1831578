"""Delete, verify, rebuild, sweep (D5 to D8)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from dicomgate import assembly, config, errors
from dicomgate.archive import verify
from dicomgate.dicom.matching import Query
from dicomgate.dicom.outcomes import Stored
from dicomgate.dicom.uids import Level, Target
from dicomgate.testing import instances


def everything(archive) -> list:
    return [list(archive.search(Query(level=level, relational=True, include_all=True)).datasets) for level in Level]


def blob_files(data: Path) -> list[Path]:
    return [path for path in (data / "blobs").rglob("*") if path.is_file() and path.parent.name != "open"]


def test_deleted_bytes_are_gone_before_the_answer_D7(archive, store, tmp_path) -> None:
    first = instances.new_target()
    targets = [first, instances.new_target(first.study, first.series), instances.new_target(first.study)]
    for target in targets:
        store(instances.make(target))
    assert archive.origin.delete.delete(targets[0]) == 1
    assert len(blob_files(tmp_path / "data")) == 2
    assert archive.origin.delete.delete(Target(first.study)) == 2
    assert blob_files(tmp_path / "data") == []
    assert archive.counts().studies == 0
    with pytest.raises(errors.Gone):
        archive.origin.delete.delete(Target(first.study))
    with pytest.raises(errors.NotFound):
        archive.origin.delete.delete(Target("1.2.3"))


def test_deletion_is_not_offered_unless_configured(tmp_path) -> None:
    with assembly.open_archive(tmp_path, config.Settings()) as archive:
        assert archive.origin.delete is None


def test_verify_names_each_kind_of_damage_D6(archive, store, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(verify, "_PATIENCE", 0.0)
    for _ in range(4):
        store(instances.make())
    assert list(archive.verify(lambda _: None)) == []
    changed, short, missing, _ = sorted(blob_files(tmp_path / "data"))
    content = changed.read_bytes()
    changed.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    short.write_bytes(short.read_bytes()[:-10])
    missing.unlink()
    key = archive.blobs.new_key()
    archive.blobs.put(key, b"nobody knows me")
    problems = sorted(damage.problem for damage in archive.verify(lambda _: None))
    assert len(problems) == 4
    for expected in ("differ", "bytes", "missing", "no row"):
        assert any(expected in problem for problem in problems), expected


def test_verify_goes_on_after_a_file_that_cannot_be_read_D6(archive, store, tmp_path) -> None:
    for _ in range(2):
        store(instances.make())
    first, _ = sorted(blob_files(tmp_path / "data"))
    first.unlink()
    first.symlink_to(first)
    (problem,) = [damage.problem for damage in archive.verify(lambda _: None)]
    assert "cannot be" in problem


def test_what_was_replaced_is_no_damage_though_its_bytes_go_later_D6(tmp_path) -> None:
    settings = config.Settings(store=config.Store(duplicates="replace"))
    target = instances.new_target()
    with assembly.open_archive(tmp_path, settings) as archive:
        assert archive.origin.store is not None
        for columns in (8, 16):
            arrival = archive.spool.arrival()
            arrival.write(instances.make(target, columns=columns))
            archive.origin.store.accept(arrival)
        assert len(list(archive.blobs.keys())) == 2
        assert list(archive.verify(lambda _: None)) == []


def test_rebuild_gives_the_same_answers_D6(tmp_path) -> None:
    settings = config.Settings()
    first = instances.new_target()
    made = [
        instances.make(first, attributes={"StudyDescription": "first", "SeriesDescription": "one"}),
        instances.make(instances.new_target(first.study, first.series), attributes={"StudyDescription": "second"}),
        instances.make(instances.new_target(first.study), attributes={"Modality": "MR"}),
        instances.make(),
    ]
    with assembly.open_archive(tmp_path, settings) as archive:
        for content in made:
            arrival = archive.spool.arrival()
            arrival.write(content)
            archive.origin.store.accept(arrival)
        before, counts = everything(archive), archive.counts()
        texts = list(archive.origin.retrieve.metadata(Target(first.study))[1])
    (tmp_path / "index.sqlite").write_bytes(b"lost")
    read = []
    assert list(assembly.rebuild(tmp_path, settings, read.append)) == []
    assert sum(read) == sum(len(content) for content in made)
    with assembly.open_archive(tmp_path, settings) as archive:
        assert everything(archive) == before
        assert archive.counts() == counts
        assert list(archive.origin.retrieve.metadata(Target(first.study))[1]) == texts
        assert list(archive.verify(lambda _: None)) == []


def test_a_rebuild_keeps_in_mind_what_was_deleted_and_what_was_sent_D6_RET_03_STOW_18(tmp_path) -> None:
    """Neither lies in a stored file; the old index tells, where it can be read."""
    settings = config.Settings(store=config.Store(allow_delete=True, coerce=("InstitutionName=Clinic",)))
    gone, kept, again = (instances.new_target() for _ in range(3))
    with assembly.open_archive(tmp_path, settings) as archive:
        for target in (gone, kept, again):
            accept(archive, instances.make(target))
        for target in (gone, again):
            archive.origin.delete.delete(Target(target.study))
        accept(archive, instances.make(again))
        sent = archive.index.find_row(kept).original_digest
    assert list(assembly.rebuild(tmp_path, settings, lambda _: None)) == []
    with assembly.open_archive(tmp_path, settings) as archive:
        with pytest.raises(errors.Gone), archive.origin.retrieve.retrieve(Target(gone.study)):
            pass
        assert not archive.index.was_deleted(Target(again.study))
        assert archive.index.find_row(kept).original_digest == sent
        assert accept(archive, instances.make(kept)).again
        assert archive.counts().studies == 2
    (tmp_path / "index.sqlite").unlink()  # now nobody knows
    assert list(assembly.rebuild(tmp_path, settings, lambda _: None)) == []
    with assembly.open_archive(tmp_path, settings) as archive:
        with pytest.raises(errors.NotFound), archive.origin.retrieve.retrieve(Target(gone.study)):
            pass
        assert archive.counts().studies == 2


def accept(archive, content: bytes):
    arrival = archive.spool.arrival()
    try:
        arrival.write(content)
        return archive.origin.store.accept(arrival)
    finally:
        arrival.discard()


@pytest.mark.parametrize("left", ["no file", "empty", "without its tables"])
def test_an_empty_index_is_not_believed_where_files_are_D2_D6(tmp_path, left: str) -> None:
    """A killed process was at work in the only directory: to an empty index all in it would be left-overs."""
    made = instances.make()
    with assembly.open_archive(tmp_path, config.Settings()) as archive:
        assert isinstance(accept(archive, made), Stored)
        marker = next((tmp_path / "blobs" / "open").iterdir()).name
    (tmp_path / "blobs" / "open" / marker).touch()  # as after a kill
    for path in tmp_path.glob("index.sqlite*"):
        path.unlink()
    if left != "no file":
        (tmp_path / "index.sqlite").touch()
    if left == "without its tables":
        connection = sqlite3.connect(tmp_path / "index.sqlite")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
    with (
        pytest.raises(errors.Unavailable, match="is missing"),
        assembly.open_archive(tmp_path, config.Settings()) as archive,
    ):
        archive.sweep()
    assert list(assembly.rebuild(tmp_path, config.Settings(), lambda _: None)) == []
    with assembly.open_archive(tmp_path, config.Settings()) as archive:
        archive.sweep()
        assert archive.counts().instances == 1
        assert list(archive.verify(lambda _: None)) == []


def test_rebuild_is_refused_while_somebody_uses_the_folder(archive, tmp_path, settings) -> None:
    with pytest.raises(errors.Unavailable, match="uses"):
        list(assembly.rebuild(tmp_path / "data", settings, lambda _: None))


@pytest.mark.slow
def test_rebuild_names_what_it_cannot_read(tmp_path) -> None:
    settings = config.Settings()
    with assembly.open_archive(tmp_path, settings) as archive:
        arrival = archive.spool.arrival()
        arrival.write(instances.make())
        archive.origin.store.accept(arrival)
        key = archive.blobs.new_key()
        archive.blobs.put(key, b"no DICOM")
        archive.blobs.settle(key)
    damages = list(assembly.rebuild(tmp_path, settings, lambda _: None))
    assert [damage.key for damage in damages] == [key]
    with assembly.open_archive(tmp_path, settings) as archive:
        assert archive.counts().instances == 1


def test_spool_of_a_dead_process_is_swept_D5(archive) -> None:
    left = archive.spool.directory / "999999999-deadbeef"
    left.write_bytes(b"half an instance")
    arrival = archive.spool.arrival()
    arrival.write(bytes(5 << 20))
    assert archive.sweep() == 1
    assert not left.exists()
    assert len(list(archive.spool.directory.iterdir())) == 1, "a living process keeps its own"
    arrival.discard()


def test_no_archive_is_made_among_somebodys_files(tmp_path) -> None:
    (tmp_path / "scan.dcm").write_bytes(instances.make())
    with pytest.raises(errors.Malformed, match="no data folder"), assembly.open_archive(tmp_path, config.Settings()):
        pass
    with pytest.raises(errors.NotFound, match="no archive"):
        list(assembly.rebuild(tmp_path, config.Settings(), lambda _: None))
    assert [path.name for path in tmp_path.iterdir()] == ["scan.dcm"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lost+found", ".DS_Store", "lock", "spool", "index.rebuilt.sqlite-wal"])
def test_an_archive_is_made_beside_what_file_systems_and_a_killed_start_leave(name, tmp_path) -> None:
    (tmp_path / name).touch() if "." in name or name == "lock" else (tmp_path / name).mkdir()
    with assembly.open_archive(tmp_path, config.Settings()) as archive:
        assert archive.counts().instances == 0
