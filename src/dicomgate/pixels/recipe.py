"""What the maker of a picture is told beside the bytes of a frame: plain values that travel as JSON to its process.

Bytes (the frame, tables, overlays, a profile) lie in one file, one after the other; a recipe says where (`Span`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

from dicomgate.dicom.pixel_description import PixelDescription
from dicomgate.dicom.presentation import Profile, Window, WindowFunction
from dicomgate.pixels import pose
from dicomgate.pixels.overlay_plane import Overlay
from dicomgate.pixels.pieces import Span
from dicomgate.pixels.pose import Pose

PHOTOGRAPHIC: Final = ("image/jpeg", "image/webp", "image/jp2", "image/jph", "image/jxl")
"""Types of picture whose compression takes a quality."""
WITH_PROFILE: Final = ("image/jpeg", "image/png")
"""Types that hold an ICC profile."""
MEDIA_TYPES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp", "image/jp2", "image/jph", "image/jxl")
"""What a picture can be made as, the default first."""


@dataclass(frozen=True, slots=True)
class LookupTable:
    """A table as a data set has it (PS3.3 §C.7.6.3.1.5, §C.11.1.1): how many entries it says to have, and its bytes."""

    entries: int
    first: int
    bits: int
    span: Span
    is_segmented: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grey:
    """From stored values to grey (PS3.4 §N.2): modality, VOI, presentation.

    `window` or `voi_table`, or neither: then `limits`, or what the frame holds, from the least to the largest, goes
    from black to white; or `ends`, where they are said of values after the modality's transformation. `padding`: the
    lowest and highest value that is no picture.
    """

    slope: float = 1.0
    intercept: float = 0.0
    modality_table: LookupTable | None = None
    window: Window | None = None
    voi_table: LookupTable | None = None
    limits: tuple[float, float] | None = None
    ends: tuple[float, float] | None = None
    padding: tuple[float, float] | None = None
    presentation_table: LookupTable | None = None
    is_inverted: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """Lines in a corner; each line in several scripts, of which the first that can be written is."""

    lines: tuple[tuple[str, ...], ...]
    is_at_bottom: bool = False


@dataclass(frozen=True, slots=True)
class Subtraction:
    """Frames that are averaged, and those whose average is taken from them, moved by `shift` pixels down and left."""

    contrast: tuple[Span, ...]
    mask: tuple[Span, ...]
    shift: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One picture of one frame. `box`: left, top, right, bottom of the part that is shown; `size`: what it becomes.

    `palette`: red, green and blue; `is_supplemental`: for values from its first on alone, the others are grey;
    `is_pseudo_colour`: for grey after VOI. `pose`: how a presentation state places it, and what is drawn on it.
    `subtraction`: frames that take the place of the one, after the transformation of `modality`.
    """

    description: PixelDescription
    frame: Span
    grey: Grey
    box: tuple[int, int, int, int]
    size: tuple[int, int]
    palette: tuple[LookupTable, LookupTable, LookupTable] | None = None
    is_supplemental: bool = False
    is_pseudo_colour: bool = False
    overlays: tuple[Overlay, ...] = ()
    flips: tuple[bool, bool] = (False, False)
    texts: tuple[Text, ...] = ()
    media_type: str = "image/jpeg"
    quality: int | None = None
    profile: Profile | None = None
    own_profile: Span | None = None
    pose: Pose | None = None
    subtraction: Subtraction | None = None
    modality: Grey | None = None


def format_recipe(made: Recipe) -> str:
    """The recipe as JSON."""
    return orjson.dumps(made).decode()


def parse_recipe(text: str) -> Recipe:
    """The recipe that `format_recipe` wrote."""
    said = orjson.loads(text)
    fields = dict(said)
    fields["description"] = PixelDescription(**said["description"])
    fields["grey"] = _read_grey(said["grey"])
    fields["palette"] = tuple(_read_table(table) for table in said["palette"]) if said["palette"] else None
    fields["overlays"] = tuple(Overlay(**{**one, "span": _pair(one["span"])}) for one in said["overlays"])
    fields["texts"] = tuple(Text(tuple(map(tuple, one["lines"])), one["is_at_bottom"]) for one in said["texts"])
    fields["profile"] = Profile(said["profile"]) if said["profile"] else None
    fields["pose"] = pose.parse_pose(said["pose"]) if said["pose"] else None
    fields["modality"] = _read_grey(said["modality"]) if said["modality"] else None
    if said["subtraction"]:
        contrast, mask, shift = said["subtraction"].values()
        spans = tuple(map(tuple, contrast)), tuple(map(tuple, mask))
        fields["subtraction"] = Subtraction(*spans, tuple(shift))
    for name in ("frame", "box", "size", "flips", "own_profile"):
        fields[name] = _pair(said[name])
    return Recipe(**fields)


def _read_grey(said: dict[str, Any]) -> Grey:
    fields = dict(said)
    for name in ("modality_table", "voi_table", "presentation_table"):
        fields[name] = _read_table(said[name]) if said[name] else None
    for name in ("limits", "ends", "padding"):
        fields[name] = _pair(said[name])
    if said["window"]:
        center, width, function = said["window"].values()
        fields["window"] = Window(center, width, WindowFunction(function))
    return Grey(**fields)


def _read_table(said: dict[str, Any]) -> LookupTable:
    return LookupTable(**{**said, "span": _pair(said["span"])})


def _pair(said: Any) -> Any:
    return None if said is None else tuple(said)
