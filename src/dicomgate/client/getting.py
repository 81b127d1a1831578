"""Series after series into a folder: only what is missing there, several at a time, each checked before it counts."""

from __future__ import annotations

import contextlib
import threading
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import orjson

from dicomgate import errors
from dicomgate.client.fetch import Sink
from dicomgate.client.landing import Arriving, LandingPlace, write_whole
from dicomgate.client.request import Lost
from dicomgate.client.targets import find_target
from dicomgate.dicom.uids import Level, Target
from dicomgate.origin import JSONDataset

_TRIES: Final = 3
_AHEAD: Final = 4
_IN_A_ROW: Final = 5
_SIDE_BY_SIDE: Final = 8
_QUEUED: Final = 512
"""Instances that wait for their turn among those; each takes two kilobytes."""
_FEW: Final = 0.5
"""When less than this part of a series is missing, its instances are asked for one by one."""


class Source(Protocol):
    """Where instances are. Any number of threads may use one at once."""

    def search(self, path: str, pairs: Sequence[tuple[str, str]], limit: int | None = None) -> Iterator[JSONDataset]:
        """Every match, or so many, of a QIDO-RS resource and its parameters."""
        ...

    def fetch(self, target: Target, transfer_syntax: str, begin: Callable[[], Sink]) -> int:
        """Every file of a target into a sink of its own; how many came whole."""
        ...

    def metadata(self, target: Target) -> list[JSONDataset]:
        """The data sets of a target's instances without their large values."""
        ...


class Question(Protocol):
    """A search: the level of its answers, its resource and its parameters."""

    @property
    def level(self) -> Level:
        """Of what is found."""
        ...

    @property
    def path(self) -> str:
        """What is searched."""
        ...

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The parameters of QIDO-RS."""
        ...


@dataclass(slots=True)
class Failure:
    """What could not be had, and why."""

    target: Target
    why: str


@dataclass(slots=True)
class Outcome:
    """What became of one series."""

    series: Target
    there: int = 0
    fetched: int = 0
    size: int = 0
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted of each series: as `files`, `zip` or `metadata`, in which transfer syntax; or only a look."""

    form: str = "files"
    transfer_syntax: str = "*"
    only_looks: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One series; `only` names the instances that are meant, None means all."""

    series: Target
    only: frozenset[str] | None = None


def plan(place: Source, asked: Question) -> Iterator[Job]:
    """The series that are meant. The faults of a search; what an answer without UIDs is about is not known."""
    if asked.level is Level.INSTANCE:
        yield from _grouped(place, asked)
        return
    for dataset in place.search(asked.path, asked.pairs):
        target = find_target(dataset, asked.level)
        if target is None:
            continue
        if target.level is Level.SERIES:
            yield Job(target)
            continue
        for inner in place.search(f"/studies/{target.study}/series", ()):
            series = (inner.get("0020000E", {}).get("Value") or [None])[0]
            if isinstance(series, str):
                yield Job(Target(target.study, series))


def _grouped(place: Source, asked: Question) -> Iterator[Job]:
    found: dict[Target, set[str]] = {}
    for dataset in place.search(asked.path, asked.pairs):
        target = find_target(dataset, Level.INSTANCE)
        if target is not None and target.instance is not None:
            found.setdefault(Target(target.study, target.series), set()).add(target.instance)
    yield from (Job(series, frozenset(instances)) for series, instances in found.items())


def run(
    jobs: Iterable[Job], work: Callable[[Job], Outcome], *, side_by_side: int, stopped: threading.Event
) -> Iterator[Outcome]:
    """Outcomes in the order of the jobs, so many side by side; a fault ends all."""
    pool = ThreadPoolExecutor(side_by_side, thread_name_prefix="get")
    waiting: deque[Future[Outcome]] = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(work, job))
            while len(waiting) > _AHEAD * side_by_side or (waiting and waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        stopped.set()
        pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Getter:
    """Gets one series after another, from a place into a folder. `tell` hears of bytes as they come.

    `known`: the instances of a series that need not be had, where others than those in the folder count; `pass_on` is
    given the series and the instances that have come, to bring them elsewhere, and says what could not be.
    """

    source: Source
    into: LandingPlace
    wish: Wish
    tell: Callable[[int], None]
    stopped: threading.Event
    known: Callable[[Target, set[str]], set[str]] | None = None
    pass_on: Callable[[Target, set[str]], list[Failure]] | None = None

    def get(self, job: Job) -> Outcome:
        """What is missing of a series. What makes going on senseless goes up (Forbidden, Lost); the rest is noted."""
        outcome = Outcome(job.series)
        try:
            if self.wish.form == "metadata":
                self._metadata(job, outcome)
            else:
                self._files(job, outcome)
        except (errors.Forbidden, errors.OutOfSpace, Lost):
            raise
        except errors.Fault as fault:
            outcome.failures.append(Failure(job.series, fault.message))
        return outcome

    def expected(self, job: Job) -> set[str]:
        """The instances that a job is about."""
        if job.only is not None:
            return set(job.only)
        series = job.series
        found = self.source.search(f"/studies/{series.study}/series/{series.series}/instances", ())
        uids = ((dataset.get("00080018", {}).get("Value") or [None])[0] for dataset in found)
        return {uid for uid in uids if isinstance(uid, str)}

    def _files(self, job: Job, outcome: Outcome) -> None:
        expected = self.expected(job)
        archive = self.into.path(job.series, ".zip")
        if self.known is not None:
            there = self.known(job.series, expected)
        else:
            there = _zipped(archive) if self.wish.form == "zip" else self.into.complete(job.series)
        missing = expected - there
        outcome.there = len(expected) - len(missing)
        if self.wish.only_looks:
            outcome.fetched = len(missing)
            return
        if self.wish.form == "zip" and missing:
            missing = expected - self.into.complete(job.series)
        landed = self._fetch(job, missing, outcome)
        if self.wish.form == "zip" and not outcome.failures:
            self._zip(job.series, expected, archive, is_there=not expected - there)
        outcome.fetched = len(landed)
        outcome.size = sum(landed.values())
        if self.pass_on is not None and landed:
            refused = self.pass_on(job.series, set(landed))
            outcome.failures += refused
            outcome.fetched -= len(refused)

    def _fetch(self, job: Job, missing: set[str], outcome: Outcome) -> dict[str, int]:
        """Those that came. The whole series in one request where much of it is missing, the rest one by one."""
        landed: dict[str, int] = {}
        waited = set(missing)
        is_much = len(missing) > 1 and len(missing) >= _FEW * (len(missing) + outcome.there)
        whys: dict[str, str] = {}
        if is_much and job.only is None:
            self._ask(job.series, waited, landed)
        for _ in range(_TRIES):
            before = len(waited)
            self._ask_each(job.series, waited, landed, whys)
            if not waited or len(waited) == before:
                break
        outcome.failures += [
            Failure(Target(job.series.study, job.series.series, uid), whys[uid]) for uid in sorted(waited)
        ]
        return landed

    def _ask_each(self, series: Target, waited: set[str], landed: dict[str, int], whys: dict[str, str]) -> None:
        """Those that are waited for, each in a request of its own; no more of them after some in a row did not come."""
        in_a_row = 0
        lock = threading.Lock()

        def ask(uid: str) -> None:
            nonlocal in_a_row
            if self.stopped.is_set():
                raise errors.Unavailable("stopped")
            if in_a_row >= _IN_A_ROW:
                whys.setdefault(uid, f"not asked for: {_IN_A_ROW} before it did not come")
                return
            why = self._ask(Target(series.study, series.series, uid), waited, landed)
            with lock:
                in_a_row = in_a_row + 1 if uid in waited else 0
            whys[uid] = why or "the answer holds another instance"

        uids = sorted(waited)
        with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="get one") as pool:
            for place in range(0, len(uids), _QUEUED):
                deque(pool.map(ask, uids[place : place + _QUEUED]), maxlen=0)

    def _ask(self, target: Target, waited: set[str], landed: dict[str, int]) -> str:
        """One request; why it did not give all, empty when it did."""
        series = Target(target.study, target.series)

        def begin() -> Arriving:
            if self.stopped.is_set():
                raise errors.Unavailable("stopped")
            return Arriving(self.into, self.into.begin(), series, waited, landed, self.tell)

        try:
            self.source.fetch(target, self.wish.transfer_syntax, begin)
        except (errors.Forbidden, errors.OutOfSpace, Lost):
            raise
        except errors.Fault as fault:
            return fault.message
        return ""

    def _metadata(self, job: Job, outcome: Outcome) -> None:
        path = self.into.path(job.series, ".json")
        if path.exists():
            outcome.there = 1
            return
        outcome.fetched = 1
        if self.wish.only_looks:
            return
        found = self.source.metadata(job.series)
        if job.only is not None:
            found = [one for one in found if (one.get("00080018", {}).get("Value") or [""])[0] in job.only]
        outcome.size = write_whole(self.into, path, [orjson.dumps(found)])
        self.tell(outcome.size)

    def _zip(self, series: Target, expected: set[str], archive: Path, *, is_there: bool) -> None:
        """One ZIP file of the whole series, in the place of its files; those that a killed run left go too."""
        paths = [self.into.path(Target(series.study, series.series, uid)) for uid in sorted(expected)]
        if not is_there:
            self._pack(paths, archive)
        if paths and paths[0].parent.is_dir():
            for path in paths:
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # somebody has put something else there
                paths[0].parent.rmdir()

    def _pack(self, paths: list[Path], archive: Path) -> None:
        partial = self.into.begin()
        try:
            with zipfile.ZipFile(partial.path, "w", zipfile.ZIP_STORED, allowZip64=True) as made:
                for path in paths:
                    made.write(path, path.name)
            self.into.land(partial, archive)
        finally:
            partial.discard()


def _zipped(archive: Path) -> set[str]:
    """The instances in a ZIP file that is complete."""
    try:
        with zipfile.ZipFile(archive) as made:
            return {name.removesuffix(".dcm") for name in made.namelist()}
    except (FileNotFoundError, zipfile.BadZipFile):
        return set()
