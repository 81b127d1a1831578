"""What a store's report says beside stored and refused: changes made on the way in, notes on the request (STOW-09, -17)."""

from __future__ import annotations

from dicomgate.dicom.outcomes import Caution, Reason, Refused, Stored
from dicomgate.dicom.uids import Target
from dicomgate.dicomweb import store_report

ITEM = {"04000565": {"vr": "CS", "Value": ["CORRECT"]}}


def test_original_attributes_are_echoed_STOW_09_STOW_12() -> None:
    outcome = Stored(Target("1", "1.2", "1.2.3"), "1.2", warning=Caution.COERCED, originals=(ITEM,))
    report = store_report.report([outcome], root="")
    (item,) = report.dataset["00081199"]["Value"]
    assert item["00081196"]["Value"] == [0xB000]
    assert item["04000561"] == {"vr": "SQ", "Value": [ITEM]}
    assert report.status == 202


def test_notes_stand_in_the_warning_and_leave_the_status() -> None:
    stored = Stored(Target("1", "1.2", "1.2.3"), "1.2")
    report = store_report.report([stored], root="", notes=["2 parts were not used"])
    assert report.status == 200
    assert "2 parts were not used" in (report.warning or "")
    report = store_report.report([Refused(Reason.NO_BULK_DATA)], root="", notes=["1 part was not used"])
    assert report.status == 409
    assert "C416" in (report.warning or "")
    assert "1 part was not used" in (report.warning or "")
