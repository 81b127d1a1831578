"""Writing the index beside `executemany` of the very rows that came of it, in one commit."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from bench import catalogue, measure
from bench.measure import NO_TARGET, Cost, Figure, Stopwatch, Target
from bench.scale import Bench
from dicomgate import assembly, config
from dicomgate.index.base import Entry, Index

_OF_SERIES = 100
_SHADOWS = ("_data", "_idx", "_docsize", "_config", "_content")


def figures(bench: Bench) -> Iterator[Figure]:
    """All of them."""
    for group in (10, 50):
        yield _figure(bench, f"in groups of {group}", group, 1)
        yield _figure(bench, f"in groups of {group}", group, 1, commits=bench.scale.written // group)
    yield _figure(bench, "one by one, 16 threads at a time", 1, 16)


def _figure(bench: Bench, words: str, group: int, threads: int, commits: int = 1) -> Figure:
    count = bench.scale.written
    offered = list(catalogue.entries(count, _OF_SERIES))
    numbers = itertools.count()
    folder = bench.scratch / f"index-{group}-{threads}-{commits}"
    made = [folder]

    def ours() -> Cost:
        made[0] = folder.with_name(f"{folder.name}-{next(numbers)}")
        with assembly.open_archive(made[0], config.read(environment={}, directory=bench.scratch)) as archive:
            return _write(archive.index, offered, group, threads) / count

    def raw() -> Cost:
        return _copy(made[0] / assembly.INDEX, made[0] / "raw.sqlite", commits) / count

    return measure.compare(
        ours,
        raw,
        turns=bench.scale.turns,
        group="index",
        operation=f"{count:,} instances, {_OF_SERIES} to a series, written {words}",
        limit=f"executemany of the same rows, {f'{commits:,} commits' if commits > 1 else 'one commit'}",
        target=Target(wall=2) if commits == 1 else NO_TARGET,
    )


def _write(index: Index, offered: list[Entry], group: int, threads: int) -> Cost:
    index.add_many(offered[:1], catalogue.JUDGE)  # opens the connection
    rest = offered[1:]
    groups = [rest[start : start + group] for start in range(0, len(rest), group)]
    watch = Stopwatch()
    with ThreadPoolExecutor(threads) as pool, watch.running():
        if threads == 1:
            for each in groups:
                index.add_many(each, catalogue.JUDGE)
        else:
            list(pool.map(lambda each: index.add(each[0], catalogue.JUDGE), groups))
    return watch.cost


def _copy(made: Path, fresh: Path, commits: int) -> Cost:
    """The same tables, the same indexes, the same rows, as fast as SQLite takes them from Python in so many commits."""
    with closing(sqlite3.connect(made)) as source, closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -65536")
        rows = {}
        for kind, name, sql in source.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"):
            if name.startswith("sqlite_") or _is_shadow(name):
                continue
            connection.execute(sql)
            if kind == "table" and "VIRTUAL" not in sql:
                rows[name] = source.execute(f"SELECT * FROM {name}").fetchall()
        sql = {
            name: f"INSERT INTO {name} VALUES ({', '.join('?' * len(each[0]))})" for name, each in rows.items() if each
        }
        rows["value_trigram"] = source.execute("SELECT id, text FROM value").fetchall()
        sql["value_trigram"] = "INSERT INTO value_trigram (rowid, text) VALUES (?, ?)"
        watch = Stopwatch()
        with watch.running():
            for part in range(commits):
                connection.execute("BEGIN IMMEDIATE")
                for name, insert in sql.items():
                    each = rows[name]
                    connection.executemany(
                        insert, each[len(each) * part // commits : len(each) * (part + 1) // commits]
                    )
                connection.execute("COMMIT")
        return watch.cost


def _is_shadow(name: str) -> bool:
    return name.startswith("value_trigram") and name.endswith(_SHADOWS)
