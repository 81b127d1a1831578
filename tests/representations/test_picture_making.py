"""Pictures of stored instances, against formulas written out and files made to be odd (REN-01 to REN-08, REN-12)."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomgate import assembly, config, errors
from dicomgate.dicom import presentation
from dicomgate.dicom.outcomes import Stored
from dicomgate.dicom.presentation import Annotation, Presentation, Profile, Region, Viewport, Window, WindowFunction
from dicomgate.origin import Instance
from dicomgate.pixels.processes import Workers
from dicomgate.representations import moving_pictures, pictures
from dicomgate.representations.maker import Maker
from dicomgate.testing import instances

CT = "1.2.840.10008.5.1.4.1.1.2"
EXACT = WindowFunction.LINEAR_EXACT
RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)


@pytest.fixture(scope="module")
def maker():
    with Workers() as workers:
        yield Maker(workers=workers)


@pytest.fixture
def stored(tmp_path: Path):
    """Stores pixels with attributes, and gives them back as the archive does."""
    with assembly.open_archive(tmp_path / "data", config.Settings()) as archive:

        def store(
            pixels: Any, syntax: str = "1.2.840.10008.1.2.1", more: Dataset | None = None, **attributes: Any
        ) -> Instance:
            target = instances.new_target()
            frames = pixels if isinstance(pixels, list) else [pixels]
            size, shape = frames[0].dtype.itemsize * 8, frames[0].shape
            said = {
                "SOPClassUID": CT,
                "SamplesPerPixel": shape[2] if len(shape) == 3 else 1,
                "PhotometricInterpretation": "RGB" if len(shape) == 3 else "MONOCHROME2",
                "BitsAllocated": size,
                "BitsStored": size,
                "HighBit": size - 1,
                "PixelRepresentation": int(frames[0].dtype.kind == "i"),
                **({"PlanarConfiguration": 0} if len(shape) == 3 else {}),
                **attributes,
            }
            content = instances.make(
                target, syntax=syntax, rows=shape[0], columns=shape[1],
                frames=[frame.tobytes() for frame in frames], attributes=said,
            )  # fmt: skip
            arrival = archive.spool.arrival()
            arrival.write(content if more is None else _with(content, more))
            assert archive.origin.store is not None
            assert isinstance(archive.origin.store.accept(arrival), Stored)
            with archive.origin.retrieve.retrieve(target) as found:
                return next(found)

        yield store


Store = Callable[..., Instance]


def seen(maker: Maker, instance: Instance, wanted: Presentation = presentation.AS_IT_IS, frame: int = 1) -> np.ndarray:
    made = pictures.render(maker, instance, frame, wanted, "image/png")
    picture = np.asarray(Image.open(io.BytesIO(made.content)))
    assert picture.shape[:2] == (made.height, made.width)
    return picture


def test_stored_windows_and_asked_ones_REN_06_REN_07(maker: Maker, stored: Store) -> None:
    instance = stored(
        RAMP, RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=["1000", "5"], WindowWidth=["2000", "7"]
    )
    values = RAMP.astype(float) * 2 - 1000
    expected = np.clip((values - 999.5) / 1999 + 0.5, 0, 1) * 255
    assert np.abs(seen(maker, instance) - expected).max() <= 1
    asked = seen(maker, instance, Presentation(window=Window(0, 500, EXACT)))
    assert np.abs(asked - np.clip(values / 500 + 0.5, 0, 1) * 255).max() <= 1


def test_monochrome1_and_presentation_shape_say_the_same(maker: Maker, stored: Store) -> None:
    plain = seen(maker, stored(RAMP))
    for said in (
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PresentationLUTShape": "INVERSE"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
    ):
        assert np.array_equal(seen(maker, stored(RAMP, **said)), 255 - plain)


def test_each_frame_of_an_enhanced_object_has_its_own_values(maker: Maker, stored: Store) -> None:
    def group(slope: int, center: int) -> Dataset:
        item, voi, values = Dataset(), Dataset(), Dataset()
        values.RescaleSlope, values.RescaleIntercept, values.RescaleType = slope, 0, "US"
        voi.WindowCenter, voi.WindowWidth, voi.VOILUTFunction = center, 1000, "LINEAR_EXACT"
        item.PixelValueTransformationSequence, item.FrameVOILUTSequence = [values], [voi]
        return item

    shared = Dataset()
    shared.FrameVOILUTSequence = []
    instance = stored(
        [RAMP, RAMP],
        PerFrameFunctionalGroupsSequence=[group(1, 500), group(2, 700)],
        SharedFunctionalGroupsSequence=[shared],
    )
    for frame, slope, center in ((1, 1, 500), (2, 2, 700)):
        expected = np.clip((RAMP * float(slope) - center) / 1000 + 0.5, 0, 1) * 255
        assert np.abs(seen(maker, instance, frame=frame) - expected).max() <= 1


@pytest.mark.parametrize("bits", [8, 16])
def test_palettes_of_8_and_16_bits(maker: Maker, stored: Store, bits: int) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    planes = [np.arange(16) * step % 256 for step in (1, 3, 15)]
    words = [(plane * 257).astype("<u2") if bits == 16 else plane.astype(np.uint8) for plane in planes]
    said: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour, word in zip(("Red", "Green", "Blue"), words, strict=True):
        said[f"{colour}PaletteColorLookupTableDescriptor"] = [16, 10, bits]
        said[f"{colour}PaletteColorLookupTableData"] = word.tobytes()
    expected = np.stack([plane[np.clip(pixels.astype(int) - 10, 0, 15)] for plane in planes], axis=2)
    assert np.array_equal(seen(maker, stored(pixels, **said)), expected)


def test_overlays_are_cut_to_the_picture_and_may_lie_in_the_pixels(maker: Maker, stored: Store) -> None:
    dark = np.zeros((8, 8), np.uint8)
    said = Dataset()
    said.add_new(0x60000010, "US", 4)
    said.add_new(0x60000011, "US", 16)
    said.add_new(0x60000040, "CS", "G")
    said.add_new(0x60000050, "SS", [7, -1])
    said.add_new(0x60000100, "US", 1)
    said.add_new(0x60000102, "US", 0)
    said.add_new(0x60003000, "OW", b"\xff" * 8)
    shown = seen(maker, stored(dark, more=said))
    assert shown[:6].max() == 0
    assert shown[6:].min() == 255
    embedded = np.zeros((8, 8), np.uint16)
    embedded[2, 3] = 0x8000
    bits = Dataset()
    for element, vr, value in (
        (0x10, "US", 8),
        (0x11, "US", 8),
        (0x40, "CS", "G"),
        (0x50, "SS", [1, 1]),
        (0x100, "US", 16),
        (0x102, "US", 15),
    ):
        bits.add_new(0x60000000 + element, vr, value)
    shown = seen(maker, stored(embedded, BitsStored=12, HighBit=11, WindowCenter="2048", WindowWidth="4096", more=bits))
    assert shown[2, 3] == 255
    assert shown.sum() == 255


def _with(content: bytes, more: Dataset) -> bytes:
    dataset = dcmread(io.BytesIO(content))
    dataset.update(more)
    into = io.BytesIO()
    dataset.save_as(into)
    return into.getvalue()


def test_regions_flips_and_sizes_REN_05(maker: Maker, stored: Store) -> None:
    pixels = np.arange(200, dtype=np.uint8).reshape(10, 20)
    instance = stored(pixels)
    part = seen(maker, instance, Presentation(viewport=Viewport(6, 4, 2, 1, -6, -4)))
    assert np.array_equal(part, pixels[1:5, 2:8][::-1, ::-1])
    assert seen(maker, instance, Presentation(viewport=Viewport(100, 30))).shape == (30, 60)
    assert seen(maker, instance, Presentation(viewport=Viewport(5, 5))).shape == (2, 5)
    assert np.array_equal(seen(maker, instance, Presentation(region=Region(0.5, 0, 1, 0.5))), pixels[:5, 10:])
    tall = stored(pixels, PixelAspectRatio=["2", "1"])
    assert seen(maker, tall, Presentation(viewport=Viewport(40, 40))).shape == (40, 40)


@pytest.mark.parametrize(
    "wanted",
    [
        Presentation(viewport=Viewport(100_000, 100_000)),
        Presentation(viewport=Viewport(8, 8, 500, 0)),
        Presentation(viewport=Viewport(8192, 8192)),
    ],
)
def test_sizes_beyond_bounds_and_parts_outside_are_refused(maker: Maker, stored: Store, wanted: Presentation) -> None:
    with pytest.raises(errors.Malformed):
        seen(maker, stored(RAMP), wanted)


def test_the_patient_is_written_only_where_asked_for_REN_03(maker: Maker, stored: Store) -> None:
    dark = np.zeros((256, 256), np.uint8)
    instance = stored(
        dark, PatientName="Yamada^Tarou=山田^太郎", PatientID="Ид Ω 5", SpecificCharacterSet="ISO_IR 192", Modality="CT"
    )
    assert seen(maker, instance).max() == 0
    patient = seen(maker, instance, Presentation(annotations=(Annotation.PATIENT,)))
    technique = seen(maker, instance, Presentation(annotations=(Annotation.TECHNIQUE,)))
    assert patient[:100].max() == 255
    assert patient[150:].max() == 0
    assert technique[150:].max() == 255
    assert technique[:100].max() == 0


def test_profiles_are_embedded_and_converted_REN_08(maker: Maker, stored: Store) -> None:
    colours = np.random.default_rng(5).integers(0, 256, (16, 16, 3), np.uint8)
    instance = stored(colours)
    for profile in (Profile.YES, Profile.SRGB, Profile.ADOBE_RGB, Profile.ROMM_RGB):
        for media_type in ("image/png", "image/jpeg"):
            made = pictures.render(maker, instance, 1, Presentation(profile=profile), media_type)
            image = Image.open(io.BytesIO(made.content))
            assert image.info["icc_profile"][16:20] == b"RGB "
            image.load()
        same = np.array_equal(seen(maker, instance, Presentation(profile=profile)), colours)
        assert same == (profile in {Profile.YES, Profile.SRGB})
    assert "icc_profile" not in Image.open(io.BytesIO(pictures.render(maker, instance).content)).info
    with pytest.raises(errors.Malformed):
        pictures.render(maker, instance, 1, Presentation(profile=Profile.YES), "image/gif")


@pytest.mark.slow
@pytest.mark.parametrize("pixels", [RAMP, np.zeros((64, 64, 3), np.uint8) + 77], ids=["grey", "colour"])
@pytest.mark.parametrize("media_type", pictures.MEDIA_TYPES)
def test_every_type_is_made_and_begins_as_it_should(maker: Maker, stored: Store, pixels: Any, media_type: str) -> None:
    beginnings = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG", "image/gif": b"GIF8", "image/webp": b"RIFF"}
    for quality in (None, 1, 100):
        made = pictures.render(maker, stored(pixels), 1, Presentation(quality=quality), media_type)
        assert made.content.startswith(beginnings.get(media_type, b""))
        assert made == pictures.render(maker, stored(pixels), 1, Presentation(quality=quality), media_type)


def test_quality_costs_bytes_REN_04(maker: Maker, stored: Store) -> None:
    noise = stored(np.random.default_rng(3).integers(0, 256, (64, 64), np.uint8))
    sizes = [len(pictures.render(maker, noise, 1, Presentation(quality=quality)).content) for quality in (1, 50, 100)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[1] < sizes[2]


def test_all_frames_move_at_their_own_pace_REN_12(maker: Maker, stored: Store) -> None:
    frames = [np.full((8, 8), level, np.uint16) for level in (0, 1000, 4000)]
    frames[0][0, 0] = 4000
    instance = stored(frames, FrameTimeVector=["0", "40", "100"], FrameIncrementPointer=0x00181065)
    content = b"".join(moving_pictures.render(maker, instance, presentation.AS_IT_IS))
    shown = [
        (image.info["duration"], np.asarray(image.convert("L"))[4, 4])
        for image in ImageSequence.Iterator(Image.open(io.BytesIO(content)))
    ]
    assert [duration for duration, _ in shown] == [40, 100, 100]
    assert [int(level) for _, level in shown] == [0, 64, 255]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"00181063": 33}, [3, 3]),
        ({"00180040": 20}, [5, 5]),
        ({"00082144": 1000}, [2, 2]),
        ({"00181063": 0}, [10, 10]),
        ({}, [10, 10]),
        ({"00181063": 1e300}, [6000, 6000]),
    ],
)
def test_times_of_frames(said: dict[str, float], expected: list[int]) -> None:
    dataset = {tag: {"vr": "DS", "Value": [value]} for tag, value in said.items()}
    assert list(moving_pictures.delays(dataset, 2)) == expected


def test_what_cannot_be_decoded_is_told(maker: Maker, stored: Store) -> None:
    broken = stored(np.frombuffer(b"\xff\xd8\xff\xe0" * 16, np.uint8).reshape(8, 8), "1.2.840.10008.1.2.4.50")
    with pytest.raises(errors.NotAcceptable):
        pictures.render(maker, broken)
    with pytest.raises(errors.NotFound):
        pictures.render(maker, stored(RAMP), 2)


def test_a_profile_of_nonsense_is_left_out(maker: Maker, stored: Store) -> None:
    colours = np.zeros((8, 8, 3), np.uint8)
    nonsense = b"\0" * 16 + b"RGB " + zlib.compress(b"x") * 20
    made = pictures.render(maker, stored(colours, ICCProfile=nonsense + b"\0" * (len(nonsense) % 2)), 1)
    assert "icc_profile" not in Image.open(io.BytesIO(made.content)).info


@pytest.mark.parametrize("side", [60_000, 30_000])
def test_a_small_codestream_of_a_huge_picture_is_refused_T3(maker: Maker, tmp_path: Path, side: int) -> None:
    """A hundred bytes that claim gigabytes; the process is bounded, and the next picture is made."""
    size = side.to_bytes(4, "big")
    origin, component = bytes(8), b"\x00\x01\x07\x01\x01"
    marker = b"\xff\x51\x00\x29\x00\x00" + size * 2 + origin + size * 2 + origin + component
    coding = b"\xff\x52\x00\x0c\x00\x00\x00\x01\x00\x05\x04\x04\x00\x01"
    steps = b"\xff\x5c\x00\x13\x40" + bytes(16)
    tile = b"\xff\x90\x00\x0a\x00\x00\x00\x00\x00\x0e\x00\x01\xff\x93\xff\xd9"
    target = instances.new_target()
    said = {"SOPClassUID": CT, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 8,
            "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}  # fmt: skip
    content = instances.make(
        target, syntax="1.2.840.10008.1.2.4.90", rows=side, columns=side,
        frames=[b"\xff\x4f" + marker + coding + steps + tile], attributes=said,
    )  # fmt: skip
    with assembly.open_archive(tmp_path / "data", config.Settings()) as archive:
        arrival = archive.spool.arrival()
        arrival.write(content)
        assert archive.origin.store is not None
        assert isinstance(archive.origin.store.accept(arrival), Stored)
        with archive.origin.retrieve.retrieve(target) as found:
            instance = next(found)
        with pytest.raises(errors.NotAcceptable):
            pictures.render(maker, instance, 1, Presentation(viewport=Viewport(64, 64)))


def test_overlays_and_tables_that_lie_show_what_they_have(maker: Maker, stored: Store) -> None:
    said = Dataset()
    for element, vr, value in ((0x10, "US", 65535), (0x11, "US", 65535), (0x40, "CS", "G"), (0x50, "SS", [1, 1]),
                               (0x100, "US", 1), (0x102, "US", 0), (0x3000, "OW", b"\xff\xff")):  # fmt: skip
        said.add_new(0x60000000 + element, vr, value)
    assert seen(maker, stored(np.zeros((8, 8), np.uint8), more=said)).max() == 0
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [60_000, 0, 16], b"\x01\x00\xff\xff"
    shown = seen(maker, stored(RAMP, VOILUTSequence=[table]))
    assert shown[0, 0] == 0
    assert shown[0, 1:].min() == 255
    colours: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        colours[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 8]
        colours[f"{colour}PaletteColorLookupTableData"] = b"\x05\x06"
    assert seen(maker, stored(np.full((8, 8), 200, np.uint8), **colours)).tolist() == [[[6, 6, 6]] * 8] * 8
