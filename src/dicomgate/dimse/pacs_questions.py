"""What a PACS is asked: C-FIND at one level, its answers as data sets, and what is there of a target (PS3.4 §C.4.1)."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final

from dicomgate import errors
from dicomgate.dicom import attributes, elements, uids
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import Level, Target
from dicomgate.dimse import datasets, identifiers, pacs_contexts, statuses
from dicomgate.dimse.identifiers import INSTANCE_UID, LEVEL, LEVEL_WORDS, SERIES_UID, STUDY_UID
from dicomgate.dimse.pacs_coming import Aside
from dicomgate.dimse.pool import Pool

SOP_CLASS: Final = "00080016"
SERIES_COUNT: Final = "00201209"
MODALITY: Final = "00080060"
MOST_INSTANCES: Final = 100_000
"""Of one series."""
MOST_SERIES: Final = 10_000
"""Of one study."""
_UIDS: Final = (STUDY_UID, SERIES_UID, INSTANCE_UID)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a PACS found; `is_cut`: there is more than was wanted."""

    found: list[JSONDataset]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A series or an instance that the PACS has; what it does not tell is empty or None."""

    target: Target
    sop_class: str = ""
    count: int | None = None
    modality: str = ""


class Questions:
    """Asks one PACS. Safe for threads."""

    def __init__(self, pool: Pool, *, charset: str = "", aside: Aside = nullcontext) -> None:
        """`charset`: the one defined term in which the PACS understands what is not ASCII; empty: UTF-8.

        Whoever waits for an answer does so `aside`.
        """
        self._pool = pool
        self._charset = charset
        self._aside = aside

    def find(self, identifier: JSONDataset, most: int) -> Answers:
        """Answers to an identifier, at most so many.

        Raises what reaching the PACS does; UpstreamFailed, Unavailable and Forbidden for what it answers.
        """

        def write(syntax: str) -> bytes:
            return datasets.write_dataset(identifier, syntax, charset=self._charset)

        with self._aside():
            syntax, matches, last = self._pool.ask(
                pacs_contexts.QUESTIONS, lambda association: association.find(pacs_contexts.FIND, write, most)
            )
        fault = statuses.to_fault(last.status, deed="C-FIND")
        if fault is not None:
            raise fault
        return Answers([_read(raw, syntax) for raw in matches.identifiers], matches.is_cut)

    def series(self, study: str) -> list[Listed]:
        """The series of a study, in the order in which they are shown. NotFound when there is none."""
        found = self._listed(Target(study), Level.SERIES, ("00200011", SERIES_COUNT, MODALITY), MOST_SERIES)
        found.sort(key=lambda pair: (_whole(pair[1], "00200011", 1 << 40), pair[0].series or ""))
        return [Listed(target, count=count_of(dataset), modality=_text(dataset, MODALITY)) for target, dataset in found]

    def count(self, series: Target) -> Listed | None:
        """The series with its count, None when the PACS has it no longer."""
        try:
            found = self._listed(Target(series.study), Level.SERIES, (SERIES_COUNT,), 1, series=series.series)
        except errors.NotFound:
            return None
        return next((Listed(target, count=count_of(dataset)) for target, dataset in found), None)

    def instances(self, series: Target, instance: str | None = None) -> list[Listed]:
        """The instances of a series, or one of them, by instance number. NotFound when there is none."""
        keys = (SOP_CLASS, "00200013")
        found = self._listed(Target(series.study, series.series), Level.INSTANCE, keys, MOST_INSTANCES, instance)
        found.sort(key=lambda pair: (_whole(pair[1], "00200013", 1 << 40), pair[0].instance or ""))
        return [Listed(target, sop_class=_class_of(dataset)) for target, dataset in found]

    def _listed(
        self,
        scope: Target,
        level: Level,
        keys: tuple[str, ...],
        most: int,
        wanted: str | None = None,
        *,
        series: str | None = None,
    ) -> list[tuple[Target, JSONDataset]]:
        identifier = _identifier(scope, level, keys)
        for tag, uid in ((INSTANCE_UID, wanted), (SERIES_UID, series)):
            if uid is not None:
                identifier[tag] = {"vr": "UI", "Value": [uid]}
        answers = self.find(identifier, most)
        if answers.is_cut and most > 1:
            raise errors.TooLarge(f"the PACS has more than {most} {level.name.lower()} entries below one")
        found = [(target, dataset) for dataset in answers.found if (target := _target(dataset, scope, level))]
        # Some answer with more than was asked for.
        found = [pair for pair in found if wanted in (None, pair[0].instance) and series in (None, pair[0].series)]
        if not found:
            raise errors.NotFound(
                f"the PACS has no such {Level(level - 1 if not wanted and not series else level).name.lower()}"
            )
        return list({target: (target, dataset) for target, dataset in found}.values())


def count_of(dataset: JSONDataset) -> int | None:
    """Number of Series Related Instances, if the PACS counts."""
    count = _whole(dataset, SERIES_COUNT, -1)
    return count if count >= 0 else None


def retrieval_identifier(target: Target, instances: list[str] | None = None) -> JSONDataset:
    """The identifier of a C-GET or C-MOVE (PS3.4 §C.4.2.1.4): unique keys down to the level, a list at the lowest."""
    level = Level.INSTANCE if instances else target.level
    given = (target.study, target.series, target.instance)
    found: JSONDataset = {LEVEL: {"vr": "CS", "Value": [LEVEL_WORDS[level]]}}
    found |= {tag: {"vr": "UI", "Value": [uid]} for tag, uid in zip(_UIDS, given, strict=True) if uid}
    if instances:
        found[INSTANCE_UID] = {"vr": "UI", "Value": instances}
    return dict(sorted(found.items()))


def _identifier(scope: Target, level: Level, keys: tuple[str, ...]) -> JSONDataset:
    found: JSONDataset = {tag: {"vr": attributes.vr(tag)} for tag in (*keys, *_UIDS[: int(level)])}
    found[LEVEL] = {"vr": "CS", "Value": [LEVEL_WORDS[level]]}
    found[STUDY_UID] = {"vr": "UI", "Value": [scope.study]}
    if scope.series:
        found[SERIES_UID] = {"vr": "UI", "Value": [scope.series]}
    return dict(sorted(found.items()))


def _target(dataset: JSONDataset, scope: Target, level: Level) -> Target | None:
    """What an answer is about, if its UIDs are some."""
    uid = _text(dataset, _UIDS[level - 1])
    if not uids.is_uid(uid):
        return None
    return Target(scope.study, uid) if level is Level.SERIES else Target(scope.study, scope.series, uid)


def _class_of(dataset: JSONDataset) -> str:
    uid = _text(dataset, SOP_CLASS)
    return uid if uids.is_uid(uid) else ""


def _text(dataset: JSONDataset, tag: str) -> str:
    return next(iter(elements.texts(dataset.get(tag, {}))), "")


def _whole(dataset: JSONDataset, tag: str, otherwise: int) -> int:
    text = _text(dataset, tag).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else otherwise


def _read(raw: bytes, syntax: str) -> JSONDataset:
    try:
        return identifiers.from_answer(datasets.read_dataset(raw, syntax))
    except (errors.Malformed, errors.TooLarge) as fault:
        raise errors.UpstreamFailed(f"the PACS answered C-FIND with what is no data set: {fault.message}") from fault
