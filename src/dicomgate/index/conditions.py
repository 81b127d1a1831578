"""What a query's matching keys ask of the index's rows, and what only the data sets can tell (PS3.4 C.2.2.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from dicomgate import errors
from dicomgate.dicom import attributes
from dicomgate.dicom import conditions as parsing
from dicomgate.dicom.matching import (
    AnyOf,
    AttributePath,
    Between,
    Condition,
    Empty,
    Fuzzy,
    Match,
    MomentBetween,
    OneOf,
    Query,
    Universal,
    Wildcard,
)
from dicomgate.dicom.uids import Level
from dicomgate.index import columns, kinds, texts, times, zones
from dicomgate.index.asked import Asked, Either, Never, Uids, Valued
from dicomgate.index.columns import Column, Columns, Kind
from dicomgate.index.zones import Spreads

MOST_ALTERNATIVES = 100
"""Patterns and ranges, beside any number of plain values, of which one is to match."""
_VRS = {Kind.TEXT: "LO", Kind.NAME: "PN", Kind.DATE: "DA", Kind.TIME: "TM", Kind.DECIMAL: "DS"}
"""As whose values private attributes are matched."""


@dataclass(frozen=True, slots=True)
class Asking:
    """All that a row must fulfil.

    Every match fulfils `asked`; of the rows that do, those match whose data sets fulfil `rest` as well.
    """

    asked: tuple[Asked, ...]
    rest: tuple[Match, ...] = ()


_UNKNOWN = kinds.Part((), is_exact=False)


def conditions(query: Query, matched: Columns, spreads: Spreads = zones.alike) -> Asking:
    """What a query asks. Keys of a lower level than its answers are left out.

    Raises Malformed for a kind of matching that the attribute's VR does not have, TooLarge for too many alternatives.
    """
    reader = _Reader(query, matched, spreads)
    keys = [match for match in query.matches if _level(match.path) <= query.level and not _is_universal(match)]
    parts = [(reader.read(match), [match]) for match in keys if len(match.path) == 1]
    if len(parts) < len(keys):
        for _, group in groupby(sorted((key for key in keys if len(key.path) > 1), key=_outermost), key=_outermost):
            of_one = list(group)
            parts.append((reader.read_sequence(of_one), of_one))
    asked = (*_scope(query), *(one for part, _ in parts for one in part.asked))
    return Asking(asked, tuple(match for part, of_one in parts if not part.is_exact for match in of_one))


def level(tag: str) -> Level:
    """The level whose data set holds an attribute."""
    return Level.STUDY if tag == columns.AVAILABILITY else attributes.level(tag)


def _level(path: AttributePath) -> Level:
    known = columns.COLUMNS.get(path)
    return known.level if known else level(path[0])


def _scope(query: Query) -> Iterator[Uids]:
    scope = query.scope
    if scope is not None:
        yield Uids(Level.STUDY, (scope.study,))
        if scope.series is not None:
            yield Uids(Level.SERIES, (scope.series,))


def _outermost(match: Match) -> str:
    return match.path[0]


def _is_universal(match: Match) -> bool:
    condition = match.condition
    return isinstance(condition, Universal) or (isinstance(condition, Wildcard) and not condition.pattern.strip("*"))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the keys of one query."""

    query: Query
    matched: Columns
    spreads: Spreads

    def read(self, match: Match) -> kinds.Part:
        """One key outside sequences, or one of an item."""
        column = self.matched.find(match.path, self.query.creators)
        if isinstance(match.condition, AnyOf):
            return self._any_of(match.path, match.condition)
        if isinstance(match.condition, Fuzzy):
            words = self.matched.find_words(match.path, self.query.creators)
            return kinds.fuzzy(words, match.condition) if words else _UNKNOWN
        if column is None:
            return _UNKNOWN
        if isinstance(match.condition, Empty):
            return kinds.lacking(column)
        if column.creator:
            return self._private(column, match.condition)
        return self._public(column, match.condition)

    def _public(self, column: Column, condition: Condition) -> kinds.Part:
        return self._when(column, condition) if column.kind in kinds.WHEN else kinds.read(column, condition)

    def _private(self, column: Column, condition: Condition) -> kinds.Part:
        """As whose value it is kept the index decides, as whose it is matched each data set."""
        known = _as_private(column, condition)
        return kinds.Part(self._public(column, known).asked, is_exact=False) if known else kinds.Part((Never(),))

    def _when(self, column: Column, condition: Condition) -> kinds.Part:
        """Dates and times. A zone shifts only what has a date with a time, or a time."""
        is_own = not isinstance(condition, MomentBetween) or condition.time_path == (column.time,)
        if not is_own and isinstance(condition, MomentBetween):  # the column holds no such time: the days it is on
            condition = Between(condition.low and condition.low[:8], condition.high and condition.high[:8])
        found = times.spans(column, condition)
        if found is None:
            raise kinds.undefined(column)
        is_moved = column.kind is Kind.TIME or column.path[-1] in attributes.TIME_OF_DATE
        spread = self.spreads(column.level) if is_moved else zones.SAME
        part = kinds.moment if column.kind is Kind.MOMENT else kinds.value_between
        return kinds.Part(part(column, times.widened(column, found, spread)), is_exact=is_own and spread == zones.SAME)

    def read_sequence(self, keys: Sequence[Match]) -> kinds.Part:
        """All keys of one sequence: within one item."""
        by_parent: dict[AttributePath, list[Match]] = {}
        for key in keys:
            if not isinstance(key.condition, Empty):
                by_parent.setdefault(key.path[:-1], []).append(key)
        is_exact = len(by_parent) == 1 and all(not isinstance(key.condition, Empty) for key in keys)
        asked: list[Asked] = []
        for of_item in by_parent.values():
            part = self._read_item(of_item)
            asked += part.asked
            is_exact = is_exact and part.is_exact
        return kinds.Part(tuple(asked), is_exact)

    def _read_item(self, keys: Sequence[Match]) -> kinds.Part:
        parts = [self.read(key) for key in keys]
        if any(isinstance(one, Never) for part in parts for one in part.asked):
            return kinds.Part((Never(),))
        joined = [one for part in parts if (one := _of_one_item(part)) is not None]
        tests = tuple(test for one in joined for test in one.tests)
        asked = (Valued(joined[0].level, tests, has_items=True),) if tests else ()
        is_exact = len(joined) == len(parts) and all(part.is_exact for part in parts)
        return kinds.Part(asked, is_exact and not any(isinstance(key.condition, Fuzzy) for key in keys))

    def _any_of(self, path: AttributePath, condition: AnyOf) -> kinds.Part:
        plain = tuple(text for one in condition.conditions if isinstance(one, OneOf) for text in one.values)
        others = [one for one in condition.conditions if not isinstance(one, OneOf)]
        if len(others) > MOST_ALTERNATIVES:
            raise errors.TooLarge(
                f"{attributes.format_path(path)}: {len(others)} patterns and ranges at once, "
                f"at most {MOST_ALTERNATIVES} are compared"
            )
        each: list[Condition] = [OneOf(plain), *others] if plain else [*others]
        parts = [self.read(Match(path, one)) for one in each]
        is_exact = all(part.is_exact for part in parts)
        if not all(part.asked for part in parts):
            return kinds.Part((), is_exact=False)
        possible = [part.asked for part in parts if not any(isinstance(one, Never) for one in part.asked)]
        if len(possible) == 1:
            return kinds.Part(possible[0], is_exact)
        return kinds.Part((Either(tuple(possible)) if possible else Never(),), is_exact)


def _as_private(column: Column, condition: Condition) -> Condition | None:
    """What was asked of a private attribute, read again now that its VR is known; None if it is no value of that."""
    match condition:
        case OneOf((text,)) | Wildcard(text):
            try:
                return parsing.parse(_VRS[column.kind], text)
            except (errors.Malformed, errors.TooLarge):
                return None
    return condition


def _of_one_item(part: kinds.Part) -> Valued | None:
    """What is asked of the values of an item, if it can be put together with others."""
    match part.asked:
        case (Valued() as only,):
            return only
        case (Either(alternatives),):
            valued = [one for each in alternatives for one in each if len(each) == 1 and isinstance(one, Valued)]
            tests = [one.tests[0] for one in valued if len(one.tests) == 1]
            if len(tests) == len(alternatives):
                return Valued(valued[0].level, (texts.any_of(tests),), has_items=True)
    return None
