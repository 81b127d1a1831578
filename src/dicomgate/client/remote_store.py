"""Another DICOMweb server as an origin that keeps: each arrival goes on by STOW-RS, then its outcome is told."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dicomgate import errors
from dicomgate.client import store
from dicomgate.client.caller import Caller
from dicomgate.client.offers import NOWHERE, Became, Offer, Receipt
from dicomgate.client.store import Pace
from dicomgate.dicom import header, outcomes
from dicomgate.dicom.header import Header, Limits
from dicomgate.dicom.outcomes import Caution, Outcome, Reason, Refused, Stored
from dicomgate.spool import Arrival

_REASONS: Final = frozenset(Reason)
_CAUTIONS: Final = frozenset(Caution)
_FAMILIES: Final = (
    (0xFF00, Reason.OUT_OF_RESOURCES),
    (0xFF00, Reason.DOES_NOT_MATCH_CLASS),
    (0xF000, Reason.CANNOT_UNDERSTAND),
)
"""Codes that the standard gives by their range (PS3.18 I.2.2)."""


class RemoteStore:
    """The Store of another server. Safe for threads. "Stored" means what the server means by it."""

    def __init__(self, caller: Caller, limits: Limits = header.DEFAULT) -> None:
        self._caller = caller
        self._limits = limits

    def require_room(self) -> None:
        """Nothing is kept here, and the server says itself when it has no room."""

    def accept(self, arrival: Arrival, study: str | None = None) -> Outcome:
        """Send one arrival on, and give what the server says of it.

        A server that cannot be reached, or takes nothing now, is out of resources: who sent it may try again.
        """
        arrival.finish()
        try:
            seen = arrival.header(self._limits)
        except (errors.Malformed, errors.TooLarge) as fault:
            return Refused(outcomes.reason_of(fault), fault.message)
        if seen.target is None or seen.sop_class is None:
            return Refused(Reason.MISSING_UID)
        try:
            receipt = self._send(arrival, seen, study)
        except errors.Forbidden as fault:
            return Refused(Reason.PROCESSING_FAILURE, fault.message, seen.target, seen.sop_class)
        except errors.Fault as fault:
            return Refused(Reason.OUT_OF_RESOURCES, fault.message, seen.target, seen.sop_class)
        return _outcome(receipt, seen)

    def _send(self, arrival: Arrival, seen: Header, study: str | None) -> Receipt:
        assert seen.target is not None, "it was looked at"
        content = arrival.content()
        if isinstance(content, Path):
            status = content.stat()
            offer = Offer(path=content, size=status.st_size, mtime_ns=status.st_mtime_ns, target=seen.target)
        else:
            offer = Offer(path=NOWHERE, size=len(content), mtime_ns=0, target=seen.target, content=content)
        sending = store.send(self._caller.calls, [offer], Pace(requests=1), study)
        return next(self._caller.iterate(sending))


def _outcome(receipt: Receipt, seen: Header) -> Outcome:
    target, sop_class, code = seen.target, seen.sop_class, receipt.code
    assert target is not None, "it was looked at"
    assert sop_class is not None, "it was looked at"
    if receipt.became is Became.STORED:
        warning = None if code is None else Caution(code) if code in _CAUTIONS else Caution.COERCED
        return Stored(target, sop_class, warning=warning)
    if code in _REASONS:
        return Refused(Reason(code), "the server refuses it", target, sop_class)
    detail = receipt.detail if code is None else f"the server answered {code:04X}"
    family = next((reason for mask, reason in _FAMILIES if code is not None and code & mask == reason & mask), None)
    return Refused(family or Reason.PROCESSING_FAILURE, detail, target, sop_class)
