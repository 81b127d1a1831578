"""Another DICOMweb server as an origin that is searched: a question becomes QIDO-RS, and its answers are looked at.

What a server may not compare as it is meant here (several values, moments, empty values) is compared here; what a
question says of the levels above the resource is asked there. Answers are handed on as they come.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from dicomgate import errors
from dicomgate.client import search
from dicomgate.client.caller import Caller
from dicomgate.dicom import attributes, elements, matcher
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.matching import AnyOf, AttributePath, Condition, Empty, Fuzzy, Match, OneOf, Query
from dicomgate.dicom.uids import Level, Target, is_uid
from dicomgate.dicomweb import key_texts, resources
from dicomgate.origin import Found

_UIDS: Final = ("0020000D", "0020000E", "00080018")
_NAMES: Final = ("studies", "series", "instances")
_LEVELS: Final = {path: level for level in Level for path in attributes.MATCHING_KEYS[level]}
_ALWAYS: Final = frozenset({*_UIDS, "00080005", "00080056", "00081190"})
"""What answers hold, or what we know better; all else is asked for by name, for servers differ in what they give."""
_AT_ONCE: Final = 50
"""UIDs in one address, which not every server takes at any length."""
_OPEN: Final = 64
"""Searches that may be gone on with."""
_MOST: Final = 100_000
"""Answers that are looked at for one search."""

Heard = Callable[[Target, str], None]
"""Hears of an instance that was found, with its SOP class (empty: not said)."""


class RemoteSearch:
    """The Search of another server. Safe for threads."""

    def __init__(self, caller: Caller, *, warn: Callable[[str], object], heard: Heard = lambda *_: None) -> None:
        """`warn` hears what the server warns of."""
        self._caller = caller
        self._warn = warn
        self._heard = heard
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Iterator[JSONDataset]] = OrderedDict()

    def search(self, query: Query) -> Found:
        """What matches, as the server orders it; a page where the query has a limit, all of it as it comes where not.

        Malformed for a place that is not known any more, TooLarge where more answers would have to be looked at than
        anybody needs; the faults of `AsyncCaller.send`, also while answers are taken.
        """
        matches = self._continued(query.after) if query.after is not None else self._matches(query)
        matches = islice(matches, query.offset, None) if query.offset else matches
        if query.limit is None:
            return Found(datasets=matches, remaining=0)
        page = list(islice(matches, query.limit))
        if len(page) < query.limit:
            return Found(datasets=page, remaining=0)
        return Found(datasets=page, remaining=None, next=self._keep(matches))

    def _keep(self, matches: Iterator[JSONDataset]) -> str:
        place = uuid.uuid4().hex
        with self._lock:
            self._open[place] = matches
            if len(self._open) > _OPEN:
                self._open.popitem(last=False)
        return place

    def _continued(self, place: str) -> Iterator[JSONDataset]:
        with self._lock:
            found = self._open.pop(place, None)
        if found is None:
            raise errors.Malformed("this page's place is not known any more: search anew")
        return found

    def _matches(self, query: Query) -> Iterator[JSONDataset]:
        above = self._above(query)
        if above is None:
            return
        seen: set[str] = set()
        for asked in _alternatives(_at_resource(query)):
            for dataset in self._found(asked):
                uid = _uid(dataset, _UIDS[query.level - 1])
                if is_uid(uid) and uid not in seen:
                    seen.add(uid)
                    yield self._named({**above, **dataset}, query)

    def _named(self, dataset: JSONDataset, query: Query) -> JSONDataset:
        """With the UIDs that name it, also those that the address said."""
        scope = query.scope
        given = (scope.study, scope.series) if scope is not None else ()
        dataset |= {tag: {"vr": "UI", "Value": [uid]} for tag, uid in zip(_UIDS, given, strict=False) if uid}
        if query.level is Level.INSTANCE:
            self._heard(Target(*(_uid(dataset, tag) for tag in _UIDS)), _uid(dataset, "00080016"))
        return dataset

    def _above(self, query: Query) -> JSONDataset | None:
        """What the levels above the resource say, where the question is about them too; None when they do not match."""
        found: JSONDataset = {}
        scope = query.scope
        for level in Level:
            if scope is None or level > scope.level or level >= query.level:
                break
            own = _about(query, level)
            if not own.matches and not own.include:
                continue
            answer = next(iter(self._found(own)), None)
            if answer is None:
                return None
            found |= answer
        return found

    def _found(self, query: Query) -> Iterator[JSONDataset]:
        """The answers to one question that hold what it says; none where the place itself is not there."""
        said = _Said.of(query)
        try:
            for number, dataset in enumerate(search.search(self._caller, _path(query), said.pairs, warn=self._warn)):
                if number == _MOST:
                    raise errors.TooLarge(f"more than {_MOST} answers to look at; narrow the search")
                if said.holds(dataset):
                    yield dataset
        except (errors.NotFound, errors.Gone):
            return


@dataclass(frozen=True, slots=True)
class _Test:
    """What is compared here, of one attribute. `always`: also where an answer does not have it."""

    tag: str
    holds: matcher.Matcher
    always: bool


@dataclass(frozen=True, slots=True)
class _Said:
    """A question as parameters, and what is left to be compared."""

    pairs: list[tuple[str, str]]
    tests: tuple[_Test, ...]

    @classmethod
    def of(cls, query: Query) -> _Said:
        """A server compares names in its own way; all else is compared again, where an answer has it."""
        texts: dict[Match, str] = {}
        for match in query.matches:
            is_again = any(match.path == other.path for other in texts)  # a parameter comes once
            texts[match] = "" if is_again else key_texts.format_text(match, query.timezone)
        pairs = [(attributes.format_path(match.path), text) for match, text in texts.items() if text]
        wanted = dict.fromkeys((*query.include, *key_texts.paths(query.matches)))
        pairs += [("includefield", attributes.format_path(path)) for path in wanted if path[0] not in _ALWAYS]
        pairs += [("includefield", "all")] * query.include_all
        pairs += [("fuzzymatching", "true")] * any(isinstance(match.condition, Fuzzy) for match in query.matches)
        orders = ["-" * one.descending + attributes.format_path(one.path) for one in query.order]
        pairs += [("orderby", ",".join(orders))] * bool(orders)
        return cls(pairs, tuple(_tests(query, texts)))

    def holds(self, dataset: JSONDataset) -> bool:
        """Whether an answer is one."""
        return all(test.holds(dataset) for test in self.tests if test.always or test.tag in dataset)


def _tests(query: Query, texts: dict[Match, str]) -> Iterator[_Test]:
    by_tag: dict[str, list[Match]] = {}
    for match in query.matches:
        if attributes.vr(match.path[-1]) != "PN" or not texts[match]:
            by_tag.setdefault(match.path[0], []).append(match)
    for tag, matches in by_tag.items():
        test = matcher.prepare(matches, creators=query.creators, timezone=query.timezone)
        yield _Test(tag, test, always=any(isinstance(one.condition, Empty) or not texts[one] for one in matches))


def _at_resource(query: Query) -> Query:
    """Of a question what the resource is asked: what is about the levels above it is asked there."""
    fixed = 0 if query.scope is None else int(query.scope.level)
    return replace(
        query,
        matches=tuple(match for match in query.matches if _level(match.path) > fixed),
        include=tuple(path for path in query.include if _level(path) > fixed),
        limit=None,
        offset=0,
    )


def _about(query: Query, level: Level) -> Query:
    """The question whether the study, or series, that an address names is one that is meant."""
    assert query.scope is not None, "it is named"
    uid = (query.scope.study, query.scope.series or "")[level - 1]
    matches = tuple(match for match in query.matches if _level(match.path) is level)
    include = tuple(path for path in query.include if _level(path) is level and path[0] not in _UIDS)
    if matches or include:
        matches = (Match((_UIDS[level - 1],), OneOf((uid,))), *matches)
    scope = Target(query.scope.study) if level > Level.STUDY else None
    return Query(
        level=level, scope=scope, matches=matches, include=include, timezone=query.timezone, creators=query.creators
    )


def _alternatives(query: Query) -> Iterator[Query]:
    """The questions whose answers together are those of one that servers need not understand, or take at once."""
    for number, match in enumerate(query.matches):
        several = list(_single(match.condition, is_uid=attributes.vr(match.path[-1]) == "UI"))
        if len(several) > 1:
            for one in several:
                matches = (*query.matches[:number], replace(match, condition=one), *query.matches[number + 1 :])
                yield from _alternatives(replace(query, matches=matches))
            return
    yield query


def _single(condition: Condition, *, is_uid: bool) -> Iterator[Condition]:
    match condition:
        case AnyOf(conditions):
            yield from conditions
        case OneOf(values):
            size = _AT_ONCE if is_uid else 1
            yield from (OneOf(values[start : start + size]) for start in range(0, len(values), size))
        case _:
            yield condition


def _level(path: AttributePath) -> Level:
    return _LEVELS.get(path) or attributes.level(path[0])


def _path(query: Query) -> str:
    above = "" if query.scope is None else resources.link("", query.scope)
    return f"{above}/{_NAMES[query.level - 1]}"


def _uid(dataset: JSONDataset, tag: str) -> str:
    return next(iter(elements.texts(dataset.get(tag, {}))), "")
