"""What is to be converted, one patient after another: files, instances of a data folder, instances of a server.

Objects of one patient refer to each other (PS3.4 C.3.5), so they are looked at together; the next patient's take the
place of theirs in memory.
"""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from dicomgate import errors
from dicomgate.cli import places
from dicomgate.cli.asking import Asked
from dicomgate.client import getting, offers
from dicomgate.client.getting import Job
from dicomgate.client.landing import LandingPlace
from dicomgate.dicom.limits import DEFAULT, Limits
from dicomgate.dicom.source import Source
from dicomgate.dicom.uids import Target
from dicomgate.multiframe import classic
from dicomgate.multiframe.classic import Classic, Content, Pool

if TYPE_CHECKING:
    from dicomgate.cli.places import Local, Place
    from dicomgate.origin import Instance

MOST_AT_ONCE: Final = 5000
"""Sources that are kept while others are looked at; of more, only where each patient's files are."""


@dataclass(slots=True)
class Looked:
    """How many instances were looked at, and which could not be read, by name, with the reason. `tell`: one more."""

    tell: Callable[[], None] = lambda: None
    troubles: list[tuple[str, str]] = field(default_factory=list)

    def read(self, content: Content, name: str, pool: Pool, limits: Limits = DEFAULT) -> Classic | None:
        """One instance; None when it cannot be read, or is no DICOM file and none of our business."""
        self.tell()
        try:
            found = classic.read(content, name=name, pool=pool, limits=limits)
        except (errors.Fault, OSError) as fault:
            if not (isinstance(content, classic.File) and _is_foreign(content.path)):
                why = fault.message if isinstance(fault, errors.Fault) else fault.strerror or "cannot be read"
                self.troubles.append((name, why))
            return None
        return found if found.sop_class else None


def _is_foreign(path: Path) -> bool:
    seen = offers.read(path)
    return isinstance(seen, offers.Receipt) and seen.became is offers.Became.FOREIGN


class Sources(Protocol):
    """Where instances come from."""

    def count(self) -> int | None:
        """How many there will be, if that is known before."""
        ...

    def patients(self, looked: Looked) -> Iterator[list[Classic]]:
        """The instances of one patient after another."""
        ...


def _patient(source: Classic) -> str:
    return source.text("00100020") or source.text("0020000D")


# Files.


@dataclass
class Files:
    """A file, or all files of a folder."""

    path: Path

    def count(self) -> int:
        """How many files there are."""
        return len(self._paths)

    def __post_init__(self) -> None:
        self._paths = [path for path in offers.walk([self.path]) if _is_regular(path)]

    def patients(self, looked: Looked) -> Iterator[list[Classic]]:
        """By Patient ID. Of too many files not all is kept: they are read once more in their turn."""
        kept: dict[str, list[Classic]] = {}
        where: dict[str, list[Path]] = {}
        pool = Pool()
        for number, path in enumerate(self._paths):
            if number >= MOST_AT_ONCE:
                kept, pool = {}, Pool()
            found = looked.read(classic.File(path), str(path), pool)
            if found is None:
                continue
            where.setdefault(_patient(found), []).append(path)
            if number < MOST_AT_ONCE:
                kept.setdefault(_patient(found), []).append(found)
        for patient, paths in where.items():
            yield kept.pop(patient) if patient in kept else list(_again(paths, looked))


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True  # reading it will say what is wrong with it


def _again(paths: Iterable[Path], looked: Looked) -> Iterator[Classic]:
    pool, quiet = Pool(), Looked(troubles=looked.troubles)
    for path in paths:
        found = quiet.read(classic.File(path), str(path), pool)
        if found is not None:
            yield found


# Instances of a place.


@dataclass(frozen=True, slots=True)
class Stored:
    """An instance of a data folder, or of a folder that is looked through in place."""

    instance: Instance

    @contextmanager
    def open(self) -> Iterator[Source]:
        """Its bytes, read where they lie."""
        yield _StoredBytes(self.instance)


@dataclass(frozen=True, slots=True)
class _StoredBytes:
    instance: Instance

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self.instance.facts.size

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes there; fewer than asked only at the end."""
        span = range(offset, min(offset + length, self.size))
        return b"".join(self.instance.file(span)) if span else b""


@dataclass(frozen=True, slots=True)
class _OfPlace:
    """Series that match, by patient."""

    place: Place
    asked: Asked
    limits: Limits

    def count(self) -> int | None:
        """Nobody knows before they are asked for."""
        return None

    def _patients(self) -> Iterator[list[Job]]:
        patients: dict[str, list[Job]] = {}
        of_study: dict[str, str] = {}
        for job in getting.plan(self.place, self.asked):
            study = job.series.study
            if study not in of_study:
                found = next(iter(self.place.search("/studies", (("StudyInstanceUID", study),), 1)), {})
                of_study[study] = classic.text(found, "00100020") or study
            patients.setdefault(of_study[study], []).append(job)
        yield from patients.values()


@dataclass(frozen=True, slots=True)
class InPlace(_OfPlace):
    """Instances of a data folder, or of a folder whose files are chosen by what they say; read where they lie."""

    place: Local

    def patients(self, looked: Looked) -> Iterator[list[Classic]]:
        """By Patient ID."""
        for jobs in self._patients():
            pool = Pool()
            yield [found for job in jobs for found in self._of_series(job, pool, looked)]

    def _of_series(self, job: Job, pool: Pool, looked: Looked) -> Iterator[Classic]:
        with self.place.origin.retrieve.retrieve(job.series) as instances:
            for instance in instances:
                uid = instance.facts.target.instance or ""
                if job.only is None or uid in job.only:
                    found = looked.read(Stored(instance), uid, pool, self.limits)
                    if found is not None:
                        yield found


@dataclass(frozen=True, slots=True)
class Fetched(_OfPlace):
    """Instances of a server, brought to a folder for as long as their patient's turn lasts."""

    staged: LandingPlace
    jobs: int
    tell_bytes: Callable[[int], None]

    def patients(self, looked: Looked) -> Iterator[list[Classic]]:
        """By Patient ID."""
        for jobs in self._patients():
            pool = Pool()
            paths = list(self._fetch(jobs, looked))
            found = (looked.read(classic.File(path), path.stem, pool, self.limits) for path in paths)
            yield [one for one in found if one is not None]
            for path in paths:
                path.unlink(missing_ok=True)

    def _fetch(self, jobs: list[Job], looked: Looked) -> Iterator[Path]:
        stopped = threading.Event()
        getter = getting.Getter(
            source=self.place, into=self.staged, wish=getting.Wish(), tell=self.tell_bytes, stopped=stopped
        )
        for outcome in getting.run(jobs, getter.get, side_by_side=self.jobs, stopped=stopped):
            for failure in outcome.failures:
                looked.troubles.append((failure.target.instance or failure.target.series or "", failure.why))
            series = outcome.series
            for uid in sorted(self.staged.complete(series)):
                yield self.staged.path(Target(series.study, series.series, uid))


@dataclass(frozen=True, slots=True)
class Described(_OfPlace):
    """What a place says of its instances: they can be grouped and explained, not written, and nothing is fetched."""

    def patients(self, looked: Looked) -> Iterator[list[Classic]]:
        """By Patient ID."""
        for jobs in self._patients():
            pool = Pool()
            yield [found for job in jobs for found in self._of_series(job, pool, looked)]

    def _of_series(self, job: Job, pool: Pool, looked: Looked) -> Iterator[Classic]:
        for dataset in self.place.metadata(job.series):
            found = _described(dataset, pool)
            if job.only is None or found.instance in job.only:
                looked.tell()
                yield found


_STORED_AS: Final = "00083002"


def _described(dataset: dict[str, Any], pool: Pool) -> Classic:
    attributes = {tag: element for tag, element in dataset.items() if not tag.startswith("7FE0")}
    return Classic(
        attributes=pool.share(attributes),
        transfer_syntax=classic.text(dataset, _STORED_AS),
        name=classic.text(dataset, "00080018"),
    )


def of_place(place: Place, asked: Asked, limits: Limits) -> InPlace | None:
    """What lies on this machine is read where it lies; None for a server."""
    return InPlace(place, asked, limits) if isinstance(place, places.Local) else None
