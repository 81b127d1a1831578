"""Pictures under presentation states, pixel by pixel where the standard says which (REN-02, REN-10; PS3.4 N.2)."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import orjson
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from dicomgate import assembly, config, errors
from dicomgate.dicom.outcomes import Stored
from dicomgate.dicom.presentation import AS_IT_IS, Annotation, Presentation, Profile, Region, Viewport
from dicomgate.dicom.uids import Target
from dicomgate.origin import Instance
from dicomgate.pixels import profiles
from dicomgate.pixels.processes import Workers
from dicomgate.representations import pictures, state_pose
from dicomgate.representations.maker import Maker
from dicomgate.representations.state_pose import State
from dicomgate.testing import instances, states
from dicomgate.testing.states import annotation, area, graphic, item, layer, text

NUMBERED = np.arange(6 * 8, dtype=np.uint8).reshape(6, 8) * 5
"""Each pixel has a value of its own."""
DARK = np.zeros((64, 64), np.uint8)
RED, GREEN = [35_578, 53_664, 50_858], [57_553, 12_519, 53_710]
"""CIELab of sRGB's, seen in the light of the PCS."""


@pytest.fixture(scope="module")
def maker():
    with Workers() as workers:
        yield Maker(workers=workers)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory):
    with assembly.open_archive(tmp_path_factory.mktemp("states") / "data", config.Settings()) as opened:
        yield opened


Look = Callable[..., np.ndarray]


@pytest.fixture
def stored(archive: Any):
    """Stores a file, and gives the instance as the archive does."""

    def store(content: bytes, target: Target) -> Instance:
        arrival = archive.spool.arrival()
        arrival.write(content)
        assert isinstance(archive.origin.store.accept(arrival), Stored)
        with archive.origin.retrieve.retrieve(target) as found:
            return next(found)

    return store


Store = Callable[[bytes, Target], Instance]


def image_of(pixels: np.ndarray, target: Target, frames: int = 1, **attributes: Any) -> bytes:
    size, is_colour = pixels.dtype.itemsize * 8, pixels.ndim == 3
    said = {
        "SamplesPerPixel": 3 if is_colour else 1,
        "PhotometricInterpretation": "RGB" if is_colour else "MONOCHROME2",
        "BitsAllocated": size,
        "BitsStored": size,
        "HighBit": size - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        **({"PlanarConfiguration": 0} if is_colour else {}),
        **attributes,
    }
    content = [pixels.tobytes()] * frames
    return instances.make(target, rows=pixels.shape[0], columns=pixels.shape[1], frames=content, attributes=said)


@pytest.fixture
def look(maker: Maker, stored: Store) -> Look:
    """What an image looks like under a state with these attributes."""

    def see(
        pixels: np.ndarray,
        said: dict[str, Any],
        wanted: Presentation = AS_IT_IS,
        sop_class: str = states.GRAYSCALE,
        **attributes: Any,
    ) -> np.ndarray:
        image, state = posed(stored, pixels, said, sop_class, **attributes)
        made = pictures.render(maker, image, 1, wanted, "image/png", state=state)
        picture = np.asarray(Image.open(io.BytesIO(made.content)))
        assert picture.shape[:2] == (made.height, made.width)
        return picture

    return see


def posed(
    stored: Store, pixels: np.ndarray, said: dict[str, Any], sop_class: str = states.GRAYSCALE, **attributes: Any
) -> tuple[Instance, State]:
    target = instances.new_target()
    image = stored(image_of(pixels, target, **attributes), target)
    own = instances.new_target(target.study)
    instance = stored(states.make(own, [target], sop_class=sop_class, attributes=said), own)
    return image, State(instance, orjson.loads(instance.metadata()))


# Where and how large.


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("flip", ["Y", "N"])
def test_turns_come_before_flips(look: Look, quarters: int, flip: str) -> None:
    """Clockwise, then from left to right (C.10.6)."""
    shown = look(NUMBERED, {"ImageRotation": quarters * 90, "ImageHorizontalFlip": flip})
    turned = np.rot90(NUMBERED, -quarters)
    assert np.array_equal(shown, turned[:, ::-1] if flip == "Y" else turned)


def test_areas_are_cut_out_and_may_reach_beyond_the_image(look: Look) -> None:
    inner = look(NUMBERED, {"DisplayedAreaSelectionSequence": area(3, 2, 6, 5)})
    assert np.array_equal(inner, NUMBERED[1:5, 2:6])
    turned = look(NUMBERED, {"DisplayedAreaSelectionSequence": area(6, 2, 3, 5), "ImageHorizontalFlip": "Y"})
    assert np.array_equal(turned, NUMBERED[1:5, 2:6][:, ::-1])
    outer = look(NUMBERED, {"DisplayedAreaSelectionSequence": area(-1, 0, 9, 8)})
    assert outer.shape == (9, 11)
    assert np.array_equal(outer[1:7, 2:10], NUMBERED)
    assert outer.sum() == NUMBERED.sum()


def test_areas_fill_the_viewport_unless_they_are_magnified(look: Look) -> None:
    said = {"DisplayedAreaSelectionSequence": area(3, 2, 6, 5)}
    assert look(NUMBERED, said, Presentation(viewport=Viewport(16, 30))).shape == (16, 16)
    more = {"PresentationSizeMode": "MAGNIFY", "PresentationPixelMagnificationRatio": 3.0}
    magnified = {"DisplayedAreaSelectionSequence": area(3, 2, 6, 5, **more)}
    whole = look(NUMBERED, magnified)
    assert whole.shape == (12, 12)
    cut = look(NUMBERED, magnified, Presentation(viewport=Viewport(7, 20)))
    assert np.abs(cut.astype(int) - whole[:, :7]).max() <= 1
    part = look(NUMBERED, magnified, Presentation(region=Region(0.5, 0, 1, 0.5)))
    assert np.abs(part.astype(int) - whole[:6, 6:]).max() <= 1


def test_pixels_have_the_proportions_that_the_state_says(look: Look) -> None:
    said = {"DisplayedAreaSelectionSequence": area(1, 1, 8, 6, PresentationPixelAspectRatio=[2, 1])}
    assert look(NUMBERED, said).shape == (12, 8)
    assert look(NUMBERED, {**said, "ImageRotation": 90}).shape == (8, 12)


# Values.


def test_values_go_through_modality_voi_and_presentation(look: Look) -> None:
    """Each of them the state's, none the image's (N.2)."""
    ramp = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    own = {"RescaleSlope": 5, "RescaleIntercept": 99, "WindowCenter": 1, "WindowWidth": 2, "BitsStored": 12,
           "HighBit": 11, "PhotometricInterpretation": "MONOCHROME1"}  # fmt: skip
    plain = look(ramp, {}, **own)
    assert np.abs(plain - ramp / 4095 * 255).max() <= 1
    voi = item(WindowCenter=1000, WindowWidth=500, VOILUTFunction="LINEAR")
    rescale = {"RescaleSlope": 2, "RescaleIntercept": -1000, "RescaleType": "US"}
    shown = look(ramp, {"SoftcopyVOILUTSequence": [voi], **rescale}, **own)
    expected = np.clip((ramp * 2.0 - 1000 - 999.5) / 499 + 0.5, 0, 1) * 255
    assert np.abs(shown - expected).max() <= 1
    inverse = look(ramp, {"SoftcopyVOILUTSequence": [voi], **rescale, "PresentationLUTShape": "INVERSE"}, **own)
    assert np.abs((255 - inverse.astype(int)) - expected).max() <= 1
    table = item(LUTDescriptor=[4, 0, 8], LUTData=b"\x00\xff\x80\x40")
    curve = {"PresentationLUTShape": None, "PresentationLUTSequence": [table]}
    steps = look(ramp, {"SoftcopyVOILUTSequence": [voi], **rescale, **curve}, **own)
    index = np.rint(expected / 255 * 3).astype(int)
    assert np.mean(steps != np.array([0, 255, 128, 64])[index]) < 0.002


def test_a_modality_table_without_voi_has_the_range_of_its_bits(look: Look) -> None:
    table = item(LUTDescriptor=[48, 0, 16], LUTData=np.arange(48, dtype="<u2").tobytes(), ModalityLUTType="US")
    table.LUTData = (np.arange(48) * 1000).astype("<u2").tobytes()
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8)
    shown = look(pixels, {"ModalityLUTSequence": [table]})
    assert np.abs(shown - np.arange(48).reshape(6, 8) * 1000 / 65535 * 255).max() <= 1


def test_palettes_colour_grey_after_voi(look: Look) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    said: dict[str, Any] = {"PresentationLUTShape": None}
    for place, colour in enumerate(("Red", "Green", "Blue")):
        said[f"{colour}PaletteColorLookupTableDescriptor"] = [4, 0, 16]
        entries = np.roll([0, 0x8000, 0xFF00, 0x4000], place).astype("<u2")
        said[f"{colour}PaletteColorLookupTableData"] = entries.tobytes()
    said["SoftcopyVOILUTSequence"] = [item(WindowCenter=128, WindowWidth=256)]
    shown = look(ramp, said, sop_class=states.PSEUDO_COLOR)
    index = np.rint(ramp / 255 * 3).astype(int)
    expected = np.stack([np.roll([0, 128, 255, 64], place)[index] for place in range(3)], axis=2)
    assert np.array_equal(shown, expected)


FRAMES = [np.full((6, 8), 100, np.int16), np.full((6, 8), 300, np.int16), NUMBERED.astype(np.int16) * 4]


def subtracted(maker: Maker, stored: Store, frame: int = 3, **mask: Any) -> np.ndarray:
    target = instances.new_target()
    said = {"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16, "BitsStored": 16,
            "HighBit": 15, "PixelRepresentation": 1}  # fmt: skip
    content = instances.make(target, rows=6, columns=8, frames=[one.tobytes() for one in FRAMES], attributes=said)
    image, own = stored(content, target), instances.new_target(target.study)
    voi = item(WindowCenter=0, WindowWidth=2000, VOILUTFunction="LINEAR_EXACT")
    state = {"MaskSubtractionSequence": [item(**mask)], "RecommendedViewingMode": "SUB", "RescaleSlope": 2,
             "RescaleIntercept": 50, "RescaleType": "US", "SoftcopyVOILUTSequence": [voi]}  # fmt: skip
    instance = stored(states.make(own, [target], attributes=state), own)
    posing = State(instance, orjson.loads(instance.metadata()))
    made = pictures.render(maker, image, frame, AS_IT_IS, "image/png", state=posing)
    return np.asarray(Image.open(io.BytesIO(made.content))).astype(int)


def shade(difference: np.ndarray) -> np.ndarray:
    """The grey of a difference of stored values, rescaled by 2, in a window of 2000 about 0."""
    return np.asarray(np.clip(difference * 2 / 2000 + 0.5, 0, 1) * 255)


def test_masks_are_averaged_and_subtracted_before_voi(maker: Maker, stored: Store) -> None:
    """N.2.1.2: after the modality's transformation, whose intercept goes."""
    first, second, third = (one.astype(float) for one in FRAMES)
    averaged = subtracted(maker, stored, MaskOperation="AVG_SUB", MaskFrameNumbers=[1, 2], ContrastFrameAveraging=1)
    assert np.abs(averaged - shade(third - 200)).max() <= 1
    both = subtracted(maker, stored, 2, MaskOperation="AVG_SUB", MaskFrameNumbers=[1], ContrastFrameAveraging=2)
    assert np.abs(both - shade((second + third) / 2 - first)).max() <= 1
    before = subtracted(maker, stored, MaskOperation="TID", TIDOffset=1)
    assert np.abs(before - shade(third - second)).max() <= 1
    native = subtracted(maker, stored, 1, MaskOperation="TID", TIDOffset=1)
    assert np.abs(native - np.clip((first * 2 + 50) / 2000 + 0.5, 0, 1) * 255).max() <= 1


def test_masks_are_moved_down_and_to_the_left(maker: Maker, stored: Store) -> None:
    moved = subtracted(maker, stored, 1, MaskOperation="AVG_SUB", MaskFrameNumbers=[3], MaskSubPixelShift=[1.0, 2.0])
    mask = FRAMES[2].astype(float)[[0, 0, 1, 2, 3, 4]][:, [2, 3, 4, 5, 6, 7, 7, 7]]
    assert np.abs(moved - shade(FRAMES[0] - mask)).max() <= 1
    half = subtracted(maker, stored, 1, MaskOperation="AVG_SUB", MaskFrameNumbers=[3], MaskSubPixelShift=[0.0, 0.5])
    mask = FRAMES[2].astype(float)
    mask[:, :-1] = (mask[:, :-1] + mask[:, 1:]) / 2
    assert np.abs(half - shade(FRAMES[0] - mask)).max() <= 1


# Shutters.


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (
            {
                "ShutterShape": "RECTANGULAR",
                "ShutterLeftVerticalEdge": 3,
                "ShutterRightVerticalEdge": 6,
                "ShutterUpperHorizontalEdge": 2,
                "ShutterLowerHorizontalEdge": 5,
            },
            lambda row, column: (column >= 3) & (column <= 6) & (row >= 2) & (row <= 5),
        ),
        (
            {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [3, 4], "RadiusOfCircularShutter": 2},
            lambda row, column: (row - 3) ** 2 + (column - 4) ** 2 <= 4,
        ),
        (
            {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [2, 3, 2, 7, 5, 7, 5, 3]},
            lambda row, column: (column >= 3) & (column <= 7) & (row >= 2) & (row <= 5),
        ),
        (
            {
                "ShutterShape": ["RECTANGULAR", "CIRCULAR"],
                "ShutterLeftVerticalEdge": 1,
                "ShutterRightVerticalEdge": 4,
                "ShutterUpperHorizontalEdge": 1,
                "ShutterLowerHorizontalEdge": 6,
                "CenterOfCircularShutter": [3, 4],
                "RadiusOfCircularShutter": 2,
            },
            lambda row, column: ((row - 3) ** 2 + (column - 4) ** 2 <= 4) & (column <= 4),
        ),
    ],
    ids=["rectangular", "circular", "polygonal", "two"],
)
def test_shutters_cover_what_is_outside(look: Look, said: dict[str, Any], seen: Callable[..., np.ndarray]) -> None:
    shown = look(NUMBERED, {**said, "ShutterPresentationValue": 0x8080})
    row, column = np.mgrid[1:7, 1:9]
    assert np.array_equal(shown, np.where(seen(row, column), NUMBERED, 128))


def test_shutters_lie_in_the_image_and_turn_with_it(look: Look) -> None:
    said = {"ShutterShape": "RECTANGULAR", "ShutterLeftVerticalEdge": 1, "ShutterRightVerticalEdge": 2,
            "ShutterUpperHorizontalEdge": 1, "ShutterLowerHorizontalEdge": 6, "ShutterPresentationValue": 0xFFFF}  # fmt: skip
    shown = look(NUMBERED, {**said, "ImageRotation": 90, "DisplayedAreaSelectionSequence": area(2, 1, 8, 6)})
    expected = NUMBERED.copy()
    expected[:, 2:] = 255
    assert np.array_equal(shown, np.rot90(expected[:, 1:], -1))


def test_a_circle_is_one_on_the_display_also_of_pixels_that_are_not_square(look: Look) -> None:
    said = {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [17, 33], "RadiusOfCircularShutter": 20,
            "DisplayedAreaSelectionSequence": area(1, 1, 64, 32, PresentationPixelAspectRatio=[2, 1]),
            "ShutterPresentationValue": 0}  # fmt: skip
    shown = look(np.full((32, 64), 200, np.uint8), said) > 100
    assert abs(int(shown.any(axis=0).sum()) - int(shown.any(axis=1).sum())) <= 4
    assert abs(shown.sum() - np.pi * 400) < 100


def test_shutters_of_bits_and_of_colours(look: Look) -> None:
    bits = np.zeros((6, 8), np.uint8)
    bits[:, 5:] = 1
    said: dict[str, Any] = {"ShutterShape": "BITMAP", "ShutterOverlayGroup": 0x6000}
    said |= {"ShutterPresentationValue": 0, "ShutterPresentationColorCIELabValue": RED}
    said |= plane(0x6000, bits)
    shown = look(NUMBERED, said)
    assert np.array_equal(shown[:, :5], np.repeat(NUMBERED[:, :5, None], 3, axis=2))
    assert np.abs(shown[:, 5:].astype(int) - (255, 0, 0)).max() <= 4


def plane(group: int, bits: np.ndarray, **more: Any) -> dict[str, Any]:
    """An overlay as attributes by tag."""
    packed = np.packbits(bits.astype(np.uint8), bitorder="little").tobytes()
    said = {0x10: ("US", bits.shape[0]), 0x11: ("US", bits.shape[1]), 0x40: ("CS", "G"), 0x50: ("SS", [1, 1]),
            0x100: ("US", 1), 0x102: ("US", 0), 0x3000: ("OW", packed + b"\0" * (len(packed) % 2))}  # fmt: skip
    if "layer" in more:
        said[0x1001] = ("CS", more["layer"])
    return {f"tag {group:04X}{element:04X} {vr}": value for element, (vr, value) in said.items()}


def test_shutters_may_be_of_some_frames_alone(stored: Store, maker: Maker) -> None:
    target = instances.new_target()
    image, own = stored(image_of(NUMBERED, target, frames=2), target), instances.new_target(target.study)
    named = item(ReferencedSOPClassUID=states.SECONDARY_CAPTURE, ReferencedSOPInstanceUID=target.instance)
    named.ReferencedFrameNumber = 2
    edges = {"ShutterLeftVerticalEdge": 1, "ShutterRightVerticalEdge": 4, "ShutterUpperHorizontalEdge": 1,
             "ShutterLowerHorizontalEdge": 6}  # fmt: skip
    shutter = item(ReferencedImageSequence=[named], ShutterShape="RECTANGULAR", **edges)
    said = {"FrameDisplayShutterSequence": [shutter], "ShutterPresentationValue": 0xFFFF}
    instance = stored(states.make(own, [target], attributes=said), own)
    state = State(instance, orjson.loads(instance.metadata()))
    shown = [
        np.asarray(
            Image.open(io.BytesIO(pictures.render(maker, image, one, AS_IT_IS, "image/png", state=state).content))
        )
        for one in (1, 2)
    ]
    assert np.array_equal(shown[0], NUMBERED)
    assert np.array_equal(shown[1][:, :4], NUMBERED[:, :4])
    assert shown[1][:, 4:].min() == 255


# What is drawn.


def test_colours_stay_those_of_the_picture_and_are_drawn_on_in_its_profile(stored: Store, maker: Maker) -> None:
    """REN-10: the profile of the state goes along; what is drawn is brought into it."""
    flat = np.zeros((32, 32, 3), np.uint8) + np.array([10, 200, 90], np.uint8)
    adobe = profiles.make(Profile.ADOBE_RGB)
    layers = [layer("L", 1, GraphicLayerRecommendedDisplayCIELabValue=GREEN)]
    figure = graphic("POLYLINE", 8, 8, 24, 8, 24, 24, 8, 24, 8, 8, GraphicFilled="Y")
    said = {"GraphicLayerSequence": layers, "GraphicAnnotationSequence": [annotation(figure)], "ICCProfile": adobe,
            "PresentationLUTShape": None, "ImageRotation": 180}  # fmt: skip
    image, state = posed(stored, flat, said, states.COLOR)
    made = Image.open(io.BytesIO(pictures.render(maker, image, 1, AS_IT_IS, "image/png", state=state).content))
    assert made.info["icc_profile"] == adobe
    shown = np.asarray(made)
    assert np.array_equal(shown[:6], flat[:6])
    expected = profiles.convert(np.array([[[0, 255, 0]]], np.uint8), profiles.make(Profile.SRGB), adobe)[0, 0]
    assert np.abs(shown[16, 16].astype(int) - expected).max() <= 4
    assert expected[0] > 100, "which sRGB's green is in that profile"


def test_overlays_are_drawn_in_their_layers_where_they_are_activated(look: Look) -> None:
    """The upper layer covers the lower; what no layer activates is not shown (C.11.7)."""
    left, middle = np.zeros((6, 8), np.uint8), np.zeros((6, 8), np.uint8)
    left[:, :4], middle[:, 2:6] = 1, 1
    layers = [layer("UPPER", 2, GraphicLayerRecommendedDisplayGrayscaleValue=0xFFFF),
              layer("LOWER", 1, GraphicLayerRecommendedDisplayGrayscaleValue=0x8080)]  # fmt: skip
    said = {**plane(0x6000, left, layer="UPPER"), **plane(0x6002, middle, layer="LOWER")}
    shown = look(NUMBERED, {"GraphicLayerSequence": layers, **said})
    assert (shown[:, :4] == 255).all()
    assert (shown[:, 4:6] == 128).all()
    assert np.array_equal(shown[:, 6:], NUMBERED[:, 6:])
    assert np.array_equal(look(NUMBERED, plane(0x6000, left)), NUMBERED)
    assert np.array_equal(look(NUMBERED, plane(0x6000, left, layer=None)), NUMBERED)


def drawn(*objects: Dataset, **said: Any) -> dict[str, Any]:
    layers = [layer("L", 1, GraphicLayerRecommendedDisplayGrayscaleValue=0xFFFF)]
    return {"GraphicAnnotationSequence": [annotation(*objects)], "GraphicLayerSequence": layers, **said}


SQUARE = (8, 16, 40, 16, 40, 32, 8, 32, 8, 16)


def test_filled_figures_cover_exactly_what_they_say(look: Look) -> None:
    shown = look(DARK, drawn(graphic("POLYLINE", *SQUARE, GraphicFilled="Y")))
    assert (shown[17:31, 9:39] == 255).all()
    assert shown[:15].max() == shown[33:].max() == shown[:, :7].max() == shown[:, 41:].max() == 0
    outline = look(DARK, drawn(graphic("POLYLINE", *SQUARE)))
    assert outline[20:28, 12:36].max() == 0
    assert outline[24, 7:9].max() >= 120


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("flip", ["Y", "N"])
def test_graphics_turn_with_the_image(look: Look, quarters: int, flip: str) -> None:
    figure = graphic("POLYLINE", *SQUARE, GraphicFilled="Y")
    upright = look(DARK, drawn(figure))
    shown = look(DARK, drawn(figure, ImageRotation=quarters * 90, ImageHorizontalFlip=flip))
    turned = np.rot90(upright, -quarters)
    assert np.abs(shown.astype(int) - (turned[:, ::-1] if flip == "Y" else turned)).max() <= 70


def test_places_of_the_display_stay_where_they_are(look: Look) -> None:
    figure = graphic("POLYLINE", 0.5, 0.5, 1, 0.5, 1, 1, 0.5, 1, 0.5, 0.5, units="DISPLAY", GraphicFilled="Y")
    cut = area(11, 11, 50, 50)
    for quarters in range(4):
        said = drawn(figure, ImageRotation=quarters * 90, DisplayedAreaSelectionSequence=cut)
        shown = look(DARK, said)
        assert shown.shape == (40, 40)
        assert (shown[21:, 21:] == 255).all()
        assert shown[:19, :].max() == shown[:, :19].max() == 0
    larger = look(DARK, drawn(figure), Presentation(viewport=Viewport(200, 200)))
    assert (larger[102:, 102:] == 255).all()
    assert larger[:97].max() == 0


def radii(picture: np.ndarray, column: float, row: float) -> np.ndarray:
    rows, columns = np.nonzero(picture > 100)
    return np.asarray(np.hypot(rows + 0.5 - row, columns + 0.5 - column))


def test_circles_and_ellipses_have_their_radii(look: Look) -> None:
    found = radii(look(DARK, drawn(graphic("CIRCLE", 32, 32, 32, 12))), 32, 32)
    assert found.size > 80
    assert np.abs(found - 20).max() < 1.2
    shown = look(DARK, drawn(graphic("ELLIPSE", 7, 32, 57, 32, 32, 22, 32, 42, GraphicFilled="Y"))) > 100
    assert abs(shown.sum() - np.pi * 25.5 * 10.5) < 30
    assert shown[32, 8:56].all()
    assert not shown[:20].any()


def test_large_pictures_are_drawn_on_in_pieces_that_fit_together(look: Look) -> None:
    """The same as a small one, larger: no seams, nothing missing."""
    figures = [graphic("CIRCLE", 32, 32, 32, 4), graphic("POLYLINE", 2, 3, 61, 50), graphic("POLYLINE", 0, 32, 64, 32)]
    large = look(DARK, drawn(*figures), Presentation(viewport=Viewport(1600, 1600)))
    found = large[:, :] > 250
    assert found[799:801, :].all()
    rows, columns = np.nonzero(large > 100)
    distances = np.abs(np.hypot(rows + 0.5 - 800, columns + 0.5 - 800) - 700)
    around = np.unique(np.round(np.degrees(np.arctan2(rows - 800, columns - 800)))[distances < 1.5])
    assert len(around) >= 360
    along = np.linspace(0.01, 0.99, 500)
    assert found[((3 + 47 * along) * 25).astype(int), ((2 + 59 * along) * 25).astype(int)].all()


def test_curves_pass_through_their_points(look: Look) -> None:
    points = (10, 40, 20, 10, 32, 50, 44, 20, 55, 40)
    shown = look(DARK, drawn(graphic("INTERPOLATED", *points)))
    for column, row in zip(points[::2], points[1::2], strict=True):
        assert shown[row - 1 : row + 1, column - 1 : column + 1].max() > 100
    straight = look(DARK, drawn(graphic("POLYLINE", *points)))
    assert not np.array_equal(shown, straight)


def test_points_are_seen(look: Look) -> None:
    shown = look(DARK, drawn(graphic("POINT", 20, 30)))
    assert (shown[29:31, 19:21] == 255).all()
    assert 4 <= (shown > 0).sum() <= 64


def test_styles_of_lines_and_fillings(look: Look) -> None:
    line = item(PatternOnColorCIELabValue=RED, LineThickness=4.0, LineDashingStyle="DASHED", LinePattern=0x00FF00FF,
                PatternOnOpacity=1.0, ShadowStyle="OFF")  # fmt: skip
    shown = look(DARK, drawn(graphic("POLYLINE", 0, 32, 64, 32, LineStyleSequence=[line])))
    assert shown.shape == (64, 64, 3)
    assert (shown[32, :, 0] > 100).tolist() == ([False] * 32 + [True] * 32)
    assert (shown[:, 48, 0] > 100).sum() == 4
    assert shown[:, :, 1:].max() <= 10
    filling = item(PatternOnColorCIELabValue=GREEN, PatternOnOpacity=0.5, FillMode="SOLID")
    shown = look(DARK, drawn(graphic("POLYLINE", *SQUARE, GraphicFilled="Y", FillStyleSequence=[filling])))
    assert 120 <= shown[24, 24, 1] <= 136
    stripes = item(PatternOnColorCIELabValue=GREEN, PatternOnOpacity=1.0, FillMode="STIPPELED",
                   FillPattern=(b"\xff\xff\xff\xff" + b"\0\0\0\0") * 16)  # fmt: skip
    shown = look(DARK, drawn(graphic("POLYLINE", *SQUARE, GraphicFilled="Y", FillStyleSequence=[stripes])))
    assert shown[24, 24, 1] > 200
    assert shown[25, 24, 1] == 0


def test_colours_of_layers_make_grey_pictures_coloured(look: Look) -> None:
    layers = [layer("L", 1, GraphicLayerRecommendedDisplayCIELabValue=RED)]
    said = {**drawn(graphic("POLYLINE", *SQUARE, GraphicFilled="Y")), "GraphicLayerSequence": layers}
    shown = look(DARK, said)
    assert np.abs(shown[24, 24].astype(int) - (255, 0, 0)).max() <= 4
    assert look(DARK, drawn(graphic("POINT", 3, 3))).ndim == 2


def test_texts_are_written_in_their_boxes(look: Look) -> None:
    shown = look(np.zeros((128, 128), np.uint8), drawn(text("Lesion\r\n12 mm", 10, 60, 120, 100)))
    assert shown[60:101, 10:121].max() == 255
    assert shown[:58].max() == shown[104:].max() == shown[:, :8].max() == 0
    right = text("x", 10, 60, 120, 100, BoundingBoxTextHorizontalJustification="RIGHT")
    assert look(np.zeros((128, 128), np.uint8), drawn(right))[:, :90].max() == 0


def test_texts_go_from_their_first_corner_to_their_last(look: Look) -> None:
    """Turned with the image, never mirrored (C.10.5.1.1)."""
    dark = np.zeros((128, 128), np.uint8)
    words = text("WWWWWW", 10, 10, 110, 30)
    upright = look(dark, drawn(words))
    turned = look(dark, drawn(words, ImageRotation=90))
    assert np.abs(turned.astype(int) - np.rot90(upright, -1)).mean() < 4
    mirrored = look(dark, drawn(text("F", 10, 10, 110, 60), ImageHorizontalFlip="Y"))
    plain = look(dark, drawn(text("F", 17, 10, 117, 60)))
    rows, columns = np.nonzero(mirrored)
    own_rows, own_columns = np.nonzero(plain)
    letter = mirrored[rows.min() : rows.max(), columns.min() : columns.max()]
    assert np.array_equal(letter, plain[own_rows.min() : own_rows.max(), own_columns.min() : own_columns.max()])


def test_texts_beside_their_points_and_lines_to_them(look: Look) -> None:
    dark = np.zeros((128, 128), np.uint8)
    said: dict[str, Any] = {
        "AnchorPointAnnotationUnits": "PIXEL",
        "AnchorPoint": [64, 64],
        "AnchorPointVisibility": "N",
    }
    alone = look(dark, drawn(text("here", **said)))
    assert alone[:64, 64:].max() == 255
    assert alone[:, :64].max() == 0
    linked = look(dark, drawn(text("here", **{**said, "AnchorPointVisibility": "Y"})))
    assert linked[63:65, 63:65].max() == 255
    edge = look(dark, drawn(text("here", **{**said, "AnchorPoint": [127, 1]})))
    assert edge.max() == 255
    assert look(dark, drawn(text("away", 300, 300, 400, 320))).max() == 0


def test_annotations_are_those_of_their_images_alone(look: Look) -> None:
    other = item(ReferencedSOPClassUID=states.SECONDARY_CAPTURE, ReferencedSOPInstanceUID="1.2.3")
    said = drawn(graphic("POINT", 20, 30))
    said["GraphicAnnotationSequence"][0].ReferencedImageSequence = [other]
    assert look(DARK, said).max() == 0


def test_many_points_may_lie_outside_the_data_set(look: Look) -> None:
    around = np.linspace(0, 2 * np.pi, 400)
    points = np.stack([32 + 20 * np.cos(around), 32 + 20 * np.sin(around)], axis=1).ravel().tolist()
    assert np.abs(radii(look(DARK, drawn(graphic("POLYLINE", *points))), 32, 32) - 20).max() < 1.2


def test_the_patient_is_written_last(look: Look) -> None:
    shown = look(np.zeros((256, 256), np.uint8), {"ImageRotation": 90}, Presentation(annotations=(Annotation.PATIENT,)))
    assert shown[:100].max() == 255


# Bounds, and what is not shown.


ODD = [
    None,
    "",
    0,
    -1,
    1e308,
    2**31,
    -(2**31),
    65_535,
    "NaN",
    [1],
    {},
    "POLYLINE",
    "x" * 5000,
    True,
    {"Alphabetic": "x"},
]


def spoil(said: dict[str, Any], random: Any, depth: int = 0) -> None:
    """Change some values, at any depth, to what no state should have."""
    for tag in random.sample(sorted(said), min(len(said), random.randint(1, 3))):
        element = said[tag]
        inner = [one for one in element.get("Value") or [] if isinstance(one, dict)]
        if element.get("vr") == "SQ" and inner and depth < 5 and random.random() < 0.8:
            spoil(random.choice(inner), random, depth + 1)
        elif random.random() < 0.3:
            element.pop("Value", None)
        elif element.get("Value") and random.random() < 0.6:
            element["Value"][random.randrange(len(element["Value"]))] = random.choice(ODD)
        else:
            element["Value"] = [random.choice(ODD) for _ in range(random.randint(0, 6))]


@pytest.mark.slow
def test_states_of_nonsense_are_pictures_or_refused(stored: Store, maker: Maker) -> None:
    shadow = item(PatternOnColorCIELabValue=RED, PatternOnOpacity=1.0, LineThickness=2.0, LineDashingStyle="DASHED",
                  LinePattern=0xFF00, ShadowStyle="NORMAL", ShadowOffsetX=1.0, ShadowOffsetY=1.0,
                  ShadowColorCIELabValue=GREEN, ShadowOpacity=0.5)  # fmt: skip
    figures = [
        graphic(kind, 5, 5, 50, 9, 30, 40, 5, 50, GraphicFilled="Y", LineStyleSequence=[shadow])
        for kind in ("POINT", "POLYLINE", "INTERPOLATED", "CIRCLE", "ELLIPSE")
    ]
    point = {"AnchorPointAnnotationUnits": "DISPLAY", "AnchorPoint": [0.5, 0.5], "AnchorPointVisibility": "Y"}
    said = drawn(*figures, text("a\r\nb", 1, 2, 30, 30), text("c", **point), ImageRotation=90)
    said |= {"DisplayedAreaSelectionSequence": area(1, 1, 64, 64), **plane(0x6000, DARK + 1, layer="L")}
    said |= {"ShutterShape": ["CIRCULAR", "POLYGONAL"], "CenterOfCircularShutter": [20, 20],
             "RadiusOfCircularShutter": 25, "VerticesOfThePolygonalShutter": [1, 1, 1, 50, 40, 50],
             "SoftcopyVOILUTSequence": [item(WindowCenter=60, WindowWidth=90)],
             "MaskSubtractionSequence": [item(MaskOperation="AVG_SUB", MaskFrameNumbers=[1])]}  # fmt: skip
    image, state = posed(stored, DARK, said)
    for seed in range(80):
        print(f"seed {seed}")
        random = Random(seed)
        wrong = orjson.loads(orjson.dumps(state.dataset))
        spoil(wrong, random)
        spoilt = State(state.instance, wrong)
        state_pose.find_left_out(spoilt)
        wanted = random.choice([AS_IT_IS, Presentation(viewport=Viewport(200, 90))])
        with contextlib.suppress(errors.NotAcceptable):
            pictures.render(maker, image, 1, wanted, "image/png", state=spoilt)


@pytest.mark.slow
def test_states_that_want_too_much_are_refused(stored: Store, maker: Maker) -> None:
    wild = np.random.default_rng(5).uniform(0, 64, 16_000).tolist()
    said = drawn(graphic("POLYLINE", *wild))
    image, state = posed(stored, DARK, said)
    with pytest.raises(errors.NotAcceptable):
        pictures.render(maker, image, 1, Presentation(viewport=Viewport(4000, 4000)), "image/png", state=state)


def test_what_is_not_shown_is_named(stored: Store) -> None:
    _, state = posed(stored, DARK, drawn(graphic("POINT", 1, 1)))
    assert state_pose.find_left_out(state) == ()
    compound = item(CompoundGraphicInstanceID=1, CompoundGraphicType="ARROW")
    said = drawn(graphic("POINT", 1, 1, units="MATRIX"))
    said["GraphicAnnotationSequence"][0].CompoundGraphicSequence = [compound]
    _, state = posed(stored, DARK, said)
    assert state_pose.find_left_out(state) == ("compound graphics", "annotations in the matrix of a slide")
    said = drawn(graphic("POINT", 1, 1, CompoundGraphicInstanceID=1))
    said["GraphicAnnotationSequence"][0].CompoundGraphicSequence = [compound]
    assert state_pose.find_left_out(posed(stored, DARK, said)[1]) == ()
