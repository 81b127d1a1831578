"""Where pages ended: a caller who goes on by `offset` goes on from there, whatever was stored meanwhile (§8.3.4.4).

Counting again from the newest would show what he has seen, when something newer has come, or leave out what he has not,
when something was deleted. This memory is bounded and may forget: then it is counted, as the standard has it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

END: Final = ""
"""The place behind everything."""

LARGEST: Final = 4096
"""Characters of a place; longer ones are not kept."""
_COST: Final = 200
"""Of keeping one place, beside its characters."""


@dataclass(frozen=True, slots=True)
class Walker:
    """Who asks what: a digest of the caller and the question, and the connection that he asks on."""

    question: bytes
    connection: tuple[str, int]


@dataclass(frozen=True, slots=True)
class _Place:
    text: str
    connection: tuple[str, int]
    noted: float

    @property
    def cost(self) -> int:
        return _COST + len(self.text)


_Key = tuple[bytes, int, tuple[str, int] | None]


class Walks:
    """Remembers where pages ended; safe for threads."""

    def __init__(
        self, *, size: int = 8 << 20, seconds: float = 600, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """At most about `size` bytes, the latest, and none that is older than `seconds`."""
        self._size, self._seconds, self._clock = size, seconds, clock
        self._places: OrderedDict[_Key, _Place] = OrderedDict()  # by question, offset and connection (None: any)
        self._held = 0
        self._lock = threading.Lock()

    def note(self, walker: Walker, offset: int, place: str) -> None:
        """A page of the walker's question ended before `offset`, at this place (`END`: nothing was left)."""
        self.forget(walker, offset)
        if len(place) > LARGEST:
            return
        now = self._clock()
        with self._lock:
            for connection in (walker.connection, None):
                key = (walker.question, offset, connection)
                self._drop(key)
                self._places[key] = _Place(place, walker.connection, now)
                self._held += self._places[key].cost
            while self._places and self._is_too_much(now):
                self._drop(next(iter(self._places)))

    def forget(self, walker: Walker, offset: int) -> None:
        """A page ended before `offset` and nobody knows where."""
        with self._lock:
            self._drop((walker.question, offset, walker.connection))
            self._drop((walker.question, offset, None))

    def find(self, walker: Walker, offset: int) -> str | None:
        """Where to go on at this offset: as last on this connection, else as last on any. None: nobody knows.

        The end is told once: who asks again wants to know what has come since.
        """
        with self._lock:
            own, any_one = (walker.question, offset, walker.connection), (walker.question, offset, None)
            found = self._places.get(own) or self._places.get(any_one)
            if found is None or found.noted < self._clock() - self._seconds:
                return None
            if found.text == END:
                self._drop((walker.question, offset, found.connection))
                if self._places.get(any_one) == found:
                    self._drop(any_one)
            return found.text

    @property
    def size(self) -> int:
        """What is held, about, in bytes."""
        return self._held

    def _is_too_much(self, now: float) -> bool:
        oldest = next(iter(self._places.values()))
        return self._held > self._size or oldest.noted < now - self._seconds

    def _drop(self, key: _Key) -> None:
        place = self._places.pop(key, None)
        if place is not None:
            self._held -= place.cost
