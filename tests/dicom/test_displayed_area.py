"""Which part of an image a presentation state shows, how it lies and how large it is: REN-10, PS3.3 C.10.4, C.10.6."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom import displayed_area
from dicomgate.dicom.displayed_area import LARGEST, LARGEST_SIDE, DisplayedArea
from dicomgate.dicom.presentation import Region, Viewport


def element(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)}


IMAGE: dict[str, Any] = {
    "00080018": element("UI", "1.2.3"),
    "00280010": element("US", 100),
    "00280011": element("US", 200),
}


def area(*corners: int, **said: dict[str, Any]) -> dict[str, Any]:
    places = {"00700052": element("SL", *corners[:2]), "00700053": element("SL", *corners[2:])}
    return {"0070005A": element("SQ", {**places, **{tag.removeprefix("t"): value for tag, value in said.items()}})}


def magnified(ratio: float) -> dict[str, dict[str, Any]]:
    return {"t00700100": element("CS", "MAGNIFY"), "t00700103": element("FL", ratio)}


def read(state: dict[str, Any], pixel: tuple[float, float] = (1.0, 1.0)) -> DisplayedArea:
    return displayed_area.read(IMAGE, state, 1, pixel)


@pytest.mark.parametrize(
    ("state", "viewport", "size"),
    [
        ({}, None, (200, 100)),
        (area(11, 21, 60, 40), None, (50, 20)),
        (area(60, 40, 11, 21), None, (50, 20)),
        (area(11, 21, 60, 40), Viewport(500, 500), (500, 200)),
        (area(-9, -9, 210, 110), None, (220, 120)),
        ({"00700042": element("US", 90)}, None, (100, 200)),
        ({"00700042": element("US", 270)}, Viewport(50, 50), (25, 50)),
        (area(1, 1, 200, 100, t00700102=element("IS", 2, 1)), None, (200, 200)),
        (area(1, 1, 200, 100, t00700101=element("DS", 0.2, 0.4)), None, (400, 100)),
        ({"00700042": element("US", 90), **area(1, 1, 200, 100, t00700102=element("IS", 2, 1))}, None, (200, 200)),
        (area(1, 1, 50, 50, **magnified(2.0)), None, (100, 100)),
        (area(1, 1, 50, 50, **magnified(2.0)), Viewport(40, 200), (40, 100)),
        (area(1, 1, 50, 50, **magnified(0.5)), Viewport(40, 200), (25, 25)),
    ],
)
def test_sizes_of_pictures(state: dict[str, Any], viewport: Viewport | None, size: tuple[int, int]) -> None:
    assert read(state).measure(viewport).size == size


def test_an_area_may_reach_beyond_the_image() -> None:
    found = read(area(-9, 51, 210, 150))
    assert found.box == (-10, 50, 210, 150)
    assert found.inside(IMAGE) == (0, 50, 200, 100)


def test_pixels_are_those_of_the_state_before_those_of_the_image() -> None:
    assert read({}, (3.0, 1.0)).measure(None).size == (200, 300)
    assert read(area(1, 1, 200, 100, t00700102=element("IS", 1, 1)), (3.0, 1.0)).measure(None).size == (200, 100)
    assert read(area(1, 1, 200, 100, t00700102=element("IS", 0, 1)), (1.0, 1.0)).pixel == (1.0, 1.0)


def test_regions_are_cut_from_what_is_displayed() -> None:
    measured = read({}).measure(Viewport(100, 100), Region(0.5, 0, 1, 0.5))
    assert (measured.size, measured.origin, measured.whole) == ((100, 50), (100, 0), (200, 100))


def test_items_are_about_their_images_and_frames() -> None:
    named = {"00081155": element("UI", "1.2.3"), "00081160": element("IS", 2)}
    item = {"00081140": element("SQ", named), "00700052": element("SL", 1, 1), "00700053": element("SL", 5, 5)}
    state = {"0070005A": element("SQ", item)}
    assert read(state).box == (0, 0, 200, 100)
    assert displayed_area.read(IMAGE, state, 2, (1.0, 1.0)).box == (0, 0, 5, 5)


@pytest.mark.parametrize("state", [{"00700042": element("US", 45)}, area(500, 500, 600, 600), area(-9, -9, 0, 0)])
def test_what_cannot_be_shown_is_not_shown_wrongly(state: dict[str, Any]) -> None:
    with pytest.raises(errors.NotAcceptable):
        read(state)


@given(
    st.tuples(*[st.integers(-(2**31), 2**31 - 1)] * 4),
    st.sampled_from([0, 90, 180, 270]),
    st.floats(1e-6, 1e6) | st.none(),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.builds(Viewport, st.integers(1, LARGEST_SIDE), st.integers(1, LARGEST_SIDE)) | st.none(),
)
def test_no_state_asks_for_more_than_is_made(
    corners: tuple[int, ...], turn: int, ratio: float | None, pixel: tuple[int, int], viewport: Viewport | None
) -> None:
    said = {"t00700102": element("IS", *pixel), **(magnified(ratio) if ratio is not None else {})}
    try:
        found = read({"00700042": element("US", turn), **area(*corners, **said)})
    except errors.NotAcceptable:
        return
    width, height = found.measure(viewport).size
    most = viewport or Viewport(LARGEST_SIDE, LARGEST_SIDE)
    assert 1 <= width <= most.width
    assert 1 <= height <= most.height
    assert width * height <= LARGEST * 1.01
