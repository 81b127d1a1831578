"""Thumbnails stand for what they are asked of and show nobody (THM-01 to THM-03, T13)."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dicomgate import assembly, config, errors
from dicomgate.dicom.outcomes import Stored
from dicomgate.dicom.presentation import Viewport
from dicomgate.dicom.uids import Target
from dicomgate.pixels.processes import Workers
from dicomgate.representations import thumbnails
from dicomgate.representations.maker import Maker
from dicomgate.testing import instances

CT, SC, US = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.6.1"
SR, ECG = "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.9.1.1"
SMALL = Viewport(64, 64)


@pytest.fixture(scope="module")
def maker():
    with Workers() as workers:
        yield Maker(workers=workers)


@pytest.fixture
def archive(tmp_path: Path):
    with assembly.open_archive(tmp_path / "data", config.Settings()) as opened:
        yield opened


def store(archive: Any, target: Target, level: int, *, frames: int = 1, **attributes: Any) -> None:
    """A picture of one level of grey, and stripes that would be text."""
    pixels = np.full((256, 256), level, np.uint8)
    content = instances.make(
        target,
        rows=256,
        columns=256,
        frames=[(pixels + frame).tobytes() for frame in range(frames)],
        attributes={
            "SOPClassUID": CT,
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "BitsAllocated": 8,
            "BitsStored": 8,
            "HighBit": 7,
            "PixelRepresentation": 0,
            **attributes,
        },
    )
    arrival = archive.spool.arrival()
    arrival.write(content)
    assert isinstance(archive.origin.store.accept(arrival), Stored)


def look(picture: thumbnails.Picture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture.content)).convert("L"))


def one(archive: Any, maker: Maker, target: Target, viewport: Viewport | None = SMALL) -> thumbnails.Picture:
    with archive.origin.retrieve.retrieve(target) as found:
        return thumbnails.of_instance(maker, next(found), viewport, "image/png")


def test_the_middle_frame_of_the_middle_instance_THM_03(archive: Any, maker: Maker) -> None:
    study, series = instances.new_target().study, instances.new_target().series
    for number in range(1, 6):
        target = Target(study, series, instances.new_target().instance)
        store(archive, target, 20 * number, frames=3, InstanceNumber=number)
    with archive.origin.retrieve.retrieve(Target(study)) as found:
        shown = look(thumbnails.of_several(maker, found, SMALL, "image/png"))
    assert shown.shape == (64, 64)
    assert set(shown.flatten().tolist()) == {61}


def test_what_says_that_it_shows_somebody_is_not_shown_THM_02(archive: Any, maker: Maker) -> None:
    shown, hidden = instances.new_target(), instances.new_target()
    store(archive, shown, 77, BurnedInAnnotation="NO")
    store(archive, hidden, 77, BurnedInAnnotation="YES")
    assert set(look(one(archive, maker, shown)).flatten().tolist()) == {77}
    icon = look(one(archive, maker, hidden))
    assert icon.shape == (64, 64)
    assert 77 not in icon[0]
    other = Target(hidden.study, instances.new_target().series, instances.new_target().instance)
    store(archive, other, 99)
    with archive.origin.retrieve.retrieve(Target(hidden.study)) as found:
        assert set(look(thumbnails.of_several(maker, found, SMALL, "image/png")).flatten().tolist()) == {99}


@pytest.mark.parametrize("sop_class", [SC, US])
def test_where_nothing_is_said_text_is_too_small_to_read_THM_02(archive: Any, maker: Maker, sop_class: str) -> None:
    target = instances.new_target()
    store(archive, target, 50, SOPClassUID=sop_class)
    assert look(one(archive, maker, target, Viewport(1000, 1000))).shape == (64, 64)


def test_no_overlay_and_no_larger_than_the_largest(archive: Any, maker: Maker) -> None:
    target = instances.new_target()
    store(archive, target, 50)
    assert look(one(archive, maker, target, Viewport(8000, 8000))).shape == (thumbnails.LARGEST,) * 2
    assert look(one(archive, maker, target, None)).shape == (thumbnails.USUAL.height, thumbnails.USUAL.width)


@pytest.mark.parametrize("sop_class", [SR, ECG, "1.2.3.4"])
@pytest.mark.parametrize("size", [Viewport(1, 1), Viewport(90, 40), Viewport(300, 900)])
def test_what_has_no_picture_has_an_icon(archive: Any, maker: Maker, sop_class: str, size: Viewport) -> None:
    target = instances.new_target()
    arrival = archive.spool.arrival()
    arrival.write(_without_pixels(target, sop_class))
    assert isinstance(archive.origin.store.accept(arrival), Stored)
    assert look(one(archive, maker, target, size)).shape == (size.height, size.width)


def _without_pixels(target: Target, sop_class: str) -> bytes:
    from pydicom import dcmread

    dataset = dcmread(io.BytesIO(instances.make(target, attributes={"SOPClassUID": sop_class})))
    del dataset.PixelData
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    into = io.BytesIO()
    dataset.save_as(into)
    return into.getvalue()


def test_frames_that_are_not_there(archive: Any, maker: Maker) -> None:
    target = instances.new_target()
    store(archive, target, 50, frames=2)
    with archive.origin.retrieve.retrieve(target) as found:
        instance = next(found)
    assert set(look(thumbnails.of_frame(maker, instance, 2, SMALL, "image/png")).flatten().tolist()) == {51}
    for frame in (0, 3):
        with pytest.raises(errors.NotFound):
            thumbnails.of_frame(maker, instance, frame, SMALL, "image/png")
