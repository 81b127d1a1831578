"""What a data set said before it was changed (PS3.3 C.12.1.1.9, STOW-09)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate.dicom import original_attributes
from dicomgate.dicom.original_attributes import Reason

NAME = {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]}
STORED: dict[str, Any] = {
    "00090010": {"vr": "LO", "Value": ["ACME"]},
    "00091001": {"vr": "LO", "Value": ["x"]},
    "00100010": NAME,
    "00100020": {"vr": "LO", "Value": ["1"]},
    "00100030": {"vr": "DA"},
}
MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.timezone(dt.timedelta(hours=1)))


def test_only_what_differs_is_a_change() -> None:
    wanted = {
        "00100010": NAME,
        "00100020": {"vr": "LO", "Value": ["2"]},
        "00100030": {"vr": "DA", "Value": []},
        "00100040": None,
        "00081030": {"vr": "LO"},
        "00091001": None,
    }
    assert original_attributes.changed(STORED, wanted) == {
        "00100020": {"vr": "LO", "Value": ["2"]},
        "00081030": {"vr": "LO"},
        "00091001": None,
    }


def test_an_item_tells_the_values_there_were_STOW_09() -> None:
    changes = {"00100020": {"vr": "LO", "Value": ["2"]}, "00100021": {"vr": "LO", "Value": ["A"]}, "00091001": None}
    item = original_attributes.item(STORED, changes, system="DICOMGATE", reason=Reason.CORRECT, moment=MOMENT)
    assert item == {
        "04000550": {
            "vr": "SQ",
            "Value": [
                {
                    "00090010": {"vr": "LO", "Value": ["ACME"]},
                    "00091001": {"vr": "LO", "Value": ["x"]},
                    "00100020": {"vr": "LO", "Value": ["1"]},
                    "00100021": {"vr": "LO"},
                }
            ],
        },
        "04000562": {"vr": "DT", "Value": ["20260102030405.000006+0100"]},
        "04000563": {"vr": "LO", "Value": ["DICOMGATE"]},
        "04000564": {"vr": "LO"},
        "04000565": {"vr": "CS", "Value": ["CORRECT"]},
    }


def test_earlier_items_stay() -> None:
    first = original_attributes.recorded({}, {"04000563": {"vr": "LO", "Value": ["a"]}})
    both = original_attributes.recorded({original_attributes.SEQUENCE: first}, {})
    assert both == {"vr": "SQ", "Value": [{"04000563": {"vr": "LO", "Value": ["a"]}}, {}]}


@given(st.datetimes(min_value=dt.datetime(1000, 1, 1)), st.integers(-12 * 60, 14 * 60))
def test_the_moment_of_the_last_change_is_read_as_it_was_written(moment: dt.datetime, minutes: int) -> None:
    told = moment.replace(tzinfo=dt.timezone(dt.timedelta(minutes=minutes)))
    item = original_attributes.item(STORED, {}, system="DICOMGATE", reason=Reason.CORRECT, moment=told)
    recorded = original_attributes.recorded({original_attributes.SEQUENCE: {"vr": "SQ", "Value": [{}]}}, item)
    found = original_attributes.last_moment({original_attributes.SEQUENCE: recorded})
    assert found == told
    assert found.utcoffset() == told.utcoffset()


@pytest.mark.parametrize(
    "records", [None, [], [None], [{}], [{"04000562": {"vr": "DT"}}], [{"04000562": {"vr": "DT", "Value": ["2026"]}}]]
)
def test_no_moment_is_made_up(records: Any) -> None:
    assert original_attributes.last_moment({original_attributes.SEQUENCE: {"vr": "SQ", "Value": records}}) is None
    assert original_attributes.last_moment({}) is None
