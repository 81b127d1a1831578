"""A folder in place: files untouched, changes seen, problems named (journey A)."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dicomgate import assembly, config, errors
from dicomgate.archive.folder import Progress
from dicomgate.dicom.uids import Target
from dicomgate.index.base import FileState
from dicomgate.testing import instances

pytestmark = pytest.mark.slow  # the fast loop stays under a minute


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "scans" / "deep").mkdir(parents=True)
    return tmp_path / "scans"


def scan(folder) -> int:
    read = []
    folder.scan(lambda progress: read.append(progress.read))
    return read[-1]


def snapshot(root: Path) -> dict:
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in root.rglob("*")}


def test_second_scan_reads_only_what_changed(root) -> None:
    targets = [instances.new_target() for _ in range(3)]
    for number, target in enumerate(targets):
        (root / "deep" / f"{number}.dcm").write_bytes(instances.make(target))
    before = snapshot(root)
    with assembly.open_folder(root, config.Settings()) as folder:
        assert scan(folder) == 3
        assert folder.counts().instances == 3
        assert scan(folder) == 0
    assert snapshot(root) == before, "nothing was written beside the files"
    (root / "new.dcm").write_bytes(instances.make())
    (root / "deep" / "0.dcm").write_bytes(instances.make(targets[0], rows=9))
    with assembly.open_folder(root, config.Settings()) as folder:
        assert scan(folder) == 2
        assert folder.counts().instances == 4
        with folder.origin.retrieve.retrieve(targets[0]) as found:
            assert b"".join(next(found).file()) == (root / "deep" / "0.dcm").read_bytes()


def test_vanished_files_leave_the_index_and_a_duplicate_takes_over(root) -> None:
    target = instances.new_target()
    content = instances.make(target)
    (root / "a.dcm").write_bytes(content)
    (root / "b.dcm").write_bytes(content)
    with assembly.open_folder(root, config.Settings()) as folder:
        scan(folder)
        assert folder.counts().instances == 1
        first = folder.index.find_row(target).key
        (root / first).unlink()
        scan(folder)
        assert folder.counts().instances == 1
        assert folder.index.find_row(target).key != first
        for name in ("a.dcm", "b.dcm"):
            (root / name).unlink(missing_ok=True)
        scan(folder)
        assert folder.counts().instances == 0
        with pytest.raises(errors.NotFound):
            folder.origin.retrieve.retrieve(target).__enter__()


def test_of_two_files_of_one_instance_the_first_by_name_counts(root) -> None:
    """Whatever order the file system lists them in: it is mostly that of their making, or a hash."""
    target = instances.new_target()
    for name in ("m", "z", "b", "a", "k"):
        (root / f"{name}.dcm").write_bytes(instances.make(target, attributes={"StudyDescription": name}))
    with assembly.open_folder(root, config.Settings()) as folder:
        scan(folder)
        assert sorted(record.path for record in folder.problems()) == ["b.dcm", "k.dcm", "m.dcm", "z.dcm"]


def test_a_file_that_becomes_another_instance_or_none(root) -> None:
    old, new = instances.new_target(), instances.new_target()
    path = root / "a.dcm"
    path.write_bytes(instances.make(old))
    (root / "b.dcm").write_bytes(instances.make(old))
    with assembly.open_folder(root, config.Settings()) as folder:
        scan(folder)
        path.write_bytes(instances.make(new, rows=9))
        scan(folder)
        assert folder.index.find_row(old).key == "b.dcm", "the second file of the instance takes over"
        assert folder.index.find_row(new).key == "a.dcm"
        path.write_text("no longer an image")
        scan(folder)
        assert folder.counts().instances == 1
        assert folder.index.find_row(new) is None


def test_a_file_whose_instance_moves_to_another_study(root) -> None:
    old = instances.new_target()
    new = Target(instances.new_target().study, instances.new_target().series, old.instance)
    path = root / "a.dcm"
    path.write_bytes(instances.make(old))
    with assembly.open_folder(root, config.Settings()) as folder:
        scan(folder)
        path.write_bytes(instances.make(new, rows=9))
        scan(folder)
        assert folder.index.find_row(new).key == "a.dcm"
        assert folder_study(folder) == new.study
        assert folder.counts().studies == 1


def test_problems_are_counted_and_named(root) -> None:
    (root / "notes.txt").write_text("not an image")
    (root / "cut.dcm").write_bytes(instances.make()[:705])
    (root / "good.dcm").write_bytes(instances.make())
    with assembly.open_folder(root, config.Settings()) as folder:
        scan(folder)
        counts = folder.index.file_counts()
        assert counts[FileState.FOREIGN] == 1
        assert counts[FileState.UNREADABLE] == 1
        assert [record.path for record in folder.problems()] == ["cut.dcm", "notes.txt"]
        assert all(record.reason for record in folder.problems())


def test_a_file_that_was_cut_while_it_was_copied_is_read_again_when_whole(root) -> None:
    content = instances.make()
    (root / "a.dcm").write_bytes(content[:705])
    with assembly.open_folder(root, config.Settings()) as folder:
        scan(folder)
        assert folder.counts().instances == 0
        (root / "a.dcm").write_bytes(content)
        scan(folder)
        assert folder.counts().instances == 1
        assert list(folder.problems()) == []


def test_odd_names_and_links(root, tmp_path) -> None:
    (root / os.fsdecode(b"\xff\xfe.dcm")).write_bytes(instances.make())
    (root / "50%.dcm").write_bytes(instances.make())
    outside = tmp_path / "outside.dcm"
    outside.write_bytes(instances.make())
    (root / "link.dcm").symlink_to(outside)
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe")
    with assembly.open_folder(root, config.Settings()) as folder:
        scan(folder)
        assert folder.counts().instances == 2
        _, texts = folder.origin.retrieve.metadata(Target(folder_study(folder)))
        assert next(texts)


def test_it_offers_no_way_to_store(root) -> None:
    with assembly.open_folder(root, config.Settings()) as folder:
        assert folder.origin.store is None
        assert folder.origin.delete is None


def folder_study(folder) -> str:
    from dicomgate.dicom.matching import Query
    from dicomgate.dicom.uids import Level

    return next(iter(folder.search(Query(level=Level.STUDY)).datasets))["0020000D"]["Value"][0]


def test_an_entry_that_cannot_be_looked_at_hides_none_of_its_neighbours(root) -> None:
    for number in range(30):
        (root / f"{number}.dcm").write_bytes(instances.make())
    with assembly.open_folder(root, config.Settings()) as folder:
        assert scan(folder) == 30
        for number in range(5):
            (root / f"loop{number}").symlink_to(root / f"loop{number}")
        assert scan(folder) == 0
        assert folder.counts().instances == 30


def test_after_a_long_reading_new_files_are_looked_for_as_soon_as_ever(root) -> None:
    (root / "first.dcm").write_bytes(instances.make())
    finished = []
    deadline = time.monotonic() + 50

    def report(progress: Progress) -> None:
        if progress.finished:
            finished.append(progress.files)
            (root / "second.dcm").write_bytes(instances.make())
        else:
            time.sleep(3)  # reading takes its time; walking does not. Twenty times this is past the deadline

    with assembly.open_folder(root, config.Settings()) as folder:
        folder.follow(lambda: len(finished) < 2 and time.monotonic() < deadline, report, interval=0.1)
    assert finished == [1, 2]


def test_trouble_with_the_index_is_told_and_passes(root, monkeypatch) -> None:
    (root / "a.dcm").write_bytes(instances.make())
    told: list = []
    with assembly.open_folder(root, config.Settings()) as folder:
        real = type(folder.index).record_files
        faults = [errors.OutOfSpace("no room left on the disk for the index")]

        def fail_once(index, records):
            if faults:
                raise faults.pop()
            return real(index, records)

        monkeypatch.setattr(type(folder.index), "record_files", fail_once)
        folder.follow(lambda: not any(each.finished for each in told), told.append, interval=0.01)
        assert [each.trouble for each in told if each.trouble] == ["no room left on the disk for the index"]
        assert folder.counts().instances == 1


def test_a_folder_in_place_is_never_corrected_nor_has_versions(tmp_path: Path) -> None:
    settings = config.Settings(store=config.Store(allow_update=True, allow_delete=True))
    with assembly.open_folder(tmp_path, settings) as folder:
        assert (folder.origin.update, folder.origin.versions, folder.origin.store) == (None, None, None)
