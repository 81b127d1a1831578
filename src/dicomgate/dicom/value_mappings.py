"""From stored values to what was measured: rescale, Modality LUT, real world values (PS3.3 §C.11.1, §C.7.6.16.2).

Attributes of the frame's functional groups come before those that all frames share, and these before the object's own.
"""

from __future__ import annotations

import math
import struct
from base64 import b64decode
from binascii import Error
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from dicomgate import errors
from dicomgate.dicom import elements
from dicomgate.dicom.elements import Item
from dicomgate.dicom.jsonmodel import JSONDataset

Fetch = Callable[[str], bytes]
"""The bytes behind a BulkDataURI, little endian."""

LARGEST = 1e30
"""Slopes, intercepts and entries beyond this are not believed."""
MOST_ENTRIES = 65_536
"""Of a table: its descriptor counts in 16 bits (PS3.3 §C.11.1.1.1)."""

_SHARED, _PER_FRAME = "52009229", "52009230"
_TRANSFORMATION, _REAL_WORLD = "00289145", "00409096"
_INTERCEPT, _SLOPE, _TYPE = "00281052", "00281053", "00281054"
_MODALITY_LUT, _DESCRIPTOR, _LUT_DATA, _LUT_TYPE = "00283000", "00283002", "00283006", "00283004"
_FIRSTS, _LASTS = ("00409216", "00409214"), ("00409211", "00409213")
_REAL_INTERCEPT, _REAL_SLOPE, _REAL_LUT, _UNITS, _CODE = "00409224", "00409225", "00409212", "004008EA", "00080100"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueMapping:
    """What a stored value stands for: `slope` times the value plus `intercept`, or the entry of a table.

    `entries`: of the table, for the stored values from `first` on; below it the first one counts, beyond it the last.
    `within`: the stored values for which it holds. `units`: as the object says them, a UCUM code for real world values.
    """

    slope: float = 1.0
    intercept: float = 0.0
    first: int = 0
    entries: tuple[float, ...] | None = None
    within: tuple[float, float] | None = None
    units: str = ""

    def apply(self, stored: float) -> float:
        """What one stored value stands for."""
        if self.entries is None:
            return stored * self.slope + self.intercept
        place = min(max(int(stored) - self.first, 0), len(self.entries) - 1)
        return self.entries[place]


IDENTITY = ValueMapping()


def no_fetch(uri: str) -> bytes:
    """For data sets that have all their values in them: Malformed when one is elsewhere."""
    raise errors.Malformed(f"a value that is elsewhere, at an address of {len(uri)} characters: expected it here")


class Mappings:
    """The mappings of one object's frames. Numbers of frames are from 1; what repeats is made once."""

    def __init__(self, dataset: JSONDataset, fetch: Fetch = no_fetch) -> None:
        self._dataset = dataset
        self._fetch = fetch
        self._frames = list(elements.items(elements.find(dataset, _PER_FRAME)))
        self._shared = next(elements.items(elements.find(dataset, _SHARED)), {})
        self._tables: dict[int, ValueMapping] = {}

    def modality(self, frame: int = 1) -> ValueMapping:
        """Modality LUT, else Rescale Slope and Intercept, else the values as they are (PS3.3 §C.11.1)."""
        groups = self._find_group(frame, _TRANSFORMATION)
        table = next(elements.items(elements.find(self._dataset, _MODALITY_LUT)), None)
        if not groups and table is not None:
            return self._table(table, self._read_modality_table)
        return _linear(groups[0] if groups else self._dataset)

    def real_world(self, frame: int = 1, units: str | None = None) -> ValueMapping:
        """The first Real World Value Mapping, or the first one with such units (PS3.3 §C.7.6.16.2.11).

        NotFound when the object has none.
        """
        found = self._find_group(frame, _REAL_WORLD)
        if not found:
            found = list(elements.items(elements.find(self._dataset, _REAL_WORLD)))
        named = ((item, _units(item)) for item in found)
        for item, unit in named:
            if units in (None, unit):
                return replace(self._table(item, self._read_real_world), units=unit)
        raise errors.NotFound("no real world values for this frame" + (" in these units" if units else ""))

    def _find_group(self, frame: int, sequence: str) -> list[Item]:
        own = self._frames[frame - 1] if 1 <= frame <= len(self._frames) else {}
        return list(elements.items(elements.find(own if sequence in own else self._shared, sequence)))

    def _table(self, item: Item, read: Callable[[Item], ValueMapping]) -> ValueMapping:
        if id(item) not in self._tables:
            self._tables[id(item)] = read(item)
        return self._tables[id(item)]

    def _read_modality_table(self, item: Item) -> ValueMapping:
        said = _numbers(item, _DESCRIPTOR)
        if len(said) != 3:
            raise errors.Malformed(f"a LUT Descriptor of {len(said)} values: expected 3")
        count, first, bits = (int(value) for value in said)
        entries = self._read_words(item.get(_LUT_DATA, {}), count or MOST_ENTRIES, bits)
        return ValueMapping(first=first, entries=entries, units=_text(item, _LUT_TYPE))

    def _read_words(self, element: Item, count: int, bits: int) -> tuple[float, ...]:
        content = self._find_content(element)
        if content is None:
            return _table_of(elements.numbers(element), count)
        width = 2 if bits > 8 or len(content) >= 2 * count else 1
        kept = content[: count * width]
        return _table_of(
            struct.unpack(f"<{len(kept) // width}{'BH'[width - 1]}", kept[: len(kept) // width * width]), count
        )

    def _read_real_world(self, item: Item) -> ValueMapping:
        first, last = (next((n for tag in tags for n in _numbers(item, tag)), None) for tags in (_FIRSTS, _LASTS))
        within = (first, last) if first is not None and last is not None else None
        if _REAL_LUT not in item:
            slope, intercept = (next(iter(_numbers(item, tag)), None) for tag in (_REAL_SLOPE, _REAL_INTERCEPT))
            if slope is None or intercept is None:
                raise errors.Malformed("a Real World Value Mapping with neither a table nor slope and intercept")
            return ValueMapping(slope=slope, intercept=intercept, within=within)
        content = self._find_content(item[_REAL_LUT])
        read = elements.numbers(item[_REAL_LUT]) if content is None else _doubles(content)
        return ValueMapping(first=int(first or 0), entries=_table_of(read, MOST_ENTRIES), within=within)

    def _find_content(self, element: Item) -> bytes | None:
        """The bytes of a value that is not in the data set as numbers."""
        if "InlineBinary" in element:
            try:
                return b64decode(element["InlineBinary"], validate=True)
            except (Error, ValueError, TypeError):
                raise errors.Malformed("the bytes of a lookup table are not in base64") from None
        return self._fetch(str(element["BulkDataURI"])) if "BulkDataURI" in element else None


def _linear(item: Item) -> ValueMapping:
    slope = next(iter(_numbers(item, _SLOPE)), 1.0) or 1.0
    return ValueMapping(slope=slope, intercept=next(iter(_numbers(item, _INTERCEPT)), 0.0), units=_text(item, _TYPE))


def _table_of(found: Any, count: int) -> tuple[float, ...]:
    entries = tuple(float(value) for value in found[:count] if abs(value) <= LARGEST)
    if not entries or len(entries) != len(found[:count]):
        raise errors.Malformed("a lookup table without entries, or with some that are no numbers")
    return entries


def _doubles(content: bytes) -> tuple[float, ...]:
    kept = content[: 8 * min(len(content) // 8, MOST_ENTRIES)]
    return struct.unpack(f"<{len(kept) // 8}d", kept)


def _units(item: Item) -> str:
    return _text(next(elements.items(elements.find(item, _UNITS)), {}), _CODE)


def _text(item: Item, tag: str) -> str:
    return next(iter(elements.texts(item.get(tag, {}))), "").strip()


def _numbers(item: Item, tag: str) -> list[float]:
    """The values that are numbers and no larger than can be."""
    found = elements.numbers(item.get(tag, {}))
    return [float(number) for number in found if abs(number) <= LARGEST and not math.isnan(number)]
