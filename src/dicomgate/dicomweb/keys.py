"""The matching keys of a search: which attributes a resource may match, and what each asks (PS3.18 §10.6.1.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from dicomgate import errors
from dicomgate.dicom import attributes, conditions
from dicomgate.dicom.matching import AttributePath, Between, Condition, Empty, Match, OneOf, Universal
from dicomgate.dicom.uids import Level
from dicomgate.dicomweb.resources import Resource

MOST: Final = 100
"""Conditions of one question."""

_NOT_MATCHED: Final = "not matched by this resource"
_NEVER: Final = frozenset(
    {
        "00080005",  # Specific Character Set is never matched (PS3.4 C.2.2.2)
        "00081190",  # Retrieve URL: made anew for every caller
        "0008041B",  # Record Key, and what else only the Repository Query has (QIDO-20): our cursors do it
        "0008041C",
        "00080429",
    }
)
_LEVELS: Final = {path: level for level in Level for path in attributes.MATCHING_KEYS[level]}


@dataclass(frozen=True, slots=True)
class Manner:
    """The behaviours that were asked for (§8.3.4.2, .5, .6)."""

    is_fuzzy: bool = False
    takes_empty: bool = False
    takes_multiple: bool = False
    joins_moments: bool = True  # ranges of a date and of its time are one range (QIDO-07); C-FIND has to agree on it


@dataclass(slots=True)
class LeftOut:
    """What of a question was not performed, for one warning each reason; Malformed at once where the door is strict."""

    strict: bool
    _names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, why: str, name: str) -> None:
        """Note a name. Malformed when nothing may be left out."""
        if self.strict:
            raise errors.Malformed(f"{name}: {why}")
        names = self._names.setdefault(why, [])
        if name not in names:
            names.append(name)

    def warnings(self) -> tuple[str, ...]:
        """One sentence for each reason."""
        return tuple(f"Ignored, {why}: {', '.join(names)}" for why, names in self._names.items())


@dataclass(slots=True)
class Keys:
    """Gathers the keys of one question. `include` are the matched attributes that answers would lack (QIDO-15)."""

    resource: Resource
    manner: Manner
    left_out: LeftOut
    include: list[AttributePath] = field(default_factory=list)
    _texts: dict[AttributePath, str] = field(default_factory=dict)
    _conditions: dict[AttributePath, tuple[Condition, ...]] = field(default_factory=dict)
    _creators: dict[AttributePath, str] = field(default_factory=dict)

    def read(self, path: AttributePath, value: str) -> bool:
        """One key, not seen before; True when it only says that the attribute is wanted.

        Malformed or TooLarge for a value that its VR does not have.
        """
        if attributes.is_private_creator(path[-1]) and value.strip(" "):
            self._creators[path] = value.strip(" ")
        elif not self._is_matched(path, value):
            if not value:
                return True
            self.left_out.add(_NOT_MATCHED, attributes.format_path(path))
        else:
            return self._keep(path, value)
        return False

    def matches(self, others: Iterable[AttributePath]) -> tuple[Match, ...]:
        """The conditions; of a date and a time that are both ranges, one continuous range (QIDO-07).

        `others` are paths that the question names elsewhere: a creator whose block nobody uses is itself asked for.
        TooLarge when there are more than anybody needs.
        """
        found = dict(self._conditions)
        for path in self._conditions if self.manner.joins_moments else ():
            self._join(found, path)
        used = {block for path in (*self._conditions, *others) for block in _creators(path)}
        for path, creator in self._creators.items():
            if path not in used and self._is_matched(path, creator):
                found[path] = (OneOf((creator,)),)
            elif path not in used:
                self.left_out.add(_NOT_MATCHED, attributes.format_path(path))
        matches = tuple(Match(path, each) for path, several in found.items() for each in several)
        if len(matches) > MOST:
            raise errors.TooLarge(f"a question with {len(matches)} conditions, at most {MOST} are compared")
        return matches

    @property
    def named_creators(self) -> tuple[tuple[AttributePath, str], ...]:
        """Private Creator elements with their values."""
        return tuple(self._creators.items())

    def _is_matched(self, path: AttributePath, value: str) -> bool:
        """Attributes of the levels that the path does not fix, down to that of the answers (QIDO-04, AMB-18)."""
        fixed = 0 if self.resource.target is None else int(self.resource.target.level)
        level = _LEVELS.get(path) or attributes.level(path[0])
        can_ask = attributes.vr(path[-1]) in conditions.MATCHED_VRS or self.asks_empty(value)
        return fixed < level <= self.resource.level and can_ask and not _NEVER.intersection(path)

    def _keep(self, path: AttributePath, value: str) -> bool:
        self._texts[path] = value
        found = self._parse(path, value)
        is_wish = found == (Universal(),)
        if not is_wish or path in _LEVELS:
            self._conditions[path] = found
        if not (is_wish or self._is_returned(path)):
            self.include.append(path)
        return is_wish

    def _parse(self, path: AttributePath, text: str) -> tuple[Condition, ...]:
        tag, manner = path[-1], self.manner
        vr = attributes.vr(tag)
        if self.asks_empty(text):
            return (Empty(),)
        try:
            if manner.takes_multiple and vr in conditions.MULTIPLE_VRS and not attributes.is_single(tag):
                return conditions.parse_all(vr, text, is_fuzzy=manner.is_fuzzy)
            return (conditions.parse(vr, text, is_fuzzy=manner.is_fuzzy),)
        except (errors.Malformed, errors.TooLarge) as fault:
            raise type(fault)(f"{attributes.format_path(path)}: {fault.message}") from None

    def asks_empty(self, text: str) -> bool:
        """True when the value stands for no value, as was said that it may (§8.3.4.5)."""
        return self.manner.takes_empty and text.strip(" ") == conditions.EMPTY

    def _is_returned(self, path: AttributePath) -> bool:
        return any(path[0] in attributes.RETURNED[level] for level in Level if level <= self.resource.level)

    def _join(self, found: dict[AttributePath, tuple[Condition, ...]], date: AttributePath) -> None:
        time = (*date[:-1], attributes.TIME_OF_DATE.get(date[-1], ""))
        match found.get(date), found.get(time):
            case (Between() as dates,), (Between() as times,) if "-" in self._texts[time]:
                found[date] = (conditions.join_moments(time, dates, times),)
                del found[time]


def _creators(path: AttributePath) -> Iterator[AttributePath]:
    """The Private Creator elements of the blocks of an attribute and of the sequences on its way."""
    for depth, tag in enumerate(path):
        if (block := attributes.find_creator(tag)) is not None:
            yield (*path[:depth], block)
