"""What a query's matching keys ask of the index's rows, and what only the data sets can tell (PS3.4 C.2.2.2)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
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
from dicomgate.index import columns, decimals, texts, times, values, zones
from dicomgate.index.asked import Asked, Classes, Either, Lacking, Moments, Never, Numbers, Uids, Valued
from dicomgate.index.columns import Column, Columns, Kind
from dicomgate.index.zones import Spreads

MOST_ALTERNATIVES = 100
"""Patterns and ranges, beside any number of plain values, of which one is to match."""
_LONGEST_NUMBER = 64
_VRS = {Kind.TEXT: "LO", Kind.NAME: "PN", Kind.DATE: "DA", Kind.TIME: "TM", Kind.DECIMAL: "DS"}
"""As whose values private attributes are matched."""


@dataclass(frozen=True, slots=True)
class Asking:
    """All that a row must fulfil.

    Every match fulfils `asked`; of the rows that do, those match whose data sets fulfil `rest` as well.
    """

    asked: tuple[Asked, ...]
    rest: tuple[Match, ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    """What one key asks. Not `is_exact`: rows may fulfil it that do not match."""

    asked: tuple[Asked, ...]
    is_exact: bool = True


_UNKNOWN = _Part((), is_exact=False)


def conditions(query: Query, matched: Columns, spreads: Spreads = zones.alike) -> Asking:
    """What a query asks. Keys of a lower level than its answers are left out.

    Raises Malformed for a kind of matching that the attribute's VR does not have, TooLarge for too many alternatives.
    """
    reader = _Reader(query, matched, spreads)
    keys = [match for match in query.matches if _level(match.path) <= query.level and not _is_universal(match)]
    parts = [(reader.read(match), [match]) for match in keys if len(match.path) == 1]
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

    def read(self, match: Match) -> _Part:
        """One key outside sequences, or one of an item."""
        column = self.matched.find(match.path, self.query.creators)
        if isinstance(match.condition, AnyOf):
            return self._any_of(match.path, match.condition)
        if isinstance(match.condition, Fuzzy):
            words = self.matched.find_words(match.path, self.query.creators)
            return _fuzzy(words, match.condition) if words else _UNKNOWN
        if column is None:
            return _UNKNOWN
        if isinstance(match.condition, Empty):
            return _lacking(column)
        if column.creator:
            return self._private(column, match.condition)
        return self._public(column, match.condition)

    def _public(self, column: Column, condition: Condition) -> _Part:
        return self._when(column, condition) if column.kind in _WHEN else _READ[column.kind](column, condition)

    def _private(self, column: Column, condition: Condition) -> _Part:
        """As whose value it is kept the index decides, as whose it is matched each data set."""
        known = _as_private(column, condition)
        return _Part(self._public(column, known).asked, is_exact=False) if known else _Part((Never(),))

    def _when(self, column: Column, condition: Condition) -> _Part:
        """Dates and times. A zone shifts only what has a date with a time, or a time."""
        is_own = not isinstance(condition, MomentBetween) or condition.time_path == (column.time,)
        if not is_own and isinstance(condition, MomentBetween):  # the column holds no such time: the days it is on
            condition = Between(condition.low and condition.low[:8], condition.high and condition.high[:8])
        found = times.spans(column, condition)
        if found is None:
            raise _undefined(column)
        spread = self.spreads(column.level) if column.time or column.kind is Kind.TIME else zones.SAME
        part = _moment if column.kind is Kind.MOMENT else _value_between
        return _Part(part(column, times.widened(column, found, spread)), is_exact=is_own and spread == zones.SAME)

    def read_sequence(self, keys: Sequence[Match]) -> _Part:
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
        return _Part(tuple(asked), is_exact)

    def _read_item(self, keys: Sequence[Match]) -> _Part:
        parts = [self.read(key) for key in keys]
        if any(isinstance(one, Never) for part in parts for one in part.asked):
            return _Part((Never(),))
        joined = [one for part in parts if (one := _of_one_item(part)) is not None]
        tests = tuple(test for one in joined for test in one.tests)
        asked = (Valued(joined[0].level, tests, has_items=True),) if tests else ()
        is_exact = len(joined) == len(parts) and all(part.is_exact for part in parts)
        return _Part(asked, is_exact and not any(isinstance(key.condition, Fuzzy) for key in keys))

    def _any_of(self, path: AttributePath, condition: AnyOf) -> _Part:
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
            return _Part((), is_exact=False)
        possible = [part.asked for part in parts if not any(isinstance(one, Never) for one in part.asked)]
        if len(possible) == 1:
            return _Part(possible[0], is_exact)
        return _Part((Either(tuple(possible)) if possible else Never(),), is_exact)


def _as_private(column: Column, condition: Condition) -> Condition | None:
    """What was asked of a private attribute, read again now that its VR is known; None if it is no value of that."""
    match condition:
        case OneOf((text,)) | Wildcard(text):
            try:
                return parsing.parse(_VRS[column.kind], text)
            except (errors.Malformed, errors.TooLarge):
                return None
    return condition


def _of_one_item(part: _Part) -> Valued | None:
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


# By the kind of column.


def _lacking(column: Column) -> _Part:
    """Values that are none of their kind are not kept, so all but texts must be looked at."""
    match column.kind:
        case Kind.UID | Kind.CLASS:
            return _Part((Never(),))
        case Kind.MOMENT:
            return _Part((Moments(0, 0),), is_exact=False)
        case Kind.NUMBER:
            return _Part((Numbers(column.level, (values.NUMBERLESS,)),), is_exact=False)
        case kind:
            return _Part((Lacking(column.level, column.number),), is_exact=kind is Kind.TEXT)


def _fuzzy(column: Column, condition: Fuzzy) -> _Part:
    words = [word for word in condition.words if texts.is_searchable(word)]
    if not words or len(words) < len(condition.words):
        return _Part((Never(),))
    return _Part((Valued(column.level, texts.beginning(column.number, words), has_items=True),))


def _uid(column: Column, condition: Condition) -> _Part:
    kept = _kept(column, condition)
    return _Part((Uids(column.level, kept) if kept else Never(),))


def _class(column: Column, condition: Condition) -> _Part:
    kept = _kept(column, condition)
    if not kept:
        return _Part((Never(),))
    return _Part((Classes(kept), Valued(Level.SERIES, (texts.one_of(column.number, kept),))))


def _number(column: Column, condition: Condition) -> _Part:
    if not isinstance(condition, OneOf):
        raise _undefined(column)
    numbers = {values.parse_number(text) for text in condition.values if values.is_storable(text)}
    kept = tuple(sorted(number for number in numbers if number is not None))
    return _Part((Numbers(column.level, kept) if kept else Never(),))


def _decimal(column: Column, condition: Condition) -> _Part:
    if not isinstance(condition, OneOf):
        raise _undefined(column)
    numbers = [text for text in condition.values if text.isascii() and len(text) <= _LONGEST_NUMBER]
    if attributes.vr(column.path[-1]) == "FL":
        numbers = [_single(text) for text in numbers]
    kept = tuple(dict.fromkeys(text for text in map(decimals.sortable, numbers) if text))
    return _Part((Valued(column.level, (texts.one_of(column.number, kept),)) if kept else Never(),))


def _single(text: str) -> str:
    """The number as four bytes hold it, which is another one for most fractions."""
    try:
        return str(struct.unpack("<f", struct.pack("<f", float(text)))[0])
    except (ValueError, OverflowError):
        return ""


def _moment(_: Column, spans: Sequence[times.Span]) -> tuple[Asked, ...]:
    found = [Moments(*each) for each in map(times.numbers, spans)]
    if len(found) > 1:
        return (Either(tuple((one,) for one in found)),)
    return (found[0] if found else Never(),)


def _value_between(column: Column, spans: Sequence[times.Span]) -> tuple[Asked, ...]:
    tests = [texts.between(column.number, low, high) for low, high in spans]
    return (Valued(column.level, (texts.any_of(tests),)) if tests else Never(),)


def _text(column: Column, condition: Condition) -> _Part:
    if isinstance(condition, Wildcard):
        return _Part((_glob(column, condition.pattern),))
    kept = _kept(column, condition)
    return _Part((Valued(column.level, (texts.one_of(column.number, kept),)) if kept else Never(),))


def _name(column: Column, condition: Condition) -> _Part:
    """Each component group given must be there; whether in one name, only the name can tell."""
    if isinstance(condition, Wildcard):
        groups = [group for group in condition.pattern.split("=") if group.strip("* ")]
        patterns = [values.fold_pattern(group) for group in groups]
        return _Part(tuple(_glob(column, one) for one in patterns), is_exact="=" not in condition.pattern)
    if not isinstance(condition, OneOf):
        raise _undefined(column)
    known = [text for text in condition.values if values.is_storable(text)]
    folded = [_groups(text) for text in known]
    kept = [groups for groups in folded if groups]
    if not kept:
        return _Part((Never(),))
    is_exact = all(len(groups) == 1 for groups in kept)
    if len(kept) > 1:
        first = tuple(dict.fromkeys(groups[0] for groups in kept))
        return _Part((Valued(column.level, (texts.one_of(column.number, first),)),), is_exact)
    return _Part(tuple(Valued(column.level, (texts.one_of(column.number, (one,)),)) for one in kept[0]), is_exact)


def _groups(name: str) -> tuple[str, ...]:
    folded = (values.fold(values.clean(group)) for group in name.split("="))
    return tuple(dict.fromkeys(group for group in folded if group != values.NAMELESS))


def _glob(column: Column, pattern: str) -> Asked:
    collapsed = texts.collapsed(pattern)
    if not texts.is_searchable(collapsed, column.longest):
        return Never()
    return Valued(column.level, (texts.glob(column.number, collapsed),))


def _kept(column: Column, condition: Condition) -> tuple[str, ...]:
    """The values that something stored can equal."""
    if not isinstance(condition, OneOf):
        raise _undefined(column)
    return tuple(
        dict.fromkeys(
            values.clean(text, column.longest) for text in condition.values if text and values.is_storable(text)
        )
    )


def _undefined(column: Column) -> errors.Malformed:
    return errors.Malformed(f"{attributes.format_path(column.path)}: this kind of matching is not defined for its VR")


_WHEN = frozenset({Kind.MOMENT, Kind.DATE, Kind.TIME})
_READ: dict[Kind, Callable[[Column, Condition], _Part]] = {
    Kind.UID: _uid,
    Kind.CLASS: _class,
    Kind.NUMBER: _number,
    Kind.TEXT: _text,
    Kind.NAME: _name,
    Kind.DECIMAL: _decimal,
}
