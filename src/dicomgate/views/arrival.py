"""Series are converted once nothing has come of them for a while; what came stays (PS3.4 C.3.5; LC-02).

What is made is what the enhanced view shows, under the same UIDs, so that doing it twice is doing it once. How far the
journal was followed is written down: after a restart what was not converted yet is found again.
"""

from __future__ import annotations

import contextlib
import fcntl
import threading
import time
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dicomgate import errors
from dicomgate.dicom.limits import DEFAULT, Limits
from dicomgate.dicom.outcomes import Refused
from dicomgate.dicom.uids import Target
from dicomgate.index.base import Change, Index
from dicomgate.origin import Origin
from dicomgate.spool import Arrival
from dicomgate.views import beyond, enhanced, sources
from dicomgate.views.preparing import IMPOSSIBLE, MOST
from dicomgate.views.shown import OfPicture, Shown
from dicomgate.views.sources import Held

_PAGE: Final = 1000
_PAUSE: Final = 1.0

Tell = Callable[..., None]
"""Notes an event: `tell("converted", study=..., objects=...)`."""


@dataclass
class Converter:
    """Follows the journal of an archive. One of several processes does, whichever has the lock in `folder`.

    `remove` takes an instance out of the archive: an object of a series that has grown since.
    """

    origin: Origin
    index: Index
    folder: Path
    arrival: Callable[[], Arrival]
    remove: Callable[[Target], object]
    quiet_seconds: float
    tell: Tell
    limits: Limits = DEFAULT
    now: Callable[[], float] = time.time
    _last: int = -1
    _waiting: dict[tuple[str, str], Change] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, in a thread of its own. What comes from now on is not missed."""
        self._read()
        self._thread = threading.Thread(target=self._follow, name="converter", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End after the study that is being converted."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _follow(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(errors.Unavailable, OSError), self._alone() as is_ours:
                while is_ours and not self._stop.is_set():
                    self.look()
                    self._stop.wait(min(_PAUSE, max(self.quiet_seconds / 4, 0.05)))
            self._stop.wait(_PAUSE)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        with (self.folder / "converting.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            self._last = self._read()
            self._waiting.clear()
            yield True

    def look(self) -> None:
        """Hear what came, and convert what is quiet by now. Unavailable when nothing can be stored."""
        if self._last < 0:
            self._last = self._read()
        self._hear()
        quiet_since = self.now() - self.quiet_seconds
        ready = {key for key, change in self._waiting.items() if change.time <= quiet_since}
        for study in sorted({study for study, _ in ready}):
            if self._stop.is_set():
                return
            busy = {series for one, series in self._waiting.keys() - ready if one == study}
            self._convert(study, busy)
            for key in [key for key in ready if key[0] == study]:
                del self._waiting[key]
            self._note()

    def _hear(self) -> None:
        while changes := self.index.changes(self._last, _PAGE):
            for change in changes:
                self._waiting[change.target.study, change.target.series or ""] = change
            self._last = changes[-1].number

    def _convert(self, study: str, busy: set[str]) -> None:
        try:
            held = sources.read(self.origin.retrieve, study, self.limits, most=MOST)
        except (errors.NotFound, errors.Gone):
            return
        own = held.instances.keys()
        held, _ = beyond.join(self.origin, held, study, self.limits, most=MOST)
        listed = [one for one in enhanced.show(held) if one.target.study == study]
        new = [one for one in listed if isinstance(one.made, OfPicture) and not _is_of(one, busy)]
        for one in new:
            try:
                self._store(study, one)
            except IMPOSSIBLE as fault:
                self.tell("not converted", reason=fault.message)
        over = _superseded(held, {one.target.instance or "" for one in listed}, busy, own)
        for target in over:
            with contextlib.suppress(errors.NotFound, errors.Gone):
                self.remove(target)
        if new or over:
            self.tell("converted", objects=len(new), superseded=len(over))

    def _store(self, study: str, one: Shown) -> None:
        assert one.made is not None, "it is to be made"
        assert self.origin.store is not None, "an archive stores"
        arrival = self.arrival()
        try:
            for chunk in one.made.file(range(one.made.size())):
                arrival.write(chunk)
            outcome = self.origin.store.accept(arrival, study)
        finally:
            arrival.discard()
        if isinstance(outcome, Refused):
            self.tell("not converted", reason=outcome.message)

    # How far it is.

    def _note(self) -> None:
        """All before the first change that still waits is done."""
        first = min((change.number for change in self._waiting.values()), default=self._last + 1)
        path = self.folder / "converted"
        aside = path.with_name("converted.aside")
        aside.write_text(str(first - 1))
        aside.replace(path)

    def _read(self) -> int:
        """What came before this was first switched on stays as it is; a journal that was begun anew is read again."""
        last = self.index.changed("", 1 << 62)[0]
        try:
            done = int((self.folder / "converted").read_text())
        except (FileNotFoundError, ValueError):
            self._last = last
            self._note()
            return last
        return done if done <= last else 0


def _is_of(one: Shown, series: set[str]) -> bool:
    return any(source.facts.target.series in series for source in one.sources)


def _superseded(held: Held, shown: set[str], busy: set[str], own: AbstractSet[str]) -> list[Target]:
    """What was made of fewer images than there are now, unless more are still coming; of its `own` study alone."""
    if busy:
        return []
    return [held.instances[name].facts.target for name in sorted((enhanced.find_kept(held) & own) - shown)]
