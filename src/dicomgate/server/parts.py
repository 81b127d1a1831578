"""The shapes of a retrieved body: one part alone, or several in multipart/related (PS3.18 §8.6.1, V3 to V5, MP-02)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from dicomgate.dicomweb import multipart
from dicomgate.server import caching
from dicomgate.server.answers import Answer, Header
from dicomgate.server.exchange import field
from dicomgate.server.requests import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one part says of itself, and its bytes. `size` None: not known before they are made."""

    content_type: str
    location: str
    size: int | None
    chunks: Iterator[bytes]

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The part's header, its type first (MP-08)."""
        length = [] if self.size is None else [("Content-Length", str(self.size))]
        return [("Content-Type", self.content_type), *length, ("Content-Location", self.location)]


def answer(media_type: str, parts: Sequence[Part], headers: Sequence[Header]) -> Answer:
    """Several parts that are all known; the length of the whole is told when every part's is."""
    boundary = multipart.new_boundary()
    sizes = [(part.headers, part.size) for part in parts if part.size is not None]
    size = multipart.content_length(boundary, sizes) if len(sizes) == len(parts) else None
    return _related(media_type, boundary, parts, headers, size)


def answer_tagged(request: Request, media_type: str, parts: Sequence[Part], tag: str) -> Answer:
    """Parts that never change, unless the caller has them. The tag is weak: the boundary differs each time."""
    headers = [field("etag", tag), caching.IMMUTABLE]
    return caching.not_modified(headers) if caching.is_known(request, tag) else answer(media_type, parts, headers)


def answer_unmeasured(media_type: str, parts: Iterable[Part], headers: Sequence[Header]) -> Answer:
    """Parts that are made one after the other."""
    return _related(media_type, multipart.new_boundary(), parts, headers, None)


def answer_single(
    request: Request,
    part: Part,
    tag: str,
    read_span: Callable[[range], Iterator[bytes]] | None,
    *,
    lifetime: Header = caching.IMMUTABLE,
) -> Answer:
    """One part as the whole body, or the range of it that was asked for (V13)."""
    headers = [
        field("content-type", part.content_type),
        field("content-location", part.location),
        field("etag", tag),
        lifetime,
        caching.VARY,
    ]
    if caching.is_known(request, tag):
        return caching.not_modified(headers)
    if part.size is None or read_span is None:
        return Answer(headers=headers, chunks=part.chunks, size=part.size)
    headers.append((b"accept-ranges", b"bytes"))
    span = caching.wanted_range(request, part.size, tag)
    if span is None:
        return Answer(headers=headers, chunks=part.chunks, size=part.size)
    if not span:
        return caching.not_satisfiable(part.size)
    headers.append(caching.range_header(span, part.size))
    return Answer(status=206, headers=headers, chunks=read_span(span), size=len(span))


def _related(
    media_type: str, boundary: str, parts: Iterable[Part], headers: Sequence[Header], size: int | None
) -> Answer:
    fields = [field("content-type", multipart.content_type(boundary, media_type)), caching.VARY, *headers]
    return Answer(headers=fields, chunks=_write(boundary, parts), size=size)


def _write(boundary: str, parts: Iterable[Part]) -> Iterator[bytes]:
    for number, part in enumerate(parts):
        yield multipart.part_head(boundary, part.headers, first=number == 0)
        yield from part.chunks
    yield multipart.closing(boundary)
