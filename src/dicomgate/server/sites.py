"""The hub: archives that dialled in from inside, each offered below `/sites/NAME` as if it were here (RFC 6455).

A site is trusted with its own images only: it sees no credentials of callers, sets no fields that could act on our
origin, and whoever breaks a rule of the tunnel loses it. What waits here of any answer is a window at most.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from dicomgate import errors
from dicomgate.server.answers import Header
from dicomgate.server.exchange import Exchange
from dicomgate.server.logs import Log
from dicomgate.tunnel import frames
from dicomgate.tunnel.exchanges import Exchanges
from dicomgate.tunnel.frames import Answered, Asked, Frame, Kind

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PREFIX: Final = "/sites/"
_PATH: Final = re.compile(r"/sites/([a-z0-9][a-z0-9_-]{0,63})(/.*)?", re.DOTALL)
_TUNNEL: Final = "/tunnel"
_ASKED: Final = frozenset(
    b"accept accept-charset accept-encoding accept-language cache-control content-encoding content-language "
    b"content-length content-location content-type if-match if-modified-since if-none-match if-range "
    b"if-unmodified-since pragma prefer range transfer-encoding".split()
)
"""Fields of a request that a site hears. Neither Authorization nor Cookie: they are for us."""
_ANSWERED: Final = frozenset(
    b"accept-ranges allow cache-control content-disposition content-encoding content-language content-location "
    b"content-range content-type etag last-modified link location retry-after vary warning x-total-count".split()
)
"""Fields of an answer that a caller hears; how it may be used by pages is ours to say (T15)."""
_REFUSED: Final = (b"content-type", b"text/plain"), (b"www-authenticate", b'Bearer realm="sites"')
_GONE: Final = None


class Sites:
    """The sites that may dial in, and those that have."""

    def __init__(self, tokens: Mapping[str, str], root: str, wado_uri: str, log: Log, *, silence: float) -> None:
        """`tokens`: what each site says to be let in, by name. `root`, `wado_uri`: where its services are, and ours.

        `silence`: seconds in which nothing of an answer comes, though it could.
        """
        self._silence = silence
        self._digests = {name: _digest(token) for name, token in tokens.items()}
        self._root = root
        self._wado_uri = wado_uri
        self._log = log
        self._tunnels: dict[str, _Tunnel] = {}

    async def attend(self, scope: Message, receive: Receive, send: Send) -> None:
        """A caller offers a WebSocket: a site's tunnel for as long as it stands, if he says the right token."""
        await receive()
        found = _PATH.fullmatch(scope["path"])
        name = found[1] if found is not None and found[2] == _TUNNEL else ""
        if not self._may_enter(name, scope["headers"]):
            self._log.event("tunnel refused", peer=scope["client"][0] if scope["client"] else "")
            await send({"type": "websocket.http.response.start", "status": 401, "headers": list(_REFUSED)})
            await send({"type": "websocket.http.response.body", "body": b"the token is none of this site's\n"})
            return
        if frames.PROTOCOL not in scope["subprotocols"]:
            await send({"type": "websocket.http.response.start", "status": 400, "headers": [_REFUSED[0]]})
            await send({"type": "websocket.http.response.body", "body": b"expected " + frames.PROTOCOL.encode()})
            return
        await send({"type": "websocket.accept", "subprotocol": frames.PROTOCOL})
        await self._keep(name, _Tunnel(send, self._silence), receive)

    def _may_enter(self, name: str, headers: list[Header]) -> bool:
        said = [value for field, value in headers if field == b"authorization"]
        token = said[0].removeprefix(b"Bearer ").decode("latin-1") if len(said) == 1 else ""
        # An unknown site takes as long as a wrong token, and is answered the same.
        return hmac.compare_digest(_digest(token), self._digests.get(name, b"\0" * 32))

    async def _keep(self, name: str, tunnel: _Tunnel, receive: Receive) -> None:
        before, self._tunnels[name] = self._tunnels.get(name), tunnel
        if before is not None:
            await before.close()  # the line that a site has forgotten
        self._log.event("tunnel open", site=name)
        try:
            await tunnel.listen(receive)
        except (errors.Malformed, errors.TooLarge) as fault:
            self._log.event("tunnel broken", site=name, reason=fault.message)
        finally:
            if self._tunnels.get(name) is tunnel:
                del self._tunnels[name]
            self._log.event("tunnel closed", site=name)
            tunnel.lose()
            await tunnel.close()

    async def serve(self, exchange: Exchange) -> None:
        """Have a site answer. NotFound for no site, Unavailable while it is away, UpstreamFailed when it fails.

        UpstreamSilent when it does not answer in time.
        """
        request = exchange.request
        found = _PATH.fullmatch(request.path)
        name, path = (found[1], found[2] or "") if found is not None else ("", "")
        is_service = path in {self._wado_uri, self._root} or path.startswith(f"{self._root}/")
        if name not in self._digests or not is_service:
            raise errors.NotFound(f"no site's service is here; they are below {PREFIX}NAME{self._root}")
        tunnel = self._tunnels.get(name)
        if tunnel is None:
            raise errors.Unavailable("this site is not connected now")
        own = f"{PREFIX}{name}"
        target = request.raw_path[len(own) :]
        if not request.raw_path.startswith(own.encode("ascii")) or not target.startswith(b"/"):
            raise errors.NotFound("expected the name of the site as it is, without percent signs")
        if request.query_string:
            target += b"?" + request.query_string
        base = request.root.removesuffix(self._root) + own
        fields = tuple(field for field in request.fields if field[0] in _ASKED)
        asked = Asked(request.method.encode("latin-1"), target, base.encode("latin-1"), fields)
        await tunnel.forward(exchange, asked)


class _Tunnel:
    """One site's line. Everything happens in the event loop."""

    def __init__(self, send: Send, silence: float) -> None:
        self._send_message = send
        self._silence = silence
        self._exchanges = Exchanges(is_hub=True)
        self._inboxes: dict[int, asyncio.Queue[Frame | None]] = {}
        self._credited: dict[int, asyncio.Event] = {}
        self._is_lost = False

    async def listen(self, receive: Receive) -> None:
        """Hand on what comes, until the line ends. Malformed or TooLarge when the site breaks the rules."""
        while (message := await receive())["type"] == "websocket.receive":
            content = message.get("bytes")
            if content is None:
                raise errors.Malformed("text in a tunnel")
            frame = self._exchanges.receive(content)
            number = int.from_bytes(content[1:5], "big")
            if frame is not None:
                self._inboxes[number].put_nowait(frame)
            elif number in self._credited:
                self._credited[number].set()

    def lose(self) -> None:
        """The line has ended: so have all answers under way."""
        self._is_lost = True
        for number, inbox in self._inboxes.items():
            inbox.put_nowait(_GONE)
            self._credited[number].set()

    async def close(self) -> None:
        """Have the site dial anew."""
        if not self._is_lost:
            await self._send({"type": "websocket.close", "code": 1012})

    async def forward(self, exchange: Exchange, asked: Asked) -> None:
        """One request and its answer, both bodies as they come."""
        number, opening = self._exchanges.open(asked)
        self._inboxes[number], self._credited[number] = asyncio.Queue(), asyncio.Event()
        asking: asyncio.Task[None] | None = None
        try:
            await self._say(opening)
            asking = asyncio.create_task(self._ask(exchange, number))
            await self._answer(exchange, number)
        finally:
            if asking is not None:
                asking.cancel()
            del self._inboxes[number], self._credited[number]
            await self._say(self._exchanges.send_reset(number))

    async def _ask(self, exchange: Exchange, number: int) -> None:
        """Send the body on; then wait for the caller to leave."""
        more = True
        while more:
            message = await exchange.receive()
            if message["type"] == "http.disconnect":
                break
            more = message.get("more_body", False)
            await self._send_body(number, memoryview(message.get("body", b"")))
            if not more and number in self._exchanges:
                await self._say(self._exchanges.send_end(number))
        while not exchange.is_gone:
            await exchange.receive()
        self._inboxes[number].put_nowait(_GONE)

    async def _send_body(self, number: int, body: memoryview) -> None:
        credited = self._credited[number]
        while body and number in self._exchanges:
            size = min(self._exchanges.room(number), len(body))
            if size:
                await self._say(self._exchanges.send_data(number, bytes(body[:size])))
                body = body[size:]
            else:
                credited.clear()
                await credited.wait()
                if self._is_lost:
                    return

    async def _answer(self, exchange: Exchange, number: int) -> None:
        frame = await self._next(exchange, number)
        if frame is None:
            return
        if frame.kind is not Kind.HEAD:
            raise errors.UpstreamFailed("the site broke off before it answered")
        answered = _parse_head(frame.content)
        left = _length(answered)
        is_empty = exchange.request.method == "HEAD" or answered.status in {204, 304}
        await exchange.start(answered.status, _fields(answered), None if answered.status in {204, 304} else left)
        while (frame := await self._next(exchange, number)) is not None and frame.kind is Kind.DATA:
            if left is not None:
                left -= len(frame.content)
            if is_empty or (left is not None and left < 0):
                raise errors.UpstreamFailed("the site sent more than it said")
            await exchange.send_piece(frame.content, more=True)
            await self._say(self._exchanges.take(number, len(frame.content)))
        if frame is None:
            return
        if frame.kind is not Kind.END or (left and not is_empty):
            raise errors.UpstreamFailed("the site broke off its answer")
        await exchange.send_piece(b"", more=False)

    async def _next(self, exchange: Exchange, number: int) -> Frame | None:
        """The next frame; None when the caller has left."""
        try:
            frame = await asyncio.wait_for(self._inboxes[number].get(), self._silence)
        except TimeoutError:
            raise errors.UpstreamSilent(f"the site said nothing for {self._silence:g} seconds") from None
        if frame is _GONE and not exchange.is_gone:
            raise errors.UpstreamFailed("the site's tunnel broke")
        return frame

    async def _say(self, message: bytes) -> None:
        if message and not self._is_lost:
            await self._send({"type": "websocket.send", "bytes": message})

    async def _send(self, message: Message) -> None:
        try:
            await self._send_message(message)
        except (OSError, RuntimeError):  # uvicorn's ways to say that the line has gone, or is closing
            self._is_lost = True


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _parse_head(content: bytes) -> Answered:
    try:
        return frames.parse_answered(content)
    except errors.Malformed as fault:
        raise errors.UpstreamFailed(f"the site answered with {fault.message}") from fault


def _fields(answered: Answered) -> list[Header]:
    return [field for field in answered.fields if field[0] in _ANSWERED]


def _length(answered: Answered) -> int | None:
    """What the site says of the body's length. UpstreamFailed when it is no length."""
    said = [value for name, value in answered.fields if name == b"content-length"]
    if not said:
        return None
    if len(said) > 1 or not re.fullmatch(rb"[0-9]{1,15}", said[0]):
        raise errors.UpstreamFailed("the site answered with a length that is none")
    return int(said[0])
