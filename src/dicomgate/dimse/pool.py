"""Associations with one peer: as many as it allows, kept while they are used, none asked for while it is down (PRX-06).

Who finds all in use waits a while. What failed is not tried again at once but after a growing pause, and whoever asks
meanwhile hears why at once, so that a PACS that is down costs nobody a time-out each.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from dicomgate import errors
from dicomgate.dimse import associations
from dicomgate.dimse.associations import Association, Busy, Peer
from dicomgate.dimse.connection import Closed, Silent
from dicomgate.dimse.contexts import Offer

T = TypeVar("T")
_Kind = tuple[Offer, ...]

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
_QUIET: Final = 5.0
"""Seconds after which an idle association is asked whether it still lives before it is used again."""


@dataclass(frozen=True, slots=True)
class _Idle:
    association: Association
    kind: _Kind
    since: float


class Pool:
    """Hands out associations, safe for threads. `close` ends them all, those in use too."""

    def __init__(
        self,
        peer: Peer,
        *,
        most: int = 8,
        wait_seconds: float = 30.0,
        keep_seconds: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """At most `most` at once; who waits longer than `wait_seconds` for one hears Unavailable."""
        self.peer = peer
        self._most = self._allowed = most
        self._wait, self._keep, self._clock = wait_seconds, keep_seconds, clock
        self._changed = threading.Condition()
        self._idle: list[_Idle] = []
        self._used: set[Association] = set()
        self._opening = 0
        self._pause = 0.0
        self._until = 0.0
        self._fault: errors.Fault | None = None
        self._is_closed = False

    def ask(self, contexts: Sequence[Offer], deed: Callable[[Association], T]) -> T:
        """Do something on an association that is kept for the next who asks the like.

        If one that had been idle proves dead, it is done on a fresh one: the deed must bear to be begun twice.
        """
        kind = tuple(contexts)
        kept = self._find_idle(kind)
        if kept is not None:
            try:
                with self._returned(kept, kind):
                    return deed(kept)
            except Silent:
                raise
            except Closed:
                if self._is_closed:
                    raise
        with self.association(kind, is_kept=True) as fresh:
            return deed(fresh)

    @contextmanager
    def association(self, contexts: Sequence[Offer], *, is_kept: bool = False) -> Iterator[Association]:
        """A fresh one, released afterwards unless it `is_kept`; aborted when something went wrong.

        Raises what `associations.connect` does, and Unavailable when all stay in use.
        """
        self._begin()
        try:
            fresh = self._connect(contexts)
        except BaseException:
            with self._changed:
                self._opening -= 1
                self._changed.notify_all()
            raise
        with self._changed:
            self._opening -= 1
            self._used.add(fresh)
        with self._returned(fresh, tuple(contexts) if is_kept else None):
            yield fresh

    def require(self) -> None:
        """At once: the fault that was met last, while it is too early to try again."""
        with self._changed:
            self._require()

    def close(self) -> None:
        """End every association, also under who uses it."""
        with self._changed:
            self._is_closed = True
            idle, self._idle = self._idle, []
            used = list(self._used)
            self._changed.notify_all()
        for one in idle:
            one.association.release()
        for association in used:
            association.cut()

    @property
    def count(self) -> int:
        """How many are open."""
        with self._changed:
            return self._count

    @property
    def _count(self) -> int:
        return len(self._idle) + len(self._used) + self._opening

    @contextmanager
    def _returned(self, association: Association, kind: _Kind | None) -> Iterator[None]:
        is_good = False
        try:
            yield
            is_good = True
        finally:
            if kind is None and is_good:
                association.release()
            elif not is_good:
                association.abort()
            self._put_back(association, kind)

    def _put_back(self, association: Association, kind: _Kind | None) -> None:
        with self._changed:
            self._used.discard(association)
            stays = kind is not None and association.is_open and not self._is_closed and self._keep > 0
            if stays and kind is not None:
                self._idle.append(_Idle(association, kind, self._clock()))
            old = self._take_old()
            self._changed.notify_all()
        if not stays:
            association.release()
        for one in old:
            one.association.release()

    def _take_old(self) -> list[_Idle]:
        oldest = self._clock() - self._keep
        old = [one for one in self._idle if one.since < oldest]
        self._idle = [one for one in self._idle if one.since >= oldest]
        return old

    def _find_idle(self, kind: _Kind) -> Association | None:
        """One that was used for the like and still answers; those that do not are left."""
        while True:
            with self._changed:
                old = self._take_old()
                found = next((one for one in reversed(self._idle) if one.kind == kind), None)
                if found is not None:
                    self._idle.remove(found)
                    self._used.add(found.association)
            for one in old:
                one.association.release()
            if found is None:
                return None
            if self._answers(found):
                return found.association
            with self._changed:
                self._used.discard(found.association)
                self._changed.notify_all()

    def _answers(self, idle: _Idle) -> bool:
        if self._clock() - idle.since < _QUIET:
            return True
        try:
            idle.association.echo()
        except errors.Fault:
            idle.association.abort()
            return False
        return True

    def _begin(self) -> None:
        """Wait until one more may be opened; an idle one of another kind makes room."""
        deadline = self._clock() + self._wait
        dropped: _Idle | None = None
        with self._changed:
            while True:
                self._require()
                if self._count < self._allowed:
                    break
                if self._idle:
                    dropped = self._idle.pop(0)
                    break
                left = deadline - self._clock()
                if left <= 0:
                    raise errors.Unavailable(
                        f"all {self._allowed} associations with {self.peer.title} were used for {self._wait:g} seconds"
                    )
                self._changed.wait(left)
            self._opening += 1
        if dropped is not None:
            dropped.association.release()

    def _connect(self, contexts: Sequence[Offer]) -> Association:
        deadline = self._clock() + self._wait
        while True:
            try:
                fresh = associations.connect(self.peer, contexts)
            except Busy as fault:
                self._wait_for_another(fault, deadline)
            except errors.Fault as fault:
                self._note(fault)
                raise
            else:
                self._note(None)
                return fresh

    def _wait_for_another(self, fault: Busy, deadline: float) -> None:
        """The peer allows no more: not more than it does now, until one of ours has ended."""
        with self._changed:
            others = self._count - 1
            left = deadline - self._clock()
            if others <= 0 or left <= 0:
                self._note_locked(fault)
                raise fault
            self._allowed = others
            self._changed.wait_for(lambda: self._count - 1 < others or self._is_closed, min(left, _LONGEST_PAUSE))
            if self._is_closed:
                raise fault

    def _note(self, fault: errors.Fault | None) -> None:
        with self._changed:
            self._note_locked(fault)

    def _note_locked(self, fault: errors.Fault | None) -> None:
        self._fault = fault
        if fault is None:
            self._pause = self._until = 0.0
            self._allowed = min(self._allowed + 1, self._most)  # the peer may allow more by now
        else:
            self._pause = min(max(_FIRST_PAUSE, 2 * self._pause), _LONGEST_PAUSE)
            self._until = self._clock() + self._pause

    def _require(self) -> None:
        if self._is_closed:
            raise errors.Unavailable("the gateway is stopping")
        if self._fault is not None and self._clock() < self._until:
            kind = type(self._fault)
            again = (
                f"{self._fault.message} (asked a moment ago; the next try is in {self._until - self._clock():.0f} s)"
            )
            raise (errors.UpstreamFailed if isinstance(self._fault, associations.Rejected) else kind)(again)
