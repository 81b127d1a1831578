"""The store report: STOW-10..17, AMB-03, AMB-04, AMB-12, V17, rows 38 to 41."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from dicomgate.dicom import outcomes
from dicomgate.dicom.outcomes import FAILURES, WARNINGS, Caution, Reason, Refused, Stored
from dicomgate.dicom.uids import Target
from dicomgate.dicomweb import resources, store_report

ROOT = "https://h/dicomweb"
CT = "1.2.840.10008.5.1.4.1.1.2"
FIRST = Stored(Target("1", "2", "3"), CT)
SECOND = Stored(Target("1", "2", "4"), CT)
ELSEWHERE = Stored(Target("9", "2", "5"), CT)
GARBAGE = Refused(Reason.CANNOT_UNDERSTAND, "ends at byte 12", syntax_fault=True)
WRONG_STUDY = Refused(Reason.WRONG_STUDY, target=Target("7", "8", "9"), sop_class=CT)
LOW = Refused(Reason.OUT_OF_RESOURCES, target=Target("1", "2", "3"), sop_class=CT)
FULL = Refused(Reason.OUT_OF_RESOURCES, target=Target("1", "2", "3"), sop_class=CT, is_full=True)
UNKNOWN_CLASS = Refused(Reason.CLASS_NOT_SUPPORTED, target=Target("1", "2", "3"), sop_class="1.2.3")


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([FIRST], 200),
        ([FIRST, SECOND], 200),
        ([Stored(FIRST.target, CT, again=True)], 200),
        ([FIRST, GARBAGE], 202),
        ([FIRST, WRONG_STUDY], 202),
        ([Stored(FIRST.target, CT, warning=Caution.COERCED)], 202),
        ([GARBAGE], 400),
        ([GARBAGE, GARBAGE], 400),
        ([], 400),
        ([GARBAGE, WRONG_STUDY], 409),
        ([WRONG_STUDY], 409),
        ([UNKNOWN_CLASS, UNKNOWN_CLASS], 409),
        ([FULL, FULL], 507),
        ([LOW, FULL], 503),
        ([LOW, LOW], 503),
        ([FULL, WRONG_STUDY], 409),
        ([FULL, FIRST], 202),
    ],
)
def test_status_by_what_became_of_all_STOW10_AMB03_AMB04(outcomes: list[Stored | Refused], status: int) -> None:
    assert store_report.report(outcomes, root=ROOT).status == status


def test_all_stored_row38_STOW12() -> None:
    report = store_report.report([FIRST, SECOND], root=ROOT)
    assert report.warning is None
    assert report.location == f"{ROOT}/studies/1"
    assert report.dataset == {
        "00081190": {"vr": "UR", "Value": [f"{ROOT}/studies/1"]},
        "00081199": {
            "vr": "SQ",
            "Value": [
                {
                    "00081150": {"vr": "UI", "Value": [CT]},
                    "00081155": {"vr": "UI", "Value": [stored.target.instance]},
                    "00081190": {"vr": "UR", "Value": [resources.link(ROOT, stored.target)]},
                }
                for stored in (FIRST, SECOND)
            ],
        },
    }


def test_some_stored_row39_STOW13_STOW14() -> None:
    coerced = Stored(ELSEWHERE.target, CT, warning=Caution.COERCED)
    report = store_report.report([FIRST, GARBAGE, WRONG_STUDY, coerced, GARBAGE], root=ROOT)
    assert list(report.dataset) == ["00081190", "00081198", "00081199", "0008119A"]
    assert report.dataset["00081190"] == {"vr": "UR"}  # two studies have no one address; type 2
    assert report.location is None
    assert report.dataset["00081198"]["Value"] == [
        {
            "00081150": {"vr": "UI", "Value": [CT]},
            "00081155": {"vr": "UI", "Value": ["9"]},
            "00081197": {"vr": "US", "Value": [0xC409]},
        }
    ]
    assert report.dataset["00081199"]["Value"][1]["00081196"] == {"vr": "US", "Value": [45056]}
    assert report.dataset["0008119A"]["Value"] == [{"00081197": {"vr": "US", "Value": [0xC000]}}] * 2
    assert report.warning is not None
    assert report.warning.startswith(f"299 {ROOT}: C000 not a DICOM file that can be read: ends at byte 12 (2); C409 ")
    assert report.warning.endswith(
        "; B000 stored with other values of some elements; what was sent stands in Original Attributes Sequence (1)"
    )
    orjson.dumps(report.dataset)


def test_nothing_stored_has_no_retrieve_url_to_resolve_row41() -> None:
    report = store_report.report([WRONG_STUDY], root=ROOT, study="1")
    assert report.dataset["00081190"] == {"vr": "UR"}
    assert report.location is None
    assert "00081199" not in report.dataset


def test_stored_again_creates_nothing_STOW16_V17() -> None:
    report = store_report.report([Stored(FIRST.target, CT, again=True)], root=ROOT)
    assert report.location is None
    assert report.dataset["00081199"]["Value"][0]["00081190"]["Value"] == [f"{ROOT}/studies/1/series/2/instances/3"]


@pytest.mark.parametrize("sop_class", [None, "not a uid", ""])
def test_a_failure_that_cannot_be_named_goes_to_other_failures_STOW12(sop_class: str | None) -> None:
    refused = Refused(Reason.MISSING_UID, target=Target("1", "2", "3"), sop_class=sop_class)
    report = store_report.report([refused, Refused(Reason.TRUNCATED, target=Target("1"))], root=ROOT)
    assert [item["00081197"]["Value"] for item in report.dataset["0008119A"]["Value"]] == [[0xC003], [0xC001]]
    assert "00081198" not in report.dataset


def test_the_warning_fits_a_header_however_many_reasons_STOW17() -> None:
    everything = [Refused(reason, "d" * 500) for reason in Reason]
    report = store_report.report(everything, root=ROOT)
    assert report.warning is not None
    assert len(report.warning) < 1100


def test_every_code_stands_in_the_one_table_STOW_13_STOW_14() -> None:
    assert set(FAILURES) == set(Reason)
    assert set(WARNINGS) == set(Caution)
    page = (Path(__file__).parents[2] / "docs/outcomes.md").read_text("utf-8")
    assert page.endswith(outcomes.format_markdown()), "put outcomes.format_markdown() into docs/outcomes.md"
    for reason in Reason:
        assert reason in {0x0110, 0x0122} or reason >> 8 in {0xA7, 0xA9} or reason >> 12 == 0xC, "a code of I.2.2"


@pytest.mark.parametrize(
    ("given", "apt"),
    [
        ([], None),
        ([None], None),
        ([None, Caution.COERCED], Caution.COERCED),
        ([Caution.DOES_NOT_MATCH_CLASS, Caution.COERCED], Caution.COERCED),
        ([Caution.COERCED, Caution.ELEMENTS_DISCARDED, Caution.DOES_NOT_MATCH_CLASS], Caution.ELEMENTS_DISCARDED),
    ],
)
def test_one_warning_of_several_STOW_13(given: list[Caution | None], apt: Caution | None) -> None:
    assert outcomes.most_apt(given) is apt
