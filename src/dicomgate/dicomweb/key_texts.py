"""Matching keys as values of a search's parameters: the inverse of `keys`, as every server reads it (PS3.18 §8.3.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from dicomgate.dicom import attributes
from dicomgate.dicom.matching import AttributePath, Between, Fuzzy, Match, MomentBetween, OneOf, Wildcard

_TIMES: Final = frozenset({"DA", "TM", "DT"})


def format_text(match: Match, timezone: str | None = None) -> str:
    """The value that states the condition, or lets all pass that it does; empty where none does.

    Of a MomentBetween that of the date. Dates and times that are meant in a zone are not stated: a server need not know
    of zones. A Fuzzy is the words that a server with fuzzy matching reads.
    """
    vr = attributes.vr(match.path[-1])
    if timezone is not None and vr in _TIMES:
        return ""
    match match.condition:
        case OneOf(values) if len(values) == 1 or vr == "UI":
            return ",".join(values)
        case Wildcard(pattern):
            return pattern
        case Between(low, high):
            return low if low is not None and low == high and vr == "TM" else _format_range(low, high)
        case MomentBetween(_, low, high):
            return _format_range(*(None if end is None else end[:8] for end in (low, high)))
        case Fuzzy(words):
            return " ".join(words)
    return ""


def paths(matches: Iterable[Match]) -> Iterator[AttributePath]:
    """What answers have to hold for the matches to be looked at."""
    for match in matches:
        yield match.path
        if isinstance(match.condition, MomentBetween):
            yield match.condition.time_path


def _format_range(low: str | None, high: str | None) -> str:
    return f"{low or ''}-{high or ''}"
