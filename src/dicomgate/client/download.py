"""Series into a folder, as `dicomgate get` brings them: only what is missing, each file whole or not there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dicomgate.client import fetch, getting, search
from dicomgate.client.caller import Caller
from dicomgate.client.fetch import Sink
from dicomgate.client.getting import Getter, Job, Outcome, Wish
from dicomgate.client.landing import LandingPlace
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.limits import DEFAULT
from dicomgate.dicom.uids import Level, Target


@dataclass(frozen=True, slots=True)
class CalledSource:
    """A server, for threads."""

    caller: Caller

    def search(self, path: str, pairs: Sequence[tuple[str, str]], limit: int | None = None) -> Iterator[JSONDataset]:
        """Every match, or so many, page by page."""
        return search.search(self.caller, path, pairs, limit)

    def fetch(self, target: Target, transfer_syntax: str, begin: Callable[[], Sink]) -> int:
        """Every file of a target, in one request."""
        return fetch.fetch(self.caller, target, transfer_syntax, begin)

    def metadata(self, target: Target) -> list[JSONDataset]:
        """The data sets without their large values."""
        return fetch.metadata(self.caller, target)


@dataclass(frozen=True, slots=True)
class Run:
    """One filling of a folder."""

    caller: Caller
    folder: Path
    transfer_syntax: str
    side_by_side: int
    tell: Callable[[int], None]
    _stopped: threading.Event = field(default_factory=threading.Event)

    def all(self, wanted: Sequence[Target]) -> list[Outcome]:
        """What became of each series. Forbidden, OutOfSpace and Lost end it; what has come stays."""
        source = CalledSource(self.caller)
        into = LandingPlace(self.folder, DEFAULT)
        wish = Wish(transfer_syntax=self.transfer_syntax)
        getter = Getter(source=source, into=into, wish=wish, tell=self.tell, stopped=self._stopped)
        with into.held():
            return list(
                getting.run(_jobs(source, wanted), getter.get, side_by_side=self.side_by_side, stopped=self._stopped)
            )

    def stop(self) -> None:
        """End it after what is under way; may be called by any thread."""
        self._stopped.set()


def _jobs(source: CalledSource, wanted: Sequence[Target]) -> Iterator[Job]:
    """Each series once; instances that are named alone are together with those of their series."""
    alone: dict[Target, set[str]] = {}
    for target in wanted:
        if target.instance is not None:
            alone.setdefault(Target(target.study, target.series), set()).add(target.instance)
    for target in wanted:
        if target.level is Level.SERIES:
            yield Job(target)
        elif target.level is Level.STUDY:
            for dataset in source.search(f"/studies/{target.study}/series", ()):
                series = (dataset.get("0020000E", {}).get("Value") or [None])[0]
                if isinstance(series, str):
                    yield Job(Target(target.study, series))
        else:
            series_target = Target(target.study, target.series)
            if series_target in alone:
                yield Job(series_target, frozenset(alone.pop(series_target)))
