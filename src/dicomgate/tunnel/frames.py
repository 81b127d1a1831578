"""What one binary message of a tunnel says: kind, number of the exchange, content. One message is one frame.

OPEN    hub -> site   a request: method, target, the address that links begin with, fields
HEAD    site -> hub   the answer's status and fields
DATA    both          a piece of a body
END     both          the body is whole
CREDIT  both          so many more bytes of body may come
RESET   both          this exchange is over, whatever is still to come of it
"""

from __future__ import annotations

import enum
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dicomgate import errors

PROTOCOL: Final = "dicomgate-tunnel-1"
"""The WebSocket subprotocol (RFC 6455 §1.9)."""
BASE: Final = "dicomgate.base"
"""The extension of an ASGI scope in which the site hears by which address it is reached."""
LONGEST_DATA: Final = 32 << 10
LONGEST_HEAD: Final = 96 << 10
LONGEST_FRAME: Final = LONGEST_HEAD + 16
MOST_FIELDS: Final = 128
LAST_NUMBER: Final = (1 << 32) - 1

_PREFIX: Final = struct.Struct("!BI")
_CREDIT: Final = struct.Struct("!I")
_METHOD: Final = re.compile(rb"[A-Z]{1,16}")
_TARGET: Final = re.compile(rb"/[\x21-\x7e]*")
_BASE: Final = re.compile(rb"https?://[A-Za-z0-9.:\[\]-]{1,260}[\x21-\x7e]{0,512}")
_NAME: Final = re.compile(rb"[a-z0-9!#$%&'*+.^_`|~-]{1,64}")
_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_STATUS: Final = re.compile(rb"[2-5][0-9][0-9]")

Field = tuple[bytes, bytes]


class Kind(enum.IntEnum):
    """What a frame is."""

    OPEN = 1
    HEAD = 2
    DATA = 3
    END = 4
    CREDIT = 5
    RESET = 6


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, its content not yet looked into."""

    kind: Kind
    number: int
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Asked:
    """The head of a request. `base`: what callers call the site, for links in answers."""

    method: bytes
    target: bytes
    base: bytes
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """The head of an answer."""

    status: int
    fields: tuple[Field, ...]


def write_frame(frame: Frame) -> bytes:
    """The message."""
    return _PREFIX.pack(frame.kind, frame.number) + frame.content


def read_frame(message: bytes) -> Frame:
    """The frame in a message. Malformed when it is none, TooLarge when its content is longer than its kind may have."""
    if len(message) < _PREFIX.size:
        raise errors.Malformed(f"a frame of {len(message)} bytes; expected at least {_PREFIX.size}")
    kind, number = _PREFIX.unpack_from(message)
    if kind not in Kind.__members__.values() or number == 0:
        raise errors.Malformed("a frame of an unknown kind, or of no exchange")
    content = message[_PREFIX.size :]
    longest = {Kind.OPEN: LONGEST_HEAD, Kind.HEAD: LONGEST_HEAD, Kind.DATA: LONGEST_DATA, Kind.CREDIT: _CREDIT.size}
    if len(content) > longest.get(Kind(kind), 0):
        raise errors.TooLarge(f"a frame with {len(content)} bytes, more than its kind may have")
    return Frame(Kind(kind), number, content)


def format_credit(size: int) -> bytes:
    """So many bytes more."""
    return _CREDIT.pack(size)


def parse_credit(content: bytes) -> int:
    """The number of bytes. Malformed when there is none."""
    if len(content) != _CREDIT.size or content == bytes(_CREDIT.size):
        raise errors.Malformed("a credit of no bytes")
    return int(_CREDIT.unpack(content)[0])


def format_asked(asked: Asked) -> bytes:
    """The head of a request. TooLarge when it is longer than a frame."""
    return _bounded(b"\n".join((asked.method, asked.target, asked.base, *_lines(asked.fields))))


def parse_asked(content: bytes) -> Asked:
    """The head of a request. Malformed when it is not as `format_asked` writes it."""
    method, target, base, *lines = _split(content, 3)
    if not (_METHOD.fullmatch(method) and _TARGET.fullmatch(target) and _BASE.fullmatch(base)):
        raise errors.Malformed("a request whose method, target or address is none")
    return Asked(method, target, base, _parse_fields(lines))


def format_answered(answered: Answered) -> bytes:
    """The head of an answer. TooLarge when it is longer than a frame."""
    return _bounded(b"\n".join((b"%d" % answered.status, *_lines(answered.fields))))


def parse_answered(content: bytes) -> Answered:
    """The head of an answer. Malformed when it is not as `format_answered` writes it."""
    status, *lines = _split(content, 1)
    if not _STATUS.fullmatch(status):
        raise errors.Malformed("an answer without a final status")
    return Answered(int(status), _parse_fields(lines))


def _bounded(content: bytes) -> bytes:
    if len(content) > LONGEST_HEAD:
        raise errors.TooLarge(f"a head of {len(content)} bytes; a tunnel takes {LONGEST_HEAD}")
    return content


def _lines(fields: Iterable[Field]) -> Iterable[bytes]:
    return (b"%b:%b" % field for field in fields)


def _split(content: bytes, least: int) -> list[bytes]:
    lines = content.split(b"\n", least + MOST_FIELDS)
    if not least <= len(lines) <= least + MOST_FIELDS:
        raise errors.Malformed(f"a head of {len(lines)} lines; expected {least} and up to {MOST_FIELDS} fields")
    return lines


def _parse_fields(lines: Iterable[bytes]) -> tuple[Field, ...]:
    fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not (colon and _NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise errors.Malformed("a field without a name, or with a value that no field can have")
        fields.append((name, value))
    return tuple(fields)
