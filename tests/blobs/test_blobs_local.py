"""What the local store promises of a crash and of a failing disk: D1, D3, D5, T9."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dicomgate import errors
from dicomgate.blobs import places, runs
from dicomgate.blobs.disk import Disk
from dicomgate.blobs.local import LocalBlobs


class WatchedDisk(Disk):
    """The real disk; it writes down what is called, in order, and fails where it is told to."""

    def __init__(self):
        self.log = []
        self.failures = {}  # (call, part of the path) -> errno
        self.names = {}

    def note(self, call, path):
        self.log.append((call, str(path)))
        for (failing, part), number in self.failures.items():
            if failing == call and part in str(path):
                raise OSError(number, os.strerror(number))

    def open(self, path, flags):
        self.note("open", path)
        descriptor = super().open(path, flags)
        self.names[descriptor] = path
        return descriptor

    def write(self, descriptor, content):
        self.note("write", self.names[descriptor])
        return super().write(descriptor, content[:7])  # the kernel may take less than offered

    def sync(self, descriptor):
        self.note("sync", self.names[descriptor])
        super().sync(descriptor)

    def rename(self, old, new):
        self.note("rename", new)
        super().rename(old, new)

    def unlink(self, path):
        self.note("unlink", path)
        super().unlink(path)

    def make_directory(self, path):
        self.note("make_directory", path)
        super().make_directory(path)


@pytest.fixture
def disk():
    return WatchedDisk()


@pytest.fixture
def store(tmp_path, disk):
    store = LocalBlobs(tmp_path / "blobs", disk=disk)
    yield store
    disk.failures.clear()
    store.close()


def stored(store, content=b"some bytes"):
    key = store.new_key()
    store.put(key, content)
    return key


def test_put_writes_syncs_renames_and_syncs_the_directory_in_this_order_D1(store, disk):
    key = store.new_key()
    disk.log.clear()
    store.put(key, b"ten bytes!")
    moment, run = key.split("-")
    file = f"{store._root}/{run}/{moment}"
    assert disk.log == [
        ("open", f"{file}.part"),
        ("write", f"{file}.part"),
        ("write", f"{file}.part"),
        ("sync", f"{file}.part"),
        ("rename", file),
        ("sync", f"{store._root}/{run}"),
    ]


def test_a_file_is_synced_before_it_is_moved_D1(store, disk, tmp_path):
    spooled = tmp_path / "spooled"
    spooled.write_bytes(b"bytes")
    key = store.new_key()
    disk.log.clear()
    store.put(key, spooled)
    assert [call for call, _ in disk.log] == ["open", "sync", "rename", "sync"]
    assert disk.log[1] == ("sync", str(spooled))


def test_a_new_directory_is_marked_before_it_is_made_and_both_are_durable_D1_D5(store, disk):
    disk.log.clear()
    key = store.new_key()
    root, run = str(store._root), key.split("-")[1]
    assert disk.log == [
        ("open", f"{root}/open/{run}"),
        ("open", f"{root}/open"),
        ("sync", f"{root}/open"),
        ("make_directory", f"{root}/{run}"),
        ("open", root),
        ("sync", root),
        ("open", f"{root}/{run}"),
    ]


def test_the_stores_own_directories_are_durable_also_those_above_D1(tmp_path, disk):
    (tmp_path / "data").mkdir()  # by somebody who did not think of it
    root = tmp_path / "data" / "deep" / "blobs"
    LocalBlobs(root, disk=disk).close()
    synced = {path for call, path in disk.log if call == "sync"}
    assert synced >= {str(path) for path in (root, root.parent, root.parent.parent, tmp_path)}
    disk.log.clear()
    LocalBlobs(root, disk=disk).close()
    assert not [path for call, path in disk.log if call == "sync"], "once is enough"


@pytest.mark.slow
def test_threads_share_the_sync_of_the_directory(tmp_path):
    class SlowDisk(WatchedDisk):
        def sync(self, descriptor):
            super().sync(descriptor)
            if self.names[descriptor].is_dir():
                time.sleep(0.1)  # long enough for the others to come, also on a busy machine

    disk = SlowDisk()
    store = LocalBlobs(tmp_path / "blobs", disk=disk)
    run = store.new_key().split("-")[1]
    disk.log.clear()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: stored(store), range(48)))
    syncs = disk.log.count(("sync", f"{store._root}/{run}"))
    assert 3 <= syncs < 40
    store.close()


def test_a_shared_sync_begins_after_everybody_who_waits_for_it_asked():
    """A put must not be told "durable" by a sync that began before its rename."""
    clock = iter(range(10_000))
    began = []
    ended = []

    def sync():
        began.append(next(clock))
        time.sleep(0.002)
        ended.append(next(clock))

    shared = runs.SharedSync(sync)
    problems = []

    def ask():
        for _ in range(15):
            asked = next(clock)
            shared.wait()
            if not any(asked < start for start in began[: len(ended)]):
                problems.append(asked)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(began) < 8 * 15


def test_a_shared_sync_that_is_interrupted_is_none():
    """Ctrl-C in a thread that syncs for another, too: that one begins again, and does not take it for done."""
    calls, goes_on, told = [], threading.Event(), []

    def sync():
        calls.append(True)
        if len(calls) == 1:
            goes_on.wait()
        elif len(calls) == 2:
            raise KeyboardInterrupt

    shared = runs.SharedSync(sync)

    def ask():
        try:
            shared.wait()
        except KeyboardInterrupt:
            told.append("interrupted")
        else:
            told.append("durable")

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while len(shared._changed._waiters) < 2:
        assert time.monotonic() < deadline, "two wait for the third"
        time.sleep(0.001)
    goes_on.set()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["durable", "durable", "interrupted"]
    assert len(calls) == 3


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize(("call", "part"), [("open", ".part"), ("write", ".part"), ("sync", ".part")])
def test_a_full_disk_refuses_one_instance_and_no_more_D3(store, disk, call, part, number):
    first = stored(store)
    disk.failures[call, part] = number
    key = store.new_key()
    with pytest.raises(errors.OutOfSpace):
        store.put(key, b"does not fit")
    assert list(store.keys()) == [first]
    assert not list(store._root.glob("*/*.part"))
    disk.failures.clear()
    second = stored(store)
    assert list(store.keys()) == [first, second]
    for one in (first, second):
        store.settle(one)
    store.close()
    assert not list((store._root / "open").iterdir())


def test_no_room_for_a_new_directory_D3(store, disk):
    disk.failures["make_directory", ""] = errno.ENOSPC
    for _ in range(3):
        with pytest.raises(errors.OutOfSpace):
            store.new_key()
    assert not list((store._root / "open").iterdir()), "refusals must not litter"
    disk.failures.clear()
    stored(store)


@pytest.mark.parametrize(("call", "part"), [("sync", ".part"), ("write", ".part")])
def test_after_a_failed_sync_or_write_nothing_is_stored_any_more_but_all_is_read_D3(store, disk, call, part):
    kept = stored(store)
    key = store.new_key()
    disk.failures[call, part] = errno.EIO
    with pytest.raises(errors.Unavailable) as caught:
        store.put(key, b"never safe")
    assert not isinstance(caught.value, errors.OutOfSpace)
    disk.failures.clear()
    disk.log.clear()
    for _ in range(2):
        with pytest.raises(errors.Unavailable, match="until a restart"):
            store.new_key()
        with pytest.raises(errors.Unavailable, match="until a restart"):
            store.put(key, b"again")
    assert disk.log == [], "nothing is written or synced again"
    assert list(store.keys()) == [kept]
    with store.open(kept) as blob:
        assert blob.read_at(0, 100) == b"some bytes"


def test_a_failed_sync_of_the_directory_fails_all_who_wait_and_leaves_the_marker_D3(tmp_path, disk):
    store = LocalBlobs(tmp_path / "blobs", disk=disk)
    keys = [store.new_key() for _ in range(8)]
    run = keys[0].split("-")[1]

    def put(key):
        with pytest.raises(errors.Unavailable):
            store.put(key, b"bytes")

    original = disk.sync

    def sync(descriptor):
        if disk.names[descriptor] == store._root / run:
            raise OSError(errno.EIO, "Input/output error")
        original(descriptor)

    disk.sync = sync
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, keys))
    disk.sync = original
    assert list(store.keys()) == []
    store.close()
    after = LocalBlobs(tmp_path / "blobs")
    assert (store._root / "open" / run).exists()
    after.sweep(lambda keys: set())
    assert not (store._root / "open" / run).exists()
    assert stored(after)
    after.close()


def test_orphans_that_cannot_be_removed_at_once_are_swept_later_D5(store, disk):
    key = store.new_key()
    disk.failures["rename", ""] = errno.EACCES
    disk.failures["unlink", ".part"] = errno.EACCES
    with pytest.raises(errors.Unavailable):
        store.put(key, b"stuck")
    disk.failures.clear()
    assert list(store._root.glob("*/*.part"))
    store.close()
    after = LocalBlobs(store._root)
    assert after.sweep(lambda keys: set()) == 1
    assert not list(store._root.glob("*/*.part"))
    after.close()


def test_a_marker_stays_until_the_last_put_of_its_directory_is_settled_D5(tmp_path):
    store = LocalBlobs(tmp_path / "blobs", files_per_run=2)
    keys = [stored(store) for _ in range(7)]
    markers = tmp_path / "blobs" / "open"
    assert len(list(markers.iterdir())) == 4
    store.settle(keys[0])
    assert len(list(markers.iterdir())) == 4
    store.delete(keys[1])
    assert len(list(markers.iterdir())) == 3
    for key in keys[2:6]:
        store.settle(key)
        store.settle(key)
    assert [marker.name for marker in markers.iterdir()] == [keys[6].split("-")[1]]
    store.settle(keys[6])
    assert len(list(markers.iterdir())) == 1
    store.close()
    assert not list(markers.iterdir())


def test_deletes_are_durable_before_the_marker_goes_D5(tmp_path, disk):
    store = LocalBlobs(tmp_path / "blobs", files_per_run=1, disk=disk)
    key = stored(store)
    stored(store)
    disk.log.clear()
    store.delete(key)
    moment, run = key.split("-")
    root = store._root
    assert [step for step in disk.log if step[0] != "open"] == [
        ("unlink", f"{root}/{run}/{moment}"),
        ("sync", f"{root}/{run}"),  # so that the deletion is acknowledged for good (D7)
        ("sync", f"{root}/{run}"),  # when the run is left
        ("unlink", f"{root}/open/{run}"),
    ]
    store.close()


def test_deleting_from_others_directories_is_durable_and_lets_empty_ones_go(tmp_path, disk):
    old = LocalBlobs(tmp_path / "blobs")
    keys = [stored(old) for _ in range(3)]
    for key in keys:
        old.settle(key)
    old.close()
    run = tmp_path / "blobs" / keys[0].split("-")[1]
    store = LocalBlobs(tmp_path / "blobs", disk=disk)
    store.delete(*keys[:2])
    assert [entry for entry in disk.log if entry[0] == "sync"] == [("sync", str(run))]
    assert run.is_dir()
    store.delete(keys[2])
    assert not run.exists()
    store.close()


def test_what_somebody_else_has_removed_just_now_is_durably_gone_too_before_delete_returns_D7(tmp_path, disk):
    """Another thread or process, or one that was killed since, took the names away: nobody knows whether it synced."""
    store, other = LocalBlobs(tmp_path / "blobs"), LocalBlobs(tmp_path / "blobs", disk=disk)
    keys = [stored(store) for _ in range(2)]
    run = keys[0].split("-")[1]
    places.path(tmp_path / "blobs", keys[0]).unlink()
    disk.log.clear()
    other.delete(keys[0])
    assert disk.log[-1] == ("sync", f"{tmp_path}/blobs/{run}")
    disk.failures["sync", run] = errno.EIO
    with pytest.raises(errors.Unavailable):
        other.delete(keys[0])
    other.close()
    store.close()


def test_a_living_process_empty_directory_is_left_alone(tmp_path):
    living, other = LocalBlobs(tmp_path / "blobs"), LocalBlobs(tmp_path / "blobs")
    key = stored(living)
    living.settle(key)
    other.delete(key)
    assert stored(living)
    living.close()
    other.close()


def test_a_key_used_after_its_directory_was_left_is_marked_again(tmp_path):
    store = LocalBlobs(tmp_path / "blobs", files_per_run=2)
    late = store.new_key()
    for _ in range(5):
        store.settle(stored(store))
    markers = tmp_path / "blobs" / "open"
    run = late.split("-")[1]
    assert not (markers / run).exists()
    store.put(late, b"late")
    assert (markers / run).exists()
    with store.open(late) as blob:
        assert blob.read_at(0, 9) == b"late"
    store.settle(late)
    assert not (markers / run).exists()
    store.close()


def test_a_sweep_looks_only_where_a_process_died_D5(tmp_path, monkeypatch):
    store = LocalBlobs(tmp_path / "blobs", files_per_run=2)
    for _ in range(20):
        store.settle(stored(store))
    orphan = stored(store)
    store.close()
    after = LocalBlobs(tmp_path / "blobs")
    listed = []
    names = places.names
    monkeypatch.setattr(places, "names", lambda directory: listed.append(directory.name) or names(directory))
    assert after.sweep(lambda keys: set()) == 1
    assert set(listed) == {orphan.split("-")[1]}
    after.close()


def test_a_sweep_leaves_strangers_files_alone(tmp_path):
    store = LocalBlobs(tmp_path / "blobs")
    key = stored(store)
    run = tmp_path / "blobs" / key.split("-")[1]
    (run / "README").write_text("mine")
    (tmp_path / "blobs" / "open" / "stranger").touch()
    store.close()
    after = LocalBlobs(tmp_path / "blobs")
    assert after.sweep(lambda keys: set()) == 1
    assert [path.name for path in run.iterdir()] == ["README"]
    assert list(after.keys()) == []
    after.close()


def test_a_killed_process_leaves_its_lock_and_its_work_is_swept_D5_D8(tmp_path):
    code = """
import sys, time
from pathlib import Path
from dicomgate.blobs import places
from dicomgate.blobs.local import LocalBlobs
store = LocalBlobs(Path(sys.argv[1]))
keys = [store.new_key() for _ in range(3)]
for key in keys:
    store.put(key, b"bytes")
store.settle(keys[0])
path = places.path(store._root, store.new_key())
path.with_name(path.name + ".part").write_bytes(b"half")
print(*keys, flush=True)
time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "blobs")], stdout=subprocess.PIPE, text=True)
    keys = process.stdout.readline().split()
    store = LocalBlobs(tmp_path / "blobs")
    assert store.sweep(lambda keys: set()) == 0, "it lives"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert store.sweep(lambda asked: {keys[0], keys[1]} & set(asked)) == 2
    assert sorted(store.keys()) == keys[:2]
    assert not list((tmp_path / "blobs" / "open").iterdir())
    store.close()


def test_a_link_under_a_key_is_not_followed_T9(store, tmp_path):
    key = stored(store)
    path = places.path(store._root, key)
    path.unlink()
    path.symlink_to("/etc/hostname")
    with pytest.raises(errors.Fault):
        store.open(key)


def test_reading_a_broken_disk_is_unavailable(store):
    key = stored(store)
    blob = store.open(key)
    os.close(blob.fileno())
    with pytest.raises(errors.Unavailable):
        blob.read_at(0, 5)
    blob._descriptor = None  # closed by hand, above
