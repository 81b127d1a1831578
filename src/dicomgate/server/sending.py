"""The sending half of a connection: small pieces leave together, nobody is cut off from his answer (RFC 9112 §9.6)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

from dicomgate import errors
from dicomgate.origin import SHORT
from dicomgate.server.direct import Direct

_SHORT: Final = 8 << 10
_LINGER_SECONDS: Final = 2.0
_LINGER_BYTES: Final = 8 << 20
_PIECE: Final = 256 << 10


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
        *,
        pause: Callable[[], None] = lambda: None,
        resume: Callable[[], None] = lambda: None,
    ) -> None:
        """`is_being_sent_to`: may he still be sending what nobody will read? `fall_deaf`: nothing more is read.

        `pause` and `resume` are told while a file is sent, as the transport tells its protocol.
        """
        self._transport = transport
        self._loop = loop
        self._pause = pause
        self._resume = resume
        self._direct: Direct | None = None
        self._is_being_sent_to = is_being_sent_to
        self._fall_deaf = fall_deaf
        self._is_closing = False
        self._dropped = 0
        self._linger: asyncio.TimerHandle | None = None
        self._waiting: list[bytes] = []
        self._call_soon = loop.call_soon
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.get_extra_info = transport.get_extra_info
        self.abort = transport.abort

    @property
    def line(self) -> asyncio.Transport:
        """The transport itself."""
        return self._transport

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

    def send_file(self, file: int, offset: int, count: int) -> int:
        """Bytes of a file after what was written before; how many were taken, at least one unless told to pause.

        Unavailable when the file ends before that.
        """
        if self.is_closing():
            return count  # nobody hears it
        try:
            if self._is_clear():
                return self._way().send(file, offset, count)
        except OSError:
            self._transport.abort()
            return count
        piece = os.pread(file, min(count, _PIECE), offset)
        if not piece:
            raise errors.Unavailable(SHORT)
        self._transport.write(piece)
        return len(piece)

    def _is_clear(self) -> bool:
        """True when all that was written is with the kernel, or goes there now."""
        waiting, self._waiting = b"".join(self._waiting), []
        sent = 0
        if waiting and not self._transport.get_write_buffer_size():
            sent = self._way().send_head(waiting)
        if sent < len(waiting):
            self._transport.write(waiting[sent:])
        return not self._transport.get_write_buffer_size()

    def _way(self) -> Direct:
        if self._direct is None:
            descriptor = self._transport.get_extra_info("socket").fileno()
            self._direct = Direct(descriptor, self._loop, self._pause, self._resume)
        return self._direct

    def get_write_buffer_size(self) -> int:
        """Bytes that the caller has still to take, as far as they are known here."""
        held = self._direct.unread if self._direct is not None and self._direct.is_waiting else 0
        return held + self._transport.get_write_buffer_size()

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
        if self._direct is not None:
            self._direct.close()
            self._direct = None
