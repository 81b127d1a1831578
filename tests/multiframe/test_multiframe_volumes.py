"""The pixel volumes are those of the classic series, and those that scanners put into one object themselves."""

from __future__ import annotations

import hashlib

import numpy as np
import pydicom
import pytest
from multiframe_slices import CLASSIC_SERIES, read, series_of
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame

from dicomgate.multiframe import classes, classic, conversion, splitting, writing

pytestmark = pytest.mark.slow


def original(source: classic.Classic) -> Dataset:
    assert isinstance(source.content, classic.File)
    return pydicom.dcmread(source.content.path)


def groups(image: Dataset, number: int) -> Dataset:
    """The functional groups of a frame, its own and shared ones."""
    found = Dataset()
    found.update(image.SharedFunctionalGroupsSequence[0])
    found.update(image.PerFrameFunctionalGroupsSequence[number])
    return found


@pytest.mark.parametrize("folder", CLASSIC_SERIES)
def test_every_frame_has_the_values_and_the_place_of_its_source(folder: str) -> None:
    plan = conversion.plan(series_of(folder))
    for number, settled in enumerate(plan.settled):
        image = read(b"".join(writing.write(plan.describe(number), keeps_originals=False)))
        count = len(settled.frame_set.sources)
        volume = None if settled.frame_set.is_compressed else image.pixel_array.reshape(count, image.Rows, -1)
        for frame, source in enumerate(settled.frame_set.sources):
            expected, told = original(source), groups(image, frame)
            if volume is None:
                mine = get_frame(image.PixelData, frame, number_of_frames=count)
                assert mine.rstrip(b"\0") == get_frame(expected.PixelData, 0, number_of_frames=1).rstrip(b"\0")
            else:
                assert np.array_equal(volume[frame], expected.pixel_array)
            if "RescaleSlope" in expected:
                values = told.PixelValueTransformationSequence[0]
                # of a decimal string of more than 16 characters, which a source may wrongly have, 16 are kept
                assert float(values.RescaleSlope) == pytest.approx(float(expected.RescaleSlope), rel=1e-12)
                assert float(values.RescaleIntercept) == pytest.approx(float(expected.RescaleIntercept), rel=1e-12)
            place = told.PlanePositionSequence[0].ImagePositionPatient
            assert list(place) == pytest.approx(list(expected.ImagePositionPatient), abs=1e-9)
            turned = told.PlaneOrientationSequence[0].ImageOrientationPatient
            assert list(turned) == pytest.approx(list(expected.ImageOrientationPatient), abs=1e-9)


def places(image: dict[str, object]) -> list[int]:
    """In-Stack Position Number of each frame."""
    frames = classic.items(image, classes.PER_FRAME)
    contents = [classic.items(frame, classes.FRAME_CONTENT)[0] for frame in frames]
    return [int(classic.number(content, "00209057") or 0) for content in contents]


@pytest.mark.parametrize(("pair", "objects"), [("1901", 1), ("2001", 4)])
def test_vendors_pairs_have_the_same_frames_in_the_same_order_LC_23(pair: str, objects: int) -> None:
    """Of what a scanner exported both ways, each frame stands at the number in the stack that the scanner gave it."""
    (theirs,) = series_of(f"series/mr-philips-pairs/{pair}-enhanced")
    with theirs.opened() as (_, content):
        count = splitting.frame_count(theirs)
        frames = [splitting.read_frame(theirs, content, number) for number in range(1, count + 1)]
    expected = sorted(
        (hashlib.sha256(frame).hexdigest(), place)
        for frame, place in zip(frames, places(theirs.attributes), strict=True)
    )
    plan = conversion.plan(series_of(f"series/mr-philips-pairs/{pair}-classic"))
    assert len(plan.settled) == objects
    found = []
    for number in range(objects):
        made = plan.describe(number)
        for frame, place in enumerate(places(made.attributes), 1):
            found.append((hashlib.sha256(writing.read_frame(made, frame)).hexdigest(), place))
    assert sorted(found) == expected
