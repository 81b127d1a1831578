"""One request and the answer to it on the wire: what every answer carries, what was sent, and how it ended."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

from dicomgate.server import cors
from dicomgate.server.answers import Header, OutPiece
from dicomgate.server.cors import Policy
from dicomgate.server.files import FILES, FileSpan
from dicomgate.server.requests import Request

Message = MutableMapping[str, Any]

API_HEADERS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"referrer-policy", b"no-referrer"),
)
"""On every answer of the API: nothing in it may run, be framed or be taken for another type (T15)."""

_REFUSED: Final = 400
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")


class Exchange:
    """A request with the two ends of its connection."""

    def __init__(
        self,
        request: Request,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
        policy: Policy,
    ) -> None:
        self.request = request
        self.kind = "unknown"  # the route's name, for the log
        self.status = 0  # 0: no answer was begun
        self.sent = 0
        self.began = time.perf_counter()
        self.is_gone = False
        self._receive = receive
        self._send = send
        self._policy = policy
        self._is_read = not request.has_body
        self._security: tuple[Header, ...] = API_HEADERS

    @property
    def is_direct(self) -> bool:
        """True when files may be sent on this connection unread."""
        return self.request.has_extension(FILES)

    def secure_with(self, headers: tuple[Header, ...]) -> None:
        """Replace the API's security fields: the page runs scripts of its own."""
        self._security = headers

    async def receive(self) -> Message:
        """The next event from the caller."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.is_gone = True
        elif not message.get("more_body", False):
            self._is_read = True
        return message

    async def start(self, status: int, headers: Sequence[Header], length: int | None) -> None:
        """Send the status and the fields: those given, and those that every answer carries."""
        fields = [*self._security, *self._with_origin(self._settled(status, headers))]
        if length is not None:
            fields.append((b"content-length", b"%d" % length))
        if not self._is_read:
            # The rest of the body stays unread, so the connection cannot be used again: say so.
            fields.append((b"connection", b"close"))
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": fields})

    def _settled(self, status: int, headers: Sequence[Header]) -> list[Header]:
        """With how long it may be kept. A refusal without a word on that is for now and for this caller."""
        request = self.request
        settled = request.door.lifetimes.settle(headers, is_personal=request.is_personal)
        if status >= _REFUSED and all(name != b"cache-control" for name, _ in settled):
            settled.append((b"cache-control", b"no-store"))
        return settled

    def _with_origin(self, headers: list[Header]) -> list[Header]:
        """With what the caller's origin calls for; one Vary field says all that the answer depends on."""
        added = self._policy.headers(self.request.header(b"origin"))
        for place, (name, value) in enumerate(headers):
            if name == b"vary" and cors.VARY in added:
                headers[place] = (name, value + b", " + cors.VARY[1])
                return [*(header for header in added if header is not cors.VARY), *headers]
        return [*added, *headers]

    async def send_piece(self, piece: OutPiece, *, more: bool) -> None:
        """Send the next piece of the body."""
        self.sent += len(piece)
        if isinstance(piece, FileSpan):
            place = {"file": piece.file.fileno(), "offset": piece.offset, "count": piece.size}
            await self._send({"type": FILES, **place, "more_body": more})
        else:
            await self._send({"type": "http.response.body", "body": piece, "more_body": more})

    async def answer(self, status: int, headers: Sequence[Header], body: bytes = b"") -> None:
        """Send a whole answer."""
        has_body = status not in {204, 304}
        await self.start(status, headers, len(body) if has_body else None)
        await self.send_piece(body if has_body and self.request.method != "HEAD" else b"", more=False)


def field(name: str, text: str) -> Header:
    """A header field; what cannot stand in one is replaced, so that no text can end its line (T15)."""
    return name.lower().encode("ascii"), _UNPRINTABLE.sub("?", text).encode("ascii")
