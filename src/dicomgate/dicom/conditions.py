"""A matching key's text -> the condition it states: single values, lists, wildcards, ranges (PS3.4 C.2.2.2)."""

from __future__ import annotations

import re
from collections.abc import Callable

from dicomgate import errors
from dicomgate.dicom import attributes, moments, person_names, uids
from dicomgate.dicom.matching import (
    AnyOf,
    AttributePath,
    Between,
    Condition,
    Fuzzy,
    MomentBetween,
    OneOf,
    Universal,
    Wildcard,
)

WILDCARD_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
RANGE_VRS = frozenset({"DA", "TM", "DT"})
NUMBER_VRS = frozenset({"IS", "DS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"})
MATCHED_VRS = WILDCARD_VRS | RANGE_VRS | NUMBER_VRS | {"UI", "AS", "AT", attributes.UNKNOWN}
"""Those of which a value can be asked for; of the others, bytes and sequences, only whether there is one."""
MULTIPLE_VRS = frozenset({"AE", "AS", "AT", "CS", "LO", "PN", "SH", "UC"})
"""Those that Multiple Value Matching is defined for (C.2.2.2.8)."""
LISTED_VRS = frozenset({"CS", "AS", "AT", "IS", "US", "SS", "UL", "SL", "UV", "SV"})
"""Those whose values hold neither comma nor backslash, so that a list of them cannot be taken for one value."""
EMPTY = '""'
LONGEST = 1024
MOST_VALUES = 10_000
"""Of a list of UIDs."""
MOST_ALTERNATIVES = 100
"""Of any other list."""

_LIST_SEPARATORS = str.maketrans("\\", ",")
_DATE = re.compile(r"[0-9]{4}(\.?)[0-9]{2}\1[0-9]{2}")
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,20}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,32}(?:\.[0-9]{0,32})?|\.[0-9]{1,32})(?:[eE][+-]?[0-9]{1,3})?")
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_WHOLE_VRS = NUMBER_VRS - {"DS", "FL", "FD"}


def parse(vr: str, text: str, *, is_fuzzy: bool = False) -> Condition:
    """What the text asks of an attribute of that VR; `is_fuzzy`: words of person names are matched.

    Several values, apart by comma or backslash, are taken where no value can hold either; any of them will do (AMB-19).
    Malformed when the text is no value of the VR, TooLarge when it is longer or a longer list than anybody needs.
    """
    text = text.strip(" ")
    if not text.strip("*"):  # a `*` alone is the same as nothing (C.2.2.2.4)
        return Universal()
    if len(text) > LONGEST and vr != "UI":
        raise errors.TooLarge(f"a value of {len(text)} characters, at most {LONGEST} are compared")
    if vr == "UI":
        return OneOf(tuple(uids.parse_uid(value) for value in _split(text, "\\,", MOST_VALUES)))
    if vr in LISTED_VRS:
        return _any_of([_parse_one(vr, value) for value in _split(text, "\\,", MOST_ALTERNATIVES)])
    if is_fuzzy and vr == "PN":
        return _parse_words(text)
    return _parse_one(vr, text)


def parse_all(vr: str, text: str, *, is_fuzzy: bool = False) -> tuple[Condition, ...]:
    """The conditions that must all hold when several values are given at once (Multiple Value Matching, C.2.2.2.8).

    The standard has no wildcards in them; here they mean what they mean elsewhere. Raises what `parse` does.
    """
    if len(text) > LONGEST:
        raise errors.TooLarge(f"a value of {len(text)} characters, at most {LONGEST} are compared")
    values = _split(text, "\\," if vr in LISTED_VRS else "\\", MOST_ALTERNATIVES) if text.strip(" ") else [""]
    return tuple(dict.fromkeys(parse(vr, value, is_fuzzy=is_fuzzy) for value in values))


def join_moments(time_path: AttributePath, dates: Between, times: Between) -> MomentBetween:
    """A range of dates and one of times, read as one continuous range (C.2.2.2.5.4, QIDO-07)."""
    low = None if dates.low is None else dates.low + _dotted(moments.earliest(times.low or "00"))
    high = None if dates.high is None else dates.high + _dotted(moments.latest(times.high or "23"))
    return MomentBetween(time_path, low, high)


def _dotted(digits: str) -> str:
    return f"{digits[:6]}.{digits[6:]}"


def _split(text: str, separators: str, most: int) -> list[str]:
    for separator in separators[1:]:
        text = text.replace(separator, separators[0])
    values = [value for part in text.split(separators[0]) if (value := part.strip(" "))]
    if len(values) > most:
        raise errors.TooLarge(f"a list of {len(values)} values, at most {most} are compared")
    if not values:
        raise errors.Malformed("a list without values")
    return values


def _any_of(found: list[OneOf | Wildcard | Between]) -> Condition:
    if len(found) == 1:
        return found[0]
    singles = tuple(dict.fromkeys(value for each in found if isinstance(each, OneOf) for value in each.values))
    others = tuple(dict.fromkeys(each for each in found if not isinstance(each, OneOf)))
    if Wildcard("*") in others:
        return Universal()
    if not others:
        return OneOf(singles)
    return AnyOf((OneOf(singles), *others) if singles else others)


def _parse_one(vr: str, text: str) -> OneOf | Wildcard | Between:
    if vr in RANGE_VRS:
        return _parse_range(vr, text)
    if vr in NUMBER_VRS:
        return OneOf((_parse_number(vr, text),))
    if vr == "AT":
        return OneOf((_parse_tag(text),))
    if vr not in MATCHED_VRS:
        raise errors.Malformed("no value of it can be asked for, only whether it is empty")
    if vr in WILDCARD_VRS | {attributes.UNKNOWN} and ("*" in text or "?" in text):
        return Wildcard(text)
    return OneOf((text,))


def _parse_words(text: str) -> Fuzzy | Universal:
    words = person_names.wanted_words(text)
    if not words and "*" in text:
        return Universal()
    if not words:
        raise errors.Malformed(f"expected the words of a name, saw {len(text)} characters without a letter or digit")
    return Fuzzy(words)


def _parse_number(vr: str, text: str) -> str:
    """One way to write each whole number; others as they stand, in what a number may be written with."""
    if vr in _WHOLE_VRS:
        if _WHOLE_NUMBER.fullmatch(text) is None:
            raise errors.Malformed(f"expected a whole number, saw {len(text)} other characters")
        return str(int(text))
    if _NUMBER.fullmatch(text) is None:
        raise errors.Malformed(f"expected a number, saw {len(text)} other characters")
    return text


def _parse_tag(text: str) -> str:
    if _TAG.fullmatch(text) is None:
        raise errors.Malformed(f"expected a tag of 8 hexadecimal digits, saw {len(text)} other characters")
    return text.upper()


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
    if _DATE.fullmatch(text) is None:
        raise errors.Malformed(f"expected a date YYYYMMDD or a range of dates, saw {len(text)} other characters")
    plain = text.replace(".", "")
    if not moments.is_date(plain):
        raise errors.Malformed("expected a date YYYYMMDD, saw a day that no calendar has")
    return plain


def _read_time(text: str) -> str:
    """HH, HHMM, HHMMSS or HHMMSS.FFFFFF, also from the form with colons that PS3.5 §6.2 retired."""
    if not moments.is_time(text):
        raise errors.Malformed(f"expected a time HHMMSS.FFFFFF or a range of times, saw {len(text)} other characters")
    return text.replace(":", "")


def _parse_moments(text: str) -> Between:
    """A date-time or a range of them. A hyphen may also lead an offset from UTC, so the whole is tried first."""
    is_moment: Callable[[str], bool] = moments.is_date_time
    text = text.replace(" ", "+")  # what became of a `+` on the way here
    if is_moment(text):
        return Between(text, text)
    for at, character in enumerate(text):
        low, high = text[:at], text[at + 1 :]
        if character == "-" and (low or high) and all(not end or is_moment(end) for end in (low, high)):
            return Between(low or None, high or None)
    raise errors.Malformed(f"expected a date-time or a range of date-times, saw {len(text)} other characters")
