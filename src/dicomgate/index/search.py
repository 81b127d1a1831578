"""A page of answers to a query, all of one moment (PS3.18 §8.3.4, §10.6)."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from dicomgate.dicom.matching import Query
from dicomgate.index import (
    beginnings,
    compile,  # noqa: A004
    conditions,
    narrowing,
    order,
    places,
    registered,
    scan,
    scanned,
    zones,
)
from dicomgate.index.base import Found
from dicomgate.index.question import Question, secret

_FURTHEST = 1 << 40


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one search may take: answers of a page, and what it may look at where no column helps."""

    most: int
    scan: scan.Bounds


def find(connection: sqlite3.Connection, query: Query, bounds: Bounds) -> Found:
    """One page, within an open transaction.

    Raises Malformed for matching, orders and places that cannot be, TooLarge for what takes too long.
    """
    matched = registered.read(connection)
    asking = conditions.conditions(query, matched, zones.spreads(connection, query.timezone, matched))
    asked = narrowing.narrowed(connection, asking.asked)
    search = compile.prepare(query, asked, order.terms(query, matched))
    place = places.unseal(secret(connection), query, query.after) if query.after is not None else None
    limit = bounds.most if query.limit is None else min(query.limit, bounds.most)
    if search.is_empty:
        return Found(datasets=[], remaining=0, total=0 if query.is_counted else None)
    beginning = beginnings.choose(connection, search)
    question = Question(connection, query, search, beginning, place, limit, min(query.offset, _FURTHEST))
    if asking.rest:
        return scanned.find(question, lambda: scan.Scan(connection, query, asking.rest, matched, bounds.scan))
    total = question.total() if query.is_counted else None
    if not limit:
        return Found(datasets=[], remaining=0, total=total)
    return question.page(total)
