"""Upper layer PDUs <-> values: what two sides say to begin and to end an association (PS3.8 §9.3, PS3.7 Annex D).

No I/O. Everything that is read was sent by a stranger: each length is compared with what is left, and there is no
more work than bytes. P-DATA, which has to be quick, is in `dataflow`.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from dicomgate import errors
from dicomgate.dicom import part10, uids
from dicomgate.dimse.contexts import APPLICATION_CONTEXT, MOST, Agreed, Answer, Context

REQUEST, ACCEPT, REJECT, DATA, RELEASE, RELEASED, ABORT = range(1, 8)
"""PDU types."""

HEAD: Final = struct.Struct(">BxI")
LONGEST_REQUEST: Final = 256 << 10
"""Bytes of an A-ASSOCIATE PDU: 128 contexts with all transfer syntaxes need a fifth (T20)."""
LONGEST_TITLE: Final = 16

_ITEM: Final = struct.Struct(">BxH")
_FIXED: Final = 68
_APPLICATION, _CONTEXT_OFFERED, _CONTEXT_ANSWERED, _ABSTRACT, _TRANSFER, _USER = 0x10, 0x20, 0x21, 0x30, 0x40, 0x50
_LENGTH, _IMPLEMENTATION, _VERSION, _ROLE, _EXTENDED = 0x51, 0x52, 0x55, 0x54, 0x56
_LEAST_PDU: Final = 1024
"""Smaller PDUs are not believed to be wanted; no bound is said by zero."""
NO_BOUND: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Role:
    """Which parts the side that asked wants, or is granted, for a class (PS3.7 §D.3.3.4)."""

    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What either side says of itself: the longest P-DATA PDU that it takes, its roles and wishes by class."""

    longest: int = NO_BOUND
    implementation: str = part10.IMPLEMENTATION_NAME
    roles: Mapping[str, Role] = field(default_factory=dict)
    wishes: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A-ASSOCIATE-RQ."""

    called: str
    calling: str
    contexts: tuple[Context, ...]
    said: Said
    is_spoken: bool = True  # the protocol version and the application context are those of DICOM


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """A-ASSOCIATE-AC: to each context, by number, its transfer syntax or why not."""

    answers: Mapping[int, str | Answer]
    said: Said


class Rejection(enum.Enum):
    """A-ASSOCIATE-RJ: result, source and reason (Table 9-21)."""

    NOT_GIVEN = (1, 1, 1)
    APPLICATION_CONTEXT = (1, 1, 2)
    CALLING_TITLE = (1, 1, 3)
    CALLED_TITLE = (1, 1, 7)
    PROTOCOL_VERSION = (1, 2, 2)
    CONGESTION = (2, 3, 1)
    LIMIT = (2, 3, 2)


REJECTIONS: Final[dict[Rejection, str]] = {
    Rejection.NOT_GIVEN: "no reason given",
    Rejection.APPLICATION_CONTEXT: "the application context is not DICOM's",
    Rejection.CALLING_TITLE: "the calling AE title is not known there",
    Rejection.CALLED_TITLE: "the called AE title is another",
    Rejection.PROTOCOL_VERSION: "the protocol version is not supported",
    Rejection.CONGESTION: "too much to do at present",
    Rejection.LIMIT: "no more associations at present",
}
"""What each means to a person."""


class AbortReason(enum.IntEnum):
    """Why a service provider aborts (Table 9-26)."""

    NOT_GIVEN = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNEXPECTED_PARAMETER = 5
    INVALID_PARAMETER = 6


# Titles.


def is_title(text: str) -> bool:
    """True for 1 to 16 printable ASCII characters without backslash, and not blank (PS3.5 §6.2, AE)."""
    return (
        len(text.strip(" ")) > 0
        and len(text) <= LONGEST_TITLE
        and text.isascii()
        and text.isprintable()
        and "\\" not in text
    )


def _read_title(raw: bytes) -> str:
    text = raw.decode("latin-1").strip(" \0")
    if not is_title(text):
        raise errors.Malformed("an AE title: expected 1 to 16 printable ASCII characters")
    return text


def _write_title(title: str) -> bytes:
    return title.encode("ascii")[:LONGEST_TITLE].ljust(LONGEST_TITLE)


# Reading.


def read_request(body: bytes) -> Request:
    """An A-ASSOCIATE-RQ without its head. Malformed or TooLarge when it is none."""
    if len(body) < _FIXED:
        raise errors.Malformed(f"A-ASSOCIATE-RQ: expected {_FIXED} bytes and more, saw {len(body)}")
    version = int.from_bytes(body[:2], "big")
    contexts: dict[int, Context] = {}
    application, said = "", Said()
    for kind, content in _items(body[_FIXED:]):
        if kind == _APPLICATION:
            application = content.decode("latin-1").strip(" \0")
        elif kind == _CONTEXT_OFFERED:
            context = _read_context(content)
            contexts[context.number] = context
        elif kind == _USER:
            said = _read_said(content)
    if len(contexts) > MOST:
        raise errors.TooLarge(f"{len(contexts)} presentation contexts, at most {MOST} can be")
    return Request(
        called=_read_title(body[4:20]),
        calling=_read_title(body[20:36]),
        contexts=tuple(contexts.values()),
        said=said,
        is_spoken=bool(version & 1) and application == APPLICATION_CONTEXT,
    )


def read_acceptance(body: bytes) -> Acceptance:
    """An A-ASSOCIATE-AC without its head. Malformed when it is none."""
    if len(body) < _FIXED:
        raise errors.Malformed(f"A-ASSOCIATE-AC: expected {_FIXED} bytes and more, saw {len(body)}")
    answers: dict[int, str | Answer] = {}
    said = Said()
    for kind, content in _items(body[_FIXED:]):
        if kind == _CONTEXT_ANSWERED and len(content) >= 4:
            syntax = next((_uid(value) for each, value in _items(content[4:]) if each == _TRANSFER), "")
            result = content[2]
            answers[content[0]] = syntax if result == 0 and syntax else Answer(result if 0 < result <= 4 else 2)
        elif kind == _USER:
            said = _read_said(content)
    return Acceptance(answers=answers, said=said)


def read_rejection(body: bytes) -> tuple[int, int, int]:
    """Result, source and reason, as in Table 9-21. Malformed when there are none."""
    if len(body) < 4:
        raise errors.Malformed(f"A-ASSOCIATE-RJ: expected 4 bytes, saw {len(body)}")
    return body[1], body[2], body[3]


def _items(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(content):
        if at + _ITEM.size > len(content):
            raise errors.Malformed(f"an item of {len(content) - at} bytes; expected {_ITEM.size} and more")
        kind, length = _ITEM.unpack_from(content, at)
        at += _ITEM.size
        if length > len(content) - at:
            raise errors.Malformed(f"an item of {length} bytes where {len(content) - at} are left")
        yield kind, content[at : at + length]
        at += length


def _uid(raw: bytes) -> str:
    text = raw.decode("latin-1").strip(" \0")
    return text if uids.is_uid(text) else ""


def _read_context(content: bytes) -> Context:
    if len(content) < 4 or content[0] % 2 == 0:
        raise errors.Malformed("a presentation context: expected an odd number and what is offered in it")
    abstract, syntaxes = "", []
    for kind, value in _items(content[4:]):
        if kind == _ABSTRACT:
            abstract = _uid(value)
        elif kind == _TRANSFER:
            syntaxes.append(_uid(value))
    return Context(content[0], abstract, tuple(uid for uid in syntaxes if uid))


def _read_said(content: bytes) -> Said:
    longest, implementation = 0, ""
    roles: dict[str, Role] = {}
    wishes: dict[str, bytes] = {}
    for kind, value in _items(content):
        if kind == _LENGTH and len(value) == 4:
            longest = int.from_bytes(value, "big")
        elif kind == _VERSION:
            implementation = value[:LONGEST_TITLE].decode("ascii", "replace").strip(" \0")
        elif kind in (_ROLE, _EXTENDED) and len(value) >= 2:
            end = 2 + int.from_bytes(value[:2], "big")
            uid, rest = _uid(value[2:end]), value[end:]
            if kind == _ROLE and len(rest) == 2:
                roles[uid] = Role(bool(rest[0]), bool(rest[1]))
            elif kind == _EXTENDED:
                wishes[uid] = rest
    return Said(
        longest=max(longest, _LEAST_PDU) if longest else NO_BOUND,
        implementation=implementation,
        roles=roles,
        wishes=wishes,
    )


# Writing.


def write_request(request: Request) -> bytes:
    """The whole PDU."""
    offered = (
        _item(
            _CONTEXT_OFFERED,
            bytes((context.number, 0, 0, 0)),
            _item(_ABSTRACT, context.abstract_syntax.encode()),
            *(_item(_TRANSFER, uid.encode()) for uid in context.transfer_syntaxes),
        )
        for context in request.contexts
    )
    return _associate(REQUEST, request.called, request.calling, offered, request.said)


def write_acceptance(acceptance: Acceptance, *, called: str, calling: str) -> bytes:
    """The whole PDU; the titles are those of the request (§9.3.3)."""
    answered = (
        _item(
            _CONTEXT_ANSWERED,
            bytes((number, 0, answer if isinstance(answer, Answer) else 0, 0)),
            _item(_TRANSFER, b"" if isinstance(answer, Answer) else answer.encode()),
        )
        for number, answer in acceptance.answers.items()
    )
    return _associate(ACCEPT, called, calling, answered, acceptance.said)


def write_rejection(rejection: Rejection) -> bytes:
    """The whole PDU."""
    return HEAD.pack(REJECT, 4) + bytes((0, *rejection.value))


def write_abort(reason: AbortReason | None = None) -> bytes:
    """The whole PDU: of the service provider for a reason, of the service user without."""
    return HEAD.pack(ABORT, 4) + (bytes(4) if reason is None else bytes((0, 0, 2, reason)))


def write_release(*, answer: bool) -> bytes:
    """A-RELEASE-RQ, or the answer to one."""
    return HEAD.pack(RELEASED if answer else RELEASE, 4) + bytes(4)


def _item(kind: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return _ITEM.pack(kind, len(content)) + content


def _associate(kind: int, called: str, calling: str, items: Iterable[bytes], said: Said) -> bytes:
    fixed = b"\0\1\0\0" + _write_title(called) + _write_title(calling) + bytes(32)
    body = b"".join((fixed, _item(_APPLICATION, APPLICATION_CONTEXT.encode()), *items, _write_said(said)))
    return HEAD.pack(kind, len(body)) + body


def _write_said(said: Said) -> bytes:
    return _item(
        _USER,
        _item(_LENGTH, said.longest.to_bytes(4, "big")),
        _item(_IMPLEMENTATION, part10.IMPLEMENTATION_UID.encode()),
        *(_item(_ROLE, _sized(uid), bytes((role.scu, role.scp))) for uid, role in said.roles.items()),
        _item(_VERSION, said.implementation.encode("ascii", "replace")[:LONGEST_TITLE]),
        *(_item(_EXTENDED, _sized(uid), information) for uid, information in said.wishes.items()),
    )


def _sized(uid: str) -> bytes:
    return len(uid).to_bytes(2, "big") + uid.encode()


def agreed(request: Request, acceptance: Acceptance) -> dict[int, Agreed]:
    """What an association that we asked for has: its accepted contexts, and where we may send (PS3.7 §D.3.3.4)."""
    found: dict[int, Agreed] = {}
    for context in request.contexts:
        answer = acceptance.answers.get(context.number)
        if isinstance(answer, str) and answer in context.transfer_syntaxes:
            role = acceptance.said.roles.get(context.abstract_syntax)
            we_send = role is None or role.scu
            found[context.number] = Agreed(context.number, context.abstract_syntax, answer, we_send=we_send)
    return found
