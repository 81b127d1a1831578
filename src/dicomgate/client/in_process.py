"""HTTP without a socket: an ASGI application in this process answers a caller, both bodies streamed.

So a folder is read by the same client as a server, and there is no second way to find, retrieve and store.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from concurrent.futures import CancelledError, Future
from typing import Any, Final

import httpx2

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

ADDRESS: Final = "http://localhost"
"""What the application is called; nothing listens there."""
_AHEAD: Final = 4
_STEP: Final = 256 << 10
_UNHEARD: Final = frozenset({b"accept-encoding", b"connection", b"transfer-encoding"})
"""What is said of a connection only; nothing is gained by compressing within one process."""


class InProcess(httpx2.BaseTransport):
    """Requests go to an application that runs in a thread of its own. Any number of threads may use it at once."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="in-process", daemon=True)
        self._thread.start()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer, as soon as its status is known. ReadError when the application breaks off; faults of the body."""
        exchange = _Exchange(request, self._loop)
        exchange.task = asyncio.run_coroutine_threadsafe(exchange.run(self._application), self._loop)
        try:
            status, headers = exchange.begun.result()
        except BaseException:
            exchange.task.cancel()
            raise
        return httpx2.Response(status, headers=headers, stream=_Body(exchange))

    def close(self) -> None:
        """Stop what is under way."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(_stop_others(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _stop_others() -> None:
    loop = asyncio.get_running_loop()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await loop.shutdown_default_executor()


class _Exchange:
    """One request and its answer. `run` is called in the loop, everything else outside."""

    def __init__(self, request: httpx2.Request, loop: asyncio.AbstractEventLoop) -> None:
        self.begun: Future[tuple[int, list[tuple[bytes, bytes]]]] = Future()
        self.task: Future[None] | None = None
        self._loop = loop
        self._request = request
        self._pieces: queue.SimpleQueue[bytes | BaseException | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(_AHEAD)
        self._asked: Iterator[bytes] | None = None
        self._is_asked = self._is_answered = False

    async def run(self, application: Application) -> None:
        """Let the application answer; whatever happens, who waits for the answer hears of it."""
        try:
            await application(self._scope(), self._receive, self._send)
        except BaseException as fault:
            self._break(fault)
            raise
        if not self._is_answered:
            self._break(httpx2.ReadError("the answer broke off"))

    def take(self) -> bytes | None:
        """The next piece of the answer's body, None at its end."""
        piece = self._pieces.get()
        if isinstance(piece, BaseException):
            raise piece
        if piece is not None:
            self._loop.call_soon_threadsafe(self._room.release)
        return piece

    def _break(self, fault: BaseException) -> None:
        known = (
            httpx2.ReadError("it was closed") if isinstance(fault, asyncio.CancelledError | CancelledError) else fault
        )
        if not self.begun.done():
            self.begun.set_exception(known)
        self._pieces.put(known)

    def _scope(self) -> Message:
        url = self._request.url
        path, _, query = url.raw_path.partition(b"?")
        headers = [(name.lower(), value) for name, value in self._request.headers.raw]
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self._request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": path,
            "query_string": query,
            "headers": [field for field in headers if field[0] not in _UNHEARD],
            "client": ("127.0.0.1", 0),
            "server": ("localhost", 80),
        }

    async def _receive(self) -> Message:
        if self._is_asked:
            await asyncio.Event().wait()  # it is told by being cancelled when nobody waits for the answer any more
        if self._asked is None:
            stream = self._request.stream
            assert isinstance(stream, httpx2.SyncByteStream), "a synchronous caller sends a synchronous body"
            self._asked = iter(stream)
        chunk = await asyncio.to_thread(next, self._asked, None)
        self._is_asked = chunk is None
        return {"type": "http.request", "body": chunk or b"", "more_body": not self._is_asked}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun.set_result((message["status"], list(message["headers"])))
            return
        body = memoryview(message.get("body", b""))
        for start in range(0, len(body), _STEP):
            await self._room.acquire()
            self._pieces.put(bytes(body[start : start + _STEP]))
        if not message.get("more_body", False):
            self._is_answered = True
            self._pieces.put(None)


class _Body(httpx2.SyncByteStream):
    """The body of an answer; closing it early tells the application to stop."""

    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        while (piece := self._exchange.take()) is not None:
            yield piece

    def close(self) -> None:
        assert self._exchange.task is not None, "the answer has begun"
        self._exchange.task.cancel()
