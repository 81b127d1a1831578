"""Status codes: outcomes and faults said to a peer, and what a peer's codes mean (PS3.7 Annex C, PRX-06)."""

from __future__ import annotations

import pytest

from dicomgate import errors
from dicomgate.dicom.outcomes import Caution, Reason, Refused, Stored
from dicomgate.dicom.uids import Target
from dicomgate.dimse import statuses
from dicomgate.dimse.statuses import Kind, Status

HERE = Target("1.2", "1.2.3", "1.2.3.4")


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_comes_back_as_itself_PRX_06(reason: Reason) -> None:
    said = statuses.of_outcome(Refused(reason, "", HERE, "1.2.840"))
    heard = statuses.to_outcome(said, HERE, "1.2.840")
    assert isinstance(heard, Refused)
    assert heard.reason is reason


@pytest.mark.parametrize("caution", [None, *Caution])
def test_every_success_comes_back_as_itself(caution: Caution | None) -> None:
    outcome = Stored(HERE, "1.2.840", warning=caution)
    assert statuses.to_outcome(statuses.of_outcome(outcome), HERE, "1.2.840") == outcome


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (0xA701, Reason.OUT_OF_RESOURCES),
        (0xA9FF, Reason.DOES_NOT_MATCH_CLASS),
        (0xCABC, Reason.CANNOT_UNDERSTAND),
        (0x0117, Reason.PROCESSING_FAILURE),
        (0x0213, Reason.OUT_OF_RESOURCES),
    ],
)
def test_a_foreign_code_is_that_of_its_range_and_told_in_words(status: int, reason: Reason) -> None:
    heard = statuses.to_outcome(status, HERE, "1.2.840")
    assert isinstance(heard, Refused)
    assert heard.reason is reason
    assert f"{status:04X}" in heard.detail


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (0x0000, Kind.SUCCESS),
        (0xB007, Kind.WARNING),
        (0x0001, Kind.WARNING),
        (0x0107, Kind.WARNING),
        (0xFE00, Kind.CANCELLED),
        (0xFF00, Kind.PENDING),
        (0xFF01, Kind.PENDING),
        (0xA801, Kind.FAILURE),
        (0xC123, Kind.FAILURE),
        (0x1234, Kind.FAILURE),
    ],
)
def test_kinds(status: int, kind: Kind) -> None:
    assert statuses.kind(status) is kind


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (errors.Malformed("m"), Status.DOES_NOT_MATCH_CLASS),
        (errors.OutOfSpace("m"), Status.OUT_OF_RESOURCES),
        (errors.TooLarge("m"), Status.OUT_OF_RESOURCES),
        (errors.Forbidden("m"), Status.NOT_AUTHORIZED),
        (errors.UpstreamFailed("m"), Status.OUT_OF_RESOURCES),
        (errors.Conflict("m"), Status.CANNOT_UNDERSTAND),
    ],
)
def test_faults_are_told(fault: errors.Fault, status: Status) -> None:
    assert statuses.of_fault(fault) is status


@pytest.mark.parametrize(
    ("status", "family"),
    [
        (0x0124, errors.Forbidden),
        (0xA700, errors.Unavailable),
        (0xA702, errors.UpstreamFailed),
        (0xA900, errors.UpstreamFailed),
        (0xC001, errors.UpstreamFailed),
    ],
)
def test_a_peers_failure_becomes_a_fault_of_ours(status: int, family: type[errors.Fault]) -> None:
    fault = statuses.to_fault(status, deed="C-FIND")
    assert type(fault) is family
    assert f"{status:04X}" in str(fault)


def test_what_did_not_fail_is_no_fault() -> None:
    assert all(statuses.to_fault(status, deed="C-GET") is None for status in (0, 0xB000, 0xFE00, 0xFF00))


def test_a_comment_is_what_the_field_takes() -> None:
    assert statuses.comment("a\\b\n\u00fc" + "c" * 100) == "a?b??" + "c" * 59


def test_every_code_has_a_meaning() -> None:
    assert set(statuses.MEANINGS) == set(Status)
