"""The kernel's way from a file to a connection, past the transport, for as long as that holds nothing back itself.

The transport's descriptor is its own, so this one has a second descriptor of the same connection.
"""

from __future__ import annotations

import array
import asyncio
import fcntl
import os
import socket
import termios
from collections.abc import Callable

from dicomgate import errors
from dicomgate.origin import SHORT


class Direct:
    """Sends from files; tells by `pause` and `resume`, as a transport does, when the caller takes no more."""

    def __init__(
        self,
        descriptor: int,
        loop: asyncio.AbstractEventLoop,
        pause: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        self._socket = socket.socket(fileno=os.dup(descriptor))
        self._socket.setblocking(False)
        self._loop = loop
        self._pause = pause
        self._resume = resume
        self.is_waiting = False

    def send_head(self, head: bytes) -> int:
        """Bytes that a file follows, so that they leave together; how many were taken. OSError when nobody is there."""
        try:
            return self._socket.send(head, socket.MSG_MORE)
        except BlockingIOError:
            return 0

    def send(self, file: int, offset: int, count: int) -> int:
        """How many bytes of a file were taken; when none are, the caller is told to pause until some are.

        Unavailable when the file ends before that, OSError when nobody is there any more.
        """
        try:
            sent = os.sendfile(self._socket.fileno(), file, offset, count)
        except BlockingIOError:
            self._wait()
            return 0
        if not sent:
            raise errors.Unavailable(SHORT)
        return sent

    @property
    def unread(self) -> int:
        """Bytes that the kernel holds for the caller: what shrinks as he reads."""
        held = array.array("i", [0])
        fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, held)
        return held[0]

    def close(self) -> None:
        """The connection is gone."""
        if self.is_waiting:
            self._loop.remove_writer(self._socket.fileno())
            self.is_waiting = False
        self._socket.close()

    def _wait(self) -> None:
        if not self.is_waiting:
            self.is_waiting = True
            self._loop.add_writer(self._socket.fileno(), self._go_on)
            self._pause()

    def _go_on(self) -> None:
        self.is_waiting = False
        self._loop.remove_writer(self._socket.fileno())
        self._resume()
