"""QIDO-RS parameters -> Query: matching keys, wanted fields, paging (PS3.18 §8.3.4, §10.6.1.2)."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Final

from dicomgate import errors
from dicomgate.dicom import attributes, conditions
from dicomgate.dicom.matching import AttributePath, Between, Condition, Match, Query, Universal
from dicomgate.dicom.uids import Level
from dicomgate.dicomweb import parameters, warning
from dicomgate.dicomweb.parameters import Pairs
from dicomgate.dicomweb.resources import Resource

NOT_SUPPORTED: Final = {
    "fuzzymatching": warning.FUZZY_MATCHING,
    "emptyvaluematching": warning.EMPTY_VALUE_MATCHING,
    "multiplevaluematching": warning.MULTIPLE_VALUE_MATCHING,
}
"""Behaviours that may be asked for and are not performed; the warning is not optional (QIDO-08)."""

_UNKNOWN_PARAMETER: Final = "not a parameter or attribute that is known"
_NOT_MATCHED: Final = "not matched by this resource"
_UNKNOWN_FIELD: Final = "not an attribute that is known"
_BELOW: Final = "of a lower level than the answers"

_HANDLED_ELSEWHERE: Final = frozenset({"accept"})
_EMPTY_VALUE: Final = '""'
_LISTS: Final = frozenset({("00080060",), ("00080061",)})  # Modality, Modalities in Study (AMB-19)
_DATE_TIMES: Final[dict[AttributePath, AttributePath]] = {
    ("00080020",): ("00080030",),  # Study
    ("00080021",): ("00080031",),  # Series
    ("00400244",): ("00400245",),  # Performed Procedure Step Start
}

_IN_ANY_CASE: Final = {
    keyword.casefold(): keyword
    for level in Level
    for tag in (*attributes.RETURNED[level], *(tag for path in attributes.MATCHING_KEYS[level] for tag in path))
    if (keyword := attributes.find_keyword(tag))
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """A query, and the texts of the warnings that its answer carries."""

    query: Query
    warnings: tuple[str, ...] = ()


def parse(
    resource: Resource,
    pairs: Pairs,
    *,
    strict: bool = False,
    default_limit: int | None = None,
    most: int | None = None,
) -> Parsed:
    """What a search of the resource asks. `most` answers are given at once, `default_limit` when none is named.

    Unknown parameters, and attributes that the resource does not match, are left out with a warning, or Malformed when
    `strict` (GEN-03, V8). Malformed for a known parameter with a bad value, or one that comes twice (QIDO-05);
    TooLarge for lists beyond any need.
    """
    parameters.check(pairs)
    reader = _Reader(resource, strict=strict, can_match_empty=_is_true(pairs, "emptyvaluematching"))
    for number, (name, value) in enumerate(pairs, 1):
        if name not in _CONTROLS:
            reader.read_key(name, value, number)
    for value in parameters.values(pairs, "includefield"):
        reader.read_fields(value)
    limit = _parse_count(pairs, "limit")
    query = Query(
        level=resource.level,
        scope=resource.target,
        matches=reader.matches(),
        include=tuple(dict.fromkeys(reader.include)),
        include_all=reader.include_all,
        limit=_least(default_limit if limit is None else limit, most),
        offset=_parse_count(pairs, "offset") or 0,
        relational=resource.is_relational,
    )
    not_performed = [text for name, text in NOT_SUPPORTED.items() if _is_true(pairs, name)]
    return Parsed(query, (*not_performed, *reader.warnings()))


_CONTROLS: Final = frozenset({*NOT_SUPPORTED, *_HANDLED_ELSEWHERE, "limit", "offset", "includefield"})


@dataclass(slots=True)
class _Reader:
    """Gathers keys and fields, and what had to be left out."""

    resource: Resource
    strict: bool
    can_match_empty: bool
    include: list[AttributePath] = field(default_factory=list)
    include_all: bool = False
    _texts: dict[AttributePath, str] = field(default_factory=dict)
    _conditions: dict[AttributePath, Condition] = field(default_factory=dict)
    _left_out: dict[str, list[str]] = field(default_factory=dict)

    def read_key(self, name: str, value: str, number: int) -> None:
        """One matching key; without a value it is a wish to have the attribute (universal matching)."""
        path = self._find_path(name)
        if path is None:
            self._leave_out(_UNKNOWN_PARAMETER, _printable(name, f"parameter {number}"))
            return
        if path in self._texts:
            raise errors.Malformed(f"{attributes.format_path(path)}: expected once, came again")
        self._texts[path] = value
        if path in _matching_keys(self.resource):
            self._conditions[path] = self._parse_condition(path, value)
            if isinstance(self._conditions[path], Universal):
                self.include.append(path)
        elif value:
            self._leave_out(_NOT_MATCHED, attributes.format_path(path))
        else:
            self._include(path)

    def read_fields(self, value: str) -> None:
        """One includefield: a comma list of attributes, or `all` (QIDO-10)."""
        for position, name in enumerate(value.split(","), 1):
            text = name.strip(" ")
            path = self._find_path(text)
            if text == "all":
                self.include_all = True
            elif path is not None:
                self._include(path)
            elif text:
                self._leave_out(_UNKNOWN_FIELD, _printable(text, f"field {position}"))

    def matches(self) -> tuple[Match, ...]:
        """The conditions; of a date and a time that are both ranges, one continuous range (QIDO-07)."""
        found = dict(self._conditions)
        for date, time in _DATE_TIMES.items():
            dates, times = found.get(date), found.get(time)
            if isinstance(dates, Between) and isinstance(times, Between) and "-" in self._texts[time]:
                found[date] = conditions.join_moments(time, dates, times)
                del found[time]
        return tuple(Match(path, condition) for path, condition in found.items())

    def warnings(self) -> list[str]:
        """One sentence for each reason for which something was left out."""
        return [f"Ignored, {why}: {', '.join(names)}" for why, names in self._left_out.items()]

    def _find_path(self, name: str) -> AttributePath | None:
        path = attributes.parse_path(name)
        if path is None and not self.strict:
            parts = name.split(".", attributes.DEEPEST)
            path = attributes.parse_path(".".join(_IN_ANY_CASE.get(part.casefold(), part) for part in parts))
        return path

    def _parse_condition(self, path: AttributePath, text: str) -> Condition:
        if text == _EMPTY_VALUE and self.can_match_empty:
            return Universal()  # it was said that this is not performed
        try:
            return conditions.parse(attributes.vr(path[-1]), text, takes_list=path in _LISTS)
        except (errors.Malformed, errors.TooLarge) as fault:
            raise type(fault)(f"{attributes.format_path(path)}: {fault.message}") from None

    def _include(self, path: AttributePath) -> None:
        if self._is_below(path):
            self._leave_out(_BELOW, attributes.format_path(path))
        else:
            self.include.append(path)

    def _is_below(self, path: AttributePath) -> bool:
        level = self.resource.level
        is_returned = any(path[0] in attributes.RETURNED[upper] for upper in Level if upper <= level)
        return not is_returned and attributes.level(path[0]) > level

    def _leave_out(self, why: str, name: str) -> None:
        if self.strict:
            raise errors.Malformed(f"{name}: {why}")
        names = self._left_out.setdefault(why, [])
        if name not in names:
            names.append(name)


def _matching_keys(resource: Resource) -> frozenset[AttributePath]:
    fixed = 0 if resource.target is None else int(resource.target.level)
    return _keys_between(fixed, resource.level)


@functools.cache
def _keys_between(fixed: int, lowest: Level) -> frozenset[AttributePath]:
    """The attributes of the levels that the path does not fix, down to that of the answers (QIDO-04)."""
    return frozenset(path for level in Level if fixed < level <= lowest for path in attributes.MATCHING_KEYS[level])


def _printable(name: str, otherwise: str) -> str:
    """The name if it could be a keyword or tag, else only where it stood: it goes into a header (T15)."""
    return name if name.isascii() and name.replace(".", "").isalnum() and len(name) <= 64 else otherwise


def _is_true(pairs: Pairs, name: str) -> bool:
    value = parameters.find_single(pairs, name)
    if value not in (None, "true", "false"):
        raise errors.Malformed(f"parameter {name}: expected true or false")
    return value == "true"


def _parse_count(pairs: Pairs, name: str) -> int | None:
    value = parameters.find_single(pairs, name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise errors.Malformed(f"parameter {name}: expected a whole number from 0")
    return int(value)


def _least(*counts: int | None) -> int | None:
    return min((count for count in counts if count is not None), default=None)
