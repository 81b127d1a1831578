"""Overlays become presentation states that draw the same over the frames (LC-18, TOOL-01c)."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pydicom
import pytest
from multiframe_slices import CT, read, slice_of, sources_of
from pydicom.dataset import Dataset

from dicomgate.multiframe import conversion
from dicomgate.multiframe.conversion import Became

DRAWN = bytes(range(8))


def overlaid(drawn: bytes = DRAWN, group: int = 0x6000) -> object:
    def change(dataset: Dataset) -> None:
        dataset.add_new((group, 0x0010), "US", 8)
        dataset.add_new((group, 0x0011), "US", 8)
        dataset.add_new((group, 0x0040), "CS", "G")
        dataset.add_new((group, 0x0050), "SS", [1, 1])
        dataset.add_new((group, 0x0100), "US", 1)
        dataset.add_new((group, 0x0102), "US", 0)
        dataset.add_new((group, 0x3000), "OW", drawn)

    return change


def hidden(dataset: Dataset) -> None:
    """Bit 14 of every sample is an overlay: set in every third one."""
    for name, vr, value in ((0x0010, "US", 8), (0x0011, "US", 8), (0x0040, "CS", "G"), (0x0050, "SS", [1, 1])):
        dataset.add_new((0x6002, name), vr, value)
    dataset.add_new((0x6002, 0x0100), "US", 16)
    dataset.add_new((0x6002, 0x0102), "US", 14)
    words = [0x0123 | (0x4000 if at % 3 == 0 else 0) for at in range(64)]
    dataset.PixelData = b"".join(word.to_bytes(2, "little") for word in words)


def converted(*contents: bytes) -> tuple[Dataset, list[Dataset]]:
    plan = conversion.plan(sources_of(contents))
    products = [(one.became, b"".join(one.write())) for one in plan.products()]
    states = [read(content) for became, content in products if became is Became.STATE]
    (image,) = (read(content) for became, content in products if became is Became.ENHANCED)
    return image, states


def test_an_overlay_becomes_a_presentation_state_LC_18() -> None:
    image, states = converted(
        slice_of(CT, 1, change=overlaid()), slice_of(CT, 2, change=overlaid()), slice_of(CT, 3), slice_of(CT, 4)
    )
    assert not any(element.tag.group == 0x6000 for element in image.iterall())
    (state,) = states
    assert state[0x6000, 0x3000].value == DRAWN
    assert state[0x6000, 0x1001].value == "OVERLAYS"
    (series,) = state.ReferencedSeriesSequence
    (referenced,) = series.ReferencedImageSequence
    assert series.SeriesInstanceUID == image.SeriesInstanceUID
    assert referenced.ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert referenced.ReferencedFrameNumber == [1, 2]
    assert image.ReferencedPresentationStateSequence[0].ReferencedSOPInstanceUID == state.SOPInstanceUID
    assert (state.RescaleIntercept, state.SoftcopyVOILUTSequence[0].WindowCenter) == (-1024, 40)
    assert state.StudyInstanceUID == image.StudyInstanceUID
    assert state.SeriesInstanceUID != image.SeriesInstanceUID


def test_different_overlays_are_different_states_LC_18() -> None:
    image, states = converted(*(slice_of(CT, n, change=overlaid(bytes([n]) * 8)) for n in (1, 2)))
    assert [state[0x6000, 0x3000].value for state in states] == [b"\1" * 8, b"\2" * 8]
    assert len(image.ReferencedPresentationStateSequence) == 2
    frames = [state.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedFrameNumber for state in states]
    assert frames == [1, 2]


def test_an_overlay_in_unused_bits_is_taken_out_of_the_samples_LC_18() -> None:
    image, states = converted(slice_of(CT, 1, change=hidden), slice_of(CT, 2))
    assert image.PixelData[:128] == b"\x23\x01" * 64
    (state,) = states
    bits = int.from_bytes(state[0x6002, 0x3000].value, "little")
    assert [bits >> at & 1 for at in range(64)] == [int(at % 3 == 0) for at in range(64)]
    assert (state[0x6002, 0x0100].value, state[0x6002, 0x0102].value) == (1, 0)


def test_curves_and_annotations_are_removed_LC_18() -> None:
    def change(dataset: Dataset) -> None:
        dataset.add_new((0x5000, 0x0010), "US", 3)
        dataset.add_new((0x0070, 0x0001), "SQ", [Dataset()])

    image, _ = converted(slice_of(CT, 1, change=change), slice_of(CT, 2))
    assert not any(element.tag.group in {0x5000, 0x0070} for element in image.iterall())


def test_images_with_hidden_overlays_come_back_byte_for_byte_LC_32() -> None:
    from dicomgate.multiframe import restoring

    contents = [slice_of(CT, 1, change=hidden), slice_of(CT, 2, change=overlaid(bytes(2000)))]
    made = next(b"".join(one.write()) for one in conversion.plan(sources_of(contents)).products())
    (source,) = sources_of([made])
    assert [b"".join(one.chunks) for one in restoring.restore(source)] == contents


@pytest.mark.interop
def test_a_state_satisfies_others_checkers_LC_18(tmp_path: Path) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian package dicom3tools)")
    _, (state, *_) = converted(slice_of(CT, 1, change=overlaid()), slice_of(CT, 2))
    path = tmp_path / "state.dcm"
    state.save_as(path)
    told = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    assert not [line for line in (told.stdout + told.stderr).splitlines() if line.startswith("Error")]
    assert pydicom.dcmread(io.BytesIO(path.read_bytes())).Modality == "PR"
