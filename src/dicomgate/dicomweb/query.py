"""QIDO-RS parameters -> Query: matching keys, wanted fields, order, paging (PS3.18 §8.3.4, §10.6.1.2)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from dicomgate import errors
from dicomgate.dicom import attributes, moments
from dicomgate.dicom.matching import AttributePath, Order, Query
from dicomgate.dicom.uids import Level
from dicomgate.dicomweb import cursors, parameters
from dicomgate.dicomweb.keys import Keys, LeftOut, Manner
from dicomgate.dicomweb.parameters import Pairs
from dicomgate.dicomweb.resources import Resource

MOST_ORDERS: Final = 4

_TIMEZONE: Final = ("00080201",)
_UNKNOWN_FIELD: Final = "not an attribute that is known"
_BELOW: Final = "of a lower level than the answers"
_HANDLED_ELSEWHERE: Final = frozenset({"accept", "charset"})
_MANNERS: Final = ("fuzzymatching", "emptyvaluematching", "multiplevaluematching")
PARAMETERS: Final = frozenset(
    {*_HANDLED_ELSEWHERE, *_MANNERS, "limit", "offset", "includefield", "orderby", "cursor", "totalcount"}
)
"""What is no matching key."""
_NOT_ORDERED: Final = frozenset({"SQ", "OB", "OD", "OF", "OL", "OV", "OW"})


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
    `strict` (GEN-03, V8). Malformed for a known parameter with a bad value, or one that comes twice (QIDO-05), and for
    a cursor of another question; TooLarge for lists beyond any need.
    """
    parameters.check(pairs)
    reader = _Reader(resource, strict=strict, left_out=LeftOut(strict=strict))
    keys = Keys(resource, Manner(*(_is_true(pairs, name) for name in _MANNERS)), reader.left_out)
    for number, (name, value) in enumerate(pairs, 1):
        if name not in PARAMETERS:
            reader.read_key(keys, name, value, number)
    for value in parameters.values(pairs, "includefield"):
        reader.read_fields(value)
    for value in parameters.values(pairs, "orderby"):
        reader.read_order(value)
    matches = keys.matches([*reader.include, *(order.path for order in reader.order)])
    limit = _parse_count(pairs, "limit")
    query = Query(
        level=resource.level,
        scope=resource.target,
        matches=matches,
        include=tuple(dict.fromkeys((*reader.include, *keys.include))),
        include_all=reader.include_all,
        limit=_least(default_limit if limit is None else limit, most),
        offset=_parse_count(pairs, "offset") or 0,
        order=tuple(reader.order),
        is_counted=_is_true(pairs, "totalcount"),
        timezone=reader.timezone,
        creators=keys.named_creators,
        relational=resource.is_relational,
    )
    return Parsed(_at_cursor(query, pairs), reader.left_out.warnings())


def _at_cursor(query: Query, pairs: Pairs) -> Query:
    text = parameters.find_single(pairs, "cursor")
    return query if text is None else replace(query, after=cursors.parse_cursor(query, text))


@dataclass(slots=True)
class _Reader:
    """Reads parameters one by one."""

    resource: Resource
    strict: bool
    left_out: LeftOut
    include: list[AttributePath] = field(default_factory=list)
    include_all: bool = False
    order: list[Order] = field(default_factory=list)
    timezone: str | None = None
    _given: set[AttributePath] = field(default_factory=set)

    def read_key(self, keys: Keys, name: str, value: str, number: int) -> None:
        """One matching key; without a value it is a wish to have the attribute (universal matching)."""
        path = self._find_path(name)
        if path is None:
            self.left_out.add("not a parameter or attribute that is known", _printable(name, f"parameter {number}"))
            return
        if path in self._given:
            raise errors.Malformed(f"{attributes.format_path(path)}: expected once, came again")
        self._given.add(path)
        if path == _TIMEZONE and value.strip(" ") and not keys.asks_empty(value):
            self.timezone = _parse_zone(value)
        elif keys.read(path, value):
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
                self.left_out.add(_UNKNOWN_FIELD, _printable(text, f"field {position}"))

    def read_order(self, value: str) -> None:
        """One orderby: a comma list of attributes, a hyphen before those that descend. Malformed for any other."""
        for name in value.split(","):
            text = name.strip(" ")
            path = self._find_path(text.removeprefix("-"))
            if path is None or self._is_below(path) or attributes.vr(path[-1]) in _NOT_ORDERED:
                raise errors.Malformed("parameter orderby: expected attributes of the answers that have an order")
            if all(path != order.path for order in self.order):
                self.order.append(Order(path, descending=text.startswith("-")))
        if len(self.order) > MOST_ORDERS:
            raise errors.Malformed(f"parameter orderby: expected at most {MOST_ORDERS} attributes")

    def _find_path(self, name: str) -> AttributePath | None:
        return attributes.parse_path(name, in_any_case=not self.strict)

    def _include(self, path: AttributePath) -> None:
        if self._is_below(path):
            self.left_out.add(_BELOW, attributes.format_path(path))
        else:
            self.include.append(path)

    def _is_below(self, path: AttributePath) -> bool:
        level = self.resource.level
        is_returned = any(path[0] in attributes.RETURNED[upper] for upper in Level if upper <= level)
        return not is_returned and attributes.level(path[0]) > level


def _printable(name: str, otherwise: str) -> str:
    """The name if it could be a keyword or tag, else only where it stood: it goes into a header (T15)."""
    return name if name.isascii() and name.replace(".", "").isalnum() and len(name) <= 64 else otherwise


def _parse_zone(text: str) -> str:
    """A plus sign that was not escaped has become a blank on its way here."""
    try:
        return moments.get_zone("+" + text[1:] if text.startswith(" ") else text)
    except errors.Malformed as fault:
        raise errors.Malformed(f"{attributes.format_path(_TIMEZONE)}: {fault.message}") from None


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
