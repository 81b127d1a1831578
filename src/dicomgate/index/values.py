"""Values as they are compared: names folded, dates and times brought to one form (PS3.4 C.2.2.2, PS3.5 §6.2)."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

LONGEST = 256
"""Longer texts are compared by their beginning; no attribute that can be matched may be so long."""

_DATE = re.compile(r"([0-9]{4})[.-]?(0[1-9]|1[0-2])[.-]?(0[1-9]|[12][0-9]|3[01])")
_TIME = re.compile(r"([01][0-9]|2[0-3])(?::?([0-5][0-9])(?::?([0-5][0-9]|60)(?:\.([0-9]{1,6}))?)?)?")
_MARKS = re.compile("[̀-ͯ]")
_BLANKS_AROUND = re.compile(r"\s*\^\s*")
_ANY_AT_END = re.compile(r"(?:\^+\*+)+$")
NAMELESS = "^"
"""What an empty name folds to."""
_DAY = 86_400_000_000
NUMBERLESS = 1 << 62
"""Sorts behind every number, and is none that can be asked for."""

END = "~"
"""Sorts behind every digit."""


def fold(name: str) -> str:
    """A person name's component group without case, accents and needless blanks, ending with one delimiter.

    Delimiters at the end mean nothing (PS3.5 §6.2.1); with always one, `Doe^*` finds also who has no given name.
    """
    return _bare(name).rstrip("^ ") + "^"


def fold_pattern(pattern: str) -> str:
    """The same of a pattern with wildcards."""
    bare = _bare(pattern)
    return _ANY_AT_END.sub("^*", bare) if bare.endswith("*") else bare.rstrip("^ ") + "^"


def _bare(name: str) -> str:
    plain = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFKD", name)))
    return _BLANKS_AROUND.sub("^", plain.casefold()).strip()


def clean(text: str) -> str:
    """The text as the index keeps it: without NUL and what follows, and of bounded length."""
    return text.partition("\0")[0][:LONGEST]


def is_storable(text: str) -> bool:
    """False for texts that no stored value can equal: with NUL, or lone surrogates, which are no text (T17)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def date(text: str) -> str:
    """YYYYMMDD, also from the old forms with dots or dashes; empty if it is no date."""
    found = _DATE.fullmatch(text.strip())
    return "".join(found.groups()) if found else ""


def earliest(text: str) -> str:
    """The first moment a time names, as 12 digits HHMMSSFFFFFF; empty if it is no time."""
    return _time(text, "0")


def latest(text: str) -> str:
    """The last moment a time names: 10 is until 10:59:59.999999."""
    return _time(text, "9")


def _time(text: str, rest: str) -> str:
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return ""
    hour, minute, second, fraction = found.groups()
    missing = ("00", "00") if rest == "0" else ("59", "59")
    return f"{hour}{minute or missing[0]}{second or missing[1]}{(fraction or '').ljust(6, rest)}"


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


def texts(element: dict[str, Any] | None) -> list[str]:
    """An element's values as text, the empty ones left out; of a person name each component group."""
    if not element:
        return []
    found: list[str] = []
    for value in element.get("Value") or ():
        if isinstance(value, dict):
            found += [group for group in value.values() if isinstance(group, str)]
        elif value is not None:
            found.append(str(value))
    return [text for text in map(clean, found) if text]


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
