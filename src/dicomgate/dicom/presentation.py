"""How a picture is wanted: the words of rendering, whoever asks for it (PS3.18 §8.3.5.1, §9.4.1; PS3.3 §C.11.2)."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class WindowFunction(enum.Enum):
    """VOI LUT Function (PS3.3 §C.11.2.1.2, §C.11.2.1.3), in the words of PS3.18."""

    LINEAR = "linear"
    LINEAR_EXACT = "linear-exact"
    SIGMOID = "sigmoid"


@dataclass(frozen=True, slots=True)
class Window:
    """The values between black and white, after the modality's transformation."""

    center: float
    width: float
    function: WindowFunction = WindowFunction.LINEAR


@dataclass(frozen=True, slots=True)
class Viewport:
    """The largest size of the picture, and the part of the source that fills it (PS3.18 §8.3.5.1.3).

    The part begins at (`x`, `y`) and reaches to the edge where no source size is given; a negative source size flips.
    """

    width: int
    height: int
    x: float = 0
    y: float = 0
    source_width: float | None = None
    source_height: float | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the picture, in parts of its sides from 0 to 1 (PS3.18 §9.5.1.2.5)."""

    left: float
    top: float
    right: float
    bottom: float


class Annotation(enum.Enum):
    """What is written into the picture (PS3.18 §8.3.5.1.1)."""

    PATIENT = "patient"
    TECHNIQUE = "technique"


class Profile(enum.Enum):
    """Which colours the picture is in, and whether it says so (PS3.18 §8.3.5.1.5)."""

    NO = "no"
    YES = "yes"
    SRGB = "srgb"
    ADOBE_RGB = "adobergb"
    ROMM_RGB = "rommrgb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """A picture as it is wanted; None: as the object itself says, else as the server chooses.

    `quality`: from 1 to 100, which is best, of a picture that is compressed with loss.
    """

    window: Window | None = None
    viewport: Viewport | None = None
    region: Region | None = None
    quality: int | None = None
    annotations: tuple[Annotation, ...] = ()
    profile: Profile | None = None


AS_IT_IS = Presentation()
"""Nothing in particular is wanted."""
