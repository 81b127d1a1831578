"""Value fields to elements of the DICOM JSON model, by value representation (PS3.5 §6.2, PS3.18 Annex F).

A decoder takes the bytes of a value field, never empty, and gives the whole element. None of them fails on any bytes;
those for the default character repertoire alone raise UnicodeDecodeError when text is not plain ASCII, and the reader
then goes on with the lenient ones.
"""

from __future__ import annotations

import math
import struct
import sys
from base64 import b64encode
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from dicomgate.dicom import bulk, charsets

Element = dict[str, Any]
Decoder = Callable[[bytes], Element]

PAD = " \0"
TEXTS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""The value representations that the Specific Character Set governs (PS3.5 §6.1.2.3)."""
EXACT = 1 << 53
"""Integers up to here survive every JSON reader; beyond it they travel as strings (JSON-15)."""


def swap(raw: bytes, word: int) -> bytes:
    """Each word of so many bytes reversed; what is left over stays as it is (PS3.5 §7.3)."""
    if word < 2:
        return raw
    whole = len(raw) - len(raw) % word
    swapped = bytearray(whole)
    for at in range(word):
        swapped[at::word] = raw[word - 1 - at : whole : word]
    return bytes(swapped) + raw[whole:]


def inline(raw: bytes, vr: str = "UN") -> Element:
    """Bytes as they are, which must be little endian (JSON-07)."""
    return {"vr": vr, "InlineBinary": b64encode(raw).decode("ascii")}


def _texts(vr: str, charset: charsets.Charset, pad: Callable[[str], str]) -> Decoder:
    """Values between backslashes, trimmed; an empty one among several is null (JSON-04)."""
    codec, errors, decode = _parts(charset)

    def decode_texts(raw: bytes) -> Element:
        text = raw.decode(codec, errors) if codec else decode(raw)
        if "\\" in text:
            return {"vr": vr, "Value": [pad(part) or None for part in text.split("\\")]}
        text = pad(text)
        return {"vr": vr, "Value": [text]} if text else {"vr": vr}

    return decode_texts


def _parts(charset: charsets.Charset) -> tuple[str, str, charsets.Decode]:
    """Codec, errors and function, of which a decoder calls one or the other: a call less for nearly every text."""
    return (*charset, charsets.guess) if isinstance(charset, tuple) else ("", "", charset)


def _both(text: str) -> str:
    return text.strip(PAD)


def _right(text: str) -> str:
    return text.rstrip(PAD)


def _text(vr: str, charset: charsets.Charset) -> Decoder:
    """One text, in which a backslash is a letter like any other."""
    codec, errors, decode = _parts(charset)

    def decode_text(raw: bytes) -> Element:
        text = (raw.decode(codec, errors) if codec else decode(raw)).rstrip(PAD)
        return {"vr": vr, "Value": [text]} if text else {"vr": vr}

    return decode_text


_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def parse_person_name(text: str) -> dict[str, str] | None:
    """The component groups that are not empty (JSON-06); None when all are."""
    if "=" not in text:
        text = text.strip(PAD)
        return {"Alphabetic": text} if text else None
    groups = (group.strip(PAD) for group in text.split("=", 2))
    return {name: group for name, group in zip(_GROUPS, groups, strict=False) if group} or None


def _person_names(charset: charsets.Charset) -> Decoder:
    codec, errors, decode = _parts(charset)

    def decode_person_names(raw: bytes) -> Element:
        text = raw.decode(codec, errors) if codec else decode(raw)
        if "\\" in text:
            return {"vr": "PN", "Value": [parse_person_name(part) for part in text.split("\\")]}
        name = parse_person_name(text)
        return {"vr": "PN", "Value": [name]} if name else {"vr": "PN"}

    return decode_person_names


def parse_decimal(text: str) -> float | str | None:
    """A DS value as a number; its text when it is none, or beyond the integers that a double holds; None when empty."""
    text = text.strip(PAD)
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        return text
    return number if -EXACT <= number <= EXACT and "_" not in text else text


def parse_integer(text: str) -> float | str | None:
    """An IS value as a number; its text when it is none or too large; None when empty."""
    text = text.strip(PAD)
    try:
        number = int(text)
    except ValueError:
        return parse_decimal(text)
    return number if -EXACT <= number <= EXACT and "_" not in text else text


def _numbers(
    vr: str, charset: charsets.Charset, read: type[float], parse: Callable[[str], float | str | None]
) -> Decoder:
    """Numbers written as text: plain ones at once, all others by `parse`."""
    codec, errors, decode = _parts(charset)

    def decode_numbers(raw: bytes) -> Element:
        text = raw.decode(codec, errors) if codec else decode(raw)
        try:
            numbers = [read(text)] if "\\" not in text else [read(part) for part in text.split("\\")]
        except ValueError:
            numbers = []
        for number in numbers:
            if not -EXACT <= number <= EXACT:
                break
        else:
            if numbers and "_" not in text:
                return {"vr": vr, "Value": numbers}
        parsed = [parse(part) for part in text.split("\\")]
        return {"vr": vr} if parsed == [None] else {"vr": vr, "Value": parsed}

    return decode_numbers


def _finite(number: float) -> float | str:
    """JSON has no NaN and no infinity; their names stand for them (JSON-12)."""
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _exact(number: int) -> int | str:
    return number if -EXACT <= number <= EXACT else str(number)


def _binary(vr: str, order: str, letter: str, limit: float, safe: Callable[[Any], Any]) -> Decoder:
    """Numbers of one size; a field that does not divide into them is shown as the bytes it is (UN).

    Those beyond the limit, and NaN, go through `safe`.
    """
    one = struct.Struct(order + letter)
    size, unpack = one.size, one.unpack

    def decode_binary(raw: bytes) -> Element:
        if len(raw) == size:
            numbers = [*unpack(raw)]
            if -limit <= numbers[0] <= limit:
                return {"vr": vr, "Value": numbers}
        elif len(raw) % size:
            return inline(raw)
        else:
            numbers = [*struct.unpack(f"{order}{len(raw) // size}{letter}", raw)]
        return {"vr": vr, "Value": [*map(safe, numbers)]}

    return decode_binary


def _tags(order: str) -> Decoder:
    def decode_tags(raw: bytes) -> Element:
        if len(raw) % 4:
            return inline(raw)
        halves = struct.unpack(f"{order}{len(raw) // 2}H", raw)
        pairs = zip(halves[::2], halves[1::2], strict=True)
        return {"vr": "AT", "Value": [f"{group:04X}{element:04X}" for group, element in pairs]}

    return decode_tags


def _bytes(vr: str, *, is_little: bool) -> Decoder:
    word = 1 if is_little else bulk.WORD.get(vr, 1)

    def decode_bytes(raw: bytes) -> Element:
        return {"vr": vr, "InlineBinary": b64encode(swap(raw, word)).decode("ascii")}

    return decode_bytes


_BINARY: tuple[tuple[str, str, float, Callable[[Any], Any]], ...] = (
    ("US", "H", EXACT, int),
    ("SS", "h", EXACT, int),
    ("UL", "I", EXACT, int),
    ("SL", "i", EXACT, int),
    ("UV", "Q", EXACT, _exact),
    ("SV", "q", EXACT, _exact),
    ("FL", "f", sys.float_info.max, _finite),
    ("FD", "d", sys.float_info.max, _finite),
)


def _fixed_repertoire(charset: charsets.Charset) -> dict[str, Decoder]:
    """Those that are ASCII whatever the character set says."""
    return {
        **{vr: _texts(vr, charset, _both) for vr in ("AE", "CS")},
        **{vr: _texts(vr, charset, _right) for vr in ("AS", "DA", "DT", "TM", "UI")},
        "UR": _text("UR", charset),
        "DS": _numbers("DS", charset, float, parse_decimal),
        "IS": _numbers("IS", charset, int, parse_integer),
    }


def _own_repertoire(charset: charsets.Charset) -> dict[str, Decoder]:
    """Those that the Specific Character Set governs."""
    return {
        **{vr: _texts(vr, charset, _both) for vr in ("LO", "SH")},
        "UC": _texts("UC", charset, _right),
        **{vr: _text(vr, charset) for vr in ("LT", "ST", "UT")},
        "PN": _person_names(charset),
    }


@lru_cache(maxsize=256)
def decoders(
    charset: charsets.Charset = charsets.ASCII, *, is_little: bool = True, is_lenient: bool = False
) -> dict[str, Decoder]:
    """A decoder for every value representation but SQ; the lenient ones never raise."""
    order = "<" if is_little else ">"
    fixed = charsets.guess if is_lenient else charsets.ASCII
    return {
        **_fixed_repertoire(fixed),
        **_own_repertoire(fixed if charset == charsets.ASCII else charset),
        **{vr: _binary(vr, order, letter, limit, safe) for vr, letter, limit, safe in _BINARY},
        "AT": _tags(order),
        **{vr: _bytes(vr, is_little=is_little) for vr in ("OB", "OD", "OF", "OL", "OV", "OW", "UN")},
    }
