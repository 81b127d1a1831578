"""What a view would have is listed study by study, in an index of its own, and again when a study has changed.

Headers are read for that, and no pixels but those that hide overlays. Nothing is converted. The list outlives the
process; each of its rows says up to which change of the origin it is right.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import orjson

from dicomgate import errors
from dicomgate.dicom import jsonmodel, syntaxes
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.limits import DEFAULT, Limits
from dicomgate.dicom.matching import Query
from dicomgate.dicom.uids import Level, Target
from dicomgate.index.base import Entry, Index, Surroundings, Verdict
from dicomgate.multiframe import classic
from dicomgate.origin import Origin
from dicomgate.views import beyond, pictures, sources
from dicomgate.views.shown import Making, Shown, as_it_is
from dicomgate.views.sources import Held

MOST: Final = 20_000
"""Instances of a study that is converted; one with more is shown as it was received."""
_NO_CHANGE: Final = 1 << 62
_BATCH: Final = 64
_PAGE: Final = 500
_PATIENCE: Final = 10.0
"""Seconds that a search waits for the list; what is not ready by then goes on beside."""
_PLANNED: Final = 3000
"""Instances in the plans that are kept, beside those of the last one."""
_SYNTAXES: Final = "00083002"
IMPOSSIBLE: Final = (errors.Malformed, errors.TooLarge, errors.NotAcceptable)
"""What comes of a conversion whose result cannot be written."""

Show = Callable[[Held], Iterator[Shown]]


def no_fetch(study: str) -> None:
    """Studies are here already."""


@dataclass
class Preparation:
    """The list of one view. Safe for threads; several processes may share it.

    `fetch` sees that all of a study is here, which may take long, so others do not wait for it.
    """

    origin: Origin
    index: Index
    show: Show
    lock: Path
    limits: Limits = DEFAULT
    fetch: Callable[[str], None] = no_fetch
    patience: float = _PATIENCE
    most: int = MOST
    _known: dict[str, int] = field(default_factory=dict)
    _beyond: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _complete: int = -1
    _turn: threading.RLock = field(default_factory=threading.RLock)
    _plans: OrderedDict[tuple[str, int], dict[str, Shown]] = field(default_factory=OrderedDict)

    # One study.

    def bring(self, study: str) -> bool:
        """See that what is listed of a study is right; False when it was. Faults as the origin's.

        Of a study that is gone nothing is left.
        """
        try:
            self.fetch(study)
        except (errors.NotFound, errors.Gone):
            self._forget(study)
            raise
        if self._is_right(study):
            return False
        with self._alone():
            if self._is_right(study):  # another listed it meanwhile
                return False
            self._list(study)
            return True

    def is_listed(self, study: str) -> bool:
        """Whether what is listed of a study is right, as far as is known here."""
        return self._is_right(study)

    def _is_right(self, study: str) -> bool:
        since = self._known.get(study)
        if since is None:
            row = next(self.index.locate(Target(study)), None)
            if row is None:
                return False
            since, self._beyond[study] = _parse(row.key)
        last, is_changed = self.origin.retrieve.changed(study, since)
        others = self._beyond.get(study, ())
        if is_changed or any(self.origin.retrieve.changed(other, since)[1] for other in others):
            return False
        self._known[study] = last
        return True

    def _forget(self, study: str) -> None:
        keys = [row.key for row in self.index.locate(Target(study))]
        if keys:
            with self._alone():
                self.index.forget_files(keys)
        self._known.pop(study, None)

    def _list(self, study: str) -> None:
        number, _ = self.origin.retrieve.changed(study, _NO_CHANGE)
        old = [row.key for row in self.index.locate(Target(study))]
        try:
            shown = self._plan(study, number)
        except (errors.NotFound, errors.Gone):
            self.index.forget_files(old)
            self._known.pop(study, None)
            raise
        keys: set[str] = set()
        listed = list(shown.values())
        for start in range(0, len(listed), _BATCH):
            batch = listed[start : start + _BATCH]
            others = self._beyond.get(study, ())
            entries = [
                replace(entry, key=_format(entry.key, others))
                for place, one in enumerate(batch, start)
                for entry in _entries(one, number, place)
            ]
            self.index.add_many(entries, _judge)
            keys.update(entry.key for entry in entries)
        self.index.forget_files([key for key in old if key not in keys])
        while garbage := self.index.garbage():
            self.index.forget_garbage(garbage)
        self._known[study] = number

    def _plan(self, study: str, number: int) -> dict[str, Shown]:
        """All that the view has of a study, by SOP Instance UID. Those used last are kept."""
        key = (study, number)
        if key not in self._plans:
            held = sources.read(self.origin.retrieve, study, self.limits, most=self.most)
            if self.fetch is no_fetch:  # of a distant origin others are not brought for that
                held, self._beyond[study] = beyond.join(self.origin, held, study, self.limits, most=self.most)
            shown = (one for one in self.show(held) if one.target.study == study)
            self._plans[key] = {one.target.instance or "": one for one in shown}
            while len(self._plans) > 1 and sum(map(_weight, self._plans.values())) > _PLANNED:
                self._plans.popitem(last=False)
        self._plans.move_to_end(key)
        return self._plans[key]

    def find_making(self, target: Target) -> Making:
        """How an instance is made. Changed when its study was changed meanwhile."""
        number, _ = self.origin.retrieve.changed(target.study, _NO_CHANGE)
        since = self._known.get(target.study, number)
        with self._turn:
            found = self._plan(target.study, since).get(target.instance or "")
        if found is None or found.made is None or found.target != target:
            raise errors.Changed("the study was changed meanwhile; ask again")
        return found.made

    # All of them.

    def bring_all(self) -> None:
        """See that what is listed of every study is right. Unavailable while it takes longer than one may wait."""
        number, _ = self.origin.retrieve.changed("", _NO_CHANGE)
        if number == self._complete:
            return
        until = time.monotonic() + self.patience
        seen = set()
        for study in self._studies():
            seen.add(study)
            was_listed = False
            with contextlib.suppress(errors.NotFound, errors.Gone):  # it went meanwhile
                was_listed = self.bring(study)
            if was_listed and time.monotonic() > until:
                raise errors.Unavailable(f"the view is being prepared: {len(seen)} studies are; ask again")
        self._forget_others(seen)
        self._complete = number

    def _studies(self) -> Iterator[str]:
        after, offset = None, 0
        while True:
            asked = Query(level=Level.STUDY, limit=_PAGE, offset=0 if after else offset, after=after)
            found = self.origin.search.search(asked)
            page = [classic.text(dataset, "0020000D") for dataset in found.datasets]
            yield from page
            offset += len(page)
            after = found.next
            if not page or (after is None and not found.remaining):
                return

    def _forget_others(self, studies: set[str]) -> None:
        if self.index.counts().studies <= len(studies):
            return
        with self._alone():
            for study in set(_listed(self.index)) - studies:
                self.index.forget_files([row.key for row in self.index.locate(Target(study))])

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One study after another, whoever asks: so much memory, and no more."""
        with self._turn, self.lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _listed(index: Index) -> Iterator[str]:
    after = None
    while True:
        found = index.find(Query(level=Level.STUDY, limit=_PAGE, after=after))
        yield from (classic.text(dataset, "0020000D") for dataset in found.datasets)
        after = found.next
        if after is None:
            return


def _format(key: str, others: tuple[str, ...]) -> str:
    """The key of a row of a study that refers to others, which it is right with only while they are as they were."""
    return "+".join((key, *others))


def _parse(key: str) -> tuple[int, tuple[str, ...]]:
    """Up to which change a row is right, and with which other studies."""
    own, *others = key.split("+")
    return int(own.partition("-")[0], 16), tuple(others)


def _weight(plan: dict[str, Shown]) -> int:
    return sum(len(one.sources) for one in plan.values())


def _judge(surroundings: Surroundings, _: Entry) -> Verdict:
    return Verdict.INSERT if surroundings.instance is None else Verdict.REPLACE


def _entries(one: Shown, number: int, place: int) -> list[Entry]:
    """The row of an instance. Where it cannot be made after all, its sources are shown as they are (LC-07)."""
    prefix = f"{number:016x}-{place:06d}"
    try:
        return [_entry(one, f"{prefix}-{one.target.instance}")]
    except IMPOSSIBLE:
        if one.made is None:
            raise
        sources = {source.facts.target: source for source in one.sources}
        return [_entry(as_it_is(source), f"{prefix}-{target.instance}") for target, source in sources.items()]


def _entry(one: Shown, key: str) -> Entry:
    facts = [source.facts for source in one.sources]
    if one.made is None:
        metadata = one.sources[0].metadata()
        attributes = orjson.loads(metadata)
        size = facts[0].size
    else:
        attributes = pictures.link(one.made.attributes, one.target)
        metadata = jsonmodel.format_dataset(_with_syntax(attributes, one.transfer_syntax))
        size = one.made.size()
    return Entry(
        target=one.target,
        sop_class=one.sop_class,
        transfer_syntax=one.transfer_syntax,
        size=size,
        digest=_digest([metadata, *(fact.version.encode() for fact in facts)]),
        key=key,
        received=max(fact.modified for fact in facts),
        attributes=attributes,
        metadata=metadata,
        layout=one.recipe.format(),
        is_lossy=any(fact.is_lossy for fact in facts) and bool(one.recipe.frames or one.made is None),
        frame_count=facts[0].frame_count if one.made is None else len(one.recipe.frames),
    )


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _with_syntax(attributes: JSONDataset, transfer_syntax: str) -> JSONDataset:
    """What can be had (V11): Explicit VR Little Endian of all that is not compressed."""
    syntax = syntaxes.TABLE[transfer_syntax]
    uid = syntax.uid if syntax.is_encapsulated else syntaxes.EXPLICIT_LITTLE
    return dict(sorted({**attributes, _SYNTAXES: {"vr": "UI", "Value": [uid]}}.items()))
