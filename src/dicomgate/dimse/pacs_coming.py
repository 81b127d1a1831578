"""A series (or one instance) on its way from the PACS: who waits for what of it, and what has come (T21)."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from dicomgate import errors
from dicomgate.dicom.uids import Target

Aside = Callable[[], AbstractContextManager[object]]
"""Tells a pool of threads, while inside, that one of them only waits: the others' work must not wait with it (T20)."""


class Coming:
    """What one retrieval has brought so far. Safe for threads: one brings, any number wait.

    `lacking`, when it is over: how many of the instances that the PACS listed did not come.
    """

    def __init__(self, target: Target, aside: Aside = contextlib.nullcontext) -> None:
        self.target = target
        self._aside = aside
        self.began = time.monotonic()
        self.lacking = 0
        self.expected = 0
        self._changed = threading.Condition()
        self._came: list[str] = []
        self._known: set[str] = set()
        self._readers = 0
        self._fault: errors.Fault | None = None
        self._is_done = False

    @property
    def is_done(self) -> bool:
        """True when nothing more will come."""
        with self._changed:
            return self._is_done

    @property
    def is_wanted(self) -> bool:
        """False when everybody has gone who waited for it."""
        with self._changed:
            return self._readers > 0

    @property
    def count(self) -> int:
        """How many have come."""
        with self._changed:
            return len(self._came)

    def join(self) -> bool:
        """Count one more who wants it, who is to `leave`; False when it is over or given up."""
        with self._changed:
            if self._is_done:
                return False
            self._readers += 1
            return True

    def leave(self) -> None:
        """One of those who wanted it has gone."""
        with self._changed:
            self._readers -= 1

    def abandon(self) -> bool:
        """Over, if nobody wants it: whoever comes from now on begins anew."""
        with self._changed:
            if self._readers == 0 and not self._is_done:
                self._fault, self._is_done = errors.Unavailable("nobody waited any more"), True
            return self._is_done

    def add(self, instance: str) -> None:
        """An instance has come, and can be read."""
        with self._changed:
            if instance not in self._known:
                self._known.add(instance)
                self._came.append(instance)
                self._changed.notify_all()

    def has(self, instance: str) -> bool:
        """Whether an instance has come."""
        with self._changed:
            return instance in self._known

    def finish(self, fault: errors.Fault | None = None, *, lacking: int = 0) -> None:
        """Nothing more will come. The first word counts."""
        with self._changed:
            if not self._is_done:
                self._fault, self.lacking, self._is_done = fault, lacking, True
                self._changed.notify_all()

    def wait_for(self, place: int) -> str | None:
        """The instance that came at this place, from 0; None when there are fewer. Raises what the retrieval met."""
        with self._waiting(lambda: len(self._came) > place):
            if len(self._came) > place:
                return self._came[place]
            self._check()
            return None

    def has_come(self, place: int, seconds: float) -> bool:
        """True when `wait_for` would not wait; False when it still would, after so many seconds."""
        with self._waiting(lambda: len(self._came) > place, seconds):
            return len(self._came) > place or self._is_done

    def wait_for_instance(self, instance: str) -> bool:
        """True when it has come, False when it will not. Raises what the retrieval met before it came."""
        with self._waiting(lambda: instance in self._known):
            if instance not in self._known:
                self._check()
            return instance in self._known

    def wait(self, seconds: float | None = None) -> bool:
        """Until it is over, or for so long; whether it is. Raises what the retrieval met."""
        with self._waiting(lambda: False, seconds):
            if self._is_done:
                self._check()
            return self._is_done

    @contextlib.contextmanager
    def _waiting(self, is_enough: Callable[[], bool], seconds: float | None = None) -> Iterator[None]:
        """Inside the lock, when it is enough or over, or for so long."""
        with self._changed:
            if seconds != 0 and not (is_enough() or self._is_done):
                with self._aside():
                    self._changed.wait_for(lambda: is_enough() or self._is_done, seconds)
            yield

    def _check(self) -> None:
        if self._fault is not None:
            raise self._fault.with_traceback(None)
