"""Two processes write one index at once: afterwards everything is as one list of what is stored would have it (D4, T11).

Every stored entry has a key of its own, so the keys that are left tell which entries are; all else is counted anew from
these. The journal, replayed, tells what must be there and what is remembered as deleted.
"""

import contextlib
import multiprocessing
import queue
import random
import threading
from collections import Counter, defaultdict

import pytest

from dicomgate.dicom.matching import Query
from dicomgate.dicom.uids import Level, Target
from dicomgate.index import registered, taken
from dicomgate.index.base import ChangeKind, ColumnState, Verdict
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.testing.entries import entry, refuse_nothing

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

CONTEXT = multiprocessing.get_context("spawn")
CLASSES = ["1.2.840.1", "1.2.840.2"]
PROMOTED = [
    ("00080080",),
    ("00101010",),
    ("00280010",),
    ("00321060",),
    ("00082112", "00081155"),
    ("00101002", "00100020"),
]
"""Of series, study, instance; of a study; in sequences of instances and of studies."""
NAMES = ["Doe^John", "Müller^Jörg", {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}, None]


def random_entry(dice, key):
    study, series, instance = dice.randrange(5), dice.randrange(3), dice.randrange(5)
    where = Target(f"1.{study}", f"1.{study}.{series}", f"1.{study}.{series}.{instance}")
    return entry(
        where,
        key=f"{dice.randrange(10**6):06d}-{key}",  # arrival in any order, as with several clocks
        content=str(dice.randrange(4)),
        sop_class=dice.choice(CLASSES),
        PatientName=dice.choice(NAMES),
        PatientID=dice.choice(["P1", "P2", None]),
        PatientAge=dice.choice(["054Y", "3M", None]),
        StudyDate=dice.choice(["20200101", "20240229", None]),
        StudyTime=dice.choice(["08", "101530.5", None]),
        TimezoneOffsetFromUTC=dice.choice(["+0100", None]),
        Modality=dice.choice(["CT", "MR", "SR", None]),
        InstitutionName=dice.choice(["North", "South", None]),
        Rows=dice.choice([64, 512, None]),
        RequestedProcedureDescription=dice.choice(["Knee", None]),
        SourceImageSequence=[
            {"ReferencedSOPInstanceUID": f"1.2.{dice.randrange(3)}"} for _ in range(dice.randrange(3))
        ],
        OtherPatientIDsSequence=[{"PatientID": f"Q{dice.randrange(3)}"} for _ in range(dice.randrange(3))],
    )


def random_target(dice):
    study, series, instance = dice.randrange(5), dice.randrange(3), dice.randrange(5)
    return Target(*(f"1.{study}", f"1.{study}.{series}", f"1.{study}.{series}.{instance}")[: dice.choice([1, 2, 2, 3, 3, 3, 3, 3])])  # fmt: skip


def do_random_deeds(path, number, seed, count, results):
    """One process: thousands of random deeds. What it offered, by key, and which of it was stored."""
    dice = random.Random(seed * 100 + number)
    offered, stored = {}, []
    removed = 0
    index = SqliteIndex(path, durable=False)
    for step in range(count):
        deed = dice.random()
        if deed < 0.70:
            group = [random_entry(dice, f"{number}-{step}-{place}") for place in range(dice.choice([1, 1, 1, 6]))]
            offered |= {one.key: one for one in group}
            stored += [one.key for one, added in zip(group, index.add_many(group, refuse_nothing), strict=True) if added.is_stored]  # fmt: skip
        elif deed < 0.90:
            removed += index.remove(random_target(dice))
        elif deed < 0.93:
            index.promote(dice.choice(PROMOTED))
        elif deed < 0.95 and (known := [one for one in index.promoted() if one.state is not ColumnState.LEAVING]):
            try:
                index.demote(dice.choice(known).path)
            except Exception as error:
                assert "was not promoted" in str(error)  # noqa: PT017 - the other process was quicker
        else:
            for _ in index.fill():
                if dice.random() < 0.5:
                    break  # as if stopped in the middle
    index.close()
    results.put((offered, stored, removed))


def assert_consistent(connection):
    """In one moment: every number beside what it counts."""
    sums = "SELECT coalesce(sum(number_of_instances), 0) FROM"
    (instances,) = connection.execute("SELECT count(*) FROM instance").fetchone()
    assert (
        connection.execute(f"{sums} study").fetchone()
        == connection.execute(f"{sums} series").fetchone()
        == (instances,)
    )
    assert connection.execute("SELECT coalesce(sum(number_of_series), 0) FROM study").fetchone() == connection.execute(
        "SELECT count(*) FROM series").fetchone()  # fmt: skip
    for level in ("study", "series", "instance"):
        lonely = f"SELECT 1 FROM {level}_value WHERE {level} NOT IN (SELECT id FROM {level})"
        assert connection.execute(lonely).fetchone() is None


def watch(index, is_over, troubles):
    try:
        while not is_over.is_set():
            with index._readers.snapshot() as connection:
                assert_consistent(connection)
    except BaseException as trouble:
        troubles.append(trouble)


def run_processes(target, arguments):
    results = CONTEXT.Queue()
    processes = [CONTEXT.Process(target=target, args=(*each, results)) for each in arguments]
    for process in processes:
        process.start()
    found = []
    while len(found) < len(processes):
        assert all(process.is_alive() or process.exitcode == 0 for process in processes), "one of them failed"
        with contextlib.suppress(queue.Empty):
            found.append(results.get(timeout=0.5))
    for process in processes:
        process.join()
    return found


def compare_all(index, entries):
    """The whole index beside the entries that are stored."""
    studies, series = defaultdict(list), defaultdict(list)
    for one in sorted(entries, key=lambda one: one.key):
        studies[one.target.study].append(one)
        series[one.target.study, one.target.series].append(one)
    answers = {one["0020000D"]["Value"][0]: one for one in index.find(Query(level=Level.STUDY)).datasets}
    assert answers.keys() == studies.keys()
    for uid, held in studies.items():
        modalities = {text(series[uid, one][0], "00080060") for one in {one.target.series for one in held}} - {None}
        answer = answers[uid]
        assert answer.get("00080061", {}).get("Value", []) == sorted(modalities)  # absent where nobody says one
        assert answer["00201206"]["Value"] == [len({one.target.series for one in held})]
        assert answer["00201208"]["Value"] == [len(held)]
        for tag in ("00080020", "00100010", "00100020"):
            assert answer[tag] == held[0].attributes[tag]
    answers = {one["0020000E"]["Value"][0]: one for one in index.find(Query(level=Level.SERIES)).datasets}
    assert answers.keys() == {uid for _, uid in series}
    for (_, uid), held in series.items():
        assert answers[uid]["00201209"]["Value"] == [len(held)]
        assert answers[uid]["00080060"] == held[0].attributes["00080060"]
    compare_values(index, studies, series, entries)


def text(one, tag):
    return next(iter(one.attributes[tag].get("Value", [])), None)


def compare_values(index, studies, series, entries):
    """Every row of the tables of values, and no other."""
    with index._readers.snapshot() as connection:
        known = registered.read(connection)
        expected = Counter()
        for (study, uid), held in series.items():
            moment = taken.study_moment(studies[study][0].attributes)
            wanted = taken.values_of(known.of_level(Level.SERIES), held[0].attributes)
            wanted |= {taken.Value(int("00080016", 16), one.sop_class) for one in held}
            expected.update((uid, moment, one.column, one.text, one.item) for one in wanted)
        for uid, held in studies.items():
            moment = taken.study_moment(held[0].attributes)
            wanted = taken.values_of(known.of_level(Level.STUDY), held[0].attributes)
            modalities = {text(series[uid, one][0], "00080060") for one in {one.target.series for one in held}} - {None}
            wanted |= {taken.Value(int("00080061", 16), one) for one in modalities}
            expected.update((uid, moment, one.column, one.text, one.item) for one in wanted)
        for one in entries:
            moment = taken.study_moment(studies[one.target.study][0].attributes)
            wanted = taken.values_of(known.of_level(Level.INSTANCE), one.attributes)
            expected.update((one.target.instance, moment, each.column, each.text, each.item) for each in wanted)
        stored = Counter()
        for level in ("study", "series", "instance"):
            stored.update(connection.execute(
                f"SELECT o.uid, f.moment, v.tag, v.text, f.item FROM {level}_value f "
                f"JOIN value v ON v.id = f.value JOIN {level} o ON o.id = f.{level}").fetchall())  # fmt: skip
        assert stored == expected
        unused = " AND ".join(
            f"id NOT IN (SELECT value FROM {level}_value)" for level in ("study", "series", "instance")
        )
        assert not connection.execute(f"SELECT * FROM value WHERE {unused}").fetchall()
        searched = {
            number for number, tag in connection.execute("SELECT id, tag FROM value") if known.has_trigrams(tag)
        }
        assert {number for (number,) in connection.execute("SELECT id FROM value_trigram_docsize")} == searched
        connection.execute("PRAGMA query_only = OFF")
        connection.execute("INSERT INTO value_trigram (value_trigram) VALUES ('integrity-check')")
        connection.execute("PRAGMA query_only = ON")


def replay(index):
    """What the journal says is there, and what it says was deleted."""
    there, deleted, number = {}, set(), 0
    while lines := index.changes(number):
        for line in lines:
            number = line.number
            uids = (line.target.study, line.target.series, line.target.instance)
            if line.kind is ChangeKind.REMOVED:
                del there[uids]
                deleted.add(uids)
                deleted |= {uids[:depth] for depth in (1, 2) if not any(one[:depth] == uids[:depth] for one in there)}
            else:
                assert (line.kind is ChangeKind.REPLACED) == (uids in there)
                there[uids] = True
                deleted -= {uids[:1], uids[:2], uids}
    return set(there), deleted


@pytest.mark.parametrize(("seed", "count"), [(1, 120), *(pytest.param(seed, 1500, marks=pytest.mark.slow) for seed in (2, 3))])  # fmt: skip
def test_two_processes_at_random(tmp_path, seed, count):
    path = tmp_path / "index"
    index = SqliteIndex(path, durable=False)
    is_over, troubles = threading.Event(), []
    watcher = threading.Thread(target=watch, args=(index, is_over, troubles))
    watcher.start()
    try:
        found = run_processes(do_random_deeds, [(path, number, seed, count) for number in (1, 2)])
    finally:
        is_over.set()
        watcher.join()
    assert not troubles
    for _ in index.fill():
        pass
    assert all(one.state is ColumnState.READY for one in index.promoted())
    offered = {key: one for mine, _, _ in found for key, one in mine.items()}
    left = [offered[key] for key, _, _ in index.keys()]  # noqa: SIM118 (no dict's)
    stored = {key for _, mine, _ in found for key in mine}
    assert index.garbage(10**6) == sorted(stored - {one.key for one in left})
    there, deleted = replay(index)
    assert there == {(one.target.study, one.target.series, one.target.instance) for one in left}
    assert index.counts().instances == len(left)
    assert index.counts().size == 1000 * len(left)
    compare_all(index, left)
    rows = index._readers.rows("SELECT study, series, instance FROM tombstone")
    assert {tuple(filter(None, row)) for row in rows} == deleted
    changes = Counter(change.kind for change in index.changes(0, 10**6))
    assert changes[ChangeKind.REMOVED] == sum(removed for _, _, removed in found)
    assert changes[ChangeKind.STORED] - changes[ChangeKind.REMOVED] == len(left)
    for study in range(5):
        index.remove(Target(f"1.{study}"))
    for table in ("study", "series", "instance", "value", "study_value", "series_value", "instance_value"):
        assert index._readers.rows(f"SELECT count(*) FROM {table}") == [(0,)]
    index.close()


def store_the_same(path, barrier, number, results):
    """Four callers in one process: all store the same instances, and each one of its own, of one new study."""
    index = SqliteIndex(path)
    verdicts = []

    def call(caller):
        mine = entry(Target("1.1", f"1.1.{caller % 2}", f"1.1.{caller % 2}.{number}.{caller}"), Modality=f"M{caller % 2}", key=f"b{number}{caller}")  # fmt: skip
        for one in (entry(Target("1.1", "1.1.0", "1.1.0.9"), Modality="M0", key=f"a{number}{caller}"), mine):
            verdicts.append(index.add(one, refuse_nothing).verdict)

    barrier.wait()
    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    index.close()
    results.put(verdicts)


def test_sixteen_callers_in_four_processes_T11(tmp_path):
    barrier = CONTEXT.Barrier(4)
    found = run_processes(store_the_same, [(tmp_path / "index", barrier, number) for number in range(4)])
    verdicts = Counter(verdict for mine in found for verdict in mine)
    assert verdicts == {Verdict.INSERT: 17, Verdict.SAME: 15}
    index = SqliteIndex(tmp_path / "index")
    counts = index.counts()
    assert (counts.studies, counts.series, counts.instances) == (1, 2, 17)
    (answer,) = index.find(Query(level=Level.STUDY)).datasets
    assert answer["00080061"]["Value"] == ["M0", "M1"]
    assert answer["00201206"]["Value"] == [2]
    assert answer["00201208"]["Value"] == [17]
    assert [one["00201209"]["Value"] for one in index.find(Query(level=Level.SERIES)).datasets] == [[9], [8]]
    index.close()
