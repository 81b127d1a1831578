"""The records of a ZIP file: what stands before a member, after it, and at the end (PKWARE APPNOTE 6.3 §4.3).

Names are ASCII. Dates come from the data, in UTC, so that the same members make the same bytes.
"""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass
from typing import Final

STORED: Final = 0
DEFLATED: Final = 8

_PLAIN: Final = 20  # version 2.0: folders, deflate
_LARGE: Final = 45  # version 4.5: ZIP64
_UNIX: Final = 3
_READABLE: Final = 0o100644 << 16
_FOLLOWED: Final = 1 << 3  # checksum and sizes come after the data
_FULL32, _FULL16 = 0xFFFFFFFF, 0xFFFF
_EXTRA64: Final = 1
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
_LATEST_YEAR: Final = 2107

_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END64: Final = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR64: Final = struct.Struct("<4sIQI")
_END: Final = struct.Struct("<4sHHHHIIH")


@dataclass(frozen=True, slots=True)
class Bounds:
    """From where on the larger forms of ZIP64 are needed; less than the format's own only to try them out."""

    size: int = _FULL32
    count: int = _FULL16


BOUNDS: Final = Bounds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is said of a member. `is_large`: in the form of ZIP64; `is_followed`: by what was not known before it."""

    name: str
    modified: float
    method: int
    is_large: bool
    is_followed: bool
    checksum: int = 0
    stored_size: int = 0
    size: int = 0


def write_local(record: Record) -> bytes:
    """What stands before a member's data (§4.3.7)."""
    name = record.name.encode("ascii")
    sizes = (0, 0) if record.is_followed else (record.stored_size, record.size)
    extra = struct.pack("<HHQQ", _EXTRA64, 16, sizes[1], sizes[0]) if record.is_large else b""
    told = (_FULL32, _FULL32) if record.is_large else sizes
    checksum = 0 if record.is_followed else record.checksum
    head = _LOCAL.pack(b"PK\3\4", *_common(record), checksum, *told, len(name), len(extra))
    return head + name + extra


def local_size(name: str, *, is_large: bool) -> int:
    """The length of what `write_local` writes."""
    return _LOCAL.size + len(name) + (20 if is_large else 0)


def write_descriptor(record: Record) -> bytes:
    """What follows the data of a member whose size was not known before (§4.3.9)."""
    form = "<4sIQQ" if record.is_large else "<4sIII"
    return struct.pack(form, b"PK\7\x08", record.checksum, record.stored_size, record.size)


def write_central(record: Record, offset: int, bounds: Bounds = BOUNDS) -> bytes:
    """A member's line in the central directory; `offset` is where its local header lies (§4.3.12)."""
    name = record.name.encode("ascii")
    numbers = (record.size, record.stored_size, offset)
    large = [number for number in numbers if number >= bounds.size]
    told = [_FULL32 if number >= bounds.size else number for number in numbers]
    extra = struct.pack(f"<HH{len(large)}Q", _EXTRA64, 8 * len(large), *large) if large else b""
    version = _UNIX << 8 | (_LARGE if large or record.is_large else _PLAIN)
    common = _common(record, is_large=bool(large) or record.is_large)
    lengths = (len(name), len(extra), 0, 0, 0)
    head = _CENTRAL.pack(b"PK\1\2", version, *common, record.checksum, told[1], told[0], *lengths, _READABLE, told[2])
    return head + name + extra


def write_end(count: int, size: int, offset: int, bounds: Bounds = BOUNDS) -> bytes:
    """What ends the file: how many members, and how long the central directory is and where (§4.3.14 to §4.3.16)."""
    is_large = count >= bounds.count or size >= bounds.size or offset >= bounds.size
    if not is_large:
        return _END.pack(b"PK\5\6", 0, 0, count, count, size, offset, 0)
    version = _UNIX << 8 | _LARGE
    end = _END64.pack(b"PK\6\6", _END64.size - 12, version, _LARGE, 0, 0, count, count, size, offset)
    locator = _LOCATOR64.pack(b"PK\6\7", 0, offset + size, 1)
    return end + locator + _END.pack(b"PK\5\6", 0, 0, _FULL16, _FULL16, _FULL32, _FULL32, 0)


def _common(record: Record, *, is_large: bool | None = None) -> tuple[int, int, int, int, int]:
    """Version needed, flags, method, time, date."""
    needed = _LARGE if (record.is_large if is_large is None else is_large) else _PLAIN
    return (needed, _FOLLOWED if record.is_followed else 0, record.method, *_moment(record.modified))


def _moment(modified: float) -> tuple[int, int]:
    """Time and date as MS-DOS has them, to two seconds (§4.4.6); what it cannot tell is its first or last day."""
    year, month, day, hour, minute, second = time.gmtime(modified)[:6] if modified > 0 else _EARLIEST
    if year < _EARLIEST[0]:
        year, month, day, hour, minute, second = _EARLIEST
    if year > _LATEST_YEAR:
        year, month, day, hour, minute, second = _LATEST_YEAR, 12, 31, 23, 59, 58
    return hour << 11 | minute << 5 | second // 2, (year - _EARLIEST[0]) << 9 | month << 5 | day
