"""What became of one offered instance: words and codes that STOW-RS and C-STORE share (PS3.18 I, PS3.4 B.2.3)."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from dicomgate import errors
from dicomgate.dicom.source import Truncated
from dicomgate.dicom.uids import Target


class Reason(enum.IntEnum):
    """Failure Reason (0008,1197) values; what each means and leads to stands in `FAILURES`."""

    PROCESSING_FAILURE = 0x0110
    CLASS_NOT_SUPPORTED = 0x0122
    OUT_OF_RESOURCES = 0xA700
    DOES_NOT_MATCH_CLASS = 0xA900
    CANNOT_UNDERSTAND = 0xC000
    TRUNCATED = 0xC001
    LIMIT_PASSED = 0xC002
    MISSING_UID = 0xC003
    MALFORMED_UID = 0xC004
    SYNTAX_NOT_SUPPORTED = 0xC122
    WRONG_STUDY = 0xC409
    OTHER_CONTENT = 0xC410
    OTHER_PARENT = 0xC411
    OTHER_PATIENT = 0xC412
    READ_ONLY = 0xC413
    CANNOT_COERCE = 0xC414
    WRONG_PART_TYPE = 0xC415
    NO_BULK_DATA = 0xC416


class Caution(enum.IntEnum):
    """Warning Reason (0008,1196) values; what each means stands in `WARNINGS`."""

    COERCED = 0xB000
    ELEMENTS_DISCARDED = 0xB006
    DOES_NOT_MATCH_CLASS = 0xB007


class Failure(NamedTuple):
    """What a reason means to a person, and the HTTP status when no instance of a request fared better."""

    means: str
    status: int = 409

    @property
    def is_syntax(self) -> bool:
        """The bytes themselves are at fault (AMB-04)."""
        return self.status == 400


FAILURES: dict[Reason, Failure] = {
    Reason.PROCESSING_FAILURE: Failure("the instance could not be processed"),
    Reason.CLASS_NOT_SUPPORTED: Failure("this SOP class is not stored here"),
    Reason.OUT_OF_RESOURCES: Failure("no room to keep the instance", 503),
    Reason.DOES_NOT_MATCH_CLASS: Failure("the data set does not match its SOP class"),
    Reason.CANNOT_UNDERSTAND: Failure("not a DICOM file that can be read", 400),
    Reason.TRUNCATED: Failure("the file ends before its content does", 400),
    Reason.LIMIT_PASSED: Failure("the data set passes a bound on depth, count or length", 400),
    Reason.MISSING_UID: Failure("SOP Class, SOP Instance, Series or Study Instance UID is missing"),
    Reason.MALFORMED_UID: Failure("a UID is not 1 to 64 digits and dots"),
    Reason.SYNTAX_NOT_SUPPORTED: Failure("the transfer syntax is not known here"),
    Reason.WRONG_STUDY: Failure("the Study Instance UID differs from the study in the address"),
    Reason.OTHER_CONTENT: Failure("another content is already stored under this SOP Instance UID"),
    Reason.OTHER_PARENT: Failure("this UID is already stored in another study or series"),
    Reason.OTHER_PATIENT: Failure("this Study Instance UID is already stored for another patient"),
    Reason.READ_ONLY: Failure("nothing can be stored here"),
    Reason.CANNOT_COERCE: Failure("attributes that this archive sets cannot be set in this instance"),
    Reason.WRONG_PART_TYPE: Failure("the part's media type is not taken here"),
    Reason.NO_BULK_DATA: Failure("the request does not hold the bulk data that the metadata names"),
}
"""The one table of failures; docs/outcomes.md is made from it."""

WARNINGS: dict[Caution, str] = {
    Caution.ELEMENTS_DISCARDED: "stored without some of its elements",
    Caution.COERCED: "stored with other values of some elements; what was sent stands in Original Attributes Sequence",
    Caution.DOES_NOT_MATCH_CLASS: "stored as it is, though the data set does not match its SOP class",
}
"""The one table of warnings, the one that matters most first: an instance is told one of them (PS3.18 I.2.1)."""

_FAULTS: tuple[tuple[type[errors.Fault], Reason], ...] = (
    (Truncated, Reason.TRUNCATED),
    (errors.TooLarge, Reason.LIMIT_PASSED),
    (errors.UnsupportedMedia, Reason.WRONG_PART_TYPE),
)


def reason_of(fault: errors.Fault) -> Reason:
    """The reason to report where reading an instance met this fault."""
    return next((reason for kind, reason in _FAULTS if isinstance(fault, kind)), Reason.CANNOT_UNDERSTAND)


MEANINGS: dict[Reason, str] = {reason: failure.means for reason, failure in FAILURES.items()}


def most_apt(cautions: Iterable[Caution | None]) -> Caution | None:
    """The one warning to tell of an instance that deserves several."""
    given = set(cautions)
    return next((caution for caution in WARNINGS if caution in given), None)


def format_markdown() -> str:
    """The tables of docs/outcomes.md."""
    lines = ["## Failures", "", "| Failure Reason | decimal | means | alone it makes the status |", "|---|---|---|---|"]
    for reason, failure in FAILURES.items():
        status = "503, or 507 when the disk is full" if failure.status == 503 else str(failure.status)
        lines.append(f"| `{reason:04X}` | {int(reason)} | {failure.means} | {status} |")
    lines += ["", "## Warnings", "", "| Warning Reason | decimal | means |", "|---|---|---|"]
    lines += [f"| `{caution:04X}` | {int(caution)} | {means} |" for caution, means in WARNINGS.items()]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Stored:
    """The instance is on stable storage and in the index; `again` when it already was, byte for byte.

    `originals`: the items of its Original Attributes Sequence (0400,0561) that tell what was changed on the way in.
    """

    target: Target
    sop_class: str
    again: bool = False
    warning: Caution | None = None
    originals: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The instance was not stored; `target` and `sop_class` as far as they could be read."""

    reason: Reason
    detail: str = ""
    target: Target | None = None
    sop_class: str | None = None
    syntax_fault: bool | None = None  # the bytes themselves are at fault (AMB-04); None: as the table has it
    is_full: bool = False  # no byte is left on the disk, so 507 rather than 503 (D3)

    def __post_init__(self) -> None:
        if self.syntax_fault is None:
            object.__setattr__(self, "syntax_fault", FAILURES[self.reason].is_syntax)

    @property
    def status(self) -> int:
        """The HTTP status when no instance of a request fared better (STOW-10)."""
        if self.is_full:
            return 507
        if self.syntax_fault:
            return 400
        return max(FAILURES[self.reason].status, 409)

    @property
    def message(self) -> str:
        """What a person reads; never patient data."""
        meaning = MEANINGS[self.reason]
        return f"{meaning}: {self.detail}" if self.detail else meaning


Outcome = Stored | Refused
