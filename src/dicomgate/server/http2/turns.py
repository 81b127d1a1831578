"""Whose turn it is to send: frame by frame, one stream after the other, as far as callers grant (RFC 9113 §5.2)."""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol

from dicomgate.server.http2.wire import Wire

_FRAMES_AT_ONCE: Final = 4
"""Handed to the transport together."""


class Sender(Protocol):
    """Something that has bytes to send."""

    @property
    def number(self) -> int:
        """Of its stream."""
        ...

    @property
    def has_more(self) -> bool:
        """True while something is left to be sent."""
        ...

    def send_some(self) -> bool:
        """Send one frame. False when the caller grants none."""
        ...


class Turns:
    """Everybody who can send gets a frame's worth, then the next."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._ready: deque[Sender] = deque()
        self._blocked: dict[int, Sender] = {}
        self._is_running = False

    def join(self, sender: Sender) -> None:
        """Something new waits to be sent."""
        if sender.number not in self._blocked:
            self._ready.append(sender)
            self.run()

    def wake(self, stream: int) -> None:
        """The caller grants more, to one stream or (0) to all."""
        if stream:
            sender = self._blocked.pop(stream, None)
            if sender is not None:
                self._ready.append(sender)
        else:
            self._ready.extend(self._blocked.values())
            self._blocked.clear()

    def leave(self, stream: int) -> None:
        """Nothing more is sent on it."""
        self._blocked.pop(stream, None)

    def run(self) -> None:
        """Send until nobody can or the transport has enough."""
        if self._is_running:
            return
        self._is_running = True
        frames = 0
        while self._ready and not self._wire.is_paused:
            sender = self._ready.popleft()
            if not sender.has_more:
                continue
            if not sender.send_some():
                self._blocked[sender.number] = sender
            elif sender.has_more:
                self._ready.append(sender)
            frames += 1
            if frames % _FRAMES_AT_ONCE == 0:
                self._wire.flush()
        self._wire.flush()
        self._is_running = False
