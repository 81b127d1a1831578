"""How much of each pixel polygons cover, against areas that are known and Pillow's lines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from dicomgate import errors
from dicomgate.pixels import polygons
from dicomgate.pixels.polygons import Budget


def rectangle(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([[[left, top], [right, top], [right, bottom], [left, bottom]]], float)


def test_whole_pixels_are_covered_and_no_others() -> None:
    covered = polygons.cover([rectangle(1, 1, 4, 3)], (6, 4), Budget())
    expected = np.zeros((4, 6), np.uint8)
    expected[1:3, 1:4] = 255
    assert np.array_equal(covered, expected)


def test_parts_of_pixels_count_as_parts() -> None:
    covered = polygons.cover([rectangle(1.5, 1, 4, 3.5)], (6, 4), Budget())
    assert covered[1].tolist() == [0, 128, 255, 255, 0, 0]
    assert covered[3].tolist() == [0, 64, 128, 128, 0, 0]


def test_what_lies_outside_is_left_out() -> None:
    assert polygons.cover([rectangle(-1e5, -1e5, 1e5, 1e5)], (5, 4), Budget()).min() == 255
    assert polygons.cover([rectangle(9, 9, 12, 12)], (5, 4), Budget()).max() == 0
    assert polygons.cover([], (5, 4), Budget()).max() == 0


def test_a_figure_that_crosses_itself_is_hollow_by_even_and_odd_alone() -> None:
    twice = np.concatenate([rectangle(0, 0, 6, 6), rectangle(2, 2, 4, 4)])
    assert polygons.cover([twice], (6, 6), Budget(), is_even_odd=True)[3, 3] == 0
    assert polygons.cover([twice], (6, 6), Budget())[3, 3] == 255


@settings(max_examples=40, deadline=None)
@given(st.floats(5, 60), st.floats(5, 60), st.floats(3, 40), st.integers(8, 64))
def test_areas_of_discs(across: float, down: float, radius: float, sides: int) -> None:
    size = (120, 120)
    covered = polygons.cover(
        [polygons.discs(np.array([[across + 40, down + 40]]), radius, sides)], (200, 200), Budget()
    )
    area = 0.5 * sides * radius * radius * np.sin(2 * np.pi / sides)
    assert abs(covered.astype(float).sum() / 255 - area) < max(area * 0.03, 3), size


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(2, 37), st.integers(2, 37)), min_size=3, max_size=8))
def test_lines_lie_where_others_draw_them(corners: list[tuple[int, int]]) -> None:
    line = np.array(corners, float) + 0.5
    covered = polygons.cover(polygons.stroke(line, 1.5), (40, 40), Budget())
    image = Image.new("L", (40, 40))
    ImageDraw.Draw(image).line(corners, 255, 1)
    theirs = np.asarray(image) > 0
    assert (covered[theirs] > 20).all()


def test_the_inside_has_its_border_too() -> None:
    found = polygons.inside(np.array([[1.5, 1.5], [4.5, 1.5], [4.5, 3.5], [1.5, 3.5]]), (6, 5))
    expected = np.zeros((5, 6), bool)
    expected[1:4, 1:5] = True
    assert np.array_equal(found, expected)


def test_work_is_bounded_before_it_is_done() -> None:
    wild = np.random.default_rng(7).uniform(0, 4000, (20_000, 2))
    with pytest.raises(errors.TooLarge):
        polygons.cover(polygons.stroke(wild, 2), (4000, 4000), Budget())
    budget = Budget(pixels=100)
    with pytest.raises(errors.TooLarge):
        polygons.cover([rectangle(0, 0, 1, 1)], (50, 50), budget)
