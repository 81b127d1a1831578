"""Every BulkDataURI of a data set is found, in order (PS3.18 §F.2.2)."""

from __future__ import annotations

import pytest

from dicomgate.composition import references


def refer(uri: str) -> dict[str, str]:
    return {"vr": "OB", "BulkDataURI": uri}


def test_references_in_the_order_of_the_data_set() -> None:
    attributes = {
        "00080016": {"vr": "UI", "Value": ["1.2"]},
        "00081115": {
            "vr": "SQ",
            "Value": [{}, {"00090010": refer("a"), "00091010": refer("b")}, {"00091010": refer("c")}],
        },
        "00081140": {"vr": "SQ"},
        "00420011": refer("d"),
        "52009229": {
            "vr": "SQ",
            "Value": [{"00289132": {"vr": "SQ", "Value": [{"00281055": refer("e")}]}, "00289133": refer("f")}],
        },
        "7FE00010": refer("g"),
    }
    found = list(references.find(attributes))
    assert [each.uri for each in found] == list("abcdefg")
    assert [each.path for each in found] == [
        "00081115/2/00090010",
        "00081115/2/00091010",
        "00081115/3/00091010",
        "00420011",
        "52009229/1/00289132/1/00281055",
        "52009229/1/00289133",
        "7FE00010",
    ]
    assert [each.is_nested for each in found] == [True, True, True, False, True, True, False]


@pytest.mark.slow
def test_deep_nesting_needs_no_stack() -> None:
    attributes = {"00091010": refer("x")}
    for _ in range(5000):
        attributes = {"00081115": {"vr": "SQ", "Value": [attributes]}}
    assert [each.uri for each in references.find(attributes)] == ["x"]
