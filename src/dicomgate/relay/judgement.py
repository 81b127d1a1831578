"""What a destination's answer means for an instance: it has arrived, is tried again later, or goes to the shelf."""

from __future__ import annotations

import enum
from typing import Final

from dicomgate import errors
from dicomgate.client.offers import Became, Receipt
from dicomgate.client.request import Busy, Lost
from dicomgate.dicom.outcomes import Reason

_FULL: Final = range(0xA700, 0xA800)


class Judgement(enum.Enum):
    """What is to be done."""

    ARRIVED = enum.auto()
    LATER = enum.auto()  # the destination cannot now
    DOUBT = enum.auto()  # it may be the instance's fault, or not: it is tried some times
    SHELF = enum.auto()  # another try would end the same


def judge(receipt: Receipt) -> Judgement:
    """By what became of one instance (PS3.18 §I.2.2)."""
    if receipt.became in (Became.STORED, Became.KNOWN):
        return Judgement.ARRIVED
    if receipt.became is not Became.REFUSED:
        return Judgement.SHELF  # what is held cannot be read
    if receipt.code is None or receipt.code == Reason.PROCESSING_FAILURE:
        return Judgement.DOUBT
    return Judgement.LATER if receipt.code in _FULL else Judgement.SHELF


def judge_fault(fault: errors.Fault) -> Judgement:
    """By how a whole request failed: an answer of 500, or a connection that breaks, may be due to what was sent."""
    is_doubtful = isinstance(fault, errors.UpstreamFailed) and not isinstance(fault, Busy | Lost)
    return Judgement.DOUBT if is_doubtful else Judgement.LATER
