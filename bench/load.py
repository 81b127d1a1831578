"""The load generator: a process of its own that sends requests and throws the answers away as cheaply as it can.

Bodies go out by sendfile; bodies that come in with a known length are dropped inside the kernel (MSG_TRUNC), so that
what is measured is the server. Orders come as JSON lines on standard input, results go to standard output.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

_BUFFER: Final = 256 << 10
_FIRST: Final = 8 << 10
_DISCARD: Final = 4 << 20
_SEND: Final = 4 << 20
_HEAD_END: Final = b"\r\n\r\n"
_CHUNKED_END: Final = b"0\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(slots=True)
class Job:
    """One request: the bytes of its header, and where its body lies in a file."""

    head: bytes
    offset: int = 0
    length: int = 0


@dataclass(slots=True)
class Order:
    """What to do: so many connections share the jobs between them."""

    host: str
    port: int
    connections: int
    jobs: Iterator[Job]
    body: BinaryIO | None
    statuses: Counter[int] = field(default_factory=Counter)
    received: int = 0


class Conversation:
    """One connection that takes a job when it is done with the one before."""

    def __init__(self, order: Order, selector: selectors.BaseSelector, buffer: bytearray) -> None:
        self._order = order
        self._selector = selector
        self._buffer = buffer
        self._socket = socket.create_connection((order.host, order.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._events = selectors.EVENT_READ
        selector.register(self._socket, self._events, self)
        self._job: Job | None = None
        self.take()

    def take(self) -> bool:
        """Begin the next job; False when there is none left."""
        self._head = b""
        self._left: int | None = None  # of the body, where its length is told
        self._tail = b""
        self._sent = 0
        self._job = next(self._order.jobs, None)
        if self._job is None:
            self._selector.unregister(self._socket)
            self._socket.close()
            return False
        self._socket.sendall(self._job.head)  # small: always fits
        if self._job.length:
            self._watch(selectors.EVENT_READ | selectors.EVENT_WRITE)
        return True

    def go_on(self, events: int) -> bool:
        """Send and receive what can be; False when the connection has ended."""
        if events & selectors.EVENT_WRITE:
            self._send()
        if events & selectors.EVENT_READ and self._receive():
            return self.take()
        return True

    def _watch(self, events: int) -> None:
        if events != self._events:
            self._selector.modify(self._socket, events, self)
            self._events = events

    def _send(self) -> None:
        job, body = self._job, self._order.body
        assert job is not None
        assert body is not None
        try:
            count = min(_SEND, job.length - self._sent)
            self._sent += os.sendfile(self._socket.fileno(), body.fileno(), job.offset + self._sent, count)
        except BlockingIOError:
            return
        if self._sent == job.length:
            self._watch(selectors.EVENT_READ)

    def _receive(self) -> bool:
        """True when the answer is whole."""
        if self._left:
            count = self._socket.recv_into(self._buffer, min(self._left, _DISCARD), socket.MSG_TRUNC)
            self._left -= count
            self._note(count)
            return self._left == 0
        count = self._socket.recv_into(self._buffer, _BUFFER if self._head.endswith(_HEAD_END) else _FIRST)
        self._note(count)
        data = bytes(memoryview(self._buffer)[:count])
        if self._head.endswith(_HEAD_END):
            return self._end_of_chunks(data)
        return self._begin(data)

    def _begin(self, data: bytes) -> bool:
        head, found, rest = (self._head + data).partition(_HEAD_END)
        self._head = head + found
        if not found:
            return False
        status = int(head.split(b" ", 2)[1])
        if status == 100:
            return self._restart(rest)
        self._order.statuses[status] += 1
        length = _LENGTH.search(head)
        if length is None and status not in (204, 304):
            return self._end_of_chunks(rest)
        self._left = (int(length[1]) if length else 0) - len(rest)
        return self._left == 0

    def _restart(self, rest: bytes) -> bool:
        self._head = b""
        return self._begin(rest)

    def _end_of_chunks(self, data: bytes) -> bool:
        self._tail = (self._tail + data)[-len(_CHUNKED_END) :]
        return self._tail == _CHUNKED_END

    def _note(self, count: int) -> None:
        if count == 0:
            raise SystemExit("the server closed a connection in the middle of an answer")
        self._order.received += count


def run(order: Order) -> dict[str, Any]:
    """Do it, and tell what it took."""
    buffer = bytearray(_DISCARD)
    with selectors.DefaultSelector() as selector:
        cpu, wall = time.process_time(), time.perf_counter()
        open_now = sum(bool(Conversation(order, selector, buffer)) for _ in range(order.connections))
        while open_now:
            for key, events in selector.select():
                if not key.data.go_on(events):
                    open_now -= 1
        return {
            "cpu": time.process_time() - cpu,
            "wall": time.perf_counter() - wall,
            "received": order.received,
            "statuses": order.statuses,
        }


def _jobs(said: dict[str, Any]) -> Iterator[Job]:
    heads = [head.encode() for head in said["heads"]]
    spans = said["bodies"]
    for number in range(said["requests"]):
        offset, length = spans[number % len(spans)] if spans else (0, 0)
        yield Job(heads[number % len(heads)], offset, length)


def main() -> None:
    """Follow orders until there are no more."""
    for line in sys.stdin:
        said = json.loads(line)
        body = Path(said["file"]).open("rb") if said["file"] else None  # noqa: SIM115 - closed below
        order = Order(said["host"], said["port"], min(said["connections"], said["requests"]), _jobs(said), body)
        print(json.dumps(run(order)), flush=True)
        if body is not None:
            body.close()


if __name__ == "__main__":
    main()
