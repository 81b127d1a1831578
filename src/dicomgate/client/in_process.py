"""HTTP without a socket: an ASGI application in this process answers a caller, both bodies streamed.

So a folder is read by the same client as a server, and there is no second way to find, retrieve and store.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Final

import httpx2

from dicomgate import errors

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

ADDRESS: Final = "http://localhost"
"""What the application is called; nothing listens there."""
_CLOSED: Final = "it was closed before"
_AHEAD: Final = 4
_STEP: Final = 256 << 10
_UNHEARD: Final = frozenset({b"accept-encoding", b"connection", b"transfer-encoding"})
"""What is said of a connection only; nothing is gained by compressing within one process."""


class InProcess(httpx2.AsyncBaseTransport):
    """Requests go to an application on the event loop of who asks."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._under_way: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer, as soon as its status is known. ReadError when the application breaks off; faults of the body.

        Unavailable once it was closed, also for what was under way then: asking again makes no sense.
        """
        if self._is_closed:
            raise errors.Unavailable(_CLOSED)
        exchange = _Exchange(request, lambda: self._is_closed)
        task = asyncio.create_task(exchange.run(self._application))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        task.add_done_callback(exchange.end)
        try:
            status, headers = await exchange.begun
        except BaseException:
            await _end(task)
            raise
        return httpx2.Response(status, headers=headers, stream=_Body(exchange, task))

    async def aclose(self) -> None:
        """Stop what is under way, and take no more."""
        self._is_closed = True
        while self._under_way:
            for task in tuple(self._under_way):
                task.cancel()
            await asyncio.wait(self._under_way)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


class _Exchange:
    """One request and its answer."""

    def __init__(self, request: httpx2.Request, is_closed: Callable[[], bool]) -> None:
        self._is_closed = is_closed
        self.begun: asyncio.Future[tuple[int, list[tuple[bytes, bytes]]]] = asyncio.get_running_loop().create_future()
        self._request = request
        self._pieces: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(_AHEAD)
        self._asked: AsyncIterator[bytes] | None = None
        self._is_asked = self._is_answered = False

    async def run(self, application: Application) -> None:
        """Let the application answer; whatever happens, who waits for the answer hears of it."""
        fault: BaseException = httpx2.ReadError("the answer broke off")
        try:
            await application(self._scope(), self._receive, self._send)
        except errors.Fault as found:  # of the request's body
            fault = found
        finally:
            if not self._is_answered:
                self._break(errors.Unavailable(_CLOSED) if self._is_closed() else fault)

    def end(self, _task: asyncio.Task[None]) -> None:
        """Whoever still waits hears of it: a task that is cancelled before its first step says nothing itself."""
        if not self.begun.done():
            self.begun.set_exception(errors.Unavailable(_CLOSED))

    def _break(self, fault: BaseException) -> None:
        if not self.begun.done():
            self.begun.set_exception(fault)
        self._pieces.put_nowait(fault)

    async def take(self) -> bytes | None:
        """The next piece of the answer's body, None at its end."""
        piece = await self._pieces.get()
        if isinstance(piece, BaseException):
            raise piece
        if piece is not None:
            self._room.release()
        return piece

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
            assert isinstance(stream, httpx2.AsyncByteStream), "an asynchronous caller sends an asynchronous body"
            self._asked = aiter(stream)
        try:
            chunk = await anext(self._asked, None)
        except errors.Fault as fault:  # the application would take it for one of its own
            self._is_asked = self._is_answered = True
            self._break(fault)
            return {"type": "http.disconnect"}
        self._is_asked = chunk is None
        return {"type": "http.request", "body": chunk or b"", "more_body": not self._is_asked}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if not self.begun.done():
                self.begun.set_result((message["status"], list(message["headers"])))
            return
        body = memoryview(message.get("body", b""))
        for start in range(0, len(body), _STEP):
            await self._room.acquire()
            self._pieces.put_nowait(bytes(body[start : start + _STEP]))
        if not message.get("more_body", False):
            self._is_answered = True
            self._pieces.put_nowait(None)


class _Body(httpx2.AsyncByteStream):
    """The body of an answer; closing it early tells the application to stop."""

    def __init__(self, exchange: _Exchange, task: asyncio.Task[None]) -> None:
        self._exchange, self._task = exchange, task

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self._exchange.take()) is not None:
            yield piece

    async def aclose(self) -> None:
        await _end(self._task)
