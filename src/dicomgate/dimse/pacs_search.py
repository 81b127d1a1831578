"""QIDO-RS over C-FIND: one level at a time, relational questions by asking for the parents first (PRX-01 to PRX-05).

C-FIND has no order and no pages: what is found is collected up to a bound, looked at where the PACS may not have
compared as asked, sorted, and cut into pages. Nothing is left out without being said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dicomgate import errors
from dicomgate.dicom import attributes, elements, encode, matcher
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.matching import AttributePath, Empty, Fuzzy, Match, OneOf, Query
from dicomgate.dicom.uids import Level, Target, is_uid
from dicomgate.dimse import identifiers, pacs_order, questions
from dicomgate.dimse.identifiers import INSTANCE_UID, SERIES_UID, STUDY_UID
from dicomgate.dimse.pacs_counts import Counting
from dicomgate.dimse.pacs_memory import Memory
from dicomgate.dimse.pacs_questions import Questions
from dicomgate.origin import Found

MODALITY: Final = "00080060"
MODALITIES: Final = "00080061"
_UIDS: Final = (STUDY_UID, SERIES_UID, INSTANCE_UID)
_LEVELS: Final = {path: level for level in Level for path in attributes.MATCHING_KEYS[level]}
_UTF_8: Final = {"vr": "CS", "Value": [encode.UNICODE]}
_CHARSET: Final = "00080005"


@dataclass(slots=True)
class Collected:
    """What was found so far. `is_cut`: the PACS has more. `unmatched`: keys that it did not compare, nor could we."""

    datasets: list[JSONDataset]
    is_cut: bool = False
    unmatched: tuple[AttributePath, ...] = ()


@dataclass(slots=True)
class _Budget:
    """How many further questions one search may put."""

    left: int

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise errors.TooLarge(
                "the PACS has to be asked about too many studies or series for this search; narrow it, by "
                "StudyInstanceUID, PatientID or StudyDate"
            )


class PacsSearch:
    """The Search of a PACS. Safe for threads."""

    def __init__(
        self,
        questions_: Questions,
        *,
        most: int,
        fan_out: int,
        counting: Counting,
        memory: Memory,
        heard: Callable[[Target, int], None],
    ) -> None:
        """`most` answers of the PACS are looked at for one search, `fan_out` parents asked about.

        `heard` is told what the PACS says a series has.
        """
        self._questions = questions_
        self._most = most
        self._fan_out = fan_out
        self._counting = counting
        self._memory = memory
        self._heard = heard

    def search(self, query: Query) -> Found:
        """One page of what matches, newest study first, then by number.

        TooLarge where more would have to be looked at than is allowed; raises what asking the PACS does.
        """
        if query.after is not None:
            raise errors.Malformed("a cursor of another server: pages of a PACS are asked for by offset")
        kind = replace(query, limit=None, offset=0, is_counted=False)
        collected = self._memory.find(kind) if query.offset else None
        if collected is None:
            collected = self._collect(query)
            pacs_order.sort(collected.datasets, query)
            self._memory.keep(kind, collected)
        return self._page(collected, query)

    def _page(self, collected: Collected, query: Query) -> Found:
        found = collected.datasets
        end = len(found) if query.limit is None else min(query.offset + query.limit, len(found))
        remaining = max(len(found) - end, 1 if collected.is_cut else 0)
        return Found(
            datasets=[self._complete(one, query.level) for one in found[query.offset : end]],
            remaining=remaining,
            total=len(found) if query.is_counted and not collected.is_cut else None,
            unmatched=collected.unmatched,
        )

    def _complete(self, dataset: JSONDataset, level: Level) -> JSONDataset:
        """With the counts that the PACS did not give, and without what has no value and need not be there."""
        whole = self._counting.complete(dataset, level)
        if not encode.is_ascii(whole):
            whole[_CHARSET] = _UTF_8
        return {tag: whole[tag] for tag in sorted(whole)}

    def _collect(self, asked: Query) -> Collected:
        scoped = identifiers.scoped(asked)
        query = replace(asked, scope=asked.scope or scoped.scope, matches=scoped.matches)
        budget = _Budget(self._fan_out)
        if query.scope is None or query.relational:
            return self._below(query, budget)
        return self._find(query, query.level, query.scope, budget)

    def _below(self, query: Query, budget: _Budget) -> Collected:
        """Level by level, each answer with what is known of its parents."""
        collected = Collected([{}])
        for level in Level:
            if level > query.level:
                break
            collected = self._step(query, level, collected, budget)
        return collected

    def _step(self, query: Query, level: Level, above: Collected, budget: _Budget) -> Collected:
        is_last = level is query.level
        step = Collected([], above.is_cut, above.unmatched)
        for parent in above.datasets:
            place = _place(parent, level)
            found = self._find(query, level, place, budget)
            step.datasets += ({**parent, **one} for one in found.datasets)
            step.is_cut = step.is_cut or found.is_cut
            step.unmatched = tuple(dict.fromkeys((*step.unmatched, *found.unmatched)))
            if len(step.datasets) > self._most:
                raise errors.TooLarge(f"more than {self._most} answers of the PACS for this search; narrow it")
        if step.is_cut and not is_last:
            raise errors.TooLarge(f"the PACS has more than {self._most} studies for this search; narrow it")
        return step

    def _find(self, query: Query, level: Level, scope: Target | None, budget: _Budget) -> Collected:
        """One question at one level, its answers looked at."""
        budget.spend()
        own = _at_level(query, level, scope)
        asked = questions.format_question(own)
        answers = self._questions.find(asked.identifier, self._most)
        if asked.rest and answers.is_cut:
            raise errors.TooLarge(
                f"of more than {self._most} answers the PACS cannot tell which match {_names(asked.rest)}; narrow it"
            )
        kept, unmatched = _looked_at(answers.found, own, asked.rest)
        datasets = [one for dataset in kept if (one := _named(dataset, level, scope)) is not None]
        self._hear(datasets, level)
        return Collected(datasets, answers.is_cut, unmatched)

    def _hear(self, datasets: Sequence[JSONDataset], level: Level) -> None:
        if level is Level.SERIES:
            for dataset in datasets:
                count = self._counting.said(dataset)
                if count is not None:
                    self._heard(Target(_uid(dataset, STUDY_UID), _uid(dataset, SERIES_UID)), count)


def _at_level(query: Query, level: Level, scope: Target | None) -> Query:
    """Of a question what is about one level. Modality narrows the studies that have to be asked about."""
    is_last = level is query.level
    fixed = 0 if query.scope is None else int(query.scope.level)
    matches = [
        match for match in query.matches if _level(match.path) is level or (is_last and _level(match.path) > level)
    ]
    if level is Level.STUDY and not is_last:
        matches += (Match((MODALITIES,), one.condition) for one in query.matches if _is_one_modality(one))
    if fixed >= level and query.scope is not None:
        uid = (query.scope.study, query.scope.series, query.scope.instance)[level - 1]
        matches = [*matches, Match((_UIDS[level - 1],), OneOf((uid or "",)))]
    return Query(
        level=level,
        scope=scope,
        matches=tuple(matches),
        include=tuple(path for path in query.include if _level(path) is level or is_last),
        include_all=query.include_all,
        timezone=query.timezone,
        creators=query.creators,
    )


def _level(path: AttributePath) -> Level:
    return _LEVELS.get(path) or attributes.level(path[0])


def _is_one_modality(match: Match) -> bool:
    condition = match.condition
    return match.path == (MODALITY,) and isinstance(condition, OneOf) and len(condition.values) == 1


def _place(parent: JSONDataset, level: Level) -> Target | None:
    """Below what the answer of the level above is."""
    if level is Level.STUDY:
        return None
    study = _uid(parent, STUDY_UID)
    return Target(study) if level is Level.SERIES else Target(study, _uid(parent, SERIES_UID))


def _looked_at(
    found: Sequence[JSONDataset], query: Query, rest: Sequence[Match]
) -> tuple[list[JSONDataset], tuple[AttributePath, ...]]:
    """The answers that match, and the keys of which no answer says anything.

    Names are left to the PACS, which knows their alphabets, unless it could not be asked as was meant.
    """
    inexact = {match.path for match in rest}
    told = {tag for dataset in found for tag in dataset}
    unmatched = tuple(dict.fromkeys(match.path for match in query.matches if found and match.path[0] not in told))
    tests = [
        match
        for match in query.matches
        if match.path[0] in told and (match.path in inexact or attributes.vr(match.path[-1]) != "PN")
    ]
    absent = [match for match in query.matches if match.path in unmatched and isinstance(match.condition, Empty)]
    holds = matcher.prepare(tests, creators=query.creators, timezone=query.timezone)
    empty = {match.path for match in absent}
    return [one for one in found if holds(one)], tuple(path for path in unmatched if path not in empty)


def _named(dataset: JSONDataset, level: Level, scope: Target | None) -> JSONDataset | None:
    """With the UIDs that name it; None for an answer that names nothing."""
    if not is_uid(_uid(dataset, _UIDS[level - 1])):
        return None
    given = (scope.study, scope.series) if scope is not None else ()
    fixed = {tag: {"vr": "UI", "Value": [uid]} for tag, uid in zip(_UIDS, given, strict=False) if uid}
    return {**dataset, **fixed}


def _uid(dataset: JSONDataset, tag: str) -> str:
    return next(iter(elements.texts(dataset.get(tag, {}))), "")


def _names(matches: Sequence[Match]) -> str:
    return ", ".join(
        attributes.format_path(match.path) + (" fuzzily" if isinstance(match.condition, Fuzzy) else "")
        for match in matches
    )
