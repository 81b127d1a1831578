"""Protocol data units of association: proposals and what answers them, written and read with bounds (PS3.8 §9.3).

Only what is said when associations begin and end; data travels in `wire`. Reading is linear and believes no length.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from dicomgate import errors
from dicomgate.dicom import part10

REQUEST: Final = 1
ACCEPT: Final = 2
REJECT: Final = 3
DATA: Final = 4
RELEASE: Final = 5
RELEASED: Final = 6
ABORT: Final = 7

APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"
MOST_CONTEXTS: Final = 128
"""Of one association: their numbers are the odd ones of a byte (§9.3.2.2)."""
LARGEST_NEGOTIATION: Final = 256 << 10
"""Bytes of a proposal or of what accepts it; DCMTK's largest has less than 200 kB (T20)."""
LONGEST_TITLE: Final = 16
ACCEPTED: Final = 0
NOT_WANTED, CLASS_UNKNOWN, SYNTAXES_UNKNOWN = 1, 3, 4

_APPLICATION, _PROPOSED, _ANSWERED, _USER = 0x10, 0x20, 0x21, 0x50
_ABSTRACT, _TRANSFER = 0x30, 0x40
_LENGTH, _IMPLEMENTATION, _ROLE, _VERSION, _EXTENDED = 0x51, 0x52, 0x54, 0x55, 0x56
_FIXED: Final = 68
_MOST_ITEMS: Final = 8192
_NONE: Final[Mapping[str, bytes]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Context:
    """A presentation context as it is proposed: what is spoken of, and how it may be encoded."""

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]
    is_received: bool = False
    """The one who proposes it will take the other's part: storage on the way back of a C-GET (PS3.7 §D.3.3.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What the requestor says. Contexts are numbered 1, 3, 5 ... in their order unless `numbers` tells others."""

    called: str
    calling: str
    contexts: tuple[Context, ...]
    largest: int
    extended: Mapping[str, bytes] = field(default_factory=lambda: _NONE)
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a context: 0 and the transfer syntax, or why not."""

    result: int
    transfer_syntax: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """What the acceptor says; `largest` is what it takes in one unit (0: anything)."""

    contexts: Mapping[int, Answered]
    largest: int
    implementation: str = ""
    received: frozenset[str] = frozenset()
    extended: Mapping[str, bytes] = field(default_factory=lambda: _NONE)


def write_proposal(proposal: Proposal) -> bytes:
    """A-ASSOCIATE-RQ (§9.3.2)."""
    assert len(proposal.contexts) <= MOST_CONTEXTS, "who proposes more splits them"
    roles = dict.fromkeys(one.abstract_syntax for one in proposal.contexts if one.is_received)
    items = [_item(_APPLICATION, APPLICATION_CONTEXT.encode())]
    items += (_proposed(2 * at + 1, one) for at, one in enumerate(proposal.contexts))
    items.append(_item(_USER, _user(proposal.largest, _roles(roles, scu=0, scp=1), proposal.extended)))
    return _unit(REQUEST, _fixed(proposal.called, proposal.calling) + b"".join(items))


def write_acceptance(proposal: Proposal, answers: Mapping[int, Answered], largest: int) -> bytes:
    """A-ASSOCIATE-AC (§9.3.3), with the roles that were proposed."""
    roles = dict.fromkeys(one.abstract_syntax for one in proposal.contexts if one.is_received)
    items = [_item(_APPLICATION, APPLICATION_CONTEXT.encode())]
    for number, answer in answers.items():
        head = struct.pack(">BBBB", number, 0, answer.result, 0)
        items.append(_item(_ANSWERED, head + _item(_TRANSFER, answer.transfer_syntax.encode())))
    items.append(_item(_USER, _user(largest, _roles(roles, scu=0, scp=1), _NONE)))
    return _unit(ACCEPT, _fixed(proposal.called, proposal.calling) + b"".join(items))


def write_rejection(result: int, source: int, reason: int) -> bytes:
    """A-ASSOCIATE-RJ (§9.3.4)."""
    return _unit(REJECT, bytes((0, result, source, reason)))


def write_release(*, is_answer: bool = False) -> bytes:
    """A-RELEASE-RQ or -RP (§9.3.6, §9.3.7)."""
    return _unit(RELEASED if is_answer else RELEASE, bytes(4))


def write_abort(source: int = 0, reason: int = 0) -> bytes:
    """A-ABORT (§9.3.8)."""
    return _unit(ABORT, bytes((0, 0, source, reason)))


def read_proposal(body: bytes) -> Proposal:
    """An A-ASSOCIATE-RQ without its head. Malformed when it is none."""
    called, calling, items = _read_fixed(body)
    contexts: list[tuple[int, Context]] = []
    user = b""
    for kind, value in items:
        if kind == _PROPOSED:
            contexts.append(_read_context(value))
        elif kind == _USER:
            user = value
    if len({number for number, _ in contexts}) != len(contexts) or len(contexts) > MOST_CONTEXTS:
        raise errors.Malformed(f"a proposal of {len(contexts)} contexts, too many or some of one number")
    largest, _, received, extended = _read_user(user)
    return Proposal(
        called=called,
        calling=calling,
        contexts=tuple(
            Context(one.abstract_syntax, one.transfer_syntaxes, one.abstract_syntax in received) for _, one in contexts
        ),
        largest=largest,
        extended=extended,
        numbers=tuple(number for number, _ in contexts),
    )


def read_acceptance(body: bytes) -> Acceptance:
    """An A-ASSOCIATE-AC without its head. Malformed when it is none."""
    _, _, items = _read_fixed(body)
    contexts: dict[int, Answered] = {}
    user = b""
    for kind, value in items:
        if kind == _ANSWERED:
            if len(value) < 4:
                raise errors.Malformed(f"the answer to a context has {len(value)} bytes, at least 4 are expected")
            syntax = next((_text(below) for sub, below in _items(value, 4) if sub == _TRANSFER), "")
            contexts[value[0]] = Answered(value[2], syntax)
        elif kind == _USER:
            user = value
    largest, implementation, received, extended = _read_user(user)
    return Acceptance(
        contexts=contexts, largest=largest, implementation=implementation, received=received, extended=extended
    )


def _unit(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBI", kind, 0, len(body)) + body


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def _fixed(called: str, calling: str) -> bytes:
    titles = (title.encode("ascii", "replace")[:LONGEST_TITLE].ljust(LONGEST_TITLE) for title in (called, calling))
    return b"\0\1\0\0" + b"".join(titles) + bytes(32)


def _proposed(number: int, context: Context) -> bytes:
    syntaxes = b"".join(_item(_TRANSFER, one.encode()) for one in context.transfer_syntaxes)
    return _item(_PROPOSED, bytes((number, 0, 0, 0)) + _item(_ABSTRACT, context.abstract_syntax.encode()) + syntaxes)


def _user(largest: int, roles: bytes, extended: Mapping[str, bytes]) -> bytes:
    return b"".join(
        (
            _item(_LENGTH, struct.pack(">I", largest)),
            _item(_IMPLEMENTATION, part10.IMPLEMENTATION_UID.encode()),
            roles,
            _item(_VERSION, part10.IMPLEMENTATION_NAME.encode()),
            *(_item(_EXTENDED, _counted(uid) + told) for uid, told in extended.items()),
        )
    )


def _roles(classes: Sequence[str] | Mapping[str, None], *, scu: int, scp: int) -> bytes:
    return b"".join(_item(_ROLE, _counted(uid) + bytes((scu, scp))) for uid in classes)


def _counted(uid: str) -> bytes:
    return struct.pack(">H", len(uid)) + uid.encode()


def _read_fixed(body: bytes) -> tuple[str, str, Iterator[tuple[int, bytes]]]:
    if len(body) < _FIXED:
        raise errors.Malformed(f"a negotiation of {len(body)} bytes, at least {_FIXED} expected")
    return _text(body[4:20]), _text(body[20:36]), _items(body, _FIXED)


def _items(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    for _ in range(_MOST_ITEMS):
        if at == len(data):
            return
        if len(data) - at < 4:
            raise errors.Malformed(f"byte {at}: {len(data) - at} bytes left where an item was expected")
        kind, length = struct.unpack_from(">BxH", data, at)
        if length > len(data) - at - 4:
            raise errors.Malformed(f"byte {at}: an item of {length} bytes where {len(data) - at - 4} are left")
        yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length
    raise errors.TooLarge(f"more than {_MOST_ITEMS} items in one negotiation")


def _read_context(value: bytes) -> tuple[int, Context]:
    if len(value) < 4:
        raise errors.Malformed(f"a proposed context has {len(value)} bytes, at least 4 are expected")
    abstract, syntaxes = "", []
    for kind, below in _items(value, 4):
        if kind == _ABSTRACT:
            abstract = _text(below)
        elif kind == _TRANSFER:
            syntaxes.append(_text(below))
    return value[0], Context(abstract, tuple(syntaxes))


def _read_user(user: bytes) -> tuple[int, str, frozenset[str], Mapping[str, bytes]]:
    """Largest unit, implementation, classes whose other part is taken, what is said of single classes."""
    largest, implementation, received, extended = 0, "", set(), {}
    for kind, value in _items(user, 0):
        if kind == _LENGTH and len(value) == 4:
            (largest,) = struct.unpack(">I", value)
        elif kind == _VERSION:
            implementation = _text(value)
        elif kind in (_ROLE, _EXTENDED) and len(value) >= 2:
            end = 2 + int.from_bytes(value[:2], "big")
            uid, told = _text(value[2:end]), value[end:]
            if kind == _EXTENDED:
                extended[uid] = told
            elif len(told) == 2 and told[1]:
                received.add(uid)
    return largest, implementation, frozenset(received), extended


def _text(raw: bytes) -> str:
    """A UID or an AE title: ASCII, without what pads it."""
    return raw.decode("ascii", "replace").strip(" \0")
