"""What a query's matching keys ask of the index's rows: on UIDs, moments, numbers, values (PS3.4 C.2.2.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import orjson

from dicomgate import errors
from dicomgate.dicom import attributes
from dicomgate.dicom.matching import Between, Condition, Match, MomentBetween, OneOf, Query, Universal, Wildcard
from dicomgate.dicom.uids import Level
from dicomgate.index import values
from dicomgate.index.columns import COLUMNS, Column, Kind

_LAST_TIME = "235959999999"
_MOST_TRIGRAMS = 12


@dataclass(frozen=True, slots=True)
class Uids:
    """The row's own UID is one of these."""

    level: Level
    uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moments:
    """The study's date and time lie between these, both included."""

    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class Numbers:
    """Series or Instance Number is one of these."""

    level: Level
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Classes:
    """SOP Class UID of the instance is one of these."""

    uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Test:
    """A test of one column's value: SQL on `{v}.text` with its parameters.

    `exact` is set when one text alone passes; `trigrams` is a full text query that finds all that may pass.
    """

    column: int
    sql: str
    parameters: tuple[str, ...]
    exact: str | None = None
    trigrams: str = ""


@dataclass(frozen=True, slots=True)
class Valued:
    """The study (series) has values that pass the tests: if several, all within one item of a sequence."""

    level: Level
    tests: tuple[Test, ...]
    in_sequence: bool = False


@dataclass(frozen=True, slots=True)
class Never:
    """Nothing stored can match."""


Asked = Uids | Moments | Numbers | Classes | Valued | Never


def conditions(query: Query) -> list[Asked]:
    """All that a row must fulfil. Keys that the index has no column for, or of a lower level, are left out.

    Raises Malformed for a kind of matching that the attribute's VR does not have.
    """
    found: list[Asked] = list(_scope(query))
    known = [match for match in query.matches if _is_asked(query, match)]
    for path, group in groupby(sorted(known, key=_parent), key=_parent):
        tests = [asked for match in group for asked in _condition(COLUMNS[match.path], match.condition)]
        found += [_one_item(tests)] if path and tests else tests
    return found


def _scope(query: Query) -> Iterator[Uids]:
    scope = query.scope
    if scope is not None:
        yield Uids(Level.STUDY, (scope.study,))
        if scope.series is not None:
            yield Uids(Level.SERIES, (scope.series,))


def _is_asked(query: Query, match: Match) -> bool:
    column = COLUMNS.get(match.path)
    return column is not None and column.level <= query.level


def _parent(match: Match) -> tuple[str, ...]:
    return match.path[:-1]


def _one_item(asked: list[Asked]) -> Asked:
    valued = [one for one in asked if isinstance(one, Valued)]
    if len(valued) < len(asked):
        return Never()
    tests = tuple(test for one in valued for test in one.tests)
    return Valued(valued[0].level, tests, in_sequence=True)


def _condition(column: Column, condition: Condition) -> Iterator[Asked]:
    if isinstance(condition, Universal) or (isinstance(condition, Wildcard) and not condition.pattern.strip("*")):
        return
    match column.kind, condition:
        case Kind.UID, OneOf(texts):
            yield _any(texts, lambda kept: Uids(column.level, kept))
        case Kind.CLASS, OneOf(texts):
            yield _any(texts, Classes)
            yield _any(texts, lambda kept: Valued(Level.SERIES, (_one_of(column, kept),)))
        case Kind.NUMBER, OneOf(texts):
            numbers = {values.parse_number(text) for text in texts if values.is_storable(text)}
            kept = tuple(sorted(number for number in numbers if number is not None))
            yield Numbers(column.level, kept) if kept else Never()
        case Kind.MOMENT, _:
            yield from _moments(column, condition)
        case Kind.DATE | Kind.TIME, _:
            tests = [_between(column, low, high) for low, high in _spans(column, condition)]
            yield Valued(column.level, (_either(tests),)) if tests else Never()
        case Kind.TEXT, OneOf(texts):
            yield _any(texts, lambda kept: Valued(column.level, (_one_of(column, kept),)))
        case Kind.NAME, OneOf(texts):
            yield from _names(column, texts)
        case Kind.TEXT | Kind.NAME, Wildcard(pattern):
            yield _wildcard(column, pattern)
        case _:
            raise _undefined(column)


def _any(texts: tuple[str, ...], make: Callable[[tuple[str, ...]], Asked]) -> Asked:
    kept = tuple(dict.fromkeys(values.clean(text) for text in texts if text and values.is_storable(text)))
    return make(kept) if kept else Never()


def _undefined(column: Column) -> errors.Malformed:
    return errors.Malformed(f"{attributes.format_path(column.path)}: this kind of matching is not defined for its VR")


# Dates and times.


def _spans(column: Column, condition: Condition) -> Iterator[tuple[str, str]]:
    """Texts between which a value must lie, both included."""
    match condition:
        case OneOf(texts):
            for text in texts:
                yield _low(column, text), _high(column, text)
        case Between(low, high):
            yield _low(column, low) if low else "", _high(column, high) if high else values.END
        case MomentBetween(_, low, high):
            yield _moment_low(column, low) if low else "", _moment_high(column, high) if high else values.END
        case _:
            raise _undefined(column)


def _low(column: Column, text: str) -> str:
    low = values.earliest(text) if column.kind is Kind.TIME else values.date(text)
    if not low:
        raise _undefined(column)
    return low


def _high(column: Column, text: str) -> str:
    if column.kind is Kind.TIME:
        return values.latest(text) or _low(column, text)
    return _low(column, text) + values.END


def _moment_low(column: Column, text: str) -> str:
    return _low(column, text[:8]) + values.earliest(text[8:])


def _moment_high(column: Column, text: str) -> str:
    return _low(column, text[:8]) + (values.latest(text[8:]) or values.END)


def _between(column: Column, low: str, high: str) -> Test:
    return Test(column.number, "{v}.text BETWEEN ? AND ?", (low, high))


def _moments(column: Column, condition: Condition) -> Iterator[Asked]:
    spans = list(_spans(column, condition))
    if len(spans) != 1:
        raise _undefined(column)
    low, high = spans[0]
    first = values.moment(low[:8], low[8:]) if low else 1  # a study without a date is in no range
    if high == values.END:
        yield Moments(first, None)
    else:
        yield Moments(first, values.moment(high[:8], high[8:].rstrip(values.END) or _LAST_TIME))


# Texts and names.


def _one_of(column: Column, texts: tuple[str, ...]) -> Test:
    if len(texts) == 1:
        return Test(column.number, "{v}.text = ?", texts, exact=texts[0])
    return Test(column.number, "{v}.text IN (SELECT value FROM json_each(?))", (_json(texts),))


def _names(column: Column, texts: tuple[str, ...]) -> Iterator[Asked]:
    """Each component group given must be there; of several names, any group of any."""
    folded = [
        values.fold(values.clean(group)) for text in texts if values.is_storable(text) for group in text.split("=")
    ]
    groups = tuple(dict.fromkeys(group for group in folded if group != values.NAMELESS))
    if not groups:
        yield Never()
    elif len(texts) > 1:
        yield Valued(column.level, (_one_of(column, groups),))
    else:
        for group in groups:
            yield Valued(column.level, (_one_of(column, (group,)),))


def _wildcard(column: Column, pattern: str) -> Asked:
    if not values.is_storable(pattern) or len(pattern) > values.LONGEST:
        return Never()
    return Valued(column.level, (_glob(column, values.fold_pattern(pattern) if column.kind is Kind.NAME else pattern),))


def _glob(column: Column, pattern: str) -> Test:
    """`*` and `?` are GLOB's too; its bracket is taken as it stands."""
    sql, parameters = "{v}.text GLOB ?", (pattern.replace("[", "[[]"),)
    prefix = pattern[: min(pattern.find(sign) % (len(pattern) + 1) for sign in "*?")]
    if prefix:  # the range finds them by the index; GLOB alone would read every text of the column
        return Test(
            column.number, f"{{v}}.text >= ? AND {{v}}.text < ? AND {sql}", (prefix, _after(prefix), *parameters)
        )
    return Test(column.number, sql, parameters, trigrams=_trigrams(pattern))


def _after(prefix: str) -> str:
    """Behind every text that begins with the prefix (texts compare by their UTF-8 bytes, as code points do)."""
    return prefix + "\U0010ffff"


def _trigrams(pattern: str) -> str:
    """A full text query for the three-letter pieces; empty for patterns with none, which it would answer wrongly."""
    runs = pattern.replace("?", "*").split("*")
    pieces = dict.fromkeys(run[start : start + 3] for run in runs for start in range(len(run) - 2))
    quoted = ('"' + piece.replace('"', '""') + '"' for piece in list(pieces)[:_MOST_TRIGRAMS])
    return " AND ".join(quoted)


def _either(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    sql = " OR ".join(f"({test.sql})" for test in tests)
    return Test(tests[0].column, f"({sql})", tuple(text for test in tests for text in test.parameters))


def _json(texts: Iterable[str]) -> str:
    return orjson.dumps(list(texts)).decode()
