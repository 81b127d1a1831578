"""Order, spacing, gaps and tilt of slices (PS3.3 §C.7.6.2), of any stack that can be made from a formula."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate.dicom import geometry, planes

Vector = tuple[float, float, float]


def ds(values: list[Any]) -> dict[str, Any]:
    return {"vr": "DS", "Value": values}


def sequence(*items: dict[str, Any]) -> dict[str, Any]:
    return {"vr": "SQ", "Value": list(items)}


def image(position: Any, orientation: Any = (1, 0, 0, 0, 1, 0), spacing: Any = (0.5, 0.7)) -> dict[str, Any]:
    return {
        "00200032": ds(list(position)),
        "00200037": ds(list(orientation)),
        "00280010": {"vr": "US", "Value": [4]},
        "00280011": {"vr": "US", "Value": [6]},
        "00280030": ds(list(spacing)),
    }


def stacks(*datasets: dict[str, Any]) -> list[geometry.Stack]:
    return geometry.find_stacks([plane for dataset in datasets for plane in planes.find_planes(dataset)])


def along(*zs: float) -> geometry.Stack:
    (stack,) = stacks(*(image((10, 20, z)) for z in zs))
    return stack


def turned(angles: tuple[float, float, float]) -> tuple[Vector, Vector]:
    """Directions of rows and columns after three turns."""
    (a, b, c), (x, y, z) = (tuple(map(f, angles)) for f in (math.cos, math.sin))
    return (b * c, b * z, -y), (x * y * c - a * z, x * y * z + a * c, x * b)


@st.composite
def made(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Shuffled slices of a stack in any direction, some missing, perhaps leaning; and what is true of it."""
    across, down = turned(draw(st.tuples(*[st.floats(-3, 3)] * 3)))
    normal = planes.cross(across, down)
    count, step = draw(st.integers(2, 40)), draw(st.floats(0.1, 20))
    there = sorted(draw(st.sets(st.integers(1, count), min_size=count // 2)) | {0, 1})
    origin: Vector = draw(st.tuples(*[st.floats(-500, 500)] * 3))
    lean = draw(st.sampled_from([0.0, 0.4]))
    towards = planes.moved(normal, down, lean)
    order = draw(st.permutations(there))
    found = [image(planes.moved(origin, towards, n * step), (*across, *down)) for n in order]
    return found, {"there": there, "step": step, "origin": origin, "order": order, "towards": towards, "lean": lean}


@given(made())
def test_a_stack_is_found_again_whatever_its_direction_and_the_order_of_its_slices(
    case: tuple[list[dict[str, Any]], dict[str, Any]],
) -> None:
    found, true = case
    (stack,) = stacks(*found)
    assert list(stack.numbers) == true["there"]
    assert [true["order"][here[0]] for here in stack.places] == true["there"]
    assert stack.step == pytest.approx(true["step"], rel=1e-6)
    assert stack.is_even
    assert stack.is_straight
    assert set(stack.missing) == set(range(stack.count)) - set(true["there"])
    last = true["there"][-1]
    expected = planes.moved(true["origin"], true["towards"], last * true["step"])
    assert stack.position(last) == pytest.approx(expected, abs=1e-5)
    assert stack.is_tilted == (true["lean"] * last * true["step"] > geometry.STRAIGHT * 0.5)


@given(made())
def test_the_affine_leads_from_pixels_to_the_patient(case: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    found, true = case
    (stack,) = stacks(*found)
    column, row, number = 5, 3, true["there"][-1]
    at = [sum(a * b for a, b in zip(line, (column, row, number, 1), strict=True)) for line in stack.affine()]
    first = next(iter(found))["00200037"]["Value"]
    point = planes.moved(true["origin"], true["towards"], number * true["step"])
    point = planes.moved(planes.moved(point, tuple(first[:3]), column * 0.7), tuple(first[3:]), row * 0.5)
    assert at[:3] == pytest.approx(point, abs=1e-4)
    assert at[3] == 1


def test_in_the_other_convention_left_is_negative_and_head_is_not() -> None:
    stack = along(5, 7)
    assert stack.affine() == ((0.7, 0, 0, 10), (0, 0.5, 0, 20), (0, 0, 2, 5), (0, 0, 0, 1))
    assert stack.affine(is_ras=True) == ((-0.7, 0, 0, -10), (0, -0.5, 0, -20), (0, 0, 2, 5), (0, 0, 0, 1))


def test_slices_are_counted_along_the_normal_not_along_an_axis() -> None:
    (stack,) = stacks(*(image((0, y, 0), (1, 0, 0, 0, 0, -1)) for y in (1, 2, 3)))
    assert stack.plane.normal == (0, 1, 0)
    assert stack.places == ((0,), (1,), (2,))
    (backwards,) = stacks(*(image((0, y, 0), (1, 0, 0, 0, 0, 1)) for y in (1, 2, 3)))
    assert backwards.places == ((2,), (1,), (0,))


@pytest.mark.parametrize(
    ("zs", "names", "missing"),
    [
        ((0, 1, 2, 3), (), ()),
        ((0, 1, 3, 4), ("missing slices",), (2,)),
        ((0, 3, 5), ("unequal spacing",), ()),
        ((0, 2, 4, 5, 7), ("missing slices",), (1, 3, 6)),
        ((0, 0.6, 1.3, 1.9, 2.5), (), ()),
        ((0, 1, 1.6), ("unequal spacing",), ()),
        ((0, 0, 1, 1), ("several slices at one position",), ()),
        ((0, 1, 1000), ("unequal spacing",), ()),
        ((7,), (), ()),
    ],
)
def test_what_keeps_a_stack_from_being_regular_has_a_name(
    zs: tuple[float, ...], names: tuple[str, ...], missing: tuple[int, ...]
) -> None:
    stack = along(*zs)
    assert stack.irregularities == names
    assert stack.missing == missing


def test_slices_at_one_position_stay_in_the_order_in_which_they_were_given() -> None:
    assert along(1, 0, 1.001, 0, 1).places == ((1, 3), (0, 2, 4))
    assert along(1, 0, 1.001, 0, 1).passes == 3


def test_a_slice_beside_the_line_through_the_stack_is_scattered_and_no_tilt() -> None:
    (stack,) = stacks(image((0, 0, 0)), image((9, 0, 1)), image((0, 0, 2)))
    assert stack.irregularities == ("scattered",)


def test_what_differs_in_direction_size_spacing_or_frame_of_reference_is_another_stack() -> None:
    plain = image((0, 0, 0))
    others = [
        image((0, 0, 1), (1, 0, 0, 0, 0, -1)),
        image((0, 0, 1), spacing=(0.5, 0.71)),
        {**plain, "00280010": {"vr": "US", "Value": [5]}},
        {**plain, "00200052": {"vr": "UI", "Value": ["1.2"]}},
    ]
    assert [stack.places for stack in stacks(plain, *others)] == [((n,),) for n in range(5)]


@given(st.floats(-5e-4, 5e-4), st.floats(-4e-4, 4e-4))
def test_what_differs_by_rounding_alone_is_of_one_stack(turn: float, scale: float) -> None:
    near = image((0, 0, 1), (1, turn, 0, -turn, 1, 0), (0.5 * (1 + scale), 0.7))
    assert len(stacks(image((0, 0, 0)), near)) == 1


def test_rounding_makes_no_other_stack_whatever_the_direction() -> None:
    for step in range(300):
        first, second = (turned((0.0, 0.0, step / 50 + by)) for by in (0, 5e-4))
        assert len(stacks(image((0, 0, 0), (*first[0], *first[1])), image((0, 0, 1), (*second[0], *second[1])))) == 1


def test_what_a_frame_says_comes_before_what_all_share() -> None:
    shared = {
        "00209116": sequence({"00200037": ds([1, 0, 0, 0, 1, 0])}),
        "00209113": sequence({"00200032": ds([0, 0, 5])}),
        "00289110": sequence({"00280030": ds([1, 1])}),
    }
    own = {"00209113": sequence({"00200032": ds([0, 0, 9])})}
    assert [plane and plane.position[2] for plane in planes.find_planes(grouped(shared, own, {}))] == [9, 5]


def test_one_slice_is_as_thick_as_it_says() -> None:
    (stack,) = stacks({**image((0, 0, 0)), "00180050": ds([2.5])})
    assert stack.spacing == (2.5, 0.5, 0.7)
    (stack,) = stacks({**image((0, 0, 0)), "00180050": ds([2.5]), "00180088": ds([-3])})
    assert stack.spacing == (3, 0.5, 0.7)
    assert along(7).spacing == (1, 0.5, 0.7)


def grouped(shared: dict[str, Any], *frames: dict[str, Any]) -> dict[str, Any]:
    size = {tag: image((0, 0, 0))[tag] for tag in ("00280010", "00280011")}
    return {**size, "52009229": sequence(shared), "52009230": sequence(*frames)}


@given(made())
def test_frames_of_functional_groups_are_the_same_as_classic_instances(
    case: tuple[list[dict[str, Any]], dict[str, Any]],
) -> None:
    found, _ = case
    shared = {"00209116": sequence({"00200037": found[0]["00200037"]})}
    measures = {"00289110": sequence({"00280030": found[0]["00280030"]})}
    frames = [{"00209113": sequence({"00200032": each["00200032"]})} for each in found]
    assert stacks(grouped({**shared, **measures}, *frames)) == stacks(*found)
    assert stacks(grouped(shared, *({**frame, **measures} for frame in frames))) == stacks(*found)


def test_a_frame_that_does_not_say_where_it_is_leaves_the_others_in_their_places() -> None:
    every = {"00209116": sequence({"00200037": ds([1, 0, 0, 0, 1, 0])}), "00289110": sequence({"00280030": ds([1, 1])})}
    (stack,) = stacks(
        grouped(every, *({"00209113": sequence({"00200032": ds([0, 0, z])})} if z else {} for z in range(4)))
    )
    assert stack.places == ((1,), (2,), (3,))


def test_slices_of_a_volume_of_ultrasound_and_what_all_frames_share() -> None:
    shared = {
        "0020930F": sequence({"00209302": ds([1, 0, 0, 0, 1, 0])}),
        "00289110": sequence({"00280030": ds([1, 1])}),
    }
    (stack,) = stacks(grouped(shared, *({"0020930E": sequence({"00209301": ds([0, 0, z])})} for z in (3, 1, 2))))
    assert stack.places == ((1,), (2,), (0,))
    everything = {**shared, "0020930E": sequence({"00209301": ds([0, 0, 9])})}
    assert [plane and plane.position for plane in planes.find_planes(grouped(everything))] == [(0, 0, 9)]


def test_a_grid_of_doses_says_offsets_or_coordinates() -> None:
    dose = image((0, 0, 10), (1, 0, 0, 0, -1, 0))
    relative = planes.find_planes({**dose, "3004000C": ds([0, 2, 4])})
    assert [plane and plane.position[2] for plane in relative] == [10, 8, 6]
    absolute = planes.find_planes({**dose, "3004000C": ds([10, 12, 14])})
    assert [plane and plane.position[2] for plane in absolute] == [10, 12, 14]


def test_slices_of_nuclear_medicine_are_counted_from_the_first() -> None:
    whole = image((0, 0, 10))
    detector = sequence({"00200032": whole.pop("00200032"), "00200037": whole.pop("00200037")})
    tomography = {**whole, "00540022": detector, "00180088": ds([4]), "00540080": {"vr": "US", "Value": [1, 2, 3]}}
    assert [plane and plane.position[2] for plane in planes.find_planes(tomography)] == [10, 14, 18]


HOSTILE = [math.nan, math.inf, -math.inf, 1e308, 10**400, None, "", "x", "1e999", {}, True, "1e6000"]


@given(
    st.lists(
        st.builds(
            image,
            st.lists(st.one_of(st.sampled_from(HOSTILE), st.floats(), st.just(0)), max_size=4),
            st.one_of(st.just((1, 0, 0, 0, 1, 0)), st.lists(st.sampled_from([*HOSTILE, 0, 1, 0.5]), max_size=7)),
            st.one_of(st.just((1, 1)), st.lists(st.sampled_from([*HOSTILE, 0, -1, 1, 5e-324]), max_size=3)),
        ),
        max_size=20,
    )
)
def test_any_value_gives_stacks_of_finite_numbers_or_none(found: list[dict[str, Any]]) -> None:
    for stack in stacks(*found):
        assert len(stack.missing) <= geometry.MOST_MISSING * len(found)
        every = [value for line in stack.affine() for value in line] + list(stack.distances)
        assert all(map(math.isfinite, every))
        assert stack.irregularities == tuple(stack.irregularities)


@pytest.mark.parametrize(
    "wrong",
    [
        image((0, 0, 0), (0, 0, 0, 0, 0, 0)),
        image((0, 0, 0), (1, 0, 0, 1, 0, 0)),
        image((0, 0, 0), (1, 0, 0, 0, 7, 0)),
        image((0, 0, 0), spacing=(1, 0)),
        image((0, 0, 1e9)),
        {**image((0, 0, 0)), "00280010": {"vr": "US", "Value": [-1]}},
        {**image((0, 0, 0)), "00200032": "not an element"},
        {"52009229": {"vr": "SQ"}, "52009230": {"vr": "UN", "Value": [1]}},
        {"52009230": sequence({"00209113": {"vr": "SQ", "Value": [None]}})},
    ],
)
def test_what_is_no_plane_is_none(wrong: dict[str, Any]) -> None:
    assert planes.find_planes(wrong) == [None]


@pytest.mark.slow
def test_a_hundred_thousand_frames_whatever_their_directions_take_about_as_long_each() -> None:
    chance = random.Random(5)
    measures = {"00289110": sequence({"00280030": ds([1, 1])})}
    frames = []
    for n in range(100_000):
        across, down = turned((0.0, 0.0, chance.random() * 6)) if n % 2 else turned((0.0, 0.0, 0.0))
        frames.append(
            {
                "00209113": sequence({"00200032": ds([0, 0, n])}),
                "00209116": sequence({"00200037": ds([*across, *down])}),
            }
        )
    found = stacks(grouped(measures, *frames))
    assert len(found[0].places) >= 50_000
    assert sum(len(place) for stack in found for place in stack.places) == 100_000
