"""Answers that leave compressed: which coding the caller takes, and the body in it (RFC 9110 §8.4.1, §12.5.3)."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

import zstandard

from dicomgate.origin import PAUSE
from dicomgate.server.answers import Header

NONE: Final = ""
"""As it is."""

_OFFERED: Final = ("zstd", "gzip")
"""Of two that the caller takes alike the first: it costs a fifth and leaves less."""
_ALIASES: Final = {"x-gzip": "gzip"}
_MOST: Final = 32
_GZIP: Final = 31
_LEVELS: Final = {"zstd": 3, "gzip": 1}
"""Metadata repeats itself so much that higher levels gain next to nothing."""
_BLOCK_ENDS: Final = {"zstd": zstandard.COMPRESSOBJ_FLUSH_BLOCK, "gzip": zlib.Z_SYNC_FLUSH}
"""So that what was given so far can be read at the other end."""


def choose(accepted: str | None) -> str:
    """The coding to use for who sends this Accept-Encoding; NONE where none is wanted."""
    return NONE if accepted is None else _choose(accepted[:1000])


@functools.lru_cache(maxsize=256)
def _choose(accepted: str) -> str:
    qualities = dict(_parse(member) for member in accepted.split(",")[:_MOST])
    rest = qualities.get("*", 0.0)
    wanted = {name: qualities.get(name, rest) for name in _OFFERED}
    best = max(_OFFERED, key=lambda name: wanted[name])
    return best if wanted[best] > 0 and wanted[best] >= qualities.get("identity", 0.0) else NONE


def headers(coding: str) -> list[Header]:
    """What tells the caller of it."""
    return [(b"content-encoding", coding.encode("ascii"))] if coding else []


def compress(chunks: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """The chunks in that coding, the same bytes for the same chunks each time."""
    if coding == NONE:
        yield from chunks
        return
    compressor = _compressor(coding)
    for chunk in chunks:
        if made := compressor.compress(chunk):
            yield made
        if chunk is PAUSE:
            yield compressor.flush(_BLOCK_ENDS[coding])
            yield PAUSE
    yield compressor.flush()


def _compressor(coding: str) -> zlib._Compress | zstandard.ZstdCompressionObj:
    if coding == "gzip":
        return zlib.compressobj(_LEVELS[coding], zlib.DEFLATED, _GZIP)
    return zstandard.ZstdCompressor(level=_LEVELS[coding]).compressobj()


def _parse(member: str) -> tuple[str, float]:
    """One member and its weight; one that cannot be read is not wanted."""
    name, _, weight = member.partition(";")
    name = name.strip().lower()
    key, _, text = weight.partition("=")
    try:
        quality = float(text) if key.strip().lower() == "q" and len(text) <= _MOST else 0.0 if weight else 1.0
    except ValueError:
        quality = 0.0
    return _ALIASES.get(name, name), quality if 0.0 <= quality <= 1.0 else 0.0
