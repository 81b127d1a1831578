"""The files that an object was made of, byte for byte (LC-31, LC-32)."""

from __future__ import annotations

import io

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiframe_slices import CLASSIC_SERIES, CT, IMPLICIT, described, edited, series_of, slice_of, sources_of, written

from dicomgate import errors
from dicomgate.dicom import header
from dicomgate.dicom.source import BytesSource
from dicomgate.multiframe import classic, enhanced, gather, restoring, writing


def restored(content: bytes) -> list[bytes]:
    (source,) = sources_of([content])
    return [b"".join(one.chunks) for one in restoring.restore(source)]


ODD = {
    "other words": {"syntax": "1.2.840.10008.1.2.2"},
    "without value representations": {"syntax": IMPLICIT},
    "deflated": {"syntax": "1.2.840.10008.1.2.1.99"},
    "room": {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelData": bytes(range(64))},
    "deep": {"BitsStored": 16, "HighBit": 15},
    "dirty": {"PixelData": b"\x34\xf2" * 64},
    "padded": {"PixelPaddingValue": 0},
    "spelled": {"SliceThickness": "5.000", "WindowCenter": "+40"},
    "trailing": {"DataSetTrailingPadding": b"\0" * 40},
    "behind": {"PixelData": bytes(range(128)) + b"abcd"},
}


@pytest.mark.parametrize("name", ODD)
def test_every_byte_comes_back_LC_31(name: str) -> None:
    contents = [slice_of(CT, 1), slice_of(CT, 2, **ODD[name]), slice_of(CT, 3)]
    found = [content for made in described(contents) for content in restored(b"".join(writing.write(made)))]
    assert sorted(found) == sorted(contents)


def test_preamble_and_foreign_file_meta_come_back_LC_32() -> None:
    content = slice_of(CT, 1)
    content = b"II*\0" + bytes(range(124)) + content[128:]
    assert restored(written([content])) == [content]


def test_a_file_without_preamble_comes_back_LC_32() -> None:
    whole = slice_of(CT, 1, syntax=IMPLICIT)
    bare = whole[header.read(BytesSource(whole)).dataset_offset :]
    assert restored(written([bare])) == [bare]


@pytest.mark.slow
@given(st.binary(max_size=3000), st.integers(0x10, 0xFF), st.sampled_from(["ISO_IR 100", "ISO_IR 144", "ISO_IR 192"]))
def test_whatever_the_sources_hold_comes_back_LC_32(value: bytes, block: int, charset: str) -> None:
    def change(dataset: pydicom.Dataset) -> None:
        dataset.add_new((0x0029, block), "LO", "ACME")
        dataset.add_new((0x0029, block << 8 | 1), "UN", value)
        dataset.SpecificCharacterSet = charset
        dataset.PatientName = "Doe^Jane"

    contents = [slice_of(CT, 1, change=change), slice_of(CT, 2, PatientName="Doe^Jane")]
    assert restored(written(contents)) == contents


def test_without_a_record_nothing_is_claimed_LC_32() -> None:
    with pytest.raises(errors.NotAcceptable):
        restored(written([slice_of(CT, 1)], keeps_originals=False))


def test_a_changed_frame_is_noticed_LC_31() -> None:
    content = written([slice_of(CT, n) for n in (1, 2)])
    pixels = pydicom.dcmread(io.BytesIO(content)).PixelData
    at = content.index(pixels)
    with pytest.raises(errors.Malformed, match="digest"):
        restored(content[:at] + b"\xff" + content[at + 1 :])


def test_a_patient_that_was_corrected_since_does_not_come_back_under_the_old_name() -> None:
    with pytest.raises(errors.Conflict):
        restored(edited(written([slice_of(CT, 1)]), lambda dataset: setattr(dataset, "PatientName", "Other")))


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, b"\x28\xb5\x2f\xfd"])
def test_a_damaged_record_is_malformed(damage: bytes) -> None:
    def change(dataset: pydicom.Dataset) -> None:
        dataset[0x7FE1, 0x1000].value[0][0x7FE1, 0x1004].value = damage

    with pytest.raises(errors.Malformed):
        restored(edited(written([slice_of(CT, 1)]), change))


def test_a_record_that_claims_too_much_is_refused() -> None:
    def change(dataset: pydicom.Dataset) -> None:
        dataset[0x7FE1, 0x1000].value[0][0x7FE1, 0x1003].value = 0xFFFFFFFF

    with pytest.raises(errors.TooLarge):
        restored(edited(written([slice_of(CT, 1)]), change))


@pytest.mark.slow
@pytest.mark.parametrize("folder", CLASSIC_SERIES)
def test_every_real_series_comes_back_byte_for_byte_LC_31(folder: str) -> None:
    sources = series_of(folder)
    settled = enhanced.settle(gather.gather(sources).sets)
    assert settled
    for one in settled:
        content = b"".join(writing.write(enhanced.describe(one)))
        found = restored(content)
        for source, original in zip(one.frame_set.sources, found, strict=True):
            assert isinstance(source.content, classic.File)
            assert original == source.content.path.read_bytes()
