"""Spans of bytes: a span of what several ranges hold when joined, and a span of chunks that are made, not read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def within(ranges: Sequence[range], span: range) -> list[range]:
    """The parts of the ranges that a span of their concatenation covers."""
    parts: list[range] = []
    before = 0
    for part in ranges:
        low = max(span.start - before, 0)
        high = min(span.stop - before, len(part))
        if low < high:
            parts.append(part[low:high])
        before += len(part)
    return parts


def cut(chunks: Iterable[bytes], span: range) -> Iterator[bytes]:
    """The bytes that a span of the joined chunks covers; chunks after it are not asked for."""
    before = 0
    for chunk in chunks:
        piece = chunk[max(span.start - before, 0) : max(span.stop - before, 0)]
        before += len(chunk)
        if piece:
            yield piece
        if before >= span.stop:
            return
