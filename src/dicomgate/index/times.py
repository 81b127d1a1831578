"""Ranges of dates and times as the index compares them: texts, and the study's moment (PS3.4 C.2.2.2.5)."""

from __future__ import annotations

from dicomgate.dicom.matching import Between, Condition, MomentBetween, OneOf
from dicomgate.index import values
from dicomgate.index.columns import Column, Kind

_LAST_TIME = "235959999999"

Span = tuple[str, str]
"""Texts between which a value must lie, both included: a date is followed by its time."""


def spans(column: Column, condition: Condition) -> list[Span] | None:
    """The ranges of which a value must be in one; None where the condition is none on dates or times."""
    match condition:
        case OneOf(texts):
            found = [(_low(column, text), _high(column, text)) for text in texts]
        case Between(low, high):
            found = [(_low(column, low) if low else "", _high(column, high) if high else values.END)]
        case MomentBetween(_, low, high) if column.kind is not Kind.TIME:
            found = [(_moment_low(low) if low else "", _moment_high(high) if high else values.END)]
        case _:
            return None
    return [(low, high) for low, high in found if low is not None and high is not None] if _are_all(found) else None


def moments(span: Span) -> tuple[int, int | None]:
    """The same as numbers that the study's moment is compared with; a study without a date is in no range."""
    low, high = span
    first = values.moment(low[:8], low[8:]) if low else 1
    if high == values.END:
        return first, None
    return first, values.moment(high[:8], high[8:].rstrip(values.END) or _LAST_TIME)


def _are_all(found: list[tuple[str | None, str | None]]) -> bool:
    return all(end is not None for span in found for end in span)


def _low(column: Column, text: str) -> str | None:
    return (values.earliest(text) if column.kind is Kind.TIME else values.date(text)) or None


def _high(column: Column, text: str) -> str | None:
    if column.kind is Kind.TIME:
        return values.latest(text) or None
    day = values.date(text)
    return day + values.END if day else None


def _moment_low(text: str) -> str | None:
    day = values.date(text[:8])
    return day + values.earliest(text[8:]) if day else None


def _moment_high(text: str) -> str | None:
    day = values.date(text[:8])
    return day + (values.latest(text[8:]) or values.END) if day else None
