"""Where each frame's bytes lie: native, by an offset table that holds true, or by the fragments (PS3.5 §8, §A.4).

A table is kept with the index in two parts: a small summary, and for compressed frames chunks of CHUNK frames each,
so that finding a frame costs the same whatever its number.
"""

from __future__ import annotations

import enum
import itertools
import struct
import sys
from array import array
from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from dicomgate import errors
from dicomgate.dicom import bulk, values
from dicomgate.dicom.bulk import Place
from dicomgate.dicom.encapsulation import Fragments
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.limits import Limits
from dicomgate.dicom.source import Source
from dicomgate.dicom.syntaxes import Syntax

CHUNK = 256
PIXELS = ("7FE00010", "7FE00008", "7FE00009")
_RLE = "1.2.840.10008.1.2.5"


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeFrames:
    """Uncompressed frames, one after the other bit by bit. `swap_word`: how many bytes change places, 1 for none."""

    count: int
    offset: int
    length: int
    frame_bits: int
    swap_word: int = 1

    def find(self, number: int) -> tuple[range, int, int] | None:
        """The bytes that hold a frame, from 1, and in them (words turned) its first bit and how many bits it has."""
        if not 1 <= number <= self.count:
            return None
        first = (number - 1) * self.frame_bits
        start = first // 8 // self.swap_word * self.swap_word
        stop = -(-(first + self.frame_bits) // (8 * self.swap_word)) * self.swap_word
        span = range(self.offset + start, self.offset + min(stop, self.length))
        return span, first - 8 * start, self.frame_bits

    def summary(self) -> dict[str, Any]:
        """What `from_summary` makes this again from."""
        return {"kind": "native", **asdict(self)}

    def chunks(self) -> tuple[bytes, ...]:
        """None: a multiplication finds a frame."""
        return ()


class Kind(enum.StrEnum):
    """What is known of the bounds of compressed frames."""

    FRAGMENTS = "fragments"  # which fragments each frame has
    STREAM = "stream"  # video: one stream, which only goes out whole; it stands as frame 1
    UNKNOWN = "unknown"  # nothing tells; no frame can be had


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentFrames:
    """Compressed frames. Frame n has the fragments from `firsts[n - 1]` to before `firsts[n]`, as far as known."""

    kind: Kind
    count: int
    starts: array[int]
    lengths: array[int]
    firsts: array[int]

    def find(self, number: int) -> tuple[range, ...] | None:
        """The fragments of a frame, from 1: joined they are its codestream. None: no such frame, or not to be told."""
        if not 1 <= number < len(self.firsts):
            return None
        first, after = self.firsts[number - 1], self.firsts[number]
        spans = zip(self.starts[first:after], self.lengths[first:after], strict=True)
        return tuple(range(start, start + length) for start, length in spans)

    def summary(self) -> dict[str, Any]:
        """What `from_summary` makes a FragmentSummary from."""
        return {"kind": self.kind.value, "count": self.count}

    def chunks(self) -> tuple[bytes, ...]:
        """The fragments of CHUNK frames each, for `parse_chunk`."""
        known = len(self.firsts) - 1
        return tuple(self._chunk(first, min(first + CHUNK, known)) for first in range(0, known, CHUNK))

    def _chunk(self, first: int, after: int) -> bytes:
        """How many frames, how many fragments each has, and all their offsets and lengths; little endian."""
        bounds = self.firsts[first : after + 1]
        sizes = [later - earlier for earlier, later in itertools.pairwise(bounds)]
        total = sum(sizes)
        starts, lengths = self.starts[bounds[0] : bounds[-1]], self.lengths[bounds[0] : bounds[-1]]
        return struct.pack(f"<I{len(sizes)}I{total}Q{total}Q", len(sizes), *sizes, *starts, *lengths)


FrameTable = NativeFrames | FragmentFrames


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentSummary:
    """A table of compressed frames whose chunks lie elsewhere."""

    kind: Kind
    count: int

    def locate(self, number: int) -> tuple[int, int] | None:
        """Which chunk, and which entry in it, a frame has, both from 0; None where no bytes are known to be its own."""
        known = {Kind.FRAGMENTS: self.count, Kind.STREAM: 1, Kind.UNKNOWN: 0}[self.kind]
        return divmod(number - 1, CHUNK) if 1 <= number <= known else None


def from_summary(summary: dict[str, Any]) -> NativeFrames | FragmentSummary:
    """The table that a summary was made of, without what stands in chunks."""
    given = {name: value for name, value in summary.items() if name != "kind"}
    if summary["kind"] == "native":
        return NativeFrames(**given)
    return FragmentSummary(kind=Kind(summary["kind"]), **given)


def parse_chunk(chunk: bytes) -> list[tuple[range, ...]]:
    """The fragments of each frame of a chunk that `chunks` made."""
    (count,) = struct.unpack_from("<I", chunk)
    sizes = struct.unpack_from(f"<{count}I", chunk, 4)
    total = sum(sizes)
    numbers = struct.unpack_from(f"<{2 * total}Q", chunk, 4 + 4 * count)
    spans = iter(zip(numbers[:total], numbers[total:], strict=True))
    return [tuple(_take(spans, size)) for size in sizes]


def _take(spans: Iterator[tuple[int, int]], count: int) -> Iterator[range]:
    for _, (start, length) in zip(range(count), spans, strict=False):
        yield range(start, start + length)


def swap_words(chunks: Iterable[bytes], word: int) -> Iterator[bytes]:
    """The same bytes, each whole word reversed, however they are cut into chunks."""
    if word < 2:
        yield from chunks
        return
    rest = b""
    for chunk in chunks:
        joined = rest + chunk
        whole = len(joined) - len(joined) % word
        rest = joined[whole:]
        if whole:
            yield values.swap(joined[:whole], word)
    if rest:
        yield rest


def cut_bits(chunks: Iterable[bytes], first_bit: int, bit_count: int) -> Iterator[bytes]:
    """So many bits from `first_bit` on, lowest first in a byte; the last byte is filled with zeros (PS3.5 §8.1.1)."""
    skip, shift = divmod(first_bit, 8)
    left = -(-bit_count // 8)
    tail_mask = 0xFF if bit_count % 8 == 0 else (1 << bit_count % 8) - 1
    for piece in _shifted(_skipped(chunks, skip), shift):
        part = piece[:left]
        left -= len(part)
        if part:
            yield part if left else part[:-1] + bytes((part[-1] & tail_mask,))
        if not left:
            return


def join_bits(frames: Iterable[bytes], frame_bits: int) -> Iterator[bytes]:
    """Frames of so many bits each, lowest first in a byte, without anything between them (PS3.5 §8.1.1)."""
    waiting = bits = 0
    mask = (1 << frame_bits) - 1
    for frame in frames:
        waiting |= (int.from_bytes(frame, "little") & mask) << bits
        bits += frame_bits
        whole = bits // 8
        yield (waiting & ((1 << 8 * whole) - 1)).to_bytes(whole, "little")
        waiting >>= 8 * whole
        bits -= 8 * whole
    if bits:
        yield waiting.to_bytes(1, "little")


def _skipped(chunks: Iterable[bytes], count: int) -> Iterator[bytes]:
    for chunk in chunks:
        if count < len(chunk):
            yield chunk[count:]
            count = 0
        else:
            count -= len(chunk)


def _shifted(chunks: Iterable[bytes], shift: int) -> Iterator[bytes]:
    """The bits moved down; a byte waits until its upper bits are there."""
    if not shift:
        yield from chunks
        return
    rest = b""
    for chunk in chunks:
        joined = rest + chunk
        number = int.from_bytes(joined, "little") >> shift
        moved = number.to_bytes(len(joined), "little")
        yield moved[:-1]
        rest = joined[-1:]
    if rest:
        yield bytes((rest[0] >> shift,))


# Building a table from what the header says and what the bytes show


class Found(Protocol):
    """What a scan found: the places of values, and the fragments of compressed pixel data."""

    bulk: dict[str, Place]
    fragments: Fragments | None


def build(
    source: Source, attributes: JSONDataset, found: Found, syntax: Syntax | None, limits: Limits
) -> FrameTable | None:
    """The frames of a data set; None when it has no pixel data.

    Malformed when the transfer syntax says otherwise than the pixel data how it is encoded, TooLarge when a frame is
    beyond the limit.
    """
    tag = next((tag for tag in PIXELS if tag in found.bulk), None)
    if tag is None:
        return None
    is_compressed = found.fragments is not None
    if syntax is not None and syntax.is_encapsulated != is_compressed:
        kind = "fragments" if is_compressed else "no fragments"
        raise errors.Malformed(f"the pixel data has {kind}, which transfer syntax {syntax.uid} does not allow")
    if found.fragments is not None:
        return _compressed(source, attributes, found.bulk, found.fragments, syntax)
    return _native(attributes, found.bulk[tag], tag, limits)


def _number(attributes: JSONDataset, tag: str, default: int) -> int:
    """The one number of an attribute, if it is one (T3: dimensions only as numbers)."""
    given = attributes.get(tag, {}).get("Value") or [default]
    return given[0] if isinstance(given[0], int) else default


def _frame_count(attributes: JSONDataset) -> int:
    return max(_number(attributes, "00280008", 1), 1)


_HALF_COLOUR = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})
"""Two chrominance samples for two pixels: two samples a pixel, not three (PS3.3 C.7.6.3.1.2)."""


def _native(attributes: JSONDataset, place: Place, tag: str, limits: Limits) -> NativeFrames:
    """Frames of the size that Rows and the others say, as many as are really there."""
    bits = _number(attributes, "00280100", {"7FE00008": 32, "7FE00009": 64}.get(tag, 0))
    samples = _number(attributes, "00280002", 1)
    promised = _frame_count(attributes)
    plane = _number(attributes, "00280010", 0) * _number(attributes, "00280011", 0) * bits
    if plane * samples > 8 * limits.frame:
        raise errors.TooLarge(f"a frame of more than {limits.frame} bytes")
    interpretation = (attributes.get("00280004", {}).get("Value") or [""])[0]
    if samples == 3 and interpretation in _HALF_COLOUR and promised * plane * samples > 8 * place.length:
        samples = 2
    frame_bits = max(plane * samples, 0)
    count = min(promised, 8 * place.length // frame_bits) if frame_bits else 0
    return NativeFrames(
        count=count, offset=place.offset, length=place.length, frame_bits=frame_bits, swap_word=place.word
    )


def word(attributes: JSONDataset, tag: str, vr: str) -> int:
    """The bytes that change places in a big endian value: as many as a pixel has, where pixels are wider than words.

    PS3.5 has OW in words of two bytes; in files with 32 bits allocated all four are found reversed.
    """
    if tag == PIXELS[0] and vr == "OW":
        return max(bulk.WORD[vr], _number(attributes, "00280100", 16) // 8) if _is_wide(attributes) else bulk.WORD[vr]
    return bulk.WORD.get(vr, 1)


def _is_wide(attributes: JSONDataset) -> bool:
    return _number(attributes, "00280100", 16) in {32, 64}


def _compressed(
    source: Source, attributes: JSONDataset, places: dict[str, Place], fragments: Fragments, syntax: Syntax | None
) -> FragmentFrames:
    """The first way to find frame bounds that the fragments bear out."""
    count = _frame_count(attributes)
    if syntax is not None and syntax.is_video:
        return _table(Kind.STREAM, count, fragments, array("Q", (0, len(fragments))))
    firsts = (
        _extended_table(source, attributes, places, fragments, count)
        or _basic_table(source, fragments, count)
        or _by_number(fragments, count, syntax)
        or _by_markers(source, fragments, count)
    )
    if firsts is None:
        return _table(Kind.UNKNOWN, count, fragments, array("Q", (0,)))
    return _table(Kind.FRAGMENTS, len(firsts) - 1, fragments, firsts)


def _table(kind: Kind, count: int, fragments: Fragments, firsts: array[int]) -> FragmentFrames:
    return FragmentFrames(kind=kind, count=count, starts=fragments.starts, lengths=fragments.lengths, firsts=firsts)


def _extended_table(
    source: Source, attributes: JSONDataset, places: dict[str, Place], fragments: Fragments, count: int
) -> array[int] | None:
    """Bounds by Extended Offset Table (7FE0,0001), and the codestreams' true lengths by (7FE0,0002)."""
    tables = []
    for tag in ("7FE00001", "7FE00002"):
        raw = _table_bytes(source, attributes.get(tag, {}), places.get(tag), 8 * count)
        tables.append(_numbers(raw, "Q") if len(raw) == 8 * count else None)
    offsets, lengths = tables
    firsts = _bounds(offsets, fragments) if offsets is not None else None
    if firsts is not None and lengths is not None and len(fragments) == count:
        _trim(fragments, lengths)
    return firsts


def _table_bytes(source: Source, element: values.Element, place: Place | None, most: int) -> bytes:
    """The bytes of a value, whether it is bulk data or not."""
    if place is None:
        return b64decode(element.get("InlineBinary", ""))
    return source.read_at(place.offset, place.length) if place.length <= most else b""


def _trim(fragments: Fragments, lengths: array[int]) -> None:
    """Leave the pad bytes away that the table tells of, if it can be true of every fragment."""
    if all(have - 1 <= length <= have for have, length in zip(fragments.lengths, lengths, strict=True)):
        fragments.lengths = lengths


def _basic_table(source: Source, fragments: Fragments, count: int) -> array[int] | None:
    """Bounds by Basic Offset Table."""
    table = fragments.table
    if not table or len(table) != 4 * count:
        return None
    return _bounds(_numbers(source.read_at(table.start, len(table)), "I"), fragments)


def _numbers(raw: bytes, letter: str) -> array[int]:
    numbers = array(letter, raw)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _bounds(offsets: Sequence[int], fragments: Fragments) -> array[int] | None:
    """The first fragment of each frame, if every offset is where a fragment's item begins, in ascending order."""
    if not len(fragments):
        return None
    firsts = array("Q")
    base = fragments.starts[0] - 8
    number = 0
    for offset in offsets:
        while number < len(fragments) and fragments.starts[number] - 8 - base < offset:
            number += 1
        if (
            number == len(fragments)
            or fragments.starts[number] - 8 - base != offset
            or firsts[-1:] == array("Q", (number,))
        ):
            return None
        firsts.append(number)
    if firsts[0] != 0:
        return None
    firsts.append(len(fragments))
    return firsts


def _by_number(fragments: Fragments, count: int, syntax: Syntax | None) -> array[int] | None:
    """One frame has all fragments; as many fragments as frames, or RLE, has one each (PS3.5 §A.4.2)."""
    if count == 1:
        return array("Q", (0, len(fragments))) if len(fragments) else array("Q", (0,))
    if len(fragments) == count or (syntax is not None and syntax.uid == _RLE and 0 < len(fragments) < count):
        return array("Q", range(len(fragments) + 1))
    return None


_BEGINNINGS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\xff\x0a", b"\0\0\0\x0cJXL \x0d\x0a\x87\x0a", b"\0\0\0\x0cjP  ")
"""JPEG and JPEG-LS, JPEG 2000, JPEG XL bare and boxed, and JPEG 2000 in the box that DICOM forbids."""


def _by_markers(source: Source, fragments: Fragments, count: int) -> array[int] | None:
    """Bounds by fragments that begin as codestreams do, if there are as many of them as frames.

    Fewer frames than promised are believed only if each fragment is one.
    """
    firsts = array("Q")
    for number, start in enumerate(fragments.starts):
        if source.read_at(start, 12).startswith(_BEGINNINGS):
            firsts.append(number)
    if firsts[:1] != array("Q", (0,)):
        return None
    if len(firsts) != count and not len(firsts) == len(fragments) < count:
        return None
    firsts.append(len(fragments))
    return firsts
