"""What a search found lately, so that its further pages are cut from the same answers (PRX-03)."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dicomgate.dicom.matching import Query

if TYPE_CHECKING:
    from dicomgate.dimse.pacs_search import Collected

_MOST_DATASETS: Final = 20_000


@dataclass(frozen=True, slots=True)
class _Kept:
    collected: Collected
    until: float


class Memory:
    """Answers by question, for some seconds; bounded, safe for threads."""

    def __init__(self, *, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[Query, _Kept] = OrderedDict()
        self._count = 0

    def find(self, query: Query) -> Collected | None:
        """What was found, if that is not too long ago."""
        with self._lock:
            kept = self._kept.get(query)
            return kept.collected if kept is not None and self._clock() < kept.until else None

    def keep(self, query: Query, collected: Collected) -> None:
        """Remember what was found; what was remembered first goes first."""
        with self._lock:
            self._drop(query)
            self._kept[query] = _Kept(collected, self._clock() + self._seconds)
            self._count += len(collected.datasets)
            while self._count > _MOST_DATASETS:
                self._drop(next(iter(self._kept)))

    def forget(self) -> None:
        """Something was changed."""
        with self._lock:
            self._kept.clear()
            self._count = 0

    def _drop(self, query: Query) -> None:
        kept = self._kept.pop(query, None)
        if kept is not None:
            self._count -= len(kept.collected.datasets)
