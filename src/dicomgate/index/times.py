"""Ranges of dates and times as the index compares them: texts, and the study's moment (PS3.4 C.2.2.2.5)."""

from __future__ import annotations

from dicomgate.dicom import moments as dicom_moments
from dicomgate.dicom.matching import Between, Condition, MomentBetween, OneOf
from dicomgate.index import values
from dicomgate.index.columns import Column, Kind
from dicomgate.index.zones import SAME, Spread

_FIRST_TIME = "000000000000"
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


def widened(column: Column, found: list[Span], spread: Spread) -> list[Span]:
    """All that the ranges may be in other zones; of dates whole days."""
    if spread == SAME:
        return found
    if column.kind is Kind.TIME:
        return [each for span in found for each in _widened_time(span, spread)]
    return [(_widened_day(low, spread[0]), _widened_day(high, spread[1]) + values.END) for low, high in found]


def _widened_day(text: str, minutes: int) -> str:
    day = text[:8]
    if not day.isdigit():
        return "" if not day else day.rstrip(values.END)
    time = text[8:].rstrip(values.END) or (_LAST_TIME if minutes > 0 else "")
    moment = dicom_moments.day(day) + (dicom_moments.time_of_day(time) if time else 0)
    return dicom_moments.format_day(moment + minutes * dicom_moments.MINUTE)


def _widened_time(span: Span, spread: Spread) -> list[Span]:
    """Times of the day that go round."""
    low = (dicom_moments.time_of_day(span[0]) if span[0] else 0) + spread[0] * dicom_moments.MINUTE
    high = dicom_moments.DAY - 1 if span[1] == values.END else dicom_moments.time_of_day(span[1])
    high += spread[1] * dicom_moments.MINUTE
    if low < 0 or high >= dicom_moments.DAY:
        return [("", values.END)]
    return [(_format_time(low), _format_time(high))]


def _format_time(moment: int) -> str:
    seconds, rest = divmod(moment, dicom_moments.SECOND)
    return f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}{rest:06d}"


def numbers(span: Span) -> tuple[int, int | None]:
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
    # A date that is kept without a time is its beginning, and sorts before the same date with any time.
    return day + values.earliest(text[8:]).removesuffix(_FIRST_TIME) if day else None


def _moment_high(text: str) -> str | None:
    day = values.date(text[:8])
    return day + (values.latest(text[8:]) or values.END) if day else None
