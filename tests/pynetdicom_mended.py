"""pynetdicom's requestor without a race of its own (seen in 3.0.4), so that tests with it say what our side does.

Its association thread, told to go on after one answer, may still be on its way when the next request asks whether it
rests: it is believed to, wakes, and takes the answer from who waits for it.
"""

from __future__ import annotations

import threading
from typing import Any


class Gate:
    """In place of the Event that holds the thread: resting and being let go are told under one lock."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._is_open = True
        self.is_resting = False

    def set(self) -> None:
        with self._change:
            self._is_open = True
            self._change.notify_all()

    def clear(self) -> None:
        with self._change:
            self._is_open = False

    def is_set(self) -> bool:
        return self._is_open

    def wait(self, timeout: float | None = None) -> bool:
        with self._change:
            self.is_resting = True
            passed = self._change.wait_for(lambda: self._is_open, timeout)
            self.is_resting = False
            return passed


def mend(association: Any) -> None:
    """Have every association of pynetdicom know whether its thread rests."""
    begin = association.__init__

    def __init__(self: Any, *args: Any, **named: Any) -> None:
        begin(self, *args, **named)
        self._reactor_checkpoint = Gate()

    def is_paused(self: Any) -> bool:
        if self._kill or threading.current_thread() is self:
            return bool(self.__dict__["_is_paused"])
        return bool(self._reactor_checkpoint.is_resting)

    def pause(self: Any, value: bool) -> None:
        self.__dict__["_is_paused"] = value

    association.__init__ = __init__
    association._is_paused = property(is_paused, pause)
