"""Questions asked again and again, each time of another study: of the index, of its tables by hand, over HTTP."""

from __future__ import annotations

import dataclasses
import http.client
import random
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from bench.population import Study
from bench.processes import Server
from bench.questions import Asked, Question
from dicomgate.dicom.matching import Query
from dicomgate.dicomweb import parameters, query, resources
from dicomgate.index.base import Index

_MOST = 10_000
_NEXT = re.compile(r'<([^>]*)>; *rel="?next"?')
_SKIPPED = 3
"""The first few warm caches up."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The median and the 95th percentile, in seconds."""

    p50: float
    p95: float

    def __str__(self) -> str:
        return f"{self.p50 * 1e3:.2f} / {self.p95 * 1e3:.2f}"


NOTHING = Spread(0.0, 0.0)


@dataclass(slots=True)
class Times:
    """How long one question took: on the processor by the index and by the SQL alone, on the clock over HTTP."""

    ours: Spread
    bare: Spread
    over_http: Spread = NOTHING
    server: Spread = NOTHING  # what of that the server spent on the processor


def spread(taken: Sequence[float]) -> Spread:
    """Of many."""
    ordered = sorted(taken)
    return Spread(ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))])


def _words(question: Question, every: Sequence[Study], samples: int) -> Iterator[Asked]:
    dice = random.Random(question.name)
    for _ in range(samples + _SKIPPED):
        yield question.ask(dice.choice(every), dice, every)


def ask_index(
    index: Index, connection: sqlite3.Connection, question: Question, every: Sequence[Study], samples: int
) -> Times:
    """In this process, in turns with the SQL alone: each is the first every other time, for it warms up the other."""
    ours, bare = [], []
    wanted: Query | None = None
    for turn, asked in enumerate(_words(question, every, samples)):
        wanted = wanted if question.is_walk and wanted else _query(asked.path)
        if turn % 2:
            bare.append(_ask_bare(connection, asked))
        before = time.thread_time()
        found = index.find(wanted)
        ours.append(time.thread_time() - before)
        if not turn % 2:
            bare.append(_ask_bare(connection, asked))
        wanted = dataclasses.replace(wanted, after=found.next) if found.next else None
    return Times(spread(ours[_SKIPPED:]), spread(bare[_SKIPPED:]))


def _ask_bare(connection: sqlite3.Connection, asked: Asked) -> float:
    before = time.thread_time()
    connection.execute(asked.sql, asked.parameters).fetchall()
    return time.thread_time() - before


def _query(path: str) -> Query:
    place, _, text = path.partition("?")
    return query.parse(resources.parse(place), parameters.parse(text), most=_MOST, default_limit=_MOST).query


def ask_server(server: Server, question: Question, every: Sequence[Study], samples: int) -> tuple[Spread, Spread]:
    """Over HTTP, one connection kept open: on the clock, and on the server's processor."""
    taken: list[float] = []
    spent: list[float] = []
    following = ""
    with closing(http.client.HTTPConnection(server.host, server.port)) as connection:
        for asked in _words(question, every, samples):
            path = following if question.is_walk and following else server.root + asked.path
            cpu, before = server.cpu(), time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            taken.append(time.perf_counter() - before)
            spent.append(server.cpu() - cpu)
            assert answer.status in (200, 204), f"{question.name}: {answer.status}"
            link = _NEXT.search(answer.getheader("Link", ""))
            following = link[1] if link else ""
    return spread(taken[_SKIPPED:]), spread(spent[_SKIPPED:])
