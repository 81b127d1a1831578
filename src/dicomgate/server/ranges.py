"""Parts of a body by their bytes: one range, or several in multipart/byteranges (GEN-12, V13; RFC 9110 §14)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from dicomgate.dicomweb import multipart
from dicomgate.origin import Chunk
from dicomgate.server import caching
from dicomgate.server.answers import Answer, Header
from dicomgate.server.exchange import field
from dicomgate.server.requests import Request

Read = Callable[[range], Iterator[Chunk]]
"""Gives the bytes of a span of the whole; may be asked any number of times."""

BYTES: Final[Header] = (b"accept-ranges", b"bytes")

_ONE: Final = re.compile(r"([0-9]{0,18})-([0-9]{0,18})")
_LONGEST: Final = 2000
MOST: Final = 64
"""Ranges of one request; who asks for more gets the whole."""
_NEAR: Final = 200
"""A gap that is cheaper to send than to leave out."""


def answer(
    request: Request, headers: list[Header], size: int, tag: str, *, modified: str | None, read: Read, most: int = MOST
) -> Answer | None:
    """The answer to a request for parts, 206 or 416; None when the whole is to be sent, as to who asks for too many."""
    spans = wanted(request, size, tag, modified)
    if spans is None or len(spans) > most:
        return None
    if not spans:
        end = (b"content-range", b"bytes */%d" % size)
        return caching.refuse(request, 416, f"the ranges asked for are past the end, at {size} bytes", end)
    if len(spans) == 1:
        (span,) = spans
        return Answer(status=206, headers=[*headers, _content_range(span, size)], chunks=read(span), size=len(span))
    return _several(headers, spans, size, tag, read)


def wanted(request: Request, size: int, tag: str, modified: str | None = None) -> list[range] | None:
    """The spans asked for, in the caller's order; none when all are past the end.

    None when the whole is to be sent: nothing was asked, nothing that we follow, or of another version (§13.1.5).
    """
    asked = request.header(b"range")
    if asked is None or request.method != "GET":
        return None
    condition = request.header(b"if-range")
    if condition is not None and (condition.startswith("W/") or condition not in {tag, modified}):
        return None
    parsed = parse(asked, size)
    return None if parsed is None else merged(parsed)


def parse(text: str, size: int) -> list[range] | None:
    """The spans that a Range field names within so many bytes. None when it is not one that we follow."""
    unit, equals, listed = text.partition("=")
    if unit.strip().lower() != "bytes" or not equals or len(listed) > _LONGEST:
        return None
    pieces = [piece.strip() for piece in listed.split(",") if piece.strip()]
    if not 1 <= len(pieces) <= MOST:
        return None
    spans = []
    for piece in pieces:
        span = _parse_one(piece, size)
        if span is None:
            return None
        if span:
            spans.append(span)
    return spans


def _parse_one(piece: str, size: int) -> range | None:
    """One span, empty when it is past the end; None when it breaks the grammar."""
    match = _ONE.fullmatch(piece)
    if match is None or piece == "-":
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    return range(min(int(first), size), min(int(last) + 1, size) if last else size)


def merged(spans: list[range]) -> list[range]:
    """The same as asked, unless some overlap or nearly touch: then as few as will do, in order (§15.3.7.2)."""
    ordered = sorted(spans, key=lambda span: span.start)
    if all(before.stop + _NEAR < after.start for before, after in pairwise(ordered)):
        return spans
    merged = ordered[:1]
    for span in ordered[1:]:
        before = merged[-1]
        if before.stop + _NEAR < span.start:
            merged.append(span)
        else:
            merged[-1] = range(before.start, max(before.stop, span.stop))
    return merged


def _several(headers: list[Header], spans: Sequence[range], size: int, tag: str, read: Read) -> Answer:
    content_type = next(value for name, value in headers if name == b"content-type").decode("latin-1")
    told = [[("Content-Type", content_type), ("Content-Range", _format_range(span, size))] for span in spans]
    boundary = multipart.stable_boundary(f"{tag} {spans}")
    length = multipart.content_length(boundary, list(zip(told, map(len, spans), strict=True)))
    fields = [header for header in headers if header[0] != b"content-type"]
    fields.append(field("content-type", f"multipart/byteranges; boundary={boundary}"))
    return Answer(status=206, headers=fields, chunks=_write(boundary, told, spans, read), size=length)


def _write(
    boundary: str, told: Sequence[Sequence[tuple[str, str]]], spans: Sequence[range], read: Read
) -> Iterator[Chunk]:
    for number, (lines, span) in enumerate(zip(told, spans, strict=True)):
        yield multipart.part_head(boundary, lines, first=number == 0)
        yield from read(span)
    yield multipart.closing(boundary)


def _content_range(span: range, size: int) -> Header:
    return b"content-range", _format_range(span, size).encode("ascii")


def _format_range(span: range, size: int) -> str:
    return f"bytes {span.start}-{span.stop - 1}/{size}"
