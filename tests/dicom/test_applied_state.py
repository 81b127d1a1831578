"""Images as presentation states want them shown: REN-10, PS3.4 N.2."""

from __future__ import annotations

from typing import Any

import pytest

from dicomgate import errors
from dicomgate.dicom import applied_state
from dicomgate.dicom.presentation import Viewport


def element(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)}


IMAGE: dict[str, Any] = {
    "00080018": element("UI", "1.2.3"),
    "00280004": element("CS", "MONOCHROME1"),
    "00280010": element("US", 100),
    "00280011": element("US", 200),
    "00281050": element("DS", 40),
    "00281051": element("DS", 400),
    "00281052": element("DS", -1024),
    "00281053": element("DS", 1),
    "60003000": {"vr": "OW", "BulkDataURI": "/x/60003000"},
    "52009229": element("SQ", {"00289132": element("SQ", {"00281050": element("DS", 1)}), "00209113": element("SQ")}),
}


def area(*corners: int, **others: Any) -> dict[str, Any]:
    said = {"00700052": element("SL", *corners[:2]), "00700053": element("SL", *corners[2:])}
    return {"0070005A": element("SQ", {**said, **others.get("more", {})})}


def shown(state: dict[str, Any], wanted: Viewport | None = None) -> applied_state.Shown:
    return applied_state.apply(IMAGE, state, 1, wanted)


def test_values_are_those_of_the_state_alone() -> None:
    window = {"00281050": element("DS", 7), "00281051": element("DS", 8)}
    other = {"00081140": element("SQ", {"00081155": element("UI", "9.9")}), "00281050": element("DS", 1)}
    state = {"00283110": element("SQ", other, window), "00281052": element("DS", 5), "00281053": element("DS", 2)}
    made = shown(state).dataset
    assert (made["00281050"]["Value"], made["00281051"]["Value"], made["00281052"]["Value"]) == ([7], [8], [5])
    assert made["52009229"]["Value"] == [{"00209113": {"vr": "SQ", "Value": []}}]
    bare = shown({}).dataset
    assert not {"00281050", "00281051", "00281052", "00281053", "60003000"} & set(bare)
    assert list(made) == sorted(made)


def test_shape_decides_on_black_and_white() -> None:
    assert shown({}).dataset["00280004"]["Value"] == ["MONOCHROME2"]
    assert shown({"20500020": element("CS", "INVERSE")}).dataset["00280004"]["Value"] == ["MONOCHROME1"]


def test_overlays_are_the_states_or_activated_by_it() -> None:
    own = shown({"60003000": {"vr": "OW", "BulkDataURI": "/y/60003000"}, "60000010": element("US", 5)})
    assert own.dataset["60003000"]["BulkDataURI"] == "/y/60003000"
    assert own.of_state >= {"60003000", "60000010"}
    activated = shown({"60001001": element("CS", "LAYER")})
    assert activated.dataset["60003000"]["BulkDataURI"] == "/x/60003000"
    assert not activated.of_state & set(IMAGE)


@pytest.mark.parametrize(
    ("state", "wanted", "expected"),
    [
        ({}, None, Viewport(200, 100, 0, 0, 200, 100)),
        (area(11, 21, 60, 40), None, Viewport(50, 20, 10, 20, 50, 20)),
        (area(11, 21, 60, 40), Viewport(500, 500), Viewport(500, 500, 10, 20, 50, 20)),
        (area(-5, -5, 900, 900), None, Viewport(200, 100, 0, 0, 200, 100)),
        ({"00700041": element("CS", "Y")}, None, Viewport(200, 100, 0, 0, -200, 100)),
        ({"00700042": element("US", 180)}, None, Viewport(200, 100, 0, 0, -200, -100)),
        (
            {"00700042": element("US", 180), "00700041": element("CS", "Y")},
            None,
            Viewport(200, 100, 0, 0, 200, -100),
        ),
        (
            area(1, 1, 50, 50, more={"00700100": element("CS", "MAGNIFY"), "00700103": element("FL", 2.0)}),
            None,
            Viewport(100, 100, 0, 0, 50, 50),
        ),
        (
            area(1, 1, 50, 50, more={"00700100": element("CS", "MAGNIFY"), "00700103": element("FL", 2.0)}),
            Viewport(40, 200),
            Viewport(40, 100, 0, 0, 20, 50),
        ),
    ],
)
def test_areas_flips_and_sizes(state: dict[str, Any], wanted: Viewport | None, expected: Viewport) -> None:
    assert shown(state, wanted).viewport == expected


@pytest.mark.parametrize("state", [{"00700042": element("US", 90)}, area(500, 500, 600, 600)])
def test_what_cannot_be_shown_is_not_shown_wrongly(state: dict[str, Any]) -> None:
    with pytest.raises(errors.NotAcceptable):
        shown(state)


def test_what_is_left_out_is_told() -> None:
    state = {"00700001": element("SQ", {}), "00181600": element("CS", "CIRCULAR")}
    assert applied_state.left_out(state) == ("graphic annotations", "shutters")
    assert applied_state.left_out({}) == ()
    assert shown({"00282000": {"vr": "OB", "BulkDataURI": "p"}}).has_profile
