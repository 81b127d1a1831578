"""What a converted object keeps beside the standard's attributes so that its sources can be had again, every byte.

The standard asks nobody to keep how numbers were spelled, which private block had which number, the preamble or the
padding of a file (LC-32). So an object made here has, behind its pixel data, a private sequence: for each source its
digest, and all of its bytes that are no pixel, compressed together, in which the frames have their places.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import zstandard

from dicomgate import errors
from dicomgate.dicom import values
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.multiframe import samples

CREATOR: Final = "dicomgate originals 1"
GROUP: Final = "7FE1"
RESERVATION: Final = "7FE10010"
SEQUENCE: Final = "7FE11000"
_FIRST, _COUNT, _SIZE, _CONTENT = "7FE11001", "7FE11002", "7FE11003", "7FE11004"
_LEVEL: Final = 3
_BLOCK: Final = 4 << 20
LARGEST_BLOCK: Final = 2 << 30
"""Bytes of one block before compression: one source whose header is larger is not believed."""
_HEAD: Final = struct.Struct("<32sI")
_PIECE: Final = struct.Struct("<BBBxIQQ")
_LITERAL, _FRAME = 0, 1
_SPREAD, _CHANGED = 1, 2


@dataclass(frozen=True, slots=True)
class Literal:
    """Bytes of a source that stand in the remainder."""

    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePart:
    """Bytes of a source that are some of its frame's in the object.

    `word`: how many of them change places; `is_spread`: every second byte is left out; `difference`: what they are
    combined with, where the frame was altered.
    """

    start: int
    length: int
    word: int = 1
    is_spread: bool = False
    difference: bytes | None = None


Piece = Literal | FramePart


@dataclass(frozen=True, slots=True)
class Original:
    """One source: the SHA-256 of its bytes, and what they are made of, in order."""

    digest: bytes
    pieces: tuple[Piece, ...]


@dataclass(slots=True)
class Keeper:
    """Gathers originals while the frames are written, and gives the elements that hold them."""

    _items: list[JSONDataset] = field(default_factory=list)
    _waiting: list[bytes] = field(default_factory=list)
    _first: int = 1
    _count: int = 0
    _size: int = 0

    def add(self, original: Original) -> None:
        """The source of the next frame."""
        for part in _format(original):
            self._waiting.append(part)
            self._size += len(part)
        self._count += 1
        if self._size >= _BLOCK:
            self._close()

    def elements(self) -> JSONDataset:
        """The private block; called once, when all are added."""
        self._close()
        return {
            RESERVATION: {"vr": "LO", "Value": [CREATOR]},
            SEQUENCE: {"vr": "SQ", "Value": self._items},
        }

    def _close(self) -> None:
        if not self._count:
            return
        content = zstandard.ZstdCompressor(level=_LEVEL).compress(b"".join(self._waiting))
        self._items.append(
            {
                _FIRST: {"vr": "UL", "Value": [self._first]},
                _COUNT: {"vr": "UL", "Value": [self._count]},
                _SIZE: {"vr": "UL", "Value": [self._size]},
                _CONTENT: {"vr": "OB", "InlineBinary": base64.b64encode(content).decode("ascii")},
            }
        )
        self._first += self._count
        self._waiting, self._count, self._size = [], 0, 0


def _format(original: Original) -> Iterator[bytes]:
    yield _HEAD.pack(original.digest, len(original.pieces))
    for piece in original.pieces:
        if isinstance(piece, Literal):
            yield _PIECE.pack(_LITERAL, 0, 0, 0, 0, len(piece.content))
            yield piece.content
            continue
        flags = (_SPREAD if piece.is_spread else 0) | (_CHANGED if piece.difference is not None else 0)
        yield _PIECE.pack(_FRAME, piece.word, flags, 0, piece.start, piece.length)
        if piece.difference is not None:
            yield piece.difference


@dataclass(frozen=True, slots=True)
class Block:
    """The originals of some frames, compressed: the element that holds them, and how large they are without that."""

    first: int
    count: int
    size: int
    content: dict[str, Any]


def find_blocks(attributes: JSONDataset) -> list[Block]:
    """The record of an object; none when it has none. Malformed when it is not as it was written."""
    if attributes.get(RESERVATION, {}).get("Value") != [CREATOR]:
        return []
    found = []
    for item in attributes.get(SEQUENCE, {}).get("Value") or ():
        counts = [(item or {}).get(tag, {}).get("Value") or [None] for tag in (_FIRST, _COUNT, _SIZE)]
        first, count, size = (given[0] for given in counts)
        if not (isinstance(first, int) and isinstance(count, int) and isinstance(size, int)):
            raise errors.Malformed("the record of the originals is not as it was written")
        found.append(Block(first, count, size, item.get(_CONTENT) or {}))
    return found


def read_block(content: bytes, count: int, size: int) -> Iterator[Original]:
    """The originals of one block. Malformed when it is damaged, TooLarge when it claims too much."""
    if size > LARGEST_BLOCK:
        raise errors.TooLarge(f"a record of originals of {size} bytes; at most {LARGEST_BLOCK} are taken")
    try:
        plain = zstandard.ZstdDecompressor().decompress(content, max_output_size=max(size, 1))
    except zstandard.ZstdError:
        raise errors.Malformed("the record of the originals is damaged") from None
    if len(plain) != size:
        raise errors.Malformed("the record of the originals is not as long as it says")
    try:
        at = 0
        for _ in range(count):
            original, at = _parse(plain, at)
            yield original
    except struct.error:
        raise errors.Malformed("the record of the originals ends too early") from None


def _parse(plain: bytes, at: int) -> tuple[Original, int]:
    digest, count = _HEAD.unpack_from(plain, at)
    at += _HEAD.size
    pieces: list[Piece] = []
    for _ in range(count):
        kind, word, flags, _, start, length = _PIECE.unpack_from(plain, at)
        at += _PIECE.size
        has_bytes = kind == _LITERAL or flags & _CHANGED
        if has_bytes and length > len(plain) - at:
            raise errors.Malformed("the record of the originals ends too early")
        content = plain[at : at + length] if has_bytes else b""
        at += len(content)
        if kind == _LITERAL:
            pieces.append(Literal(content))
            continue
        difference = content if flags & _CHANGED else None
        pieces.append(
            FramePart(start=start, length=length, word=word, is_spread=bool(flags & _SPREAD), difference=difference)
        )
    return Original(digest, tuple(pieces)), at


def join(original: Original, frame: bytes) -> list[bytes]:
    """The source's bytes. `frame`: that frame as it lies in the object. Malformed when the digest is another."""
    made = [_piece(piece, frame) for piece in original.pieces]
    digest = hashlib.sha256()
    for part in made:
        digest.update(part)
    if digest.digest() != original.digest:
        raise errors.Malformed("what was restored is not what was converted: the digests differ")
    return made


def _piece(piece: Piece, frame: bytes) -> bytes:
    if isinstance(piece, Literal):
        return piece.content
    step = 2 if piece.is_spread else 1
    part = frame[piece.start : piece.start + step * piece.length]
    if len(part) != step * piece.length:
        raise errors.Malformed("a frame is shorter than that of its original was")
    if piece.difference is not None:
        part = samples.restore(part, piece.difference, is_spread=piece.is_spread)
    return values.swap(part, piece.word)
