"""DIMSE status codes: what each is called, and what outcomes and faults they say; one table, both ways (PS3.7 Annex C).

Codes of single services: PS3.4 §B.2.3 (storage), §C.4 (query and retrieve), §J.3 (storage commitment).
"""

from __future__ import annotations

import enum
from typing import Final

from dicomgate import errors
from dicomgate.dicom import outcomes
from dicomgate.dicom.outcomes import Caution, Outcome, Reason, Refused, Stored
from dicomgate.dicom.uids import Target

LONGEST_COMMENT: Final = 64
"""Characters of Error Comment (0000,0902), an LO."""


class Status(enum.IntEnum):
    """The codes that we say, and know by name when we hear them."""

    SUCCESS = 0x0000
    NO_SUCH_ATTRIBUTE = 0x0105
    INVALID_ATTRIBUTE_VALUE = 0x0106
    PROCESSING_FAILURE = 0x0110
    NO_SUCH_INSTANCE = 0x0112
    NO_SUCH_EVENT_TYPE = 0x0113
    INVALID_ARGUMENT_VALUE = 0x0115
    INVALID_INSTANCE = 0x0117
    NO_SUCH_CLASS = 0x0118
    CLASS_INSTANCE_CONFLICT = 0x0119
    MISSING_ATTRIBUTE = 0x0120
    CLASS_NOT_SUPPORTED = 0x0122
    NO_SUCH_ACTION_TYPE = 0x0123
    NOT_AUTHORIZED = 0x0124
    DUPLICATE_INVOCATION = 0x0210
    UNRECOGNIZED_OPERATION = 0x0211
    MISTYPED_ARGUMENT = 0x0212
    RESOURCE_LIMITATION = 0x0213
    OUT_OF_RESOURCES = 0xA700
    CANNOT_COUNT = 0xA701
    CANNOT_PERFORM = 0xA702
    DESTINATION_UNKNOWN = 0xA801
    DOES_NOT_MATCH_CLASS = 0xA900
    SOME_FAILED = 0xB000
    CANNOT_UNDERSTAND = 0xC000
    CANCELLED = 0xFE00
    PENDING = 0xFF00
    PENDING_KEYS_IGNORED = 0xFF01


class Kind(enum.Enum):
    """What a status means for the operation (PS3.7 §C)."""

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"
    CANCELLED = "cancelled"
    PENDING = "pending"


MEANINGS: Final[dict[Status, str]] = {
    Status.SUCCESS: "done",
    Status.NO_SUCH_ATTRIBUTE: "an attribute that is not known here",
    Status.INVALID_ATTRIBUTE_VALUE: "an attribute has a value that it cannot have",
    Status.PROCESSING_FAILURE: "it could not be processed",
    Status.NO_SUCH_INSTANCE: "no such instance",
    Status.NO_SUCH_EVENT_TYPE: "no such event",
    Status.INVALID_ARGUMENT_VALUE: "a value that is not taken here",
    Status.INVALID_INSTANCE: "the UID is none, or not of this class",
    Status.NO_SUCH_CLASS: "no such class",
    Status.CLASS_INSTANCE_CONFLICT: "the instance is of another class",
    Status.MISSING_ATTRIBUTE: "an attribute is missing",
    Status.CLASS_NOT_SUPPORTED: "the class is not supported",
    Status.NO_SUCH_ACTION_TYPE: "no such action",
    Status.NOT_AUTHORIZED: "it is not permitted",
    Status.DUPLICATE_INVOCATION: "the message ID is in use",
    Status.UNRECOGNIZED_OPERATION: "no such operation",
    Status.MISTYPED_ARGUMENT: "a field of the command is missing or of another kind",
    Status.RESOURCE_LIMITATION: "no resources for it now",
    Status.OUT_OF_RESOURCES: "no resources for it now",
    Status.CANNOT_COUNT: "the matches cannot be counted now",
    Status.CANNOT_PERFORM: "no sub-operation could be performed",
    Status.DESTINATION_UNKNOWN: "the move destination is not known",
    Status.DOES_NOT_MATCH_CLASS: "the data set or identifier does not match its SOP class",
    Status.SOME_FAILED: "some sub-operations failed or warned",
    Status.CANNOT_UNDERSTAND: "it cannot be understood or processed",
    Status.CANCELLED: "it was cancelled",
    Status.PENDING: "more follows",
    Status.PENDING_KEYS_IGNORED: "more follows; some optional keys were not compared",
}
"""The one table of codes; the conformance statement is made from it."""

_FAULTS: Final[tuple[tuple[type[errors.Fault], Status], ...]] = (
    (errors.Malformed, Status.DOES_NOT_MATCH_CLASS),
    (errors.NotAllowed, Status.DOES_NOT_MATCH_CLASS),
    (errors.NotFound, Status.CANNOT_PERFORM),
    (errors.Forbidden, Status.NOT_AUTHORIZED),
    (errors.Unavailable, Status.OUT_OF_RESOURCES),
    (errors.TooLarge, Status.OUT_OF_RESOURCES),
    (errors.UpstreamFailed, Status.OUT_OF_RESOURCES),
)
_RANGES: Final[tuple[tuple[range, Kind], ...]] = (
    (range(0x0001, 0x0002), Kind.WARNING),
    (range(0x0107, 0x0108), Kind.WARNING),
    (range(0x0116, 0x0117), Kind.WARNING),
    (range(0xB000, 0xC000), Kind.WARNING),
    (range(0xFE00, 0xFE01), Kind.CANCELLED),
    (range(0xFF00, 0xFF02), Kind.PENDING),
)
_REASONS: Final[tuple[tuple[range, Reason], ...]] = (
    (range(0xA700, 0xA800), Reason.OUT_OF_RESOURCES),
    (range(0xA900, 0xAA00), Reason.DOES_NOT_MATCH_CLASS),
    (range(0xC000, 0xD000), Reason.CANNOT_UNDERSTAND),
    (range(0x0213, 0x0214), Reason.OUT_OF_RESOURCES),
)
_CAUTIONS: Final[frozenset[int]] = frozenset(Caution)


def kind(status: int) -> Kind:
    """What the code means for the operation; codes of no range of PS3.7 are failures."""
    if status == Status.SUCCESS:
        return Kind.SUCCESS
    return next((found for codes, found in _RANGES if status in codes), Kind.FAILURE)


def format_code(status: int) -> str:
    """The code as people write it, "A700"."""
    return f"{status:04X}"


def describe(status: int) -> str:
    """The code and what it means, in a sentence's words."""
    means = MEANINGS.get(Status(status)) if status in Status._value2member_map_ else None
    if means is None and status in Reason._value2member_map_:
        means = outcomes.MEANINGS[Reason(status)]
    return f"{format_code(status)} ({means or kind(status).value})"


def of_fault(fault: errors.Fault) -> Status:
    """What to answer where an operation met this fault."""
    return next((status for family, status in _FAULTS if isinstance(fault, family)), Status.CANNOT_UNDERSTAND)


def to_fault(status: int, *, deed: str) -> errors.Fault | None:
    """What a peer's final answer to a query or retrieval means for our caller; None unless it failed.

    `deed` says what was asked, in words of our own. The peer's comment is not repeated: it may be anything.
    """
    if kind(status) is not Kind.FAILURE:
        return None
    message = f"{deed}: the peer answered {describe(status)}"
    if status == Status.NOT_AUTHORIZED:
        return errors.Forbidden(message)
    if status == Status.RESOURCE_LIMITATION or (0xA700 <= status < 0xA800 and status != Status.CANNOT_PERFORM):
        return errors.Unavailable(message)
    return errors.UpstreamFailed(message)


def of_outcome(outcome: Outcome) -> int:
    """The code of a C-STORE response: Failure and Warning Reason are of the same code space (PS3.18 §I.2)."""
    if isinstance(outcome, Refused):
        return int(outcome.reason)
    return int(outcome.warning) if outcome.warning is not None else int(Status.SUCCESS)


def to_outcome(status: int, target: Target, sop_class: str) -> Outcome:
    """What a peer's answer to C-STORE says of the instance (PRX-06).

    Codes that have no reason of their own here become that of their range, with the code told in words.
    """
    match kind(status):
        case Kind.SUCCESS:
            return Stored(target, sop_class)
        case Kind.WARNING:
            return Stored(target, sop_class, warning=Caution(status) if status in _CAUTIONS else Caution.COERCED)
    if status in Reason._value2member_map_:
        return Refused(Reason(status), "", target, sop_class)
    reason = next((found for codes, found in _REASONS if status in codes), Reason.PROCESSING_FAILURE)
    return Refused(reason, f"the peer answered {format_code(status)}", target, sop_class)


def comment(text: str) -> str:
    """A message as Error Comment takes it: printable ASCII without backslash, cut at its length."""
    plain = "".join(each if " " <= each <= "~" and each != "\\" else "?" for each in text)
    return plain[:LONGEST_COMMENT]
