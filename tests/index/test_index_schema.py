"""The index's file: made once, whoever comes first; never a newer one's or a stranger's (D8)."""

import multiprocessing
import sqlite3

import pytest

from dicomgate import errors
from dicomgate.dicom.matching import Query
from dicomgate.dicom.uids import Level
from dicomgate.index import schema
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.testing.entries import entry, refuse_nothing, target

pytestmark = pytest.mark.slow  # the fast loop stays under a minute


def open_at_once(path, barrier, results):
    barrier.wait()
    index = SqliteIndex(path)
    results.put(index.add(entry(target(1, 1, 1), content="same"), refuse_nothing).verdict.value)
    index.close()


def test_processes_that_open_a_new_index_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(4), context.Queue()
    processes = [context.Process(target=open_at_once, args=(tmp_path / "index", barrier, results)) for _ in range(4)]
    for process in processes:
        process.start()
    assert sorted(results.get(timeout=300) for _ in processes) == ["insert", "same", "same", "same"]
    for process in processes:
        process.join()
        assert process.exitcode == 0


def test_a_newer_index_is_refused_with_its_version(tmp_path):
    SqliteIndex(tmp_path / "index").close()
    with sqlite3.connect(tmp_path / "index") as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(errors.Conflict, match="999"):
        SqliteIndex(tmp_path / "index")


def test_a_strangers_database_is_refused_and_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / "index") as connection:
        connection.execute("CREATE TABLE patients (name)")
    connection.close()
    before = (tmp_path / "index").read_bytes()
    with pytest.raises(errors.Conflict, match="another program"):
        SqliteIndex(tmp_path / "index")
    connection = sqlite3.connect(tmp_path / "index")
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("patients",)]
    connection.close()
    assert len(before) == (tmp_path / "index").stat().st_size


def test_what_is_no_database_is_refused(tmp_path):
    (tmp_path / "index").write_bytes(b"This is not a database, but long enough to look for a header in it." * 20)
    with pytest.raises(errors.Conflict, match="no SQLite database"):
        SqliteIndex(tmp_path / "index")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(errors.Unavailable):
        SqliteIndex(tmp_path / "absent" / "index")


def test_a_migration_is_whole_or_not_at_all_D8(tmp_path, monkeypatch):
    SqliteIndex(tmp_path / "index").close()
    steps = schema.migrations()
    newest = max(steps)
    broken = steps | {newest + 1: "CREATE TABLE more (id);\nCREATE TABLE study (id);\n"}
    monkeypatch.setattr(schema, "migrations", lambda: broken)
    with pytest.raises(errors.Unavailable):
        SqliteIndex(tmp_path / "index")
    monkeypatch.setattr(schema, "migrations", lambda: steps)
    index = SqliteIndex(tmp_path / "index")
    assert index.find(Query(level=Level.STUDY)).datasets == []
    assert not index._readers.rows("SELECT name FROM sqlite_master WHERE name = 'more'")
    index.close()
    good = steps | {newest + 1: "-- more; to come\nCREATE TABLE more (id);\n"}
    monkeypatch.setattr(schema, "migrations", lambda: good)
    index = SqliteIndex(tmp_path / "index")
    assert index._readers.rows("SELECT name FROM sqlite_master WHERE name = 'more'")
    index.close()


def test_migrations_are_numbered_without_a_gap():
    assert list(schema.migrations()) == list(range(1, len(schema.migrations()) + 1))


def test_commits_are_synced_unless_the_index_can_be_read_again_from_a_folder_D1(tmp_path):
    for durable, level in ((True, 2), (False, 1)):
        index = SqliteIndex(tmp_path / f"index{durable}", durable=durable)
        asked = [index._writer.do(lambda changes, what=what: changes.connection.execute(f"PRAGMA {what}").fetchone()[0])
                 for what in ("synchronous", "journal_mode", "foreign_keys")]  # fmt: skip
        assert asked == [level, "wal", 1]
        index.close()
