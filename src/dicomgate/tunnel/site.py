"""The site's side of a tunnel: it dials out, lets an application of its own answer what comes, and dials again."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from dicomgate import errors, extras
from dicomgate.tunnel import frames
from dicomgate.tunnel.exchanges import Exchanges
from dicomgate.tunnel.frames import Answered, Frame, Kind

with extras.needed():
    from websockets.asyncio.client import ClientConnection, connect
    from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidProxy, InvalidStatus

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

_SHORTEST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_OPENING: Final = 20.0
_PING: Final = 20.0
_NOT_ALLOWED: Final = frozenset({401, 403})
_RETRIED: Final = (OSError, TimeoutError, InvalidHandshake, InvalidProxy, ConnectionClosed, EOFError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """Where to dial, and what to say there. `proxy`: None takes the one that the environment names."""

    url: str
    token: str
    authorities: str = ""
    proxy: str | None = None


def parse_address(text: str) -> str:
    """The address of a site at its hub. Malformed for others, and for ws:// beyond this machine."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise errors.Malformed("expected an address like wss://hub.example.org/sites/north") from None
    plain = parts.scheme == "ws" and host in {"localhost", "127.0.0.1", "::1"}
    path = parts.path.rstrip("/").removesuffix("/tunnel")
    if not (parts.scheme == "wss" or plain) or not host or "/sites/" not in path or parts.query or parts.fragment:
        raise errors.Malformed(
            "expected an address like wss://hub.example.org/sites/north; ws:// would show the token to the network"
        )
    return f"{parts.scheme}://{parts.netloc}{path}/tunnel"


async def keep(hub: Hub, application: Application, tell: Callable[[str], None]) -> None:
    """Hold the tunnel for as long as this is awaited; `tell` hears what becomes of it.

    Forbidden when the hub refuses the token before it ever took it; what else goes wrong is tried again.
    """
    pause = _SHORTEST_PAUSE
    was_open = False
    while True:
        try:
            async with _dial(hub) as line:
                tell("connected")
                was_open, pause = True, _SHORTEST_PAUSE
                await _Tunnel(line, application).serve()
                tell("the hub closed the tunnel")
        except InvalidStatus as fault:
            if fault.response.status_code in _NOT_ALLOWED and not was_open:
                raise errors.Forbidden("the hub refused this site's token") from None
            tell(f"the hub answered with status {fault.response.status_code}")
        except (errors.Malformed, errors.TooLarge) as fault:
            tell(f"the hub broke the rules: {fault.message}")
        except _RETRIED as fault:
            tell(f"not connected ({type(fault).__name__})")
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - so that not all dial at once
        pause = min(2 * pause, _LONGEST_PAUSE)


def _dial(hub: Hub) -> connect:
    context = None
    if hub.url.startswith("wss:"):
        context = ssl.create_default_context(cafile=hub.authorities or None)
    return connect(
        hub.url,
        ssl=context,
        additional_headers={"Authorization": f"Bearer {hub.token}"},
        subprotocols=[frames.PROTOCOL],  # type: ignore[list-item]
        user_agent_header=None,
        compression=None,
        proxy=hub.proxy or True,
        open_timeout=_OPENING,
        ping_interval=_PING,
        ping_timeout=_PING,
        close_timeout=5,
        max_size=frames.LONGEST_FRAME,
        max_queue=16,
    )


class _Tunnel:
    """One connection, and what is answered over it."""

    def __init__(self, line: ClientConnection, application: Application) -> None:
        self._line = line
        self._application = application
        self._exchanges = Exchanges(is_hub=False)
        self._answers: dict[int, _Answer] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Answer until the line ends. Malformed or TooLarge when the hub breaks the rules."""
        try:
            async for message in self._line:
                if isinstance(message, str):
                    raise errors.Malformed("text in a tunnel")
                self._take(message)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self, message: bytes) -> None:
        frame = self._exchanges.receive(message)
        number = int.from_bytes(message[1:5], "big")
        if frame is None:
            if number in self._answers:
                self._answers[number].credited.set()
        elif frame.kind is Kind.OPEN:
            self._begin(frame)
        elif frame.kind is Kind.RESET:
            self._answers[number].task.cancel()
        else:
            self._answers[number].came.put_nowait(frame)

    def _begin(self, frame: Frame) -> None:
        answer = _Answer(self, frame.number, _scope(frame.content))
        answer.task = asyncio.create_task(answer.run(self._application))
        self._answers[frame.number] = answer
        self._tasks.add(answer.task)
        answer.task.add_done_callback(self._tasks.discard)

    async def say(self, message: bytes) -> None:
        """Send; waits while the line takes no more."""
        if message:
            await self._line.send(message)

    async def forget(self, number: int) -> None:
        """It is over, whether the hub knows it or not."""
        del self._answers[number]
        with suppress(ConnectionClosed):
            await self.say(self._exchanges.send_reset(number))

    @property
    def exchanges(self) -> Exchanges:
        """What may be sent."""
        return self._exchanges


class _Answer:
    """One request as the application hears of it, and its answer on the way out."""

    task: asyncio.Task[None]

    def __init__(self, tunnel: _Tunnel, number: int, scope: Message) -> None:
        self.came: asyncio.Queue[Frame] = asyncio.Queue()
        self.credited = asyncio.Event()
        self._tunnel = tunnel
        self._number = number
        self._scope = scope
        self._is_asked = self._is_answered = False

    async def run(self, application: Application) -> None:
        """Let the application answer. An answer that it breaks off is reset."""
        try:
            with suppress(ConnectionClosed):
                await application(self._scope, self._receive, self._send)
                if self._is_answered:
                    await self._wait_for_end()
        finally:
            await self._tunnel.forget(self._number)

    async def _wait_for_end(self) -> None:
        """The hub ends its side, or resets what it need not send any more."""
        while not self._is_asked and self._number in self._tunnel.exchanges:
            self._is_asked = (await self.came.get()).kind is Kind.END

    async def _receive(self) -> Message:
        if self._is_asked:
            await asyncio.Event().wait()  # it is told by being cancelled when the caller has left
        frame = await self.came.get()
        self._is_asked = frame.kind is Kind.END
        await self._tunnel.say(self._tunnel.exchanges.take(self._number, len(frame.content)))
        return {"type": "http.request", "body": frame.content, "more_body": not self._is_asked}

    async def _send(self, message: Message) -> None:
        exchanges = self._tunnel.exchanges
        if message["type"] == "http.response.start":
            answered = Answered(message["status"], tuple((name.lower(), value) for name, value in message["headers"]))
            await self._tunnel.say(exchanges.send_head(self._number, answered))
            return
        body = memoryview(message.get("body", b""))
        while body:
            size = min(exchanges.room(self._number), len(body))
            if size:
                await self._tunnel.say(exchanges.send_data(self._number, bytes(body[:size])))
                body = body[size:]
            else:
                self.credited.clear()
                await self.credited.wait()
        if not message.get("more_body", False):
            self._is_answered = True
            await self._tunnel.say(exchanges.send_end(self._number))


def _scope(content: bytes) -> Message:
    asked = frames.parse_asked(content)
    path, _, query = asked.target.partition(b"?")
    base = asked.base.decode("ascii")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": asked.method.decode("ascii"),
        "scheme": base.partition(":")[0],
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
        "headers": list(asked.fields),
        "client": None,
        "server": None,
        "extensions": {frames.BASE: {"address": base}},
    }
