"""How a presentation state places a picture, covers parts of it and draws on it: plain values (PS3.3 §C.10.4 to .7).

What is drawn may be much: it travels as JSON beside the bytes of the frame, not in the recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from dicomgate.dicom.cielab import Colour
from dicomgate.pixels.overlay_plane import Overlay
from dicomgate.pixels.pieces import Span

MOST_POINTS: Final = 200_000
"""Points of all graphics of one picture together."""
MOST_OBJECTS: Final = 10_000
"""Graphics and texts of one picture together."""

Place = tuple[float, float]
"""To the right and down: in pixels of the image from its corner, or in parts of the displayed area from 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """Drawn before what throws it, so far to the right and below; or around it, as wide as that is far."""

    offset: Place
    colour: Colour
    opacity: float = 1.0
    is_outline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A graphic (PS3.3 §C.10.5.1.2). `is_display`: its points, thickness and shadow are parts of the displayed area.

    `points`: one coordinate after the other. `thickness`: None for a thin line. `dashes`: 32 bits, where the line is
    drawn, of `gap` between. `texture`: 32 rows of 32 bits, where what is filled is.
    """

    kind: str
    points: Sequence[float]
    is_display: bool = False
    colour: Colour = (255, 255, 255)
    opacity: float = 1.0
    thickness: float | None = None
    dashes: int | None = None
    gap: Colour | None = None
    gap_opacity: float = 1.0
    is_filled: bool = False
    fill: Colour | None = None
    fill_opacity: float = 1.0
    fill_ground: Colour | None = None
    fill_ground_opacity: float = 0.0
    texture: Sequence[int] = ()
    shadow: Shadow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A text in a box, or near a point, or both (PS3.3 §C.10.5.1.1). `box`: its first and its last corner."""

    lines: Sequence[str]
    box: tuple[float, float, float, float] | None = None
    is_box_display: bool = False
    anchor: Place | None = None
    is_anchor_display: bool = False
    is_anchor_visible: bool = False
    horizontal: str = "LEFT"
    vertical: str = "TOP"
    colour: Colour = (255, 255, 255)
    is_underlined: bool = False
    is_bold: bool = False
    shadow: Shadow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What is drawn together (PS3.3 §C.10.7): overlays first, then graphics, then texts."""

    colour: Colour = (255, 255, 255)
    overlays: tuple[Overlay, ...] = ()
    marks: tuple[Mark, ...] = ()
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutter:
    """Outside of what is covered, in pixels of the image from 0 (PS3.3 §C.7.6.11, §C.7.6.15).

    `rectangle`: left, top, right and bottom pixel that are still seen; `circle`: column, row and radius, in pixels
    along a row; `polygon`: column and row of its corners; `bitmap`: where it is set, nothing is seen.
    """

    colour: Colour = (0, 0, 0)
    rectangle: tuple[int, int, int, int] | None = None
    circle: tuple[float, float, float] | None = None
    polygon: tuple[tuple[float, float], ...] = ()
    bitmap: Overlay | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """A displayed area in a picture. `area`: its left, top, right and bottom edge, which may lie beyond the image.

    It is turned clockwise by so many quarters, then flipped from left to right; `size`: what all of it becomes, of
    which the picture is the part that begins at `origin`. `pixel`: height and width of a pixel of the image. `layers`:
    where they lie.
    """

    area: tuple[int, int, int, int]
    quarters: int
    is_flipped: bool
    size: tuple[int, int]
    origin: tuple[int, int] = (0, 0)
    pixel: tuple[float, float] = (1.0, 1.0)
    shutter: Shutter | None = None
    layers: Span | None = None


def format_layers(layers: Sequence[Layer]) -> bytes:
    """The layers as JSON."""
    return orjson.dumps(list(layers))


def parse_layers(text: bytes) -> tuple[Layer, ...]:
    """The layers that `format_layers` wrote."""
    return tuple(_layer(said) for said in orjson.loads(text))


def parse_pose(said: dict[str, Any]) -> Pose:
    """A pose as the recipe holds it."""
    fields = _without_lists(said)
    if said["shutter"] is not None:
        shutter = _without_lists(said["shutter"])
        shutter["polygon"] = tuple(map(tuple, shutter["polygon"]))
        shutter["bitmap"] = None if shutter["bitmap"] is None else _overlay(shutter["bitmap"])
        fields["shutter"] = Shutter(**shutter)
    return Pose(**fields)


def _without_lists(said: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}


def _layer(said: dict[str, Any]) -> Layer:
    return Layer(
        colour=tuple(said["colour"]),
        overlays=tuple(_overlay(one) for one in said["overlays"]),
        marks=tuple(Mark(**_styled(one)) for one in said["marks"]),
        labels=tuple(Label(**_styled(one)) for one in said["labels"]),
    )


def _styled(said: dict[str, Any]) -> dict[str, Any]:
    fields = _without_lists(said)
    if said["shadow"] is not None:
        fields["shadow"] = Shadow(**{**said["shadow"], "offset": tuple(said["shadow"]["offset"])})
    return fields


def _overlay(said: dict[str, Any]) -> Overlay:
    return Overlay(**{**said, "span": None if said["span"] is None else tuple(said["span"])})
