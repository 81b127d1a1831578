"""Data sets of the JSON model as others write them -> as our own reader of headers makes them (PS3.18 F, JSON-14).

Tolerant of what cannot be misunderstood: numbers as text and text as numbers, a missing VR, lower-case tags, single
values without their array, names as plain text. All else is Malformed, with the attribute's path and never its value.
"""

from __future__ import annotations

import binascii
import math
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dicomgate import errors
from dicomgate.dicom import attributes as dictionary
from dicomgate.dicom import bulk, encode, forms, values
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.limits import DEFAULT, Limits

Element = dict[str, Any]

_HEX = frozenset("0123456789ABCDEF")
_FUNCTIONAL_GROUPS = frozenset({"52009229", "52009230"})
_LONGEST_URI = 4096
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_OCTETS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_ONE_TEXT = frozenset({"LT", "ST", "UR", "UT"})
_TRIMMED_BOTH = frozenset({"AE", "CS", "LO", "SH"})
_RANGES = {
    "US": (0, (1 << 16) - 1),
    "SS": (-(1 << 15), (1 << 15) - 1),
    "UL": (0, (1 << 32) - 1),
    "SL": (-(1 << 31), (1 << 31) - 1),
    "UV": (0, (1 << 64) - 1),
    "SV": (-(1 << 63), (1 << 63) - 1),
}
_LARGEST = {"FL": 3.4028235677973362e38, "FD": sys.float_info.max}
_SINGLE = struct.Struct("<f")
_ROUND = 4096
"""Elements between two looks at the clock."""
_NOT_FINITE = {"nan": "NaN", "infinity": "Infinity", "inf": "Infinity", "-infinity": "-Infinity", "-inf": "-Infinity"}


@dataclass(frozen=True, slots=True)
class Normal:
    """A data set in normal form, and the tags of what is no part of the model and was left out of it (JSON-02)."""

    attributes: JSONDataset
    discarded: tuple[str, ...] = ()


def normalise(dataset: Any, limits: Limits = DEFAULT) -> Normal:
    """One data set. Malformed for what cannot be understood, TooLarge beyond the limits (T6)."""
    reader = _Reader(limits)
    attributes = reader.dataset(dataset, ())
    return Normal(attributes, tuple(reader.discarded))


class _Refused(Exception):  # noqa: N818 (becomes Malformed with the path)
    """What was expected of a value."""


@dataclass(slots=True)
class _Reader:
    """Counts as it goes down."""

    limits: Limits
    discarded: list[str] = field(default_factory=list)
    _elements: int = 0
    _enhanced: int = 0
    _items: int = 0
    _deadline: float = field(init=False)
    _checkpoint: int = _ROUND

    def __post_init__(self) -> None:
        self._deadline = time.monotonic() + self.limits.seconds

    def dataset(self, given: Any, steps: tuple[tuple[str, int], ...]) -> JSONDataset:
        if given is None:
            return {}
        if not isinstance(given, dict):
            raise errors.Malformed(f"{bulk.format_path(steps, '')}: expected an object")
        if len(steps) > self.limits.depth:
            raise errors.TooLarge(f"data set: sequences nest deeper than {self.limits.depth}")
        self._count(len(given), 0, steps)
        found: JSONDataset = {}
        for name, element in given.items():
            tag = _tag(name, steps)
            if tag.endswith("0000") or tag.startswith(("0000", "0002", "FFFE")):
                self.discarded.append(tag)
            elif tag in found:
                raise errors.Malformed(f"{bulk.format_path(steps, tag)}: expected once, came again")
            else:
                found[tag] = self._element(tag, element, steps)
        return {tag: found[tag] for tag in sorted(found)}

    def _count(self, elements: int, items: int, steps: tuple[tuple[str, int], ...]) -> None:
        """As the reader of headers counts: what is in functional groups together, by a bound of its own (T1)."""
        if steps and steps[0][0] in _FUNCTIONAL_GROUPS:
            self._enhanced += elements + items
        else:
            self._elements += elements
            self._items += items
        if self._elements > self.limits.elements or self._enhanced > self.limits.enhanced_elements:
            raise errors.TooLarge(f"data set: more than {self.limits.elements} elements")
        if self._items > self.limits.items:
            raise errors.TooLarge(f"data set: more than {self.limits.items} items")
        if self._elements + self._enhanced >= self._checkpoint:
            self._checkpoint = self._elements + self._enhanced + _ROUND
            if time.monotonic() > self._deadline:
                raise errors.TooLarge(f"reading the data set took more than {self.limits.seconds:g} seconds")

    def _element(self, tag: str, given: Any, steps: tuple[tuple[str, int], ...]) -> Element:
        path = bulk.format_path(steps, tag)
        if not isinstance(given, dict):
            raise errors.Malformed(f"{path}: expected an object with vr, and one of Value, BulkDataURI, InlineBinary")
        present = [name for name in ("Value", "BulkDataURI", "InlineBinary") if given.get(name) not in (None, [])]
        if len(present) > 1:
            raise errors.Malformed(f"{path}: expected one of Value, BulkDataURI and InlineBinary, saw {len(present)}")
        vr = _vr(tag, given, path)
        if not present:
            return {"vr": vr}
        if present == ["Value"] and vr == "SQ":
            return self._sequence(tag, given["Value"], steps)
        try:
            return _READERS[present[0]](vr, given[present[0]])
        except _Refused as refused:
            raise errors.Malformed(f"{path}: {refused}") from None

    def _sequence(self, tag: str, given: Any, steps: tuple[tuple[str, int], ...]) -> Element:
        items = given if isinstance(given, list) else [given]
        self._count(0, len(items), (*steps, (tag, 1)))
        found = [self.dataset(item, (*steps, (tag, number))) for number, item in enumerate(items, 1)]
        return {"vr": "SQ", "Value": found} if found else {"vr": "SQ"}


def _tag(name: Any, steps: tuple[tuple[str, int], ...]) -> str:
    tag = name.upper() if isinstance(name, str) and len(name) == 8 else ""
    if not tag or not set(tag) <= _HEX:
        where = bulk.format_path(steps, "") or "data set"
        raise errors.Malformed(f"{where}: expected tags of 8 hex digits, saw {len(str(name))} other characters")
    return tag


def _vr(tag: str, element: Element, path: str) -> str:
    vr = element.get("vr")
    if vr is None:
        vr = dictionary.vr(tag)
        if vr == dictionary.UNKNOWN and element.get("Value"):
            raise errors.Malformed(f"{path}: expected a vr, for the attribute is in no dictionary")
        return vr
    if not isinstance(vr, str) or not vr.isascii() or vr.encode() not in forms.VRS:
        raise errors.Malformed(f"{path}: expected a value representation of PS3.5 as vr")
    return vr


# Contents.


def _read_uri(vr: str, given: Any) -> Element:
    if vr == "SQ" or not isinstance(given, str) or not 0 < len(given) <= _LONGEST_URI:
        raise _Refused(f"expected an address of at most {_LONGEST_URI} characters, and no sequence, as BulkDataURI")
    return {"vr": vr, "BulkDataURI": given}


def _read_binary(vr: str, given: Any) -> Element:
    if vr not in _OCTETS or not isinstance(given, str):
        raise _Refused("expected InlineBinary as text, and only for OB OD OF OL OV OW UN")
    try:
        raw = binascii.a2b_base64(given.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        raise _Refused("expected base64 as InlineBinary") from None
    return values.inline(raw, vr) if raw else {"vr": vr}


def _read_values(vr: str, given: Any) -> Element:
    members = given if isinstance(given, list) else [given]
    if members in ([""], [None]) and vr not in _LARGEST:
        return {"vr": vr}
    if vr in _OCTETS:
        raise _Refused(f"expected InlineBinary or BulkDataURI for VR {vr}, saw Value")
    found = _read_members(vr, members)
    return {"vr": vr} if all(value is None for value in found) and len(found) == 1 else {"vr": vr, "Value": found}


def _read_members(vr: str, members: list[Any]) -> list[Any]:
    if vr in _ONE_TEXT:
        if len(members) > 1:
            raise _Refused(f"expected one value of VR {vr}, saw {len(members)}")
        return [_plain_text(members[0]).rstrip(values.PAD) or None]
    read = _KINDS.get(vr)
    if read is not None:
        return [read(vr, member) for member in members]
    texts = [part for member in members for part in _plain_text(member).split("\\")]
    return [(text.strip if vr in _TRIMMED_BOTH else text.rstrip)(values.PAD) or None for text in texts]


def _plain_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _Refused("expected text")
    text = str(value)
    if "\0" in text.rstrip("\0"):
        raise _Refused("text that holds NUL")
    return text


def _name(vr: str, value: Any) -> Any:  # noqa: ARG001 (one of _KINDS)
    if isinstance(value, dict):
        if not value.keys() <= set(_GROUPS):
            raise _Refused("expected no component groups of a name but Alphabetic, Ideographic and Phonetic")
        groups = {name: _plain_text(value.get(name)).strip(values.PAD) for name in _GROUPS}
        if any("=" in text or "\\" in text for text in groups.values()):
            raise _Refused("expected component groups of a name without delimiters between them")
        return {name: text for name, text in groups.items() if text} or None
    text = _plain_text(value)
    if "\\" in text:
        raise _Refused("expected one name in each member of Value")
    return values.parse_person_name(text)


def _decimal(vr: str, value: Any) -> Any:
    parsed = value
    if value is None or isinstance(value, str):
        parsed = (values.parse_integer if vr == "IS" else values.parse_decimal)(value or "")
    if isinstance(parsed, bool) or not isinstance(parsed, str | int | float | None):
        raise _Refused(f"expected a number for VR {vr}")
    if isinstance(parsed, str):
        return _large(parsed, vr)
    if vr == "IS" and isinstance(parsed, float):
        if not parsed.is_integer():
            raise _Refused("expected a whole number for VR IS")
        parsed = int(parsed)
    if parsed is not None and not abs(parsed) <= sys.float_info.max:
        raise _Refused(f"a number beyond what VR {vr} holds")
    if parsed is not None and abs(parsed) > values.EXACT:
        return encode.format_number(parsed if vr == "IS" else float(parsed))
    return parsed


def _large(text: str, vr: str) -> str:
    """A number that is kept as text, for it is beyond what a double holds exactly."""
    try:
        is_number = math.isfinite(float(text)) and "_" not in text
    except ValueError:
        is_number = False
    if not is_number:
        raise _Refused(f"expected a number for VR {vr}")
    return text


def _whole(vr: str, value: Any) -> Any:
    least, most = _RANGES[vr]
    try:
        number = int(value) if isinstance(value, str) and len(value) <= 24 and "_" not in value else value
    except ValueError:
        number = None
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
        raise _Refused(f"expected whole numbers from {least} to {most} for VR {vr}")
    return number if -values.EXACT <= number <= values.EXACT else str(number)


def _real(vr: str, value: Any) -> Any:
    """JSON-12: names of what is not finite, null, and the largest double that dcm4che writes for infinity."""
    if value is None:
        return "NaN"
    if isinstance(value, str):
        text = value.strip().lower()
        if text in _NOT_FINITE:
            return _NOT_FINITE[text]
        value = _parse_float(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Refused(f"expected numbers for VR {vr}")
    if abs(value) == sys.float_info.max and vr == "FL":
        return "Infinity" if value > 0 else "-Infinity"
    if abs(value) > _LARGEST[vr]:
        raise _Refused(f"a number beyond what VR {vr} holds")
    return _SINGLE.unpack(_SINGLE.pack(value))[0] if vr == "FL" else value


def _parse_float(text: str) -> float | None:
    try:
        number = float(text) if len(text) <= 64 and "_" not in text else None
    except ValueError:
        return None
    return number if number is None or math.isfinite(number) else None


def _attribute_tag(vr: str, value: Any) -> str:  # noqa: ARG001 (one of _KINDS)
    tag = f"{value:08X}" if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else value
    if not isinstance(tag, str) or len(tag) != 8 or not set(tag.upper()) <= _HEX:
        raise _Refused("expected tags of 8 hex digits for VR AT")
    return tag.upper()


_READERS: dict[str, Callable[[str, Any], Element]] = {
    "Value": _read_values,
    "BulkDataURI": _read_uri,
    "InlineBinary": _read_binary,
}
_KINDS: dict[str, Callable[[str, Any], Any]] = {
    "PN": _name,
    "DS": _decimal,
    "IS": _decimal,
    **dict.fromkeys(_RANGES, _whole),
    **dict.fromkeys(_LARGEST, _real),
    "AT": _attribute_tag,
}
