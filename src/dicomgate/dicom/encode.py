"""Data sets of the DICOM JSON model as Explicit VR Little Endian, as a stream (PS3.5 §7, §A.2, §A.4; PS3.18 Annex F).

Values that the model names by BulkDataURI come from whoever asks, in chunks: no large value is ever held whole. Texts
leave in the default repertoire where that suffices, else in UTF-8 (ISO_IR 192), and the data set says which.
"""

from __future__ import annotations

import binascii
import math
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dicomgate import errors
from dicomgate.dicom import attributes as dictionary
from dicomgate.dicom import bulk, forms, values
from dicomgate.dicom.jsonmodel import JSONDataset

Element = dict[str, Any]

CHARSET = "00080005"
UNICODE = "ISO_IR 192"
_UNICODE: Element = {"vr": "CS", "Value": [UNICODE]}
PIXEL_DATA = "7FE00010"
OFFSETS, LENGTHS = "7FE00001", "7FE00002"
"""Extended Offset Table, and its Lengths: with pixel data whose basic table would overflow (PS3.3 C.7.6.3.1.8)."""

STEP = 1 << 20
_BATCH = 64 << 10
_LONGEST_SHORT = 65534
_LONGEST = 0xFFFFFFFE
_LONGEST_DECIMAL = 16
_PADDED_WITH_NUL = frozenset({"UI", "OB", "UN", "OW", "OL", "OF", "OD", "OV"})
_SEVERAL = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UC", "UI"})
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_BINARY = {
    "US": struct.Struct("<H"),
    "SS": struct.Struct("<h"),
    "UL": struct.Struct("<I"),
    "SL": struct.Struct("<i"),
    "UV": struct.Struct("<Q"),
    "SV": struct.Struct("<q"),
    "FL": struct.Struct("<f"),
    "FD": struct.Struct("<d"),
}
_REAL = frozenset({"FL", "FD"})

ITEM = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
ITEM_END = b"\xfe\xff\x0d\xe0\0\0\0\0"
SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"
_FRAGMENT = b"\xfe\xff\x00\xe0"


@dataclass(frozen=True, slots=True)
class BulkValue:
    """The bytes of a value, little endian, without padding."""

    size: int
    chunks: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Frames:
    """Compressed pixel data: the size of each frame's codestream, and their chunks in that order."""

    sizes: Sequence[int]
    chunks: Iterable[Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """A compressed value as it lies elsewhere: its items with their heads, offset table first, no delimiter."""

    chunks: Iterable[bytes]


FindBulk = Callable[[str, Element], BulkValue | Frames | Encapsulated]
"""From a value's path, as `bulk.format_path` names it, and its element to its bytes."""


def no_bulk(path: str, element: Element) -> BulkValue | Frames | Encapsulated:  # noqa: ARG001 (a FindBulk)
    """For data sets without bulk data: whatever asks is Malformed."""
    raise errors.Malformed(f"{path}: expected a value, saw a BulkDataURI")


def write_dataset(attributes: JSONDataset, find_bulk: FindBulk = no_bulk) -> Iterator[bytes]:
    """The data set's bytes in chunks of at most 1 MiB.

    Malformed, with the attribute's path, for a value that its VR cannot hold. Group lengths and file meta information
    are left out; values too long for their VR's short form become UN (PS3.5 §6.2.2).
    """
    if is_ascii(attributes):
        return batched(write_elements(attributes, find_bulk, codec="ascii"))
    return batched(write_elements({**attributes, CHARSET: _UNICODE}, find_bulk, codec="utf_8"))


def write_elements(
    attributes: JSONDataset, find_bulk: FindBulk = no_bulk, *, codec: str, is_implicit: bool = False
) -> Iterator[bytes]:
    """Elements that become part of a data set which has its own beginning, in pieces; texts as `codec` writes them.

    Malformed as `write_dataset`; also for text that the codec does not have. `is_implicit`: without VR (PS3.5 §7.1.3).
    """
    return _dataset(attributes, (), _Manner(find_bulk, codec, implicit_head if is_implicit else head))


def is_ascii(attributes: JSONDataset) -> bool:
    """True when the default repertoire holds every text, at any depth."""
    return all(_is_ascii(element) for element in attributes.values())


def _is_ascii(element: Element) -> bool:
    vr = element.get("vr")
    if vr == "SQ":
        return all(is_ascii(item or {}) for item in element.get("Value") or ())
    if vr not in values.TEXTS:
        return True
    return all(_is_ascii_value(value) for value in element.get("Value") or ())


def _is_ascii_value(value: Any) -> bool:
    texts = value.values() if isinstance(value, dict) else (value,)
    return all(text.isascii() for text in texts if isinstance(text, str))


def batched(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Small pieces joined, large ones as they come."""
    batch = bytearray()
    for piece in pieces:
        if len(piece) >= _BATCH:
            if batch:
                yield bytes(batch)
                batch.clear()
            yield piece
            continue
        batch += piece
        if len(batch) >= _BATCH:
            yield bytes(batch)
            batch.clear()
    if batch:
        yield bytes(batch)


# Data sets and sequences.

Steps = tuple[tuple[str, int], ...]
Head = Callable[[str, str, int], bytes]


@dataclass(frozen=True, slots=True)
class _Manner:
    """How everything in one data set is written."""

    find_bulk: FindBulk
    codec: str
    head: Head


def _dataset(attributes: JSONDataset, steps: Steps, manner: _Manner) -> Iterator[bytes]:
    for tag in sorted(attributes):
        if tag.endswith("0000") or tag.startswith(("0002", "FFFE")):
            continue
        if tag in (OFFSETS, LENGTHS) and not steps and "BulkDataURI" in attributes.get(PIXEL_DATA, {}):
            continue  # they are made anew with the pixel data they tell of
        element = attributes[tag] if tag != CHARSET or manner.codec == "ascii" else _UNICODE
        if element.get("vr") == "SQ":
            yield from _sequence(tag, element, steps, manner)
        elif "BulkDataURI" in element:
            yield from _bulk(tag, element, steps, manner)
        else:
            try:
                yield write_element(tag, element, manner.codec, manner.head)
            except errors.Malformed as fault:
                raise errors.Malformed(f"{bulk.format_path(steps, '')}{fault.message}") from None


def _sequence(tag: str, element: Element, steps: Steps, manner: _Manner) -> Iterator[bytes]:
    yield manner.head(tag, "SQ", forms.UNDEFINED)
    for number, item in enumerate(element.get("Value") or (), 1):
        yield ITEM
        yield from _dataset(item or {}, (*steps, (tag, number)), manner)
        yield ITEM_END
    yield SEQUENCE_END


def _bulk(tag: str, element: Element, steps: Steps, manner: _Manner) -> Iterator[bytes]:
    path = bulk.format_path(steps, tag)
    found = manner.find_bulk(path, element)
    if isinstance(found, Frames):
        yield from _frames(path, found)
        return
    vr = str(element.get("vr") or dictionary.vr(tag))
    if isinstance(found, Encapsulated):
        yield manner.head(tag, vr, forms.UNDEFINED)
        for chunk in found.chunks:
            yield from _cut(chunk)
        yield SEQUENCE_END
        return
    if found.size > _LONGEST:
        raise errors.Malformed(f"{path}: a value of {found.size} bytes; at most {_LONGEST} can be written")
    yield manner.head(tag, vr, found.size + found.size % 2)
    size = 0
    for chunk in found.chunks:
        size += len(chunk)
        yield from _cut(chunk)
    assert size == found.size, "a bulk value has the size it says"
    if size % 2:
        yield pad(vr)


def _cut(chunk: bytes) -> Iterator[bytes]:
    return (chunk[at : at + STEP] for at in range(0, len(chunk), STEP)) if len(chunk) > STEP else iter((chunk,))


# Compressed pixel data (PS3.5 §A.4).


def _frames(path: str, frames: Frames) -> Iterator[bytes]:
    if path != PIXEL_DATA:
        raise errors.Malformed(f"{path}: only Pixel Data of the data set itself can be compressed")
    padded_sizes = [size + size % 2 for size in frames.sizes]
    basic: list[int] = []
    if len(padded_sizes) > 1 and max(padded_sizes) <= _LONGEST:
        offsets = _offsets(padded_sizes)
        if offsets[-1] <= _LONGEST:
            basic = offsets
        else:
            yield _words(OFFSETS, offsets)
            yield _words(LENGTHS, frames.sizes)
    yield head(PIXEL_DATA, "OB", forms.UNDEFINED)
    yield _FRAGMENT + struct.pack(f"<I{len(basic)}I", 4 * len(basic), *basic)
    for size, chunks in zip(frames.sizes, frames.chunks, strict=True):
        yield from _frame(size, chunks)
    yield SEQUENCE_END


def _offsets(padded_sizes: Sequence[int]) -> list[int]:
    offsets, at = [], 0
    for size in padded_sizes:
        offsets.append(at)
        at += size + len(_FRAGMENT) + 4
    return offsets


def _words(tag: str, numbers: Sequence[int]) -> bytes:
    return head(tag, "OV", 8 * len(numbers)) + struct.pack(f"<{len(numbers)}Q", *numbers)


def _frame(size: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """One fragment; of a video beyond 4 GiB several."""
    left, of_fragment, seen = size, 0, 0
    for chunk in chunks:
        rest = memoryview(chunk)
        seen += len(rest)
        while rest:
            if not of_fragment:
                of_fragment = min(left, _LONGEST)
                yield _FRAGMENT + struct.pack("<I", of_fragment + of_fragment % 2)
            piece = rest[: min(of_fragment, STEP)]
            yield bytes(piece)
            rest = rest[len(piece) :]
            of_fragment -= len(piece)
            left -= len(piece)
    assert seen == size, "a frame has the size it says"
    if size % 2:
        yield b"\0"


# Elements.


def head(tag: str, vr: str, length: int) -> bytes:
    """Tag, VR and length; UN where the length does not fit the VR's own form (PS3.5 §6.2.2 note 5)."""
    group, element = int(tag[:4], 16), int(tag[4:], 16)
    if vr in forms.LONG_VRS or length > _LONGEST_SHORT:
        name = vr if vr in forms.LONG_VRS else "UN"
        return struct.pack("<HH2sHI", group, element, name.encode(), 0, length)
    return struct.pack("<HH2sH", group, element, vr.encode(), length)


def implicit_head(tag: str, vr: str, length: int) -> bytes:  # noqa: ARG001 (a Head)
    """Tag and length: what an element begins with where the dictionary tells the VR."""
    return struct.pack("<HHI", int(tag[:4], 16), int(tag[4:], 16), length)


def padded(value: bytes, vr: str) -> bytes:
    """The value with an even number of bytes."""
    return value if len(value) % 2 == 0 else value + pad(vr)


def pad(vr: str) -> bytes:
    """What makes a value of the VR even (PS3.5 §6.2)."""
    return b"\0" if vr in _PADDED_WITH_NUL else b" "


def write_element(tag: str, element: Element, codec: str = "utf_8", begin: Head = head) -> bytes:
    """One element that is neither a sequence nor bulk data. Malformed for a value that its VR cannot hold."""
    vr = element.get("vr") or dictionary.vr(tag)
    if vr.encode() not in forms.VRS or vr == "SQ":
        raise errors.Malformed(f"{tag}: expected a value representation of PS3.5, saw {len(vr)} other characters")
    value = padded(write_value(tag, vr, element, codec), vr)
    return begin(tag, vr, len(value)) + value


def write_value(tag: str, vr: str, element: Element, codec: str) -> bytes:
    """The value field, not padded. Malformed as `write_element`; also for text that the codec does not have."""
    if "InlineBinary" in element:
        return _inline(tag, element["InlineBinary"])
    given = element.get("Value") or ()
    if not given:
        return b""
    try:
        return _write(vr, given, codec)
    except UnicodeEncodeError:
        raise errors.Malformed(f"{tag}: characters that the character set does not have") from None
    except (struct.error, ValueError, TypeError, OverflowError):
        raise errors.Malformed(f"{tag}: a value that is none of VR {vr}") from None


def _inline(tag: str, text: Any) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError, TypeError):
        raise errors.Malformed(f"{tag}: expected base64 as InlineBinary") from None


def _write(vr: str, given: Sequence[Any], codec: str) -> bytes:
    if vr in _BINARY:
        return b"".join(_number(vr, value) for value in given)
    if vr == "AT":
        return b"".join(_tag(value) for value in given)
    texts = [_text(vr, value) for value in given]
    if vr in _SEVERAL:
        return "\\".join(texts).encode(codec if vr in values.TEXTS else "ascii")
    if len(texts) > 1 or vr not in {"LT", "ST", "UT", "UR"}:
        raise ValueError
    return texts[0].encode(codec if vr in values.TEXTS else "ascii")


def _number(vr: str, value: Any) -> bytes:
    if vr in _REAL:
        return _BINARY[vr].pack(float(value))  # also of "NaN" and "Infinity" (JSON-12)
    number = int(value) if isinstance(value, str) else value
    if isinstance(number, float):
        if not number.is_integer():
            raise ValueError
        number = int(number)
    return _BINARY[vr].pack(number)


def _tag(value: Any) -> bytes:
    if len(value) != 8:
        raise ValueError
    return struct.pack("<HH", int(value[:4], 16), int(value[4:], 16))


def _text(vr: str, value: Any) -> str:
    if value is None:
        return ""
    if vr == "PN":
        return _person_name(value)
    if vr in {"DS", "IS"} and not isinstance(value, str):
        return format_number(value)
    if not isinstance(value, str):
        raise TypeError
    return value


def _person_name(value: Any) -> str:
    groups = {_GROUPS[0]: value} if isinstance(value, str) else value
    return "=".join(str(groups.get(name) or "") for name in _GROUPS).rstrip("=")


def format_number(number: float) -> str:
    """A number as DS or IS writes it: exact where 16 characters suffice, else as near as they allow."""
    if isinstance(number, bool) or not math.isfinite(number):
        raise ValueError
    if isinstance(number, int) or (number.is_integer() and -(10**15) < number < values.EXACT):
        return str(int(number))
    for digits in range(17, 0, -1):
        plain = repr(number) if digits == 17 else f"{number:.{digits}g}"
        for text in (_shortened(plain), _shortened(f"{number:.{digits - 1}e}")):
            if len(text) <= _LONGEST_DECIMAL:
                return text
    raise ValueError


def _shortened(text: str) -> str:
    """Without what a number can do without: zeros of the exponent, a plus, zeros at the end of the fraction."""
    mantissa, letter, exponent = text.partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{int(exponent)}" if letter else mantissa
