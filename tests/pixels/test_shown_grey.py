"""Grey by the standard's formulas: against formulas written out, pydicom's functions, and files made to be odd (REN-06, REN-07)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.pixels.processing import _expand_segmented_lut, apply_modality_lut, apply_voi_lut

from dicomgate import errors
from dicomgate.dicom.presentation import Window, WindowFunction
from dicomgate.pixels import grey, lookup_tables
from dicomgate.pixels.recipe import Grey, LookupTable

NONE = (b"", b"")
NAMES = {
    WindowFunction.LINEAR: "LINEAR",
    WindowFunction.LINEAR_EXACT: "LINEAR_EXACT",
    WindowFunction.SIGMOID: "SIGMOID",
}


def shade(value: float, window: Window) -> int:
    """PS3.3 C.11.2.1.2.1, C.11.2.1.3.1, C.11.2.1.3.2, one value after the other."""
    center, width = window.center, window.width
    if window.function is WindowFunction.SIGMOID:
        return round(255 / (1 + math.exp(min(max(-4 * (value - center) / width, -700), 700))))
    if window.function is WindowFunction.LINEAR_EXACT:
        share = (value - center) / width + 0.5
    elif width == 1:
        share = 0.0 if value <= center - 0.5 else 1.0
    else:
        share = (value - (center - 0.5)) / (width - 1) + 0.5
    return round(255 * min(max(share, 0), 1))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-32768, 32767), min_size=1, max_size=20),
    st.builds(Window, st.integers(-3000, 3000), st.integers(1, 5000), st.sampled_from(WindowFunction)),
    st.sampled_from([1.0, 0.5, -2.0]),
)
def test_windows_are_those_of_the_formulas_REN_06(values: list[int], window: Window, slope: float) -> None:
    pixels = np.array([values], np.int16)
    shown = grey.levels(pixels, Grey(slope=slope, intercept=-24, window=window), NONE, None)
    for value, level in zip(values, shown[0], strict=True):
        assert abs(int(level) - shade(value * slope - 24, window)) <= 1


@pytest.mark.parametrize("function", WindowFunction)
def test_windows_are_those_of_pydicom(function: WindowFunction) -> None:
    pixels = np.arange(-1024, 3072, dtype=np.int16).reshape(64, 64)
    dataset = Dataset()
    dataset.RescaleSlope, dataset.RescaleIntercept = 2, -100
    dataset.WindowCenter, dataset.WindowWidth, dataset.VOILUTFunction = 40, 400, NAMES[function]
    dataset.BitsStored, dataset.PixelRepresentation, dataset.PhotometricInterpretation = 16, 1, "MONOCHROME2"
    found = apply_voi_lut(apply_modality_lut(pixels, dataset), dataset)
    low, high = -32768 * 2 - 100, 32767 * 2 - 100  # pydicom's window ends at what rescaled values can be
    expected = (found - low) / (high - low) * 255
    shown = grey.levels(pixels, Grey(slope=2, intercept=-100, window=Window(40, 400, function)), NONE, None)
    assert np.abs(shown - expected).max() <= 1


def test_wide_and_floating_values_are_computed_alike() -> None:
    window = Window(0, 1000)
    narrow = np.arange(-800, 800, dtype=np.int16).reshape(40, 40)
    expected = grey.levels(narrow, Grey(window=window), NONE, None)
    for kind in (np.int32, np.float32, np.float64):
        assert np.array_equal(grey.levels(narrow.astype(kind), Grey(window=window), NONE, None), expected)


def test_what_is_no_number_is_black() -> None:
    pixels = np.array([[np.nan, 0, 1, np.inf, -np.inf]], np.float32)
    limits = grey.find_limits(pixels, Grey(), 32)
    assert limits == (0, 1)
    assert grey.levels(pixels, Grey(is_inverted=True), NONE, limits).tolist() == [[0, 255, 0, 0, 255]]


@pytest.mark.parametrize("slope", [1e308, -1e308, 1e-320])
def test_huge_rescales_break_nothing(slope: float) -> None:
    pixels = np.array([[0, 1, 65535]], np.uint16)
    for tone in (Grey(slope=slope, intercept=1e308), Grey(slope=slope, window=Window(1e300, 1e-300))):
        assert grey.levels(pixels, tone, NONE, (0, 65535)).shape == (1, 3)


def test_without_a_window_8_bits_stay_and_more_are_stretched_REN_07() -> None:
    narrow = np.array([[3, 200]], np.uint8)
    assert grey.levels(narrow, Grey(), NONE, grey.find_limits(narrow, Grey(), 8)).tolist() == [[3, 200]]
    wide = np.array([[100, 300, 500]], np.uint16)
    assert grey.levels(wide, Grey(), NONE, grey.find_limits(wide, Grey(), 12)).tolist() == [[0, 128, 255]]
    flat = np.full((2, 2), 7, np.uint16)
    assert grey.levels(flat, Grey(), NONE, grey.find_limits(flat, Grey(), 12)).tolist() == [[0, 0], [0, 0]]


def test_padding_is_black_and_stretches_nothing_REN_07() -> None:
    pixels = np.array([[-2000, -1999, 0, 50, 100]], np.int16)
    tone = Grey(padding=(-2000, -1999), is_inverted=True)
    limits = grey.find_limits(pixels, tone, 16)
    assert limits == (0, 100)
    assert grey.levels(pixels, tone, NONE, limits).tolist() == [[0, 0, 255, 127, 0]]


def test_tables_map_from_their_first_value_and_hold_at_their_ends() -> None:
    content = np.array([10, 20, 30], "<u2").tobytes()
    table = LookupTable(3, 5, 8, (0, 6))
    pixels = np.array([[0, 5, 6, 7, 99]], np.uint16)
    shown = grey.levels(pixels, Grey(voi_table=table), (b"", content), None)
    assert shown.tolist() == [[10, 10, 20, 30, 30]]
    shown = grey.levels(
        pixels, Grey(modality_table=table, window=Window(20, 20, WindowFunction.LINEAR_EXACT)), (content, b""), None
    )
    assert shown.tolist() == [[0, 0, 128, 255, 255]]


def test_tables_that_lie_about_their_length_end_with_what_they_have() -> None:
    assert lookup_tables.read(b"\1\0\2\0", LookupTable(6, 0, 16, (0, 4))).tolist() == [1, 2, 2, 2, 2, 2]
    assert lookup_tables.read(b"\1\2\3\4", LookupTable(3, 0, 8, (0, 4))).tolist() == [1, 2, 3]
    for broken in (LookupTable(0, 0, 16, (0, 0)), LookupTable(70_000, 0, 16, (0, 0)), LookupTable(5, 0, 16, (0, 0))):
        with pytest.raises(errors.Malformed):
            lookup_tables.read(b"", broken)


def test_wide_entries_become_their_upper_bits() -> None:
    content = np.array([0, 0x8000, 0xFFFF], "<u2").tobytes()
    assert lookup_tables.read_bytes(content, LookupTable(3, 0, 16, (0, 6))).tolist() == [0, 128, 255]
    assert lookup_tables.read_bytes(content, LookupTable(3, 0, 8, (0, 6))).tolist() == [0, 128, 255]


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_segments_are_those_of_pydicom(data: st.DataObject) -> None:
    words = [0, 2, *data.draw(st.lists(st.integers(0, 65535), min_size=2, max_size=2))]
    for _ in range(data.draw(st.integers(0, 8))):
        if data.draw(st.booleans()):
            values = data.draw(st.lists(st.integers(0, 65535), min_size=1, max_size=5))
            words += [0, len(values), *values]
        else:
            words += [1, data.draw(st.integers(1, 40)), data.draw(st.integers(0, 65535))]
    expected = _expand_segmented_lut(tuple(words), "<H")
    content = np.array(words, "<u2").tobytes()
    table = LookupTable(len(expected), 0, 16, (0, len(content)), is_segmented=True)
    assert np.abs(lookup_tables.read(content, table).astype(int) - expected).max() <= 1


def test_segments_once_more_from_where_they_lie() -> None:
    words = [0, 2, 5, 6, 1, 2, 10, 2, 2, 0, 0]
    table = LookupTable(8, 0, 16, (0, 22), is_segmented=True)
    assert lookup_tables.read(np.array(words, "<u2").tobytes(), table).tolist() == [5, 6, 8, 10, 5, 6, 8, 10]


@pytest.mark.parametrize("words", [[1, 4, 9], [9, 1, 1], [0, 1, 7, *([2, 65535, 9, 0] * 50)], [0, 0] * 300_000])
def test_senseless_segments_end(words: list[int]) -> None:
    content = np.array(words, "<u2").tobytes()
    table = LookupTable(65_536, 0, 16, (0, len(content)), is_segmented=True)
    with pytest.raises(errors.Malformed):
        lookup_tables.read(content, table)
