"""Frames as arrays of what was measured, beside pydicom and numpy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dicomgate import errors
from dicomgate.dicom.pixel_description import PixelDescription
from dicomgate.dicom.value_mappings import ValueMapping
from dicomgate.pixels import volumes

PLAIN = PixelDescription(
    transfer_syntax="1.2.840.10008.1.2.1", rows=2, columns=3, bits_allocated=16, bits_stored=12, high_bit=11
)


@pytest.mark.parametrize(
    ("description", "mapping", "expected"),
    [
        (PLAIN, ValueMapping(), "int16"),
        (PLAIN, ValueMapping(intercept=-1024), "int16"),
        (PLAIN, ValueMapping(slope=8), "int16"),
        (PLAIN, ValueMapping(slope=9), "float32"),
        (PLAIN, ValueMapping(slope=-8, intercept=-8), "int16"),
        (PLAIN, ValueMapping(slope=0.5), "float32"),
        (PLAIN, ValueMapping(intercept=0.5), "float32"),
        (replace(PLAIN, bits_stored=16, high_bit=15), ValueMapping(), "float32"),
        (replace(PLAIN, bits_stored=16, high_bit=15, is_signed=True), ValueMapping(), "int16"),
        (replace(PLAIN, bits_stored=16, high_bit=15, is_signed=True), ValueMapping(intercept=-1), "float32"),
        (PLAIN, ValueMapping(entries=(1.0, 32767.0)), "int16"),
        (PLAIN, ValueMapping(entries=(1.0, 32768.0)), "float32"),
        (PLAIN, ValueMapping(entries=(1.0, 0.5)), "float32"),
        (replace(PLAIN, is_float=True, bits_allocated=32, bits_stored=32, high_bit=31), ValueMapping(), "float32"),
    ],
)
def test_the_type_holds_every_value_there_can_be(
    description: PixelDescription, mapping: ValueMapping, expected: str
) -> None:
    dtype = volumes.exact_type([(description, mapping)])
    assert dtype == expected
    if dtype == np.int16:
        ends = np.array([mapping.apply(value) for value in volumes.stored_range(description)])
        assert np.array_equal(ends.astype(np.int16), ends)


def test_one_frame_of_another_kind_changes_the_type_of_all() -> None:
    assert volumes.exact_type([(PLAIN, ValueMapping()), (PLAIN, ValueMapping(slope=0.1))]) == np.float32


@pytest.mark.parametrize("dtype", ["int16", "float32"])
@pytest.mark.parametrize("rows", [1, 3000])
def test_values_are_mapped_band_after_band(dtype: str, rows: int) -> None:
    stored = np.arange(rows * 200, dtype=np.uint16).reshape(rows, 200) % 4096
    into = np.zeros(stored.shape, dtype)
    volumes.map_values(stored, ValueMapping(slope=2, intercept=-1024), into)
    assert np.array_equal(into, stored.astype(np.float64) * 2 - 1024)


def test_a_table_maps_what_is_before_and_behind_it_to_its_ends() -> None:
    into = np.zeros((1, 5), np.float32)
    stored = np.array([[-5, 10, 11, 12, 300]], np.int16)
    volumes.map_values(stored, ValueMapping(first=10, entries=(1.5, 2.5, 9.5)), into)
    assert into.tolist() == [[1.5, 1.5, 2.5, 9.5, 9.5]]


def test_values_as_they_are_keep_all_their_bits() -> None:
    stored = np.array([[2**31 - 1, -(2**31)]], np.int32)
    into = np.zeros((1, 2), np.int32)
    volumes.map_values(stored, ValueMapping(), into)
    assert np.array_equal(into, stored)


def test_colour_is_rgb_and_has_its_samples_last() -> None:
    colour = replace(
        PLAIN, samples_per_pixel=3, bits_allocated=8, bits_stored=8, high_bit=7, photometric_interpretation="YBR_FULL"
    )
    grey = volumes.decode(bytes([100, 128, 128]) * 6, colour)
    assert grey.shape == (2, 3, 3)
    assert np.all(grey == 100)
    assert volumes.allocate(4, colour, np.uint8).shape == (4, 2, 3, 3)
    assert volumes.stored_type(colour) == np.uint8


def test_what_would_be_too_large_is_not_asked_for() -> None:
    with pytest.raises(errors.TooLarge, match="48000000000"):
        volumes.allocate(10**9, replace(PLAIN, rows=4, columns=6), np.int16, largest=10**9)
    with pytest.raises(errors.TooLarge):
        volumes.allocate(2**62, PLAIN, np.int16)


def test_missing_slices_get_a_value_or_the_lowest_there_is() -> None:
    block = np.array([[[5, 7]], [[0, 0]], [[6, -2]]])
    volumes.fill(block, [1], None)
    assert block[1].tolist() == [[-2, -2]]
    volumes.fill(block, [1], 9)
    assert block[1].tolist() == [[9, 9]]
