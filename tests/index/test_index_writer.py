"""Group commit, failing disks, killed processes, several processes at once: D1, D3, D4, T11, T17."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dicomgate import errors
from dicomgate.dicom.matching import Query
from dicomgate.dicom.uids import Level, Target
from dicomgate.index.base import Verdict
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.testing.entries import entry, refuse_nothing, target

pytestmark = pytest.mark.slow  # the fast loop stays under a minute


@pytest.fixture
def index(tmp_path):
    index = SqliteIndex(tmp_path / "index")
    yield index
    index.close()


def consistent(index):
    """Counts, listings and rows agree."""
    counts = index.counts()
    studies = index.find(Query(level=Level.STUDY)).datasets
    series = index.find(Query(level=Level.SERIES)).datasets
    assert counts.studies == len(studies)
    assert counts.series == len(series) == sum(one["00201206"]["Value"][0] for one in studies)
    assert counts.instances == sum(one["00201208"]["Value"][0] for one in studies)
    assert counts.instances == sum(one["00201209"]["Value"][0] for one in series)
    assert counts.instances == len(list(index.keys()))
    return counts.instances


def test_what_waits_together_is_committed_together(index):
    statements = []
    index._writer.do(lambda changes: changes.connection.set_trace_callback(statements.append))
    begun, gate = threading.Event(), threading.Event()
    blocker = threading.Thread(target=index._writer.do, args=(lambda changes: begun.set() or gate.wait(300),))
    blocker.start()
    assert begun.wait(300)
    with ThreadPoolExecutor(40) as pool:
        adding = [pool.submit(index.add, entry(target(1, 1, number)), refuse_nothing) for number in range(40)]
        while len(index._writer._waiting) < 40:
            time.sleep(0.001)
        gate.set()
        assert all(one.result().is_stored for one in adding)
    blocker.join()
    assert statements.count("COMMIT") == 3  # the first deed's, the blocker's, and one for all forty
    assert consistent(index) == 40


def test_a_group_is_bounded(index):
    index.add_many([entry(target(1, 1, number)) for number in range(600)], refuse_nothing)
    assert consistent(index) == 600


def test_a_full_disk_is_told_apart_and_later_adds_work_D3(index):
    stored = entry(target(1, 1, 1))
    index.add(stored, refuse_nothing)
    pages = index._readers.rows("PRAGMA page_count")[0][0]
    index._writer.do(lambda changes: changes.connection.execute(f"PRAGMA max_page_count = {pages}"))
    for _ in range(2):
        with pytest.raises(errors.OutOfSpace):
            index.add(entry(target(2, 1, 1), PatientComments=os.urandom(100_000).hex()), refuse_nothing)
    assert consistent(index) == 1
    index._writer.do(lambda changes: changes.connection.execute("PRAGMA max_page_count = 1000000"))
    assert index.add(entry(target(2, 1, 1), PatientComments="x" * 100_000), refuse_nothing).is_stored
    assert consistent(index) == 2


FAILING = """
import resource, signal, sys
from pathlib import Path
from dicomgate import errors
from dicomgate.dicom.matching import Query
from dicomgate.dicom.uids import Level
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.testing.entries import entry, refuse_nothing, target
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
index = SqliteIndex(Path(sys.argv[1]))
index.add(entry(target(1, 1, 1)), refuse_nothing)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))  # now every write fails: EFBIG
for expected in ("the index failed", "until a restart", "until a restart"):
    try:
        index.add(entry(target(2, 1, 1)), refuse_nothing)
        sys.exit("stored")
    except errors.Unavailable as fault:
        assert not isinstance(fault, errors.OutOfSpace), fault
        assert expected in fault.message, fault.message
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
try:
    index.remove(target(1, 1, 1))
    sys.exit("removed")
except errors.Unavailable:
    pass
assert len(index.find(Query(level=Level.STUDY)).datasets) == 1
index.close()
"""


def test_after_a_failed_write_nothing_is_changed_any_more_but_all_is_read_D3(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FAILING, str(tmp_path / "index")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    index = SqliteIndex(tmp_path / "index")
    assert consistent(index) in (1, 2)
    assert index.add(entry(target(3, 1, 1)), refuse_nothing).is_stored
    index.close()


KILLED = """
import sys, threading
from pathlib import Path
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.testing.entries import entry, refuse_nothing, target
index = SqliteIndex(Path(sys.argv[1]))
def work(series):
    for number in range(10**6):
        index.add(entry(target(1, series, number), key=f"{series}-{number}"), refuse_nothing)
        sys.stdout.write(f"{series}-{number}\\n")
        sys.stdout.flush()
for series in range(4):
    threading.Thread(target=work, args=(series,), daemon=True).start()
threading.Event().wait(600)
"""


@pytest.mark.parametrize("after", [1, 30, 150])
def test_what_was_acknowledged_is_there_after_a_kill_D1_D2(tmp_path, after):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "index")], stdout=subprocess.PIPE, text=True
    )
    acknowledged = {process.stdout.readline().strip() for _ in range(after)}
    process.send_signal(signal.SIGKILL)
    acknowledged |= {line.strip() for line in process.communicate()[0].splitlines()}
    index = SqliteIndex(tmp_path / "index")
    assert index.known_keys(acknowledged) == acknowledged
    assert consistent(index) >= len(acknowledged)
    assert len(list(index.metadata(Target("1.2.1"))[1])) == consistent(index)
    index.close()


def store_many(path, process, results):
    index = SqliteIndex(path)

    def work(thread):
        for number in range(20):
            for where in (target(1, number % 3, number), target(2 + process, thread, number)):
                key = f"{number}-{where.study}-{thread}-{process}"
                added = index.add(entry(where, key=key, PatientName=f"N{process}"), refuse_nothing)
                results.put(added.verdict is Verdict.INSERT)
            if number % 5 == process:
                index.remove(target(2 + process, thread, number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    index.close()


def test_two_processes_store_the_same_and_their_own_T11(tmp_path):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=store_many, args=(tmp_path / "index", number, results)) for number in (0, 1)]
    for process in processes:
        process.start()
    inserted = [results.get(timeout=300) for _ in range(2 * 4 * 20 * 2)]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert sum(inserted) == 20 + 2 * 4 * 20
    index = SqliteIndex(tmp_path / "index")
    assert consistent(index) == 20 + 2 * 4 * 16
    study = index.find(Query(level=Level.STUDY, scope=None)).datasets
    assert {one["0020000D"]["Value"][0]: one["00201208"]["Value"][0] for one in study} == {
        "1.2.1": 20, "1.2.2": 64, "1.2.3": 64,
    }  # fmt: skip
    index.close()


def test_a_reader_sees_a_change_wholly_or_not_at_all_D4(index):
    stop = threading.Event()
    problems = []

    def look():
        while not stop.is_set():
            for answer in index.find(Query(level=Level.STUDY)).datasets:
                if (answer["00201206"]["Value"], answer["00201208"]["Value"]) != ([2], [10]):
                    problems.append(answer)

    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()
    for turn in range(15):
        index.add_many([entry(target(turn % 3, number % 2, number)) for number in range(10)], refuse_nothing)
        index.remove(Target(f"1.2.{turn % 3}"))
    stop.set()
    for reader in readers:
        reader.join()
    assert problems == []


def test_a_search_that_takes_too_long_is_too_large_T17(index):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(errors.TooLarge, match="narrow"), index._readers.snapshot(seconds=0.05) as connection:
        connection.execute(endless).fetchall()
    assert index.find(Query(level=Level.STUDY)).datasets == []


def test_never_more_than_the_most_at_once_T17(tmp_path):
    index = SqliteIndex(tmp_path / "index", most=7)
    index.add_many([entry(target(number, 1, 1)) for number in range(20)], refuse_nothing)
    for limit in (None, 100, 10**30):
        page = index.find(Query(level=Level.STUDY, limit=limit))
        assert (len(page.datasets), page.remaining) == (7, 13)
    index.close()


def test_connections_are_lent_not_collected(index):
    index.add(entry(target(1, 1, 1)), refuse_nothing)
    for _ in range(3):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: index.find(Query(level=Level.STUDY)), range(40)))
    assert len(index._readers._idle) <= 8
    rows = index.locate(Target("1.2.1"))
    next(rows)
    assert len(index._readers._idle) >= 1


def test_an_abandoned_iterator_holds_nothing(index):
    index.add_many([entry(target(1, 1, number)) for number in range(600)], refuse_nothing)
    rows = index.locate(Target("1.2.1"))
    next(rows)
    _, texts = index.metadata(Target("1.2.1"))
    next(texts)
    assert index.remove(Target("1.2.1")) == 600
    index._writer.do(lambda changes: None)
    checkpoint = index._readers.rows("SELECT 1")
    assert checkpoint == [(1,)]
    del rows, texts
