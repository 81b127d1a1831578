"""What became of one offered instance: words and codes that STOW-RS and C-STORE share (PS3.18 I, PS3.4 B.2.3)."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

from dicomgate.dicom.uids import Target


class Reason(enum.IntEnum):
    """Failure Reason (0008,1197) values; each with the sentence a person reads in `MEANINGS`."""

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
    OTHER_CONTENT = 0xC410
    OTHER_PARENT = 0xC411
    OTHER_PATIENT = 0xC412
    WRONG_STUDY = 0xC409
    READ_ONLY = 0xC413
    WRONG_PART_TYPE = 0xC415
    NO_BULK_DATA = 0xC416


MEANINGS: dict[Reason, str] = {
    Reason.PROCESSING_FAILURE: "the instance could not be processed",
    Reason.CLASS_NOT_SUPPORTED: "this SOP class is not stored here",
    Reason.OUT_OF_RESOURCES: "no room to keep the instance",
    Reason.DOES_NOT_MATCH_CLASS: "the data set does not match its SOP class",
    Reason.CANNOT_UNDERSTAND: "not a DICOM file that can be read",
    Reason.TRUNCATED: "the file ends before its content does",
    Reason.LIMIT_PASSED: "the data set passes a bound on depth, count or length",
    Reason.MISSING_UID: "SOP Class, SOP Instance, Series or Study Instance UID is missing",
    Reason.MALFORMED_UID: "a UID is not 1 to 64 digits and dots",
    Reason.SYNTAX_NOT_SUPPORTED: "the transfer syntax is not known here",
    Reason.OTHER_CONTENT: "another content is already stored under this SOP Instance UID",
    Reason.OTHER_PARENT: "this UID is already stored in another study or series",
    Reason.OTHER_PATIENT: "this Study Instance UID is already stored for another patient",
    Reason.WRONG_STUDY: "the Study Instance UID differs from the study in the address",
    Reason.READ_ONLY: "nothing can be stored here",
    Reason.WRONG_PART_TYPE: "the part's media type is not taken here",
    Reason.NO_BULK_DATA: "the request does not hold the bulk data that the metadata names",
}


class Caution(enum.IntEnum):
    """Warning Reason (0008,1196) values."""

    COERCED = 0xB000
    ELEMENTS_DISCARDED = 0xB006
    DOES_NOT_MATCH_CLASS = 0xB007


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
    syntax_fault: bool = field(default=False)  # the bytes themselves are at fault, so 400 rather than 409 (AMB-04)
    is_full: bool = field(default=False)  # no byte is left on the disk, so 507 rather than 503 (D3)

    @property
    def message(self) -> str:
        """What a person reads; never patient data."""
        meaning = MEANINGS[self.reason]
        return f"{meaning}: {self.detail}" if self.detail else meaning


Outcome = Stored | Refused
