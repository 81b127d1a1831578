"""What a data set says of its pixels (PS3.3 §C.7.6.3.1, T3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.dicom.pixel_description import PixelDescription, describe

EXPLICIT = syntaxes.EXPLICIT_LITTLE
NAMES = {
    "rows": "00280010",
    "columns": "00280011",
    "samples": "00280002",
    "photometric": "00280004",
    "planar": "00280006",
    "frames": "00280008",
    "allocated": "00280100",
    "stored": "00280101",
    "high": "00280102",
    "signed": "00280103",
    "lossy": "00282110",
}


def dataset(pixels="7FE00010", **given):
    values = {"rows": 3, "columns": 5, "allocated": 16, **given}
    found = {NAMES[name]: {"vr": "US", "Value": [value]} for name, value in values.items() if value is not None}
    return found | ({pixels: {"vr": "OW", "BulkDataURI": "x"}} if pixels else {})


def test_what_is_not_said_is_supplied():
    assert describe(dataset(), EXPLICIT) == PixelDescription(
        transfer_syntax=EXPLICIT, rows=3, columns=5, bits_allocated=16, bits_stored=16, high_bit=15
    )
    colour = describe(dataset(samples=3, allocated=8), EXPLICIT)
    assert (colour.photometric_interpretation, colour.frame_bytes) == ("RGB", 45)


def test_what_is_said_is_taken():
    found = describe(
        dataset(samples=3, photometric="YBR_FULL ", planar=1, frames="7", stored=12, high=11, signed=1, lossy="01"),
        EXPLICIT,
    )
    assert found == PixelDescription(
        transfer_syntax=EXPLICIT,
        rows=3,
        columns=5,
        samples_per_pixel=3,
        photometric_interpretation="YBR_FULL",
        planar_configuration=1,
        bits_allocated=16,
        bits_stored=12,
        high_bit=11,
        is_signed=True,
        is_lossy=True,
        frame_count=7,
    )


@pytest.mark.parametrize(("tag", "bits"), [("7FE00008", 32), ("7FE00009", 64)])
def test_floating_point_pixels_have_the_width_of_their_attribute(tag, bits):
    found = describe(dataset(tag, allocated=None, signed=1), EXPLICIT)
    assert (found.is_float, found.bits_allocated, found.bits_stored, found.high_bit) == (True, bits, bits, bits - 1)
    assert not found.is_signed


def test_one_bit_a_pixel_is_padded_to_bytes():
    found = describe(dataset(allocated=1), EXPLICIT)
    assert (found.frame_bits, found.frame_bytes) == (15, 2)


@pytest.mark.parametrize(
    "given",
    [
        {"pixels": None},
        {"rows": None},
        {"columns": 0},
        {"rows": 65_536},
        {"rows": -1},
        {"rows": "three"},
        {"rows": 2.5},
        {"rows": float("inf")},
        {"rows": [1]},
        {"allocated": None},
        {"allocated": 12},
        {"allocated": 8, "stored": 12},
        {"stored": 0},
        {"stored": 12, "high": 16},
        {"stored": 12, "high": 10},
        {"samples": 2},
        {"samples": 3, "planar": 2},
    ],
)
def test_what_no_pixels_can_be_T3(given):
    with pytest.raises(errors.Malformed):
        describe(dataset(**given), EXPLICIT)


def test_a_frame_that_is_too_large_T3():
    with pytest.raises(errors.TooLarge):
        describe(dataset(rows=60_000, columns=60_000), EXPLICIT)


@given(
    st.dictionaries(
        st.sampled_from(sorted(NAMES)),
        st.integers() | st.floats() | st.text(max_size=5) | st.none() | st.lists(st.integers(), max_size=2),
    )
)
def test_any_values_are_described_or_refused(values):
    try:
        found = describe(dataset(**values), EXPLICIT)
    except (errors.Malformed, errors.TooLarge):
        return
    assert 0 < found.frame_bytes <= 1 << 30
    assert found.bits_stored <= found.high_bit + 1 <= found.bits_allocated


def test_what_is_encoded_can_be_decoded_MT_12():
    for syntax in syntaxes.TABLE.values():
        assert syntax.can_decode or not syntax.can_encode
        assert not (syntax.is_video and syntax.can_decode)
