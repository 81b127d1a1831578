"""What an object says of how the values of a frame are shown: rescale, windows, tables (PS3.3 §C.11, §C.7.6.16).

Functional groups of the frame come before those shared by all, and these before the attributes of the object itself.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from dicomgate.dicom import cielab
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.pixel_description import PALETTE_COLOR, PixelDescription
from dicomgate.dicom.presentation import Presentation, Window, WindowFunction
from dicomgate.pixels.recipe import Grey, LookupTable
from dicomgate.representations.dataset_values import first_item, items, number, numbers, text, values, whole, wholes

Fetch = Callable[[JSONDataset, str], tuple[int, int] | None]
"""The bytes of a value of a data set, put where the maker of the picture finds them; None without any."""

_SHARED, _PER_FRAME = "52009229", "52009230"
_TRANSFORMATION, _FRAME_VOI, _MEASURES = "00289145", "00289132", "00289110"
_RESCALE_INTERCEPT, _RESCALE_SLOPE = "00281052", "00281053"
_CENTER, _WIDTH, _FUNCTION = "00281050", "00281051", "00281056"
_MODALITY_LUT, _VOI_LUT = "00283000", "00283010"
_DESCRIPTOR, _LUT_DATA = "00283002", "00283006"
_PADDING: Final = (("00280120", "00280121"), ("00280122", "00280124"), ("00280123", "00280125"))
_SHAPE, _PRESENTATION_LUT = "20500020", "20500010"
_FUNCTIONS: Final = {"LINEAR_EXACT": WindowFunction.LINEAR_EXACT, "SIGMOID": WindowFunction.SIGMOID}
_FLUOROSCOPY: Final = frozenset(f"1.2.840.10008.5.1.4.1.1.12.{number}" for number in (1, 2, 3))
_LABEL_MAP: Final = "1.2.840.10008.5.1.4.1.1.66.7"
_MOST_SEGMENTS: Final = 65_535


@dataclass(frozen=True, slots=True)
class FrameAttributes:
    """An object's attributes, seen from one of its frames."""

    dataset: JSONDataset
    number: int

    def group(self, tag: str) -> JSONDataset:
        """The frame's item of a functional group, or the one of all frames; empty without either."""
        for sequence, place in ((_PER_FRAME, self.number - 1), (_SHARED, 0)):
            found = values(self.dataset, sequence)
            item = found[place] if place < len(found) and isinstance(found[place], dict) else {}
            if tag in item:
                return first_item(item, tag)
        return {}

    def groups(self) -> list[JSONDataset]:
        """All of them."""
        found = [(values(self.dataset, _PER_FRAME), self.number - 1), (values(self.dataset, _SHARED), 0)]
        held = [one[place] for one, place in found if place < len(one) and isinstance(one[place], dict)]
        return [first_item(item, tag) for item in held for tag in item]


def read_grey(frame: FrameAttributes, description: PixelDescription, asked: Presentation, fetch: Fetch) -> Grey:
    """From stored values to grey."""
    dataset = frame.dataset
    transformation = frame.group(_TRANSFORMATION) or dataset
    modality = None if _is_for_measuring(dataset) else read_table(first_item(dataset, _MODALITY_LUT), fetch)
    window, table = asked.window, None
    if window is None:
        voi = frame.group(_FRAME_VOI)
        table = None if voi else read_table(first_item(dataset, _VOI_LUT), fetch)
        window = None if table else _window(voi, description) or _window(dataset, description)
    slope, intercept = number(transformation, _RESCALE_SLOPE), number(transformation, _RESCALE_INTERCEPT)
    return Grey(
        slope=1.0 if slope in (None, 0.0) else slope or 1.0,
        intercept=intercept or 0.0,
        modality_table=modality,
        window=window,
        voi_table=table,
        limits=_limits(dataset),
        padding=_padding(dataset),
        is_inverted=_is_inverted(dataset, description),
    )


def under_state(found: Grey, dataset: JSONDataset, description: PixelDescription, fetch: Fetch) -> Grey:
    """The same under a presentation state: without windows all values that could be, a table at the end (PS3.4 N.2)."""
    made = replace(found, presentation_table=read_table(first_item(dataset, _PRESENTATION_LUT), fetch))
    if found.window is not None or found.voi_table is not None or found.limits is not None:
        return made
    if found.modality_table is not None:
        return replace(made, ends=(0.0, float((1 << min(max(found.modality_table.bits, 8), 16)) - 1)))
    if description.is_float:
        return made
    least = -(1 << description.bits_stored - 1) if description.is_signed else 0
    return replace(made, limits=(float(least), float(least + (1 << description.bits_stored) - 1)))


def read_table(item: JSONDataset, fetch: Fetch) -> LookupTable | None:
    """A modality or VOI lookup table (PS3.3 §C.11.1.1, §C.11.2.1.1)."""
    return _table(item, _DESCRIPTOR, _LUT_DATA, fetch, is_segmented=False)


def read_palette(
    frame: FrameAttributes, description: PixelDescription, fetch: Fetch
) -> tuple[LookupTable, LookupTable, LookupTable] | None:
    """Red, green and blue, plain or in segments (PS3.3 §C.7.9); of a label map without any, those of its segments."""
    if description.is_colour or not (description.photometric_interpretation == PALETTE_COLOR or is_supplemental(frame)):
        return None
    return read_palette_tables(frame.dataset, fetch)


def read_palette_tables(dataset: JSONDataset, fetch: Fetch) -> tuple[LookupTable, LookupTable, LookupTable] | None:
    """Red, green and blue, whatever the values are."""
    found = []
    for colour in (1, 2, 3):
        plain, segmented, descriptor = (f"0028{group}{colour}" for group in ("120", "122", "110"))
        is_segmented = plain not in dataset
        tag = segmented if is_segmented else plain
        found.append(_table(dataset, descriptor, tag, fetch, is_segmented=is_segmented))
    red, green, blue = found
    return None if red is None or green is None or blue is None else (red, green, blue)


def is_supplemental(frame: FrameAttributes) -> bool:
    """Grey with some values in colour (PS3.3 §C.7.6.19, §C.8.16.2.1.2)."""
    if "00281101" not in frame.dataset or text(frame.dataset, "00280004") != "MONOCHROME2":
        return False
    said = [text(one, "00089205") for one in (frame.dataset, *frame.groups())]
    return any(word in {"COLOR", "MIXED"} for word in said)


def segment_colours(dataset: JSONDataset) -> tuple[bytes, bytes, bytes] | None:
    """Red, green and blue of each label of a label map: as recommended, else around the circle of colours."""
    if text(dataset, "00080016") != _LABEL_MAP or text(dataset, "00280004") == PALETTE_COLOR:
        return None
    segments = {whole(item, "00620004"): numbers(item, "0062000D") for item in items(dataset, "00620002")}
    largest = min(max(segments, default=0), _MOST_SEGMENTS)
    colours = [(0, 0, 0)] * (largest + 1)
    for label, lab in segments.items():
        if 0 < label <= largest:
            colours[label] = cielab.to_rgb(lab) if len(lab) == 3 else _wheel(label)
    red, green, blue = (bytes(colour[place] for colour in colours) for place in range(3))
    return red, green, blue


def pixel_size(frame: FrameAttributes) -> tuple[float, float]:
    """Height and width of a pixel, of which the proportion counts (PS3.3 §C.7.6.3.1.7, §10.7)."""
    for dataset, tag in (
        (frame.group(_MEASURES), "00280030"),
        (frame.dataset, "00280030"),
        (frame.dataset, "00181164"),
        (frame.dataset, "00182010"),
        (frame.dataset, "00280034"),
    ):
        found = numbers(dataset, tag)
        if len(found) == 2 and min(found) > 0 and 0.02 <= found[0] / found[1] <= 50:
            return found[0], found[1]
    return 1.0, 1.0


def _table(dataset: JSONDataset, descriptor: str, tag: str, fetch: Fetch, *, is_segmented: bool) -> LookupTable | None:
    said = wholes(dataset, descriptor)
    span = fetch(dataset, tag) if len(said) == 3 else None
    if span is None:
        return None
    return LookupTable((said[0] & 0xFFFF) or 65_536, said[1], said[2], span, is_segmented)


def _is_for_measuring(dataset: JSONDataset) -> bool:
    """A modality table that leads to the beam's intensity, not to what is shown (PS3.3 §C.8.7.1.1.2)."""
    return text(dataset, "00080016") in _FLUOROSCOPY and text(dataset, "00281040") in {"LOG", "DISP"}


def _window(dataset: JSONDataset, description: PixelDescription) -> Window | None:
    """The first that makes sense. LINEAR is for whole numbers: widths below 1, and of others, are meant exactly."""
    function = _FUNCTIONS.get(text(dataset, _FUNCTION), WindowFunction.LINEAR)
    for center, width in zip(numbers(dataset, _CENTER), numbers(dataset, _WIDTH), strict=False):
        if width > 0:
            is_exact = function is WindowFunction.LINEAR and (width < 1 or description.is_float)
            return Window(center, width, WindowFunction.LINEAR_EXACT if is_exact else function)
    return None


def _limits(dataset: JSONDataset) -> tuple[float, float] | None:
    """Of a fractional segmentation, nothing and all (PS3.3 §C.8.20.2)."""
    most = number(dataset, "0062000E")
    return (0.0, most) if text(dataset, "00620001") == "FRACTIONAL" and most else None


def _padding(dataset: JSONDataset) -> tuple[float, float] | None:
    for value, limit in _PADDING:
        first = number(dataset, value)
        if first is not None:
            last = number(dataset, limit)
            ends = (first, first if last is None else last)
            return min(ends), max(ends)
    return None


def _is_inverted(dataset: JSONDataset, description: PixelDescription) -> bool:
    """MONOCHROME1 and Presentation LUT Shape INVERSE say the same, not one the opposite of the other."""
    shape = text(dataset, _SHAPE)
    return shape == "INVERSE" if shape else description.photometric_interpretation == "MONOCHROME1"


def _wheel(label: int) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(label * 0.618034 % 1.0, 0.7, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)
