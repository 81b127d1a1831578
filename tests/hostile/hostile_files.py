"""Files built byte by byte, so that they can lie."""

from __future__ import annotations

import struct

from dicomgate.dicom import uids
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG = "1.2.840.10008.1.2.4.50"
SECONDARY_CAPTURE = instances.SECONDARY_CAPTURE
LONG_FORMS = {"OB", "OW", "OF", "OD", "OL", "OV", "SQ", "UN", "UC", "UR", "UT", "SV", "UV"}
UNDEFINED = 0xFFFFFFFF


def tag(number: int) -> bytes:
    return struct.pack("<HH", number >> 16, number & 0xFFFF)


def element(number: int, vr: str, value: bytes, *, length: int | None = None) -> bytes:
    """An element in Explicit VR Little Endian; `length` is what it claims."""
    if len(value) % 2 and length is None:
        value += b"\0" if vr in {"UI", "OB", "UN"} else b" "
    claimed = len(value) if length is None else length
    if vr in LONG_FORMS:
        return tag(number) + vr.encode() + bytes(2) + struct.pack("<I", claimed) + value
    return tag(number) + vr.encode() + struct.pack("<H", claimed) + value


def implicit(number: int, value: bytes, *, length: int | None = None) -> bytes:
    if len(value) % 2:
        value += b" "
    return tag(number) + struct.pack("<I", len(value) if length is None else length) + value


def item(content: bytes, *, length: int | None = None) -> bytes:
    return tag(0xFFFEE000) + struct.pack("<I", len(content) if length is None else length) + content


END_ITEM = tag(0xFFFEE00D) + bytes(4)
END_SEQUENCE = tag(0xFFFEE0DD) + bytes(4)


def meta(syntax: str = EXPLICIT, *, instance: str = "1.2.3", preamble: bytes = bytes(128)) -> bytes:
    """Preamble and file meta information."""
    group = (
        element(0x00020001, "OB", b"\0\1")
        + element(0x00020002, "UI", SECONDARY_CAPTURE.encode())
        + element(0x00020003, "UI", instance.encode())
        + element(0x00020010, "UI", syntax.encode())
        + element(0x00020012, "UI", b"1.2.3.4")
    )
    return preamble + b"DICM" + element(0x00020000, "UL", struct.pack("<I", len(group))) + group


def identity(target: Target) -> bytes:
    """The elements of group 0008 and 0020 that an instance cannot do without, split by where others go between."""
    return element(0x00080016, "UI", SECONDARY_CAPTURE.encode()) + element(
        0x00080018, "UI", (target.instance or "").encode()
    )


def parents(target: Target) -> bytes:
    return element(0x0020000D, "UI", target.study.encode()) + element(0x0020000E, "UI", (target.series or "").encode())


def make(target: Target | None = None, *, between: bytes = b"", after: bytes = b"", syntax: str = EXPLICIT) -> bytes:
    """A file with little more than its UIDs; `between` stands at groups 0009 to 0018, `after` from group 0021 on."""
    target = target or new_target()
    return meta(syntax, instance=target.instance or "") + dataset(target, between=between, after=after)


def dataset(target: Target, *, between: bytes = b"", after: bytes = b"") -> bytes:
    return identity(target) + between + parents(target) + after


def implicit_dataset(target: Target, after: bytes = b"") -> bytes:
    return (
        implicit(0x00080016, SECONDARY_CAPTURE.encode() + b"\0")
        + implicit(0x00080018, _even(target.instance or ""))
        + implicit(0x0020000D, _even(target.study))
        + implicit(0x0020000E, _even(target.series or ""))
        + after
    )


def _even(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)


def new_target() -> Target:
    return Target(uids.mint(), uids.mint(), uids.mint())


def nested(depth: int, *, is_defined: bool) -> bytes:
    """A sequence in a sequence in a sequence, all in a private group."""
    if is_defined:
        content = b""
        for _ in range(depth):
            content = element(0x00091001, "SQ", item(content))
        return element(0x00090010, "LO", b"NESTING") + content
    opening = element(0x00091001, "SQ", b"", length=UNDEFINED) + item(b"", length=UNDEFINED)
    return element(0x00090010, "LO", b"NESTING") + opening * depth + (END_ITEM + END_SEQUENCE) * depth


def pixels(
    rows: int, columns: int, content: bytes, *, frames: bytes = b"", vr: str = "OW", length: int | None = None
) -> bytes:
    """A grey 16-bit picture's group 0028, which may lie about the content that follows."""
    return (
        element(0x00280002, "US", struct.pack("<H", 1))
        + element(0x00280004, "CS", b"MONOCHROME2")
        + (element(0x00280008, "IS", frames) if frames else b"")
        + element(0x00280010, "US", struct.pack("<H", rows))
        + element(0x00280011, "US", struct.pack("<H", columns))
        + element(0x00280100, "US", struct.pack("<H", 16))
        + element(0x00280101, "US", struct.pack("<H", 16))
        + element(0x00280102, "US", struct.pack("<H", 15))
        + element(0x00280103, "US", struct.pack("<H", 0))
        + element(0x7FE00010, vr, content, length=length)
    )


def fragments(*contents: bytes, table: bytes = b"", is_ended: bool = True) -> bytes:
    return item(table) + b"".join(item(content) for content in contents) + (END_SEQUENCE if is_ended else b"")
