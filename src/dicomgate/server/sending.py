"""The sending half of a connection: small pieces leave together, nobody is cut off from his answer (RFC 9112 §9.6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

_SHORT: Final = 8 << 10
_LINGER_SECONDS: Final = 2.0
_LINGER_BYTES: Final = 8 << 20


class Sending:
    """The transport, with two habits of its own.

    What is short waits for the rest of this turn of the loop, so that the head and the body of a small answer leave
    together. And closing waits a moment for a caller who is still sending, so that the answer reaches him.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        is_being_sent_to: Callable[[], bool],
        fall_deaf: Callable[[], None],
    ) -> None:
        """`is_being_sent_to`: may he still be sending what nobody will read? `fall_deaf`: nothing more is read."""
        self._transport = transport
        self._is_being_sent_to = is_being_sent_to
        self._fall_deaf = fall_deaf
        self._is_closing = False
        self._dropped = 0
        self._linger: asyncio.TimerHandle | None = None
        self._waiting: list[bytes] = []
        self._loop = loop
        self._call_soon = loop.call_soon
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.get_extra_info = transport.get_extra_info
        self.get_write_buffer_size = transport.get_write_buffer_size
        self.abort = transport.abort

    def write(self, data: bytes) -> None:
        """Send, at the latest at the end of this turn of the loop."""
        if len(data) < _SHORT:
            if not self._waiting:
                self._call_soon(self._send_waiting)
            self._waiting.append(data)
        elif self._waiting:
            waiting, self._waiting = self._waiting, []
            self._transport.writelines((*waiting, data))
        else:
            self._transport.write(data)

    def _send_waiting(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            if not self._transport.is_closing():
                self._transport.write(waiting[0] if len(waiting) == 1 else b"".join(waiting))

    def is_closing(self) -> bool:
        """True once nothing more can be sent."""
        return self._is_closing or self._transport.is_closing()

    def close(self) -> None:
        """Send what waits, then close: at once, or when the caller has had time to stop sending and to read."""
        self._send_waiting()
        if self._is_closing or not self._is_being_sent_to() or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._is_closing = True
        if not self._transport.is_closing():
            self._transport.write_eof()
            self._fall_deaf()
            self._linger = self._loop.call_later(_LINGER_SECONDS, self._transport.close)

    def drop(self, size: int) -> None:
        """Something came that nobody reads; a caller who goes on and on is cut off."""
        self._dropped += size
        if self._dropped > _LINGER_BYTES:
            self._transport.close()

    def forget(self) -> None:
        """The connection is gone."""
        if self._linger is not None:
            self._linger.cancel()
