"""Values as they are compared: names folded, dates and times brought to one form (PS3.4 C.2.2.2, PS3.5 §6.2)."""

from __future__ import annotations

from typing import Any

from dicomgate.dicom import moments, person_names

LONGEST = 256
"""Longer texts are compared by their beginning; no attribute of the standard's keys may be so long."""
LONGEST_TEXT = 10_240
"""The same of promoted attributes whose VR has room for more: as much as an LT may hold."""

NAMELESS = person_names.NAMELESS
_DAY = 86_400_000_000
NUMBERLESS = 1 << 62
"""Sorts behind every number, and is none that can be asked for."""

END = "~"
"""Sorts behind every digit."""


fold = person_names.fold
fold_pattern = person_names.fold_pattern
date = moments.date
earliest = moments.earliest
latest = moments.latest


def clean(text: str, longest: int = LONGEST) -> str:
    """The text as the index keeps it: without NUL and what follows, and of bounded length."""
    return text.partition("\0")[0][:longest]


def is_storable(text: str) -> bool:
    """False for texts that no stored value can equal: with NUL, or lone surrogates, which are no text (T17)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def moment(day: str, time: str) -> int:
    """Date and time as one number that grows with them: microseconds, months of 31 days; 0 without a date.

    A date without a time is its beginning.
    """
    if not day:
        return 0
    days = (int(day[:4]) * 12 + int(day[4:6])) * 31 + int(day[6:8])
    if not time:
        return days * _DAY
    seconds = int(time[:2]) * 3600 + int(time[2:4]) * 60 + min(int(time[4:6]), 59)  # a leap second stays in its day
    return days * _DAY + seconds * 1_000_000 + int(time[6:12])


def texts(element: dict[str, Any] | None, longest: int = LONGEST) -> list[str]:
    """An element's values as text, the empty ones left out; of a person name each component group."""
    if not element:
        return []
    found: list[str] = []
    for value in element.get("Value") or ():
        if isinstance(value, dict):
            found += [group for group in value.values() if isinstance(group, str)]
        elif value is not None:
            found.append(str(value))
    return [kept for text in found if (kept := clean(text, longest))]


def number(element: dict[str, Any] | None) -> int:
    """The first value as a whole number; NUMBERLESS if it is none."""
    found = [parse_number(text) for text in texts(element)[:1]]
    return NUMBERLESS if not found or found[0] is None else found[0]


def parse_number(text: str) -> int | None:
    """A whole number of an IS; None if it is none (PS3.5 §6.2: at most 12 characters)."""
    try:
        return int(text) if len(text) <= 12 and text.isascii() else None
    except ValueError:
        return None
