"""Command sets: the elements of group 0000 that say what a message asks or answers (PS3.7 §6.3, §9.3, §E).

Always Implicit VR Little Endian, whatever the context. Values are texts and whole numbers by the keywords of PS3.7.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

from dicomgate import errors

Command = Mapping[str, str | int]
"""Keyword to value."""

LARGEST: Final = 64 << 10
"""Bytes of a command set; those of the standard have a few hundred."""
NO_DATASET: Final = 0x0101

STORE, STORED = 0x0001, 0x8001
GET, GOTTEN = 0x0010, 0x8010
FIND, FOUND = 0x0020, 0x8020
MOVE, MOVED = 0x0021, 0x8021
ECHO, ECHOED = 0x0030, 0x8030
CANCEL = 0x0FFF

_NUMBER = struct.Struct("<H")
_HEAD = struct.Struct("<HHI")
_ELEMENTS: Final = {
    "AffectedSOPClassUID": (0x0002, "UI"),
    "RequestedSOPClassUID": (0x0003, "UI"),
    "CommandField": (0x0100, "US"),
    "MessageID": (0x0110, "US"),
    "MessageIDBeingRespondedTo": (0x0120, "US"),
    "MoveDestination": (0x0600, "AE"),
    "Priority": (0x0700, "US"),
    "CommandDataSetType": (0x0800, "US"),
    "Status": (0x0900, "US"),
    "ErrorComment": (0x0902, "LO"),
    "AffectedSOPInstanceUID": (0x1000, "UI"),
    "NumberOfRemainingSuboperations": (0x1020, "US"),
    "NumberOfCompletedSuboperations": (0x1021, "US"),
    "NumberOfFailedSuboperations": (0x1022, "US"),
    "NumberOfWarningSuboperations": (0x1023, "US"),
    "MoveOriginatorApplicationEntityTitle": (0x1030, "AE"),
    "MoveOriginatorMessageID": (0x1031, "US"),
}
_KEYWORDS: Final = {element: (keyword, vr) for keyword, (element, vr) in _ELEMENTS.items()}


def write_command(command: Command) -> bytes:
    """The bytes of a command set, group length first."""
    elements = sorted((*_ELEMENTS[keyword], value) for keyword, value in command.items())
    body = b"".join(_write(element, vr, value) for element, vr, value in elements)
    return _HEAD.pack(0, 0, 4) + struct.pack("<I", len(body)) + body


def read_command(data: bytes) -> dict[str, str | int]:
    """What a command set says; elements of no keyword here are left out. Malformed when it is none."""
    found: dict[str, str | int] = {}
    at = 0
    while at < len(data):
        if len(data) - at < _HEAD.size:
            raise errors.Malformed(f"a command set ends in the midst of an element, at byte {at}")
        group, element, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        if group or length > len(data) - at:
            raise errors.Malformed(f"a command set has no element of group 0000 that fits, at byte {at}")
        keyword, vr = _KEYWORDS.get(element, ("", ""))
        if keyword:
            found[keyword] = _read(keyword, vr, data[at : at + length])
        at += length
    if not isinstance(found.get("CommandField"), int):
        raise errors.Malformed("a command set without a command")
    return found


def number(command: Command, keyword: str, otherwise: int = 0) -> int:
    """A whole number of a command."""
    value = command.get(keyword, otherwise)
    return value if isinstance(value, int) else otherwise


def text(command: Command, keyword: str) -> str:
    """A text of a command, empty where there is none."""
    value = command.get(keyword, "")
    return value if isinstance(value, str) else ""


def has_dataset(command: Command) -> bool:
    """True when a data set follows."""
    return number(command, "CommandDataSetType", NO_DATASET) != NO_DATASET


def _write(element: int, vr: str, value: str | int) -> bytes:
    raw = _NUMBER.pack(value) if isinstance(value, int) else value.encode("ascii", "replace")
    raw += (b"\0" if vr == "UI" else b" ") * (len(raw) % 2)
    return _HEAD.pack(0, element, len(raw)) + raw


def _read(keyword: str, vr: str, raw: bytes) -> str | int:
    if vr != "US":
        return raw.decode("ascii", "replace").strip(" \0")
    if len(raw) != _NUMBER.size:
        raise errors.Malformed(f"{keyword}: expected 2 bytes, saw {len(raw)}")
    return int(_NUMBER.unpack(raw)[0])
