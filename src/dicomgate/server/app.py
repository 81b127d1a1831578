"""The application: one dispatch from address and method to a deed, for what the origin behind it can do (PS3.18 §10.1).

Deeds are plain functions that run in a thread, one hop each, and give an `Answer`; only storing is asynchronous.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Any, Final

from dicomgate import errors
from dicomgate.composition.content import Workshop
from dicomgate.dicomweb import resources
from dicomgate.dicomweb.resources import Kind, Resource
from dicomgate.origin import Origin
from dicomgate.pixels.processes import Workers
from dicomgate.representations.maker import Maker
from dicomgate.server import (
    bulkdata,
    capabilities,
    cors,
    delete,
    files,
    frames,
    health,
    metadata,
    rendered,
    retrieve,
    search,
    sites,
    streaming,
    thumbnails,
    update,
    versions,
    wado_uri,
)
from dicomgate.server.answers import STEP, Answer, Body, OutPiece, slices
from dicomgate.server.errors import format_problem, headers_of, status_of
from dicomgate.server.exchange import Exchange
from dicomgate.server.known import Known
from dicomgate.server.lifetimes import Lifetimes
from dicomgate.server.logs import Log
from dicomgate.server.page import SECURITY, Page
from dicomgate.server.ready import Ready
from dicomgate.server.requests import Door, Request
from dicomgate.server.settings import Settings
from dicomgate.server.sites import Sites
from dicomgate.server.store import StoreService
from dicomgate.server.threads import Threads
from dicomgate.server.urls import Addresses
from dicomgate.server.views import Views
from dicomgate.spool import Spool

Message = MutableMapping[str, Any]
Deed = Callable[[Request, Resource], Answer]

_DEEDS: Final[dict[Kind, Deed]] = {
    Kind.SEARCH: search.search,
    Kind.INSTANCES: retrieve.retrieve,
    Kind.METADATA: metadata.retrieve,
    Kind.FRAMES: frames.retrieve,
    Kind.BULKDATA: bulkdata.retrieve,
    Kind.PIXELDATA: bulkdata.retrieve,
    Kind.RENDERED: rendered.retrieve,
    Kind.THUMBNAIL: thumbnails.retrieve,
    Kind.VERSIONS: versions.read,
}
_READING: Final = ("GET", "HEAD")
_BEGINNING: Final = 64 << 10
_ATTEMPTS: Final = 5
"""So often something may be replaced by others between being found and being opened until a caller hears of it."""
_BODILESS: Final = frozenset({204, 304})
_SHORT_PATH: Final = 512
_parse = functools.lru_cache(maxsize=1024)(resources.parse)  # viewers ask for the same again and again


class Application:
    """An ASGI application that opens one origin to the web."""

    def __init__(
        self,
        origin: Origin,
        spool: Spool | None = None,
        workshop: Workshop | None = None,
        settings: Settings | None = None,
        *,
        maker: Maker | None = None,
        views: Mapping[str, tuple[Origin, Maker]] | None = None,
        log: Log | None = None,
        check_ready: Callable[[], None] = lambda: None,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        """Make it ready.

        `spool` and `workshop` are needed where the origin can store. `maker`: what makes representations that are not
        stored, its own if none is given.
        `views`: what else is served, by its name below the root. `check_ready` raises Fault while it cannot serve.
        """
        self._settings = settings or Settings()
        addresses = Addresses(self._settings.public_url, self._settings.trusted_proxies, self._settings.hosts)
        self.maker = maker or Maker(workers=Workers(), limits=self._settings.limits)
        lifetimes = Lifetimes(seconds=self._settings.cache_seconds, shared=self._settings.cache_shared)
        self._door = Door(
            origin=origin,
            settings=self._settings,
            addresses=addresses,
            maker=self.maker,
            lifetimes=lifetimes,
            ready=Ready(self._settings.cache_memory),
        )
        self._views = Views(
            self._settings.root, {name: self._open_view(name, *parts) for name, parts in (views or {}).items()}
        )
        self._log = log or Log()
        self._policy = cors.Policy(self._settings.cors_origins)
        self._page = Page()
        self._known = Known()
        self._capabilities = capabilities.Capabilities(self._methods, tuple(views or ()))
        self._view_capabilities = capabilities.Capabilities(lambda _: _READING)
        self._sites = self._open_sites()
        self._check_ready = check_ready
        self._on_close = on_close
        self._reading = Threads(self._settings.reading_threads, "reading")
        self._storing = Threads(self._settings.storing_threads, "storing")
        self._store: StoreService | None = None
        if origin.store is not None:
            assert spool is not None, "what is stored arrives in a spool"
            assert workshop is not None, "what comes in pieces is put together"
            self._store = StoreService(origin.store, spool, self._storing, self._settings, workshop)

    def _open_view(self, name: str, origin: Origin, maker: Maker) -> Door:
        settings = replace(self._settings, root=f"{self._settings.root}/{name}", cache_seconds=0)
        return Door(
            origin=origin,
            settings=settings,
            addresses=self._door.addresses,
            maker=maker,
            lifetimes=Lifetimes(seconds=0, shared=self._settings.cache_shared),
            ready=Ready(self._settings.cache_memory),
            is_view=True,
        )

    def _open_sites(self) -> Sites | None:
        settings = self._settings
        if not settings.sites:
            return None
        return Sites(dict(settings.sites), settings.root, settings.wado_uri, self._log, silence=settings.site_seconds)

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Serve one request, or the events of the server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] == "websocket":
            assert self._sites is not None, "the protocol is offered only then"
            await self._sites.attend(scope, receive, send)
            return
        assert scope["type"] == "http", "no other protocol is offered"
        exchange = Exchange(Request(self._door, scope), receive, send, self._policy)
        try:
            await self._serve(exchange)
        except errors.Fault as fault:
            await self._fail(exchange, fault)
        except Exception as bug:  # noqa: BLE001 - the boundary: a bug is told in the log and costs its own request only
            self._log.bug(bug, kind=exchange.kind)
            await _answer_problem(exchange, 500, "something went wrong here; the log of the server says where")
        finally:
            self._note(exchange)

    async def _live(
        self, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await asyncio.to_thread(self.close)
                await send({"type": "lifespan.shutdown.complete"})
                return

    def close(self) -> None:
        """Wait for deeds under way and let go of threads and of the origin."""
        self._storing.close()
        self._reading.close()
        self.maker.close()
        self._on_close()

    async def _serve(self, exchange: Exchange) -> None:
        request = exchange.request
        if not request.is_for_us:
            raise errors.Forbidden("the name in Host is none that is answered to here; see the setting allowed_hosts")
        if request.method == "OPTIONS" and request.header(b"access-control-request-method") is not None:
            exchange.kind = "preflight"  # whatever is there: what a browser may not ask for, its page cannot hear of
            await exchange.answer(204, cors.PREFLIGHT)
            return
        path = self._views.choose(request)
        if request.method in _READING and (known := self._known.at_once(request)) is not None:
            exchange.kind, answer = known
            if await self._answer_known(exchange, answer):
                return
        if self._sites is not None and path.startswith(sites.PREFIX):
            exchange.kind = "site"
            await self._sites.serve(exchange)
            return
        root = self._settings.root
        if path.startswith(root) and path[len(root) : len(root) + 1] in {"", "/"}:
            await self._serve_resource(exchange, path[len(root) :])
        elif path == self._settings.wado_uri:
            exchange.kind = "wado-uri"
            if request.method == "OPTIONS":
                await self._read(exchange, lambda asked: self._capabilities.uri(asked, path, _READING))
            elif await self._may_go_on(exchange, _READING):
                await self._read(exchange, wado_uri.retrieve)
        else:
            await self._serve_page(exchange)

    async def _serve_resource(self, exchange: Exchange, path: str) -> None:
        if exchange.request.method == "OPTIONS":
            exchange.kind = "capabilities"
            about = [] if path in {"", "/"} else [resources.parse(path)]
            described = self._view_capabilities if exchange.request.door.is_view else self._capabilities
            await self._read(exchange, described.studies, *about)
            return
        resource = _parse(path) if len(path) <= _SHORT_PATH else resources.parse(path)
        exchange.kind = resource.words
        methods = _READING if exchange.request.door.is_view else self._methods(resource)
        if not await self._may_go_on(exchange, methods, _why_not(exchange.request.method, resource)):
            return
        match exchange.request.method:
            case "POST":
                assert self._store is not None, "the method is offered only then"
                exchange.kind = "store"
                await self._store.store(exchange, resource)
            case "PATCH":
                await self._update(exchange, resource)
            case "DELETE":
                await self._read(exchange, delete.delete, resource)
            case _:
                await self._read(exchange, self._known.answer, resource, _DEEDS[resource.kind])

    def _methods(self, resource: Resource) -> tuple[str, ...]:
        storing = ("POST",) if self._store is not None and resource.can_take_instances else ()
        deleting = ("DELETE",) if self._door.origin.delete is not None and resource.can_be_deleted else ()
        updating = ("PATCH",) if self._door.origin.update is not None and resource.can_be_corrected else ()
        return (*_READING, *storing, *updating, *deleting)

    async def _update(self, exchange: Exchange, resource: Resource) -> None:
        """Files are written, so it is done where others are stored."""
        exchange.kind = "update"
        body = await update.read_body(exchange)
        if not exchange.is_gone:
            answer = await self._storing.do(update.update, exchange.request, resource, body)
            await exchange.answer(answer.status, answer.headers, b"".join(files.read_all(answer.chunks)))

    async def _may_go_on(self, exchange: Exchange, methods: tuple[str, ...], why_not: str = "") -> bool:
        """False when the method was OPTIONS, which is answered here. NotAllowed for one that is not offered."""
        request = exchange.request
        if request.method in methods:
            return True
        offered = (*methods, "OPTIONS")
        if request.method != "OPTIONS":
            raise errors.NotAllowed(f"{why_not}expected {', '.join(methods)} here", see=offered)
        await exchange.answer(204, [(b"allow", ", ".join(offered).encode("ascii"))])
        return False

    async def _serve_page(self, exchange: Exchange) -> None:
        path = exchange.request.path
        if path == "/healthz":
            exchange.kind = "health"
            answer = health.is_alive()
        elif path == "/readyz":
            exchange.kind = "health"
            answer = await self._reading.do(health.is_ready, self._check_ready)
        else:
            exchange.kind = "page"
            found = self._page.find(exchange.request)
            if found is None:
                raise errors.NotFound(f"nothing is here; the DICOMweb services are below {self._settings.root}")
            exchange.secure_with(SECURITY)
            answer = found
        if await self._may_go_on(exchange, _READING):
            body = Body(answer)
            await self._send(exchange, answer, body, body.step())

    async def _read(self, exchange: Exchange, deed: Callable[..., Answer], *about: Any) -> None:
        """Do a deed and the first step of its body in one visit to a thread; send; go on if there is more."""
        answer, body, first = await self._reading.do(_begin, deed, exchange, *about)
        try:
            await self._send(exchange, answer, body, first)
        finally:
            if not body.is_closed:
                self._reading.do(body.close)

    async def _answer_known(self, exchange: Exchange, answer: Answer) -> bool:
        """Without a thread where nothing has to be waited for. False when it is known no more: it was replaced."""
        if not _has_body(exchange.request, answer):
            await exchange.start(answer.status, answer.headers, None if answer.status in _BODILESS else answer.size)
            await exchange.send_piece(b"", more=False)
            return True
        pieces = _pieces_at_once(exchange, answer)
        if pieces is not None:
            await exchange.start(answer.status, answer.headers, answer.size)
            await _send_pieces(exchange, pieces)
            return True
        assert answer.of is not None, "what is known is cut from something"
        try:
            await self._read(exchange, answer.of.anew)  # what was begun cannot be gone on with
        except errors.Changed:
            if exchange.status:
                raise
            return False
        return True

    async def _send(self, exchange: Exchange, answer: Answer, body: Body, first: list[OutPiece]) -> None:
        has_body = answer.status not in _BODILESS
        size = answer.size
        if body.is_done and size is None and has_body and exchange.request.method != "HEAD":
            size = sum(len(piece) for piece in first)
        await exchange.start(answer.status, answer.headers, size if has_body else None)
        if body.is_done or exchange.request.method == "HEAD":
            await _send_pieces(exchange, first)
        else:
            await streaming.send_rest(exchange, body, first, self._reading)

    async def _fail(self, exchange: Exchange, fault: errors.Fault) -> None:
        status = status_of(fault)
        if exchange.status:
            self._log.event("answer broke off", route=exchange.kind, reason=fault.message)
        await _answer_problem(exchange, status, fault.message, fault.see, headers_of(fault, status))

    def _note(self, exchange: Exchange) -> None:
        self._log.access(
            method=exchange.request.method,
            kind=exchange.kind,
            status=exchange.status,
            began=exchange.began,
            sent=exchange.sent,
            peer=exchange.request.peer,
        )


def _why_not(method: str, resource: Resource) -> str:
    """What to say of a deed that the resource has, when this server was not set up to do it."""
    if method == "POST" and resource.can_take_instances:
        return "what is served here is only read, nothing can be stored; "
    if method == "PATCH" and resource.can_be_corrected:
        return "correction is not switched on here; "
    if method == "DELETE" and resource.can_be_deleted:
        return "deletion is not switched on here; "
    return ""


def _begin(deed: Callable[..., Answer], exchange: Exchange, *about: Any) -> tuple[Answer, Body, list[OutPiece]]:
    """A deed and the first step of its body; again where what was found had been replaced before it was opened."""
    for _ in range(_ATTEMPTS - 1):
        with contextlib.suppress(errors.Changed):
            return _begin_once(deed, exchange, *about)
    return _begin_once(deed, exchange, *about)


def _begin_once(deed: Callable[..., Answer], exchange: Exchange, *about: Any) -> tuple[Answer, Body, list[OutPiece]]:
    answer = deed(exchange.request, *about)
    return answer, *_begin_body(exchange, answer)


def _begin_body(exchange: Exchange, answer: Answer) -> tuple[Body, list[OutPiece]]:
    body = Body(answer, is_direct=exchange.is_direct and answer.size is not None)
    is_wanted = _has_body(exchange.request, answer)
    try:
        first = body.step(_first_step(answer)) if is_wanted else []
    except BaseException:
        body.close()
        raise
    if body.is_done or not is_wanted:
        body.close()
    return body, first


def _first_step(answer: Answer) -> int:
    """A short body is made in one visit; of a long one the caller has the beginning before the rest is looked for."""
    return STEP if answer.size is not None and answer.size <= STEP else _BEGINNING


def _pieces_at_once(exchange: Exchange, answer: Answer) -> list[OutPiece] | None:
    """The whole body, where it is at hand, or not long and in files that the kernel holds in memory; else None."""
    if isinstance(answer.chunks, list):
        return [piece for chunk in answer.chunks for piece in slices(chunk)]
    if (
        not exchange.is_direct
        or answer.of is None
        or not answer.of.is_direct
        or answer.size is None
        or answer.size > STEP
    ):
        return None
    try:
        return list(files.at_once(answer.chunks))
    except (files.NotInMemory, errors.Fault):  # a thread waits for the disk, or finds out what is wrong
        return None


async def _send_pieces(exchange: Exchange, pieces: Sequence[OutPiece]) -> None:
    last = len(pieces) - 1
    for number, piece in enumerate(pieces):
        await exchange.send_piece(piece, more=number < last)
    if not pieces:
        await exchange.send_piece(b"", more=False)


def _has_body(request: Request, answer: Answer) -> bool:
    return request.method != "HEAD" and answer.status not in _BODILESS


async def _answer_problem(
    exchange: Exchange,
    status: int,
    detail: str,
    see: tuple[str, ...] = (),
    headers: list[tuple[bytes, bytes]] | None = None,
) -> None:
    if exchange.status:
        return  # too late for a status: the answer breaks off, which the server tells by closing the connection
    content_type, body = format_problem(status, detail, see, exchange.request.accept)
    await exchange.answer(status, [(b"content-type", content_type), *(headers or [])], body)
