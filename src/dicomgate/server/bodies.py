"""The body of a store: what it claims to be, and its bytes and parts as they come (PS3.18 §10.5.1, RFC 9110 §8)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, Protocol

from dicomgate import errors
from dicomgate.dicomweb import media_types, multipart
from dicomgate.dicomweb.multipart import PartBegin, PartData, PartEnd
from dicomgate.server import expansion
from dicomgate.server.exchange import Exchange
from dicomgate.server.requests import Request
from dicomgate.server.settings import Settings
from dicomgate.server.threads import Threads

METADATA: Final = frozenset({media_types.DICOM_JSON, media_types.DICOM_XML})
_ROOTS: Final = (media_types.DICOM, media_types.DICOM_JSON, media_types.DICOM_XML)
_TAKEN: Final = tuple(
    form for root in _ROOTS for form in (f'{media_types.MULTIPART}; type="{root}"', root)
)  # Table 10.5.4-1


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a body claims to be: the type of its root, the boundary of its parts, how it is compressed."""

    root_type: str
    boundary: bytes | None
    coding: str | None

    @property
    def is_metadata(self) -> bool:
        """True where instances come as metadata and bulk data, not as files."""
        return self.root_type in METADATA


class Taker(Protocol):
    """What takes the parts of a body, one after the other."""

    def begin(self, headers: dict[str, str]) -> None:
        """A part starts, with these header fields (names in lower case)."""
        ...

    async def write(self, data: bytes | memoryview) -> None:
        """The next bytes of the part."""
        ...

    async def end(self) -> None:
        """The part is complete."""
        ...


def form_of(request: Request) -> Form:
    """What the body claims to be. UnsupportedMedia when that is not taken here, Malformed when it cannot be read."""
    coding = expansion.find_coding(request.header(b"content-encoding"))
    said = request.header(b"content-type")
    if not said:
        raise errors.UnsupportedMedia("a body without Content-Type", see=_TAKEN)
    content_type = media_types.parse(said)
    is_multipart = content_type.type == media_types.MULTIPART
    root = content_type.type
    if is_multipart:
        root = (content_type.get("type") or media_types.DICOM).lower()
        root = media_types.ALIASES.get(root, root)
    if root not in _ROOTS:
        raise errors.UnsupportedMedia("only PS3.10 files, or metadata and bulk data, are taken here", see=_TAKEN)
    boundary = multipart.boundary_of(content_type) if is_multipart else None
    return Form(root_type=root, boundary=boundary, coding=coding)


def check_length(request: Request, settings: Settings) -> None:
    """TooLarge when the body is longer than any that is taken."""
    if request.length is not None and request.length > settings.body_bytes:
        raise errors.TooLarge(f"a body of {request.length} bytes; at most {settings.body_bytes} are taken")


async def read(exchange: Exchange, form: Form, taker: Taker, threads: Threads, settings: Settings) -> None:
    """Hand on every part, to the end or until the caller has gone. Malformed or TooLarge when the body is at fault."""
    chunks = _chunks(exchange, settings)
    if form.coding is not None:
        chunks = _expand(exchange, chunks, form.coding, threads, settings)
    if form.boundary is None:
        await _read_single(exchange, chunks, taker, form)
    else:
        parser = multipart.Parser(form.boundary, multipart.Limits(parts=settings.parts))
        await _read_parts(chunks, parser, taker)
        if not exchange.is_gone:
            parser.finish()


async def _read_parts(chunks: AsyncIterator[bytes], parser: multipart.Parser, taker: Taker) -> None:
    async for chunk in chunks:
        for event in parser.feed(chunk):
            match event:
                case PartData():
                    await taker.write(event.data)
                case PartBegin():
                    taker.begin(event.headers)
                case PartEnd():
                    await taker.end()
        parser.check()


async def _read_single(exchange: Exchange, chunks: AsyncIterator[bytes], taker: Taker, form: Form) -> None:
    taker.begin({"content-type": form.root_type})
    is_empty = True
    async for chunk in chunks:
        is_empty = False
        await taker.write(chunk)
    if exchange.is_gone:
        return
    if is_empty:
        raise errors.Malformed("the body is empty")
    await taker.end()


async def _chunks(exchange: Exchange, settings: Settings) -> AsyncIterator[bytes]:
    """The body as it comes. TooLarge past the bound."""
    total = 0
    more = True
    while more:
        message = await exchange.receive()
        if exchange.is_gone:
            return
        chunk: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        total = _add(total, chunk, settings)
        if chunk:
            yield chunk


async def _expand(
    exchange: Exchange, chunks: AsyncIterator[bytes], coding: str, threads: Threads, settings: Settings
) -> AsyncIterator[bytes]:
    """The body as it was before it was compressed, made in threads. Malformed, or TooLarge past a bound."""
    bounds = expansion.Bounds(ratio=settings.expansion, free=settings.expansion_free)
    expanding = expansion.Expansion(coding, bounds)
    total = 0
    async for chunk in chunks:
        expanding.feed(chunk)
        while not expanding.is_hungry:
            piece = await threads.do(expanding.step)
            total = _add(total, piece, settings)
            if piece:
                yield piece
    if not exchange.is_gone:
        expanding.finish()


def _add(total: int, chunk: bytes, settings: Settings) -> int:
    total += len(chunk)
    if total > settings.body_bytes:
        raise errors.TooLarge(f"a body of more than {settings.body_bytes} bytes")
    return total
