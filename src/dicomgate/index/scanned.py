"""Pages of rows that are looked at one by one, where no column tells whether they match (see `scan`)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

from dicomgate.index import compile, connections, datasets, question  # noqa: A004
from dicomgate.index.base import Found, JSONDataset
from dicomgate.index.compile import Stretch
from dicomgate.index.datasets import Ids
from dicomgate.index.order import Key
from dicomgate.index.places import Place
from dicomgate.index.question import COUNTED, Question
from dicomgate.index.scan import Scan

_FURTHER = 1000
"""Data sets that are looked at behind a full page at least, to tell whether something follows."""
_BATCH = 256
"""Rows that are looked at first."""


def find(asked: Question, make: Callable[[], Scan]) -> Found:
    """The page, of rows that are looked at one by one."""
    total = _scanned_total(asked, make()) if asked.query.is_counted and asked.place is not None else None
    looking = make()
    matching = _matching(asked, looking, asked.keys)
    found = connections.hurry(asked.connection, looking.seconds_left, lambda: _scanned_rows(asked, matching))
    if found is None or (len(found[1]) < asked.limit and looking.is_cut_short):
        raise looking.too_large()
    skipped, rows = found
    further = _look_further(asked, looking, matching)
    if asked.query.is_counted and asked.place is None and further is not None and not looking.is_cut_short:
        total = skipped + len(rows) + further
    if not asked.limit:
        return Found(datasets=[], remaining=0, total=total)
    remaining = None if looking.is_cut_short and not further else further
    return Found(
        datasets=_datasets(asked, rows),
        remaining=remaining,
        total=total,
        next=asked.sealed(_scanned_place(asked, rows[-1])) if rows and remaining != 0 else None,
    )


def _scanned_rows(asked: Question, matching: Iterator[Ids]) -> tuple[int, list[Ids]]:
    """How many matches the offset skips, and the page."""
    skipped = sum(1 for _ in itertools.islice(matching, asked.offset))
    return skipped, list(itertools.islice(matching, asked.limit))


def _datasets(asked: Question, rows: Sequence[Ids]) -> Sequence[JSONDataset]:
    form, level = datasets.form(asked.query), asked.search.level
    sql = compile.rows(level, (row[level - 1] for row in rows), form.columns)
    known = {row[level - 1]: row for row in question.read(asked.connection, sql)}
    return form.read(asked.connection, [known[row[level - 1]] for row in rows])


def _scanned_place(asked: Question, row: Ids) -> Place:
    """Where a page of rows that are looked at ends; nobody knows how many follow."""
    sql = compile.rows(asked.search.level, (row[-1],), compile.keys(asked.search))
    return Place(question.read(asked.connection, sql)[0][len(row) :], 0, is_exact=False, state=b"")


def _scanned_total(asked: Question, looking: Scan) -> int | None:
    matching = _matching(asked, looking, None)
    total = connections.hurry(asked.connection, looking.seconds_left, lambda: _length(matching))
    return None if looking.is_cut_short else total


def _look_further(asked: Question, looking: Scan, matching: Iterator[Ids]) -> int | None:
    """How many follow the page: all where they are to be counted, else as far as the page took to find."""
    if asked.query.is_counted and asked.place is None:
        return connections.hurry(asked.connection, looking.seconds_left, lambda: _length(matching))
    looking.allow(max(_FURTHER, looking.looked_at))
    some = itertools.islice(matching, COUNTED)
    return connections.hurry(asked.connection, looking.seconds_left, lambda: _length(some))


def _matching(asked: Question, looking: Scan, place: tuple[Key, ...] | None) -> Iterator[Ids]:
    """Looks at studies or series first where they decide, and at what is below those that match."""
    above = compile.above(asked.search, asked.beginning.plan, looking.level)
    if above is None:
        yield from looking.matching(_stream(asked, place))
        return
    plan = compile.choose(above, [compile.FEW + 1 for _ in compile.probes(above)])
    begin = place[: len(above.terms)] if place is not None else None
    sql = compile.page(above, plan, Stretch(above.terms, begin, is_open=False))
    for row in looking.matching(asked.connection.execute(sql.text, sql.parameters)):
        within = compile.below(asked.search, looking.level, row[-1], place)
        yield from asked.connection.execute(within.text, within.parameters)


def _stream(asked: Question, place: tuple[Key, ...] | None) -> Iterator[Ids]:
    """Every row that fulfils what the index can tell, in the order of the answer."""
    for part in asked.parts(place, _BATCH):
        sql = compile.page(*part)
        yield from asked.connection.execute(sql.text, sql.parameters)


def _length(rows: Iterator[Ids]) -> int:
    return sum(1 for _ in rows)
