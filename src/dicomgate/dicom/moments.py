"""Dates, times, date-times and offsets from UTC: one grammar for what is stored and what is asked (PS3.5 §6.2)."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass

from dicomgate import errors

SECOND = 1_000_000
"""Moments are counted in microseconds."""
MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE

_DATE = re.compile(r"([0-9]{4})[.-]?(0[1-9]|1[0-2])[.-]?(0[1-9]|[12][0-9]|3[01])")
_TIME = re.compile(r"([01][0-9]|2[0-3])(?::?([0-5][0-9])(?::?([0-5][0-9]|60)(?:\.([0-9]{1,6}))?)?)?")
_DATE_TIME = re.compile(
    r"([0-9]{4})(?:(0[1-9]|1[0-2])(?:(0[1-9]|[12][0-9]|3[01])"
    r"((?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:(?:[0-5][0-9]|60)(?:\.[0-9]{1,6})?)?)?)?)?)?([+-][0-9]{4})?"
)
_ZONE = re.compile(r"([+-])(0[0-9]|1[0-4])([0-5][0-9])")


@dataclass(frozen=True, slots=True)
class Span:
    """The first and the last microsecond that a value of some precision names, and its offset from UTC in minutes."""

    first: int
    last: int
    zone: int | None = None


def date(text: str) -> str:
    """YYYYMMDD, also from the forms with dots or dashes that old equipment writes; empty if it is no date."""
    found = _DATE.fullmatch(text.strip())
    return "".join(found.groups()) if found else ""


def is_date(text: str) -> bool:
    """True for YYYYMMDD that the calendar has."""
    try:
        dt.date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return False
    return True


def is_time(text: str) -> bool:
    """True for HH, HHMM, HHMMSS or HHMMSS.FFFFFF, also in the form with colons that PS3.5 §6.2 retired."""
    return _TIME.fullmatch(text) is not None


def time(text: str) -> str:
    """A time as precise as it is given, also from the form with colons; empty if it is no time."""
    found = text.strip()
    return found.replace(":", "") if is_time(found) else ""


def is_date_time(text: str) -> bool:
    """True for YYYY and as much of MMDDHHMMSS.FFFFFF as is known, perhaps with an offset from UTC."""
    found = _DATE_TIME.fullmatch(text)
    return found is not None and (not found[5] or parse_zone(found[5]) is not None)


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
    second = min(second or missing[1], "59")  # a leap second stays in its minute
    return f"{hour}{minute or missing[0]}{second}{(fraction or '').ljust(6, rest)}"


def day(date: str) -> int:
    """The beginning of a day YYYYMMDD, counted from the year 1; a day too many of its month is one of the next."""
    year, month, number = int(date[:4]), int(date[4:6]), int(date[6:8])
    return (dt.date(max(year, 1), month, 1).toordinal() + number - 1) * DAY


def format_day(moment: int) -> str:
    """The day YYYYMMDD of a moment that is counted from the year 1."""
    ordinal = moment // DAY
    return dt.date.fromordinal(min(max(ordinal, 1), dt.date.max.toordinal())).isoformat().replace("-", "")


def time_of_day(digits: str) -> int:
    """What `earliest` or `latest` gave, counted from midnight; a leap second stays in its minute."""
    seconds = int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + min(int(digits[4:6]), 59)
    return seconds * SECOND + int(digits[6:12])


def find_moment(text: str, edge: Callable[[str], str]) -> int:
    """A date followed by a time, of which `edge` (`earliest`, `latest`) tells the moment that is meant."""
    return day(text[:8]) + (time_of_day(digits) if (digits := edge(text[8:])) else 0)


def find_span(text: str) -> Span | None:
    """What a DT names; None if it is none."""
    found = _DATE_TIME.fullmatch(text.strip())
    if found is None:
        return None
    year, month, number, time, zone = found.groups()
    first = day(f"{year}{month or '01'}{number or '01'}")
    minutes = parse_zone(zone) if zone else None
    if time:
        return Span(first + time_of_day(earliest(time)), first + time_of_day(latest(time)), minutes)
    last_month = month or "12"
    last_number = number or calendar.monthrange(max(int(year), 1), int(last_month))[1]
    return Span(first, day(f"{year}{last_month}{last_number}") + DAY - 1, minutes)


def parse_zone(text: str) -> int | None:
    """An offset from UTC, &ZZXX, in minutes; None if it is none (PS3.5 §6.2: from -1200 to +1400)."""
    found = _ZONE.fullmatch(text.strip())
    if found is None:
        return None
    minutes = int(found[2]) * 60 + int(found[3])
    minutes = -minutes if found[1] == "-" else minutes
    return minutes if -720 <= minutes <= 840 else None


def get_zone(text: str) -> str:
    """The offset as it was given, &ZZXX; Malformed when it is none."""
    if parse_zone(text) is None:
        raise errors.Malformed(f"expected an offset from UTC such as +0100, saw {len(text)} other characters")
    return text.strip()
