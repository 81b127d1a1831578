"""The shapes of a retrieved body: one part alone, or several in multipart/related (PS3.18 §8.6.1, V3 to V5, MP-02).

Where every part's size is known and the entity tag is strong, the boundary follows from the tag: the same request gives
the same bytes, so that any of them can be asked for again (GEN-12, §8.6.1.2 note).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dicomgate.dicomweb import multipart
from dicomgate.origin import PAUSE, Chunk, Pause, Piece
from dicomgate.server import caching
from dicomgate.server.answers import Answer, Header
from dicomgate.server.exchange import field
from dicomgate.server.ranges import Read
from dicomgate.server.representation import Representation
from dicomgate.server.requests import Request

_MOST_KEPT: Final = 64
"""Parts of an answer that may be remembered: each costs memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one part says of itself, and its bytes. `size` None: not known before they are made.

    `read` gives any span of them, as often as wanted; without it no ranges are offered. `is_direct`: it gives stretches
    of files and nothing that is made.
    """

    content_type: str
    location: str
    size: int | None
    chunks: Iterator[Chunk]
    read: Read | None = None
    is_direct: bool = False

    @classmethod
    def stored(cls, content_type: str, location: str, piece: Piece, read: Read) -> Part:
        """A piece of what is stored, which `read` gives where nothing tells where it lies."""
        is_direct = bool(piece.stretches)
        return cls(
            content_type=content_type,
            location=location,
            size=piece.size,
            chunks=iter(piece.stretches) if is_direct else piece.chunks,
            read=piece.cut if is_direct else read,
            is_direct=is_direct,
        )

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The part's header, its type first (MP-08)."""
        length = [] if self.size is None else [("Content-Length", str(self.size))]
        return [("Content-Type", self.content_type), *length, ("Content-Location", self.location)]


def answer(media_type: str, parts: Sequence[Part], headers: Sequence[Header]) -> Answer:
    """Several parts that are all known; the length of the whole is told when every part's is."""
    boundary = multipart.new_boundary()
    return _related(media_type, boundary, parts, [*headers, caching.NO_RANGES], _length(boundary, parts))


def answer_tagged(
    request: Request,
    media_type: str,
    parts: Sequence[Part],
    tag: str,
    *,
    lifetime: Header = caching.IMMUTABLE,
    modified: float = 0.0,
) -> Answer:
    """Several parts of one version, or a range of the whole, unless the caller has them.

    With a weak tag, for parts whose version says nothing surely of their bytes, the boundary differs each time.
    """
    is_exact = not tag.startswith("W/")
    tag = caching.format_tag(tag, f"{media_type} {request.root}", is_exact=is_exact)
    boundary = multipart.stable_boundary(tag) if is_exact else multipart.new_boundary()
    headers = [
        field("content-type", multipart.content_type(boundary, media_type)),
        field("etag", tag),
        lifetime,
        caching.VARY,
    ]
    size = _length(boundary, parts)
    can_be_read = size is not None and is_exact and all(part.read is not None for part in parts)
    return Representation(
        headers=headers,
        tag=tag,
        modified=modified,
        size=size,
        chunks=_write(boundary, parts),
        read=(lambda span: _read(boundary, parts, span)) if can_be_read else None,
        is_lasting=is_exact and len(parts) <= _MOST_KEPT,
        is_stored=True,
        is_direct=all(part.is_direct for part in parts),
        parts=len(parts),
    ).answer(request)


def answer_made(request: Request, media_type: str, parts: Iterable[Part], tag: str, lifetime: Header) -> Answer:
    """Parts that are made one after the other, always with the same bytes, unless the caller has them."""
    tag = caching.format_tag(tag, f"{media_type} {request.root}")
    boundary = multipart.stable_boundary(tag)
    content_type = field("content-type", multipart.content_type(boundary, media_type))
    headers = [content_type, field("etag", tag), lifetime, caching.VARY]
    return Representation(headers=headers, tag=tag, chunks=_write(boundary, parts), is_lasting=True).answer(request)


def answer_unmeasured(media_type: str, parts: Iterable[Part | Pause], headers: Sequence[Header]) -> Answer:
    """Parts that are made one after the other; between them it may have to be waited."""
    return _related(media_type, multipart.new_boundary(), parts, [*headers, caching.NO_RANGES], None)


def answer_single(
    request: Request,
    part: Part,
    tag: str,
    *,
    lifetime: Header = caching.IMMUTABLE,
    modified: float = 0.0,
    is_stored: bool = True,
    is_seekable: bool = False,
) -> Answer:
    """One part as the whole body, or the ranges of it that were asked for (V13).

    `is_stored`: its bytes can be read again as long as what is stored does not change. `is_seekable`: they cannot, but
    now a span costs what is in it.
    """
    headers = [
        field("content-type", part.content_type),
        field("content-location", part.location),
        field("etag", tag),
        lifetime,
        caching.VARY,
    ]
    return Representation(
        headers=headers,
        tag=tag,
        modified=modified,
        size=part.size,
        chunks=part.chunks,
        read=part.read,
        is_lasting=True,
        is_stored=is_stored,
        is_seekable=is_seekable,
        is_direct=part.is_direct,
    ).answer(request)


def answer_made_single(
    request: Request,
    make: Callable[[], Part],
    *,
    content_type: str,
    location: str,
    tag: str,
    lifetime: Header = caching.IMMUTABLE,
) -> Answer:
    """As `answer_single`, of what is made, and only if the caller has not got it."""
    headers = [
        field("content-type", content_type),
        field("content-location", location),
        field("etag", tag),
        lifetime,
        caching.VARY,
    ]
    early = Representation(headers=headers, tag=tag, is_lasting=True).judge(request)
    return early or answer_single(request, make(), tag, lifetime=lifetime, is_stored=False)


def _length(boundary: str, parts: Sequence[Part]) -> int | None:
    sizes = [(part.headers, part.size) for part in parts if part.size is not None]
    return multipart.content_length(boundary, sizes) if len(sizes) == len(parts) else None


def _related(
    media_type: str, boundary: str, parts: Iterable[Part | Pause], headers: Sequence[Header], size: int | None
) -> Answer:
    fields = [field("content-type", multipart.content_type(boundary, media_type)), caching.VARY, *headers]
    return Answer(headers=fields, chunks=_write(boundary, parts), size=size)


def _write(boundary: str, parts: Iterable[Part | Pause]) -> Iterator[Chunk]:
    is_first = True
    for part in parts:
        if isinstance(part, Pause):
            yield PAUSE
            continue
        yield multipart.part_head(boundary, part.headers, first=is_first)
        yield from part.chunks
        is_first = False
    yield multipart.closing(boundary)


def _read(boundary: str, parts: Sequence[Part], span: range) -> Iterator[Chunk]:
    """A span of what `_write` gives; parts that it does not touch are not read."""
    before = 0
    for number, part in enumerate(parts):
        assert part.size is not None, "ranges are offered only then"
        assert part.read is not None, "ranges are offered only then"
        head = multipart.part_head(boundary, part.headers, first=number == 0)
        yield head[_within(span, before, len(head))]
        before += len(head)
        inside = _within(span, before, part.size)
        if inside.start < inside.stop:
            yield from part.read(range(inside.start, inside.stop))
        before += part.size
        if before >= span.stop:
            return
    closing = multipart.closing(boundary)
    yield closing[_within(span, before, len(closing))]


def _within(span: range, before: int, size: int) -> slice:
    """What of a piece that begins at `before` lies in the span."""
    return slice(min(max(span.start - before, 0), size), min(max(span.stop - before, 0), size))
