"""A matching key's text -> the condition it states: single values, lists, wildcards, ranges (PS3.4 C.2.2.2)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

from dicomgate import errors
from dicomgate.dicom import uids
from dicomgate.dicom.matching import AttributePath, Between, Condition, MomentBetween, OneOf, Universal, Wildcard

WILDCARD_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
RANGE_VRS = frozenset({"DA", "TM", "DT"})
LONGEST = 1024
MOST_VALUES = 1000

_LIST_SEPARATORS = str.maketrans("\\", ",")
_TIME = re.compile(r"([01][0-9]|2[0-3])(?::?([0-5][0-9])(?::?([0-5][0-9]|60)(?:\.([0-9]{1,6}))?)?)?")
_DATE = re.compile(r"([0-9]{4})(\.?)([0-9]{2})\2([0-9]{2})")
_MOMENT = re.compile(
    r"[0-9]{4}(?:(?:0[1-9]|1[0-2])(?:(?:0[1-9]|[12][0-9]|3[01])(?:(?:[01][0-9]|2[0-3])(?:[0-5][0-9]"
    r"(?:(?:[0-5][0-9]|60)(?:\.[0-9]{1,6})?)?)?)?)?)?(?:[+-](?:0[0-9]|1[0-4])[0-5][0-9])?"
)
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,11}")


def parse(vr: str, text: str, *, takes_list: bool = False) -> Condition:
    """What the text asks of an attribute of that VR; `takes_list`: several values may be given (AMB-19).

    Malformed when the text is no value of the VR, TooLarge when it is longer or a longer list than anybody needs.
    """
    text = text.strip(" ")
    if text in ("", "*"):  # a `*` alone is the same as nothing (C.2.2.2.4)
        return Universal()
    if len(text) > LONGEST and vr != "UI":
        raise errors.TooLarge(f"a value of {len(text)} characters, at most {LONGEST} are compared")
    if vr == "UI" or takes_list:
        return _parse_list(vr, text)
    if vr in RANGE_VRS:
        return _parse_range(vr, text)
    if vr == "IS":
        return OneOf((_parse_whole_number(text),))
    return _parse_text(vr, text)


def join_moments(time_path: AttributePath, dates: Between, times: Between) -> MomentBetween:
    """A range of dates and one of times, read as one continuous range (C.2.2.2.5.4, QIDO-07)."""
    low = None if dates.low is None else dates.low + (_expand(times.low, "00", "") if times.low else "000000")
    high = None if dates.high is None else dates.high + _expand(times.high or "23", "59", "999999")
    return MomentBetween(time_path, low, high)


def _parse_list(vr: str, text: str) -> OneOf | Wildcard:
    values = [value for part in text.translate(_LIST_SEPARATORS).split(",") if (value := part.strip(" "))]
    if len(values) > MOST_VALUES:
        raise errors.TooLarge(f"a list of {len(values)} values, at most {MOST_VALUES} are compared")
    if not values:
        raise errors.Malformed("a list without values")
    if vr == "UI":
        return OneOf(tuple(uids.parse_uid(value) for value in values))
    found = [_parse_text(vr, value) for value in values]
    if len(found) == 1:
        return found[0]
    if any(isinstance(condition, Wildcard) for condition in found):
        raise errors.Malformed("a list of values cannot hold wildcards")
    return OneOf(tuple(values))


def _parse_text(vr: str, text: str) -> OneOf | Wildcard:
    if vr in WILDCARD_VRS and ("*" in text or "?" in text):
        return Wildcard(text)
    return OneOf((text,))


def _parse_whole_number(text: str) -> str:
    if _WHOLE_NUMBER.fullmatch(text) is None:
        raise errors.Malformed(f"expected a whole number, saw {len(text)} other characters")
    return str(int(text))


def _parse_range(vr: str, text: str) -> OneOf | Between:
    if vr == "DT":
        return _parse_moments(text)
    read = _read_date if vr == "DA" else _read_time
    low, hyphen, high = (part.strip(" ") for part in text.partition("-"))
    if not hyphen:
        value = read(text)
        # A time of less precision names every moment within it.
        return OneOf((value,)) if vr == "DA" else Between(value, value)
    if not (low or high):
        raise errors.Malformed("a range without a first and a last value")
    return Between(read(low) if low else None, read(high) if high else None)


def _read_date(text: str) -> str:
    """YYYYMMDD, also from the form with dots that PS3.5 §6.2 retired."""
    found = _DATE.fullmatch(text)
    if found is None:
        raise errors.Malformed(f"expected a date YYYYMMDD or a range of dates, saw {len(text)} other characters")
    year, _, month, day = found.groups()
    try:
        dt.date(int(year), int(month), int(day))
    except ValueError:
        raise errors.Malformed("expected a date YYYYMMDD, saw a day that no calendar has") from None
    return year + month + day


def _read_time(text: str) -> str:
    """HH, HHMM, HHMMSS or HHMMSS.FFFFFF, also from the form with colons that PS3.5 §6.2 retired."""
    if _TIME.fullmatch(text) is None:
        raise errors.Malformed(f"expected a time HHMMSS.FFFFFF or a range of times, saw {len(text)} other characters")
    return text.replace(":", "")


def _expand(time: str, rest: str, fraction: str) -> str:
    """A time to the second at least, with what it leaves unsaid filled in."""
    found = _TIME.fullmatch(time)
    assert found is not None, "read before"
    hour, minute, second, said = found.groups()
    tail = (said or "") + fraction[len(said or "") :]
    return f"{hour}{minute or rest}{second or rest}" + (f".{tail}" if tail else "")


def _parse_moments(text: str) -> Between:
    """A date-time or a range of them. A hyphen may also lead an offset from UTC, so the whole is tried first."""
    is_moment: Callable[[str], object] = _MOMENT.fullmatch
    text = text.replace(" ", "+")  # what became of a `+` on the way here
    if is_moment(text):
        return Between(text, text)
    for at, character in enumerate(text):
        low, high = text[:at], text[at + 1 :]
        if character == "-" and (low or high) and all(not end or is_moment(end) for end in (low, high)):
            return Between(low or None, high or None)
    raise errors.Malformed(f"expected a date-time or a range of date-times, saw {len(text)} other characters")
