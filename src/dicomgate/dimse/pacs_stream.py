"""Series of a PACS as one stream of instances: those that are kept, those on their way as they come (PS3.18 §10.4.1).

Each series is begun when the one before has ended, so that what leaves first is fetched first.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from dicomgate import errors
from dicomgate.dicom.uids import Target
from dicomgate.dimse.pacs_coming import Coming
from dicomgate.dimse.pacs_library import Library
from dicomgate.origin import Instance, Underway


class Stream:
    """Instances of several series, to be taken by one caller; what it takes is in `held`."""

    def __init__(self, library: Library, targets: Sequence[Target], held: ExitStack) -> None:
        self.targets = tuple(targets)
        self._library = library
        self._held = held
        self._left = deque(targets)
        self._kept: Iterator[Instance] | None = None
        self._ahead: Instance | None = None
        self._coming: Coming | None = None
        self._place = 0
        self._told: dict[Target, int] | None = None

    @property
    def lacking(self) -> int:
        """How many instances were known not to come when the answer began."""
        return sum((self._told or {}).values())

    def begin(self) -> None:
        """Wait for the first instance. Raises what is met instead of it."""
        self._turn()
        coming = self._coming
        if coming is not None and (coming.wait_for(0) is None or coming.is_done):
            self._coming = None
            self._take_kept(coming.target)
        self._tell()

    def gather(self, deadline: float) -> bool:
        """Wait until all has come, at most until then; whether it has. Raises what a retrieval met."""
        is_here = all(self._has_come(target, deadline) for target in self.targets)
        self._tell()
        return is_here

    def underway(self) -> Underway[Instance]:
        """What is given, with what is known of its lack."""
        is_coming = self._coming is not None or not all(map(self._library.is_here, self._left))
        return Underway(self, is_coming=is_coming, lacking=self.lacking, wait=self.wait)

    def wait(self, seconds: float) -> bool:
        """True when the next can be had without waiting, or there is none; False after so long."""
        while not self._look_ahead():
            if self._coming is None:
                if not self._turn():
                    return True
            elif not self._coming.has_come(self._place, seconds):
                return False
            elif self._coming.count > self._place:
                return True
            else:
                self._end(self._coming)
        return True

    def __iter__(self) -> Iterator[Instance]:
        return self

    def __next__(self) -> Instance:
        while True:
            if self._look_ahead() and self._ahead is not None:
                found, self._ahead = self._ahead, None
                return found
            coming = self._coming
            if coming is None:
                if not self._turn():
                    raise StopIteration
            elif (instance := coming.wait_for(self._place)) is not None:
                return self._give(coming, instance)
            else:
                self._end(coming)

    def _look_ahead(self) -> bool:
        """True when there is one of those kept."""
        if self._ahead is None and self._kept is not None:
            self._ahead = next(self._kept, None)
            if self._ahead is None:
                self._kept = None
        return self._ahead is not None

    def _give(self, coming: Coming, instance: str) -> Instance:
        self._library.sent(coming, self._place)
        self._place += 1
        return self._library.cached(Target(coming.target.study, coming.target.series, instance), self._held)

    def _turn(self) -> bool:
        """To the next series; False when there is none."""
        if not self._left:
            return False
        target = self._left.popleft()
        self._place = 0
        self._coming = self._held.enter_context(self._library.series(target))
        if self._coming is None:
            self._take_kept(target)
        return True

    def _take_kept(self, target: Target) -> None:
        self._kept = self._held.enter_context(self._library.kept(target))
        self._check(target, self._library.lacking(target))

    def _end(self, coming: Coming) -> None:
        coming.wait()
        self._coming = None
        self._check(coming.target, coming.lacking)

    def _check(self, target: Target, lacking: int) -> None:
        """What is lacking and was not said before is said by breaking off."""
        if self._told is not None and lacking > self._told[target]:
            raise errors.UpstreamFailed(f"the PACS did not send {lacking} of the instances that it lists")

    def _tell(self) -> None:
        self._told = {target: self._library.lacking(target) for target in self.targets}

    def _has_come(self, target: Target, deadline: float) -> bool:
        coming = self._held.enter_context(self._library.series(target))
        return coming is None or coming.wait(max(deadline - time.monotonic(), 0.0))
