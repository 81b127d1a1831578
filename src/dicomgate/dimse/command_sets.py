"""Command sets <-> values: what a DIMSE message asks or answers (PS3.7 §6.3, §9.3, §10.3, Annex E).

A command set is always Implicit VR Little Endian, of group 0000 only, and small.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass, field
from typing import Any, Final

from dicomgate import errors
from dicomgate.dicom import uids
from dicomgate.dimse import statuses

LONGEST: Final = 64 << 10
_NO_DATASET: Final = 0x0101
_HEAD: Final = struct.Struct("<HHI")
_RESPONSE: Final = 0x8000


class Kind(enum.IntEnum):
    """Command Field (0000,0100) of requests; a response has the highest bit set too."""

    STORE = 0x0001
    GET = 0x0010
    FIND = 0x0020
    MOVE = 0x0021
    ECHO = 0x0030
    EVENT_REPORT = 0x0100
    N_GET = 0x0110
    N_SET = 0x0120
    ACTION = 0x0130
    N_CREATE = 0x0140
    N_DELETE = 0x0150
    CANCEL = 0x0FFF


class Field(enum.IntEnum):
    """Elements of group 0000 that mean something here (Table E.1-1)."""

    GROUP_LENGTH = 0x0000
    AFFECTED_CLASS = 0x0002
    REQUESTED_CLASS = 0x0003
    COMMAND = 0x0100
    MESSAGE_ID = 0x0110
    RESPONDED_ID = 0x0120
    DESTINATION = 0x0600
    PRIORITY = 0x0700
    DATASET = 0x0800
    STATUS = 0x0900
    COMMENT = 0x0902
    AFFECTED_INSTANCE = 0x1000
    REQUESTED_INSTANCE = 0x1001
    EVENT_TYPE = 0x1002
    ACTION_TYPE = 0x1008
    REMAINING = 0x1020
    COMPLETED = 0x1021
    FAILED = 0x1022
    WARNED = 0x1023
    ORIGINATOR = 0x1030
    ORIGINATOR_ID = 0x1031


_UIDS: Final = frozenset(
    {Field.AFFECTED_CLASS, Field.REQUESTED_CLASS, Field.AFFECTED_INSTANCE, Field.REQUESTED_INSTANCE}
)
_TEXTS: Final = frozenset({Field.DESTINATION, Field.COMMENT, Field.ORIGINATOR})
_KNOWN: Final = {int(each): each for each in Field}
_KINDS: Final = {int(each): each for each in Kind}


@dataclass(frozen=True, slots=True)
class Command:
    """One command set. `has_dataset`: a data set follows it; `fields` holds the rest, without Command Field."""

    kind: Kind
    fields: dict[Field, Any] = field(default_factory=dict)
    is_response: bool = False
    has_dataset: bool = False

    @property
    def number(self) -> int:
        """The message's own ID; of a response or C-CANCEL that of the request that it is about."""
        is_about = self.is_response or self.kind is Kind.CANCEL
        return int(self.fields.get(Field.RESPONDED_ID if is_about else Field.MESSAGE_ID, 0))

    @property
    def status(self) -> int:
        """Of a response; a processing failure where it says none."""
        return int(self.fields.get(Field.STATUS, statuses.Status.PROCESSING_FAILURE))

    def text(self, name: Field) -> str:
        """A UID or text, empty where there is none."""
        return str(self.fields.get(name, ""))

    def number_of(self, name: Field) -> int:
        """A number, 0 where there is none."""
        return int(self.fields.get(name, 0))

    def answer(
        self, status: int, *, comment: str = "", has_dataset: bool = False, further: dict[Field, Any] | None = None
    ) -> Command:
        """The response to this request."""
        fields: dict[Field, Any] = {Field.RESPONDED_ID: self.number, Field.STATUS: int(status)}
        sop_class = self.text(Field.AFFECTED_CLASS) or self.text(Field.REQUESTED_CLASS)
        instance = self.text(Field.AFFECTED_INSTANCE) or self.text(Field.REQUESTED_INSTANCE)
        if sop_class:
            fields[Field.AFFECTED_CLASS] = sop_class
        if instance:
            fields[Field.AFFECTED_INSTANCE] = instance
        if comment:
            fields[Field.COMMENT] = statuses.comment(comment)
        return Command(self.kind, {**fields, **(further or {})}, is_response=True, has_dataset=has_dataset)


def read_command(raw: bytes) -> Command:
    """A command set. Malformed when it is none that is known, or has values that its fields cannot have."""
    found: dict[Field, Any] = {}
    at = 0
    while at < len(raw):
        if at + _HEAD.size > len(raw):
            raise errors.Malformed("a command set that ends within an element")
        group, element, length = _HEAD.unpack_from(raw, at)
        at += _HEAD.size
        if group or length > len(raw) - at:
            raise errors.Malformed("a command set with an element that is none of group 0000, or is cut short")
        name = _KNOWN.get(element)
        if name is not None:
            found[name] = _read_value(name, raw[at : at + length])
        at += length
    found.pop(Field.GROUP_LENGTH, None)
    code = found.pop(Field.COMMAND, None)
    has_dataset = found.pop(Field.DATASET, _NO_DATASET) != _NO_DATASET
    kind = _KINDS.get((code or 0) & ~_RESPONSE)
    if kind is None:
        raise errors.Malformed("a command set without a command that is known")
    return Command(kind, found, is_response=bool(code & _RESPONSE), has_dataset=has_dataset)


def _read_value(name: Field, raw: bytes) -> Any:
    if name in _UIDS:
        text = raw.decode("latin-1").strip(" \0")
        if text and not uids.is_uid(text):
            raise errors.Malformed("a command set with a UID that is none")
        return text
    if name in _TEXTS:
        return raw.decode("latin-1").strip(" \0")[:64]
    if len(raw) != (4 if name is Field.GROUP_LENGTH else 2):
        raise errors.Malformed("a command set with a number that is none")
    return int.from_bytes(raw, "little")


def write_command(command: Command) -> bytes:
    """The command set's bytes."""
    code = int(command.kind) | (_RESPONSE if command.is_response else 0)
    fields = {
        **command.fields,
        Field.COMMAND: code,
        Field.DATASET: 0x0001 if command.has_dataset else _NO_DATASET,
    }
    elements = b"".join(_write_value(name, fields[name]) for name in sorted(fields))
    return _HEAD.pack(0, 0, 4) + struct.pack("<I", len(elements)) + elements


def _write_value(name: Field, value: Any) -> bytes:
    if name in _UIDS or name in _TEXTS:
        raw = str(value).encode("ascii", "replace")
        raw += (b"\0" if name in _UIDS else b" ") * (len(raw) % 2)
    else:
        raw = int(value).to_bytes(2, "little")
    return _HEAD.pack(0, int(name), len(raw)) + raw
