"""Which destinations want an instance: by who sent it, and by what it says of itself (PS3.4 C.2.2.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dicomgate import errors
from dicomgate.dicom import attributes, conditions, matcher
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.matcher import Matcher
from dicomgate.dicom.matching import AnyOf, AttributePath, Between, Condition, Fuzzy, Match, OneOf, Wildcard

_MOST: Final = 100
"""Conditions of one destination."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a destination takes. `callers`: AE titles, in the letters that they are written with; empty is everybody."""

    callers: frozenset[str]
    matches: Matcher

    def wants(self, caller: str, dataset: JSONDataset) -> bool:
        """True for an instance from this caller with these attributes."""
        return (not self.callers or caller in self.callers) and self.matches(dataset)


def parse_rule(callers: Iterable[str], match: Iterable[str]) -> Rule:
    """From the settings' texts, `Keyword=value` each; of one attribute any will do, of several all have to hold.

    Malformed for what is no attribute, or no value of one.
    """
    found: dict[AttributePath, list[Condition]] = {}
    for text in match:
        path, condition = _parse(text)
        found.setdefault(path, []).append(condition)
    if sum(map(len, found.values())) > _MOST:
        raise errors.TooLarge(f"more than {_MOST} conditions")
    keys = [Match(path, _any_of(each)) for path, each in found.items()]
    return Rule(frozenset(caller.strip() for caller in callers), matcher.prepare(keys))


def _any_of(conditions: list[Condition]) -> Condition:
    if len(conditions) == 1:
        return conditions[0]
    values: list[OneOf | Wildcard | Between | Fuzzy] = []
    for each in conditions:
        if isinstance(each, AnyOf):
            values += each.conditions
        elif isinstance(each, OneOf | Wildcard | Between | Fuzzy):
            values.append(each)
        else:
            raise errors.Malformed("an attribute of several conditions: expected a value in each")
    return AnyOf(tuple(values))


def _parse(text: str) -> tuple[AttributePath, Condition]:
    name, sign, value = text.partition("=")
    path = attributes.parse_path(name.strip()) if sign else None
    if path is None:
        raise errors.Malformed("expected Keyword=value, of an attribute of DICOM")
    try:
        return path, conditions.parse(attributes.vr(path[-1]), value.strip())
    except errors.Fault as fault:
        raise errors.Malformed(f"{name.strip()}: {fault.message}") from fault
