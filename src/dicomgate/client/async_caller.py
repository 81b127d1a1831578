"""The one that calls a server: pooled, patient, going on where a body broke off (PS3.18 §8; RFC 9110 §14, §15.4)."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlencode

import httpx2

from dicomgate import __version__, errors
from dicomgate.client import network, whose
from dicomgate.client.cache import Cache, Entry
from dicomgate.client.identity import Identity
from dicomgate.client.request import (
    LONGEST_ANSWER,
    Answer,
    BrokenOff,
    Busy,
    Lost,
    Pairs,
    Patience,
    Request,
    Streamed,
    media_type_of,
)
from dicomgate.client.tokens import Bearer

_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_BUSY: Final = frozenset({408, 425, 429, 503})
_NOT_ALLOWED: Final = frozenset({401, 403, 407})
_NO_SUCH_SERVICE: Final = frozenset({404, 405, 410, 501})
_ELSEWHERE: Final = frozenset({301, 302, 303, 307, 308})
_SAME_AGAIN: Final = frozenset({307, 308})
_REDIRECTS: Final = 5
_SIDE_BY_SIDE: Final = 16
_WORDS: Final[Mapping[int, str]] = {
    401: "asks who you are: say so with --token-file",
    403: "does not let you do this",
    404: "has no such service at this address",
    407: "is behind a proxy that asks who you are",
    405: "does not offer this service",
    410: "has no such service at this address any more",
    413: "takes no request of this size",
    415: "does not take this kind of content",
    501: "does not offer this service",
    507: "has no room left",
}


class _Tries:
    """How often one thing was tried, and when it may be tried again."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._number = 0

    @property
    def is_first(self) -> bool:
        return self._number == 0

    @property
    def is_last(self) -> bool:
        return self._number + 1 >= self._patience.tries

    async def wait(self, retry_after: str | None = None) -> bool:
        """Pause before the next try; False when there is none."""
        if self.is_last:
            return False
        await asyncio.sleep(self._patience.pause(self._number, retry_after))
        self._number += 1
        return True

    def begin_anew(self) -> None:
        """Something has come: what follows is another trouble."""
        self._number = 0


@dataclass(slots=True)
class _Open:
    """An answer that has begun."""

    response: httpx2.Response
    let_go: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def close(self) -> None:
        """Let go of whichever answer it is by now."""
        await self.let_go.aclose()


class AsyncCaller:
    """Calls one server, on one event loop. An asynchronous context manager.

    `token` is a bearer token, or what gives one when it is called, anew after a 401. `identity` is used without one.
    `transport` takes the place of the network. Who we are is told to no other server, wherever we are sent.
    """

    def __init__(
        self,
        root: str,
        *,
        token: str | Callable[[], Any] | None = None,
        patience: Patience | None = None,
        timeout: float = 120.0,
        identity: Identity | None = None,
        auth: httpx2.Auth | None = None,
        cache: Cache | None = None,
        side_by_side: int = _SIDE_BY_SIDE,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.root, user = _without_user(root.rstrip("/"))
        self._patience = patience or Patience()
        self._has_answered = False
        self._is_closed = False
        self._cache = cache
        self._side_by_side = side_by_side
        self._timeout = httpx2.Timeout(timeout, connect=10.0)
        self._places: dict[str, asyncio.Semaphore] = {}
        known: dict[str, Any] = {"auth": user, **(identity.arguments() if identity is not None else {})}
        self._who = whose.name_of(token if token is not None else auth, identity, user_of(root))
        if auth is not None:
            known["auth"] = auth
        if token is not None:
            known["auth"] = Bearer(token)
        stranger = {"verify": known["verify"]} if identity is not None and identity.authorities else {}
        if identity is not None and identity.certificate:  # a certificate says who we are too
            stranger = Identity(authorities=identity.authorities).arguments()
        self._known = self._client(known, transport)
        self._about_a_stranger = stranger
        self._stranger: httpx2.AsyncClient | None = None

    def _client(self, arguments: Mapping[str, Any], transport: httpx2.AsyncBaseTransport | None) -> httpx2.AsyncClient:
        count = self._side_by_side
        client = httpx2.AsyncClient(
            headers={"User-Agent": f"dicomgate/{__version__}"},
            timeout=self._timeout,
            limits=httpx2.Limits(max_connections=count, max_keepalive_connections=count, keepalive_expiry=15.0),
            http2=transport is None and importlib.util.find_spec("h2") is not None,
            transport=transport,
            **arguments,
        )
        network.read_largely(client)
        return client

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.host!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of connections; what is asked afterwards is Unavailable."""
        self._is_closed = True
        await self._known.aclose()
        if self._stranger is not None:
            await self._stranger.aclose()

    @property
    def host(self) -> str:
        """Which server, as a person names it."""
        return self.root.partition("//")[2].partition("/")[0]

    async def send(self, request: Request, *, most: int = LONGEST_ANSWER) -> Answer:
        """The final answer, whole, after as many tries as may help.

        Raises Forbidden (401, 403), NotFound and Gone for a thing that is not there, UpstreamFailed (not reachable, no
        such service, no room, sent elsewhere, more than `most` bytes), Malformed when the address is none, and whatever
        `body` raises.
        """
        tries = _Tries(self._patience)
        while True:
            try:
                return await self._send(request, tries, most)
            except BrokenOff as fault:
                if not await tries.wait():
                    raise errors.UpstreamFailed(fault.message) from fault

    async def _send(self, request: Request, tries: _Tries, most: int) -> Answer:
        async with self._stream(request, tries) as answer:
            body = bytearray()
            async for chunk in answer.chunks:
                body += chunk
                if len(body) > most:
                    raise errors.UpstreamFailed(f"{self.host} answers with more than {most >> 20} MiB")
            return Answer(answer.status, media_type_of(answer.content_type), bytes(body), answer.headers)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Streamed]:
        """An answer to be read while inside; asked for again as `send` does until one begins. The faults of `send`.

        A body that breaks off is gone on with where the server can (Range, If-Range), else that is UpstreamFailed.
        """
        async with self._stream(request, _Tries(self._patience)) as answer:
            yield answer

    @asynccontextmanager
    async def _stream(self, request: Request, tries: _Tries) -> AsyncIterator[Streamed]:
        async with contextlib.AsyncExitStack() as stack:
            kept = await self._find(request, stack)
            opened = await self._begin(_conditional(request, kept), tries)
            stack.push_async_callback(opened.close)
            response = opened.response
            if kept is not None and response.status_code == 304:
                yield Streamed(200, kept.content_type, kept.chunks(), _headers(response))
                return
            self._examine(request, response.status_code)
            chunks = self._chunks(request, opened)
            if self._cache is not None and _can_keep(request, response):
                chunks = self._cache.keep(self._key(request), _entry(response), chunks)
                stack.push_async_callback(chunks.aclose)
            yield Streamed(response.status_code, response.headers.get("Content-Type", ""), chunks, _headers(response))

    async def _find(self, request: Request, stack: contextlib.AsyncExitStack) -> Entry | None:
        if self._cache is None or not request.may_be_kept:
            return None
        entry = await self._cache.find(self._key(request))
        if entry is not None:
            stack.callback(entry.close)
        return entry

    def _key(self, request: Request) -> str:
        pairs = "&".join(f"{name}={value}" for name, value in pairs_of(request.parameters) or ())
        return "\n".join((self._who, self._address(request), pairs, request.headers.get("Accept", "")))

    def _address(self, request: Request) -> str:
        return request.path if request.path.startswith(("http://", "https://")) else self.root + request.path

    async def _begin(self, request: Request, tries: _Tries) -> _Open:
        """An answer that is not to be asked for again. The faults of a server that gives none."""
        said, fault = "", errors.UpstreamFailed
        while True:
            opened = await self._try(request, tries)
            if opened is not None and opened.response.status_code not in _LATER:
                return opened
            retry_after = None
            if opened is not None:
                status, retry_after = opened.response.status_code, opened.response.headers.get("Retry-After")
                said, fault = _refusal(self.host, status, is_repeated=not tries.is_first)
                await opened.close()
            if not await tries.wait(retry_after):
                break
        if not said:
            raise Lost(f"{self.host} cannot be reached any more, also when asked again")
        raise fault(said)

    async def _try(self, request: Request, tries: _Tries) -> _Open | None:
        """What the library says, in our words; None for what may go well the next time."""
        try:
            return await self._open(request)
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as fault:
            raise errors.Malformed("expected an address like http://host:8104/dicomweb") from fault
        except httpx2.ConnectError as fault:
            if not self._has_answered:
                raise Lost(f"cannot reach {self.host}: {fault}") from fault
        except ssl.SSLError as fault:  # with TLS 1.3 a certificate of ours is refused after the handshake
            raise errors.UpstreamFailed(f"{self.host} ends the encryption: {fault.reason}") from fault
        except httpx2.ProxyError as fault:
            raise errors.UpstreamFailed(f"a proxy on the way to {self.host} lets nothing through: {fault}") from fault
        except httpx2.TransportError as fault:
            if tries.is_last:
                raise errors.UpstreamFailed(f"{self.host}: the connection breaks: {fault}") from fault
        return None

    async def _open(self, request: Request) -> _Open:
        """What the server answers, and whoever it sends us to. Nobody else hears who we are."""
        if self._is_closed:
            raise errors.Unavailable("it was closed before")
        address = httpx2.URL(self._address(request))
        if request.parameters is not None:
            address = address.copy_with(query=_query(request.parameters))
        home = _origin(httpx2.URL(self.root))
        for _ in range(_REDIRECTS):
            opened = await self._ask(request, address, is_home=_origin(address) == home)
            location = opened.response.headers.get("Location")
            status = opened.response.status_code
            can_follow = status in _SAME_AGAIN or (status in _ELSEWHERE and request.method in ("GET", "HEAD"))
            if not (can_follow and location):
                return opened
            await opened.close()
            before, address = address, address.join(location)
            if before.scheme == "https" and address.scheme != "https":
                raise errors.UpstreamFailed(f"{self.host} sends callers from https to {address.scheme}")
        raise errors.UpstreamFailed(f"{self.host} sends callers from one address to the next, {_REDIRECTS} times")

    async def _ask(self, request: Request, address: httpx2.URL, *, is_home: bool) -> _Open:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self._place(address.netloc.decode("ascii", "replace")))
            if not is_home and self._stranger is None:
                self._stranger = self._client(self._about_a_stranger, None)
            client = self._known if is_home or self._stranger is None else self._stranger
            headers = dict(request.headers)
            if not is_home:
                headers.pop("Authorization", None)
            headers.setdefault("Accept-Encoding", "identity")
            content = request.body() if request.body is not None else None
            built = client.build_request(request.method, address, headers=headers, content=content)
            response = await client.send(built, stream=True)
            self._has_answered = True
            stack.push_async_callback(response.aclose)
            return _Open(response, let_go=stack.pop_all())

    @asynccontextmanager
    async def _place(self, origin: str) -> AsyncIterator[None]:
        """One of the requests that may be under way to a server at once."""
        places = self._places.setdefault(origin, asyncio.Semaphore(self._side_by_side))
        try:
            await asyncio.wait_for(places.acquire(), self._timeout.read)
        except TimeoutError:
            message = f"{self._side_by_side} answers of {self.host} are begun and not read: none can be asked for"
            raise errors.Unavailable(message) from None
        try:
            yield
        finally:
            places.release()

    async def _chunks(self, request: Request, opened: _Open) -> AsyncIterator[bytes]:
        """The body, gone on with as long as each try brings something."""
        tag, place = _continuable(request, opened.response), 0
        tries = _Tries(self._patience)
        while True:
            try:
                async with contextlib.aclosing(opened.response.aiter_bytes()) as chunks:
                    async for chunk in chunks:
                        place += len(chunk)
                        tries.begin_anew()
                        yield chunk
                return
            except (httpx2.TransportError, ssl.SSLError) as fault:
                if tag is None or not await tries.wait():
                    raise BrokenOff(f"{self.host}: the connection breaks: {fault}") from fault
            await opened.close()
            await self._go_on(request, opened, tag, place)

    async def _go_on(self, request: Request, opened: _Open, tag: str, place: int) -> None:
        """The rest of a body from a place on. UpstreamFailed when it is another one by now."""
        headers = {**request.headers, "Range": f"bytes={place}-", "If-Range": tag}
        rest = await self._begin(replace(request, headers=headers), _Tries(self._patience))
        opened.response, opened.let_go = rest.response, rest.let_go
        said = rest.response.headers.get("Content-Range", "").replace("=", " ")
        is_rest = rest.response.status_code == 206 and said.lower().startswith(f"bytes {place}-")
        if not (is_rest and rest.response.headers.get("ETag", tag) == tag):
            raise BrokenOff(f"{self.host}: the connection breaks, and the rest cannot be had alone")

    def _examine(self, request: Request, status: int) -> None:
        words = f"{self.host} {_WORDS.get(status, '')} ({status})"
        if status in _NOT_ALLOWED:
            raise errors.Forbidden(words)
        if request.is_about_a_thing and status in (404, 410):
            if status == 410:
                raise errors.Gone(f"{self.host} has it no longer (410)")
            raise errors.NotFound(f"{self.host} has no such thing (404)")
        if status == 507:
            raise Busy(words)
        if status in _NO_SUCH_SERVICE or status == 415:
            raise errors.UpstreamFailed(words)
        if 300 <= status < 400:
            raise errors.UpstreamFailed(f"{self.host} sends callers to another address ({status}); use that one")


def _refusal(host: str, status: int, *, is_repeated: bool) -> tuple[str, type[errors.UpstreamFailed]]:
    """How a server is described that cannot now, or never."""
    again = ", also when asked again" if is_repeated else ""
    return f"{host} answers {status}{again}", Busy if status in _BUSY else errors.UpstreamFailed


def _without_user(root: str) -> tuple[str, httpx2.Auth | None]:
    """The address without who we are in it: that goes where secrets go."""
    try:
        address = httpx2.URL(root)
    except httpx2.InvalidURL:
        return root, None  # said when it is called
    if not address.userinfo:
        return root, None
    scheme, sign, rest = root.partition("//")
    return scheme + sign + rest.rpartition("@")[2], httpx2.BasicAuth(address.username, address.password)


def user_of(root: str) -> str:
    """Who an address says to be; empty when it does not."""
    try:
        return httpx2.URL(root).username
    except httpx2.InvalidURL:
        return ""


def _origin(address: httpx2.URL) -> tuple[str, str, int | None]:
    return address.scheme, address.host, address.port


def _headers(response: httpx2.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _conditional(request: Request, kept: Entry | None) -> Request:
    return request if kept is None else replace(request, headers={**request.headers, "If-None-Match": kept.tag})


def _can_keep(request: Request, response: httpx2.Response) -> bool:
    said = response.headers.get("Cache-Control", "").lower()
    is_whole = response.status_code == 200 and request.method == "GET"
    return request.may_be_kept and is_whole and "ETag" in response.headers and "no-store" not in said


def _entry(response: httpx2.Response) -> tuple[str, str]:
    return response.headers["ETag"], response.headers.get("Content-Type", "")


def _continuable(request: Request, response: httpx2.Response) -> str | None:
    """The entity tag under which the rest of a body may be asked for; None where that would not be sure."""
    tag = response.headers.get("ETag", "")
    is_one = response.status_code == 200 and not response.headers.get("Content-Type", "").lower().startswith("multi")
    is_plain = response.headers.get("Content-Encoding", "identity") == "identity"
    takes_ranges = response.headers.get("Accept-Ranges", "bytes") != "none"
    is_sure = request.method == "GET" and is_one and is_plain and takes_ranges and tag.startswith('"')
    return tag if is_sure else None


def _query(parameters: Pairs) -> bytes | None:
    """As it stands in an address; signs as they may (RFC 3986 §3.4), for Orthanc reads no `%2F` and no `%2A`."""
    return urlencode(pairs_of(parameters) or (), safe="/*,:?@!$()'", quote_via=quote).encode("ascii") or None


def pairs_of(given: Pairs | None) -> list[tuple[str, str | int]] | None:
    """Parameters in their order."""
    if given is None:
        return None
    return [*(given.items() if isinstance(given, Mapping) else given)]
