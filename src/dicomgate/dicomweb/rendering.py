"""How a picture is wanted, in the query of a rendered resource or thumbnail: text <-> words (PS3.18 §8.3.5.1, .2).

What is not known is ignored (GEN-03); what is known has a valid value, or the request is Malformed.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from dicomgate import errors
from dicomgate.dicom.presentation import Annotation, Presentation, Profile, Viewport, Window, WindowFunction
from dicomgate.dicomweb import parameters
from dicomgate.dicomweb.parameters import Pairs

LARGEST_SIDE: Final = 8192
"""Pixels of a side of a viewport; beyond it nothing is shown that was not there before."""

PARAMETERS: Final = ("charset", "annotation", "quality", "viewport", "window", "iccprofile")
"""Of rendered resources (§8.3.5.1)."""
THUMBNAIL_PARAMETERS: Final = ("viewport",)
"""Of thumbnails (§8.3.5.2)."""

_KEYWORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]{1,16}(?:\.[0-9]{0,16})?|\.[0-9]{1,16})(?:[eE][+-]?[0-9]{1,3})?")
_MOST_ANNOTATIONS: Final = 16
_KNOWN_ANNOTATIONS: Final = {annotation.value: annotation for annotation in Annotation}
_PROFILES: Final = {profile.value: profile for profile in Profile}
_FUNCTIONS: Final = {function.value: function for function in WindowFunction}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture as it is wanted; `unknown` are annotations that are not made here, of which the answer warns."""

    presentation: Presentation
    unknown: tuple[str, ...] = ()

    @property
    def warning(self) -> str | None:
        """What the Warning field says (REN-03)."""
        if not self.unknown:
            return None
        return f"The following annotation values are not supported: {','.join(self.unknown)}"


def parse(pairs: Pairs) -> Wanted:
    """What the query of a rendered resource asks for."""
    known, unknown = parse_annotation(parameters.find_single(pairs, "annotation"))
    window, viewport = parameters.find_single(pairs, "window"), parameters.find_single(pairs, "viewport")
    presentation = Presentation(
        window=None if window is None else parse_window(window),
        viewport=None if viewport is None else parse_viewport(viewport),
        quality=parse_quality(parameters.find_single(pairs, "quality")),
        annotations=known,
        profile=parse_profile(parameters.find_single(pairs, "iccprofile")),
    )
    return Wanted(presentation, unknown)


def parse_thumbnail(pairs: Pairs) -> Viewport | None:
    """The size that the query of a thumbnail asks for; everything but `viewport=vw,vh` is another resource's."""
    text = parameters.find_single(pairs, "viewport")
    return None if text is None else parse_size(text)


def format_presentation(presentation: Presentation) -> Pairs:
    """The parameters that ask for it; in one order, so that equal wishes give equal text."""
    found = {
        "annotation": ",".join(annotation.value for annotation in presentation.annotations) or None,
        "quality": None if presentation.quality is None else str(presentation.quality),
        "viewport": None if presentation.viewport is None else format_viewport(presentation.viewport),
        "window": None if presentation.window is None else format_window(presentation.window),
        "iccprofile": None if presentation.profile is None else presentation.profile.value,
    }
    return [(name, text) for name, text in found.items() if text is not None]


def check_state(presentation: Presentation) -> None:
    """Malformed for what a presentation state says itself: windows, and parts of the picture (REN-05, REN-10)."""
    if presentation.window is not None:
        raise errors.Malformed("parameter window: not with a presentation state, which has windows of its own")
    viewport = presentation.viewport
    if viewport is not None and viewport != Viewport(viewport.width, viewport.height):
        raise errors.Malformed("parameter viewport: expected vw,vh alone with a presentation state")


def parse_annotation(text: str | None, name: str = "annotation") -> tuple[tuple[Annotation, ...], tuple[str, ...]]:
    """Keywords that are known, in a fixed order, and those that are not (REN-03)."""
    if text is None:
        return (), ()
    words = text.split(",", _MOST_ANNOTATIONS)
    if len(words) > _MOST_ANNOTATIONS:
        raise errors.Malformed(f"parameter {name}: more than {_MOST_ANNOTATIONS} keywords")
    for position, word in enumerate(words, 1):
        if _KEYWORD.fullmatch(word) is None:
            raise errors.Malformed(f"parameter {name}: expected patient or technique at position {position}")
    known = tuple(annotation for annotation in Annotation if annotation.value in words)
    return known, tuple(dict.fromkeys(word for word in words if word not in _KNOWN_ANNOTATIONS))


def parse_quality(text: str | None, name: str = "quality") -> int | None:
    """A whole number from 1 to 100, which is best (REN-04)."""
    return None if text is None else _parse_count(name, text, 100)


def parse_profile(text: str | None) -> Profile | None:
    """Which colours the picture is in, and whether it says so (REN-08)."""
    if text is None:
        return None
    if text not in _PROFILES:
        raise errors.Malformed(f"parameter iccprofile: expected one of {', '.join(_PROFILES)}")
    return _PROFILES[text]


def parse_window(text: str) -> Window:
    """Centre, width and function, all three (REN-06; widths as PS3.3 C.11.2.1.2.1 and C.11.2.1.3 allow them)."""
    pieces = text.split(",", 3)
    if len(pieces) != 3:
        raise errors.Malformed(f"parameter window: expected center,width,function, saw {len(pieces)} of three")
    center, width = (parse_decimal("window", piece) for piece in pieces[:2])
    if pieces[2] not in _FUNCTIONS:
        raise errors.Malformed(f"parameter window: expected as function one of {', '.join(_FUNCTIONS)}")
    return checked_window("window", Window(center, width, _FUNCTIONS[pieces[2]]))


def checked_window(name: str, window: Window) -> Window:
    """Malformed for a width that its function cannot have."""
    is_linear = window.function is WindowFunction.LINEAR
    if window.width < 1 if is_linear else window.width <= 0:
        raise errors.Malformed(f"parameter {name}: expected a width {'from 1' if is_linear else 'above 0'}")
    return window


def format_window(window: Window) -> str:
    """The value of `window=`."""
    return f"{window.center!r},{window.width!r},{window.function.value}"


def parse_size(text: str) -> Viewport:
    """Width and height alone (THM-02)."""
    pieces = text.split(",", 2)
    if len(pieces) != 2:
        raise errors.Malformed(f"parameter viewport: expected vw,vh, saw {len(pieces)} values")
    width, height = (_parse_count("viewport", piece, LARGEST_SIDE) for piece in pieces)
    return Viewport(width, height)


def parse_viewport(text: str) -> Viewport:
    """Width and height, and the part of the picture to fill them with; values left out keep their commas (REN-05)."""
    pieces = text.split(",", 6)
    if not 2 <= len(pieces) <= 6:
        raise errors.Malformed(f"parameter viewport: expected vw,vh,sx,sy,sw,sh, saw {len(pieces)} values")
    if len(pieces) > 2 and not pieces[-1]:
        raise errors.Malformed("parameter viewport: a comma after the last value")
    size = parse_size(",".join(pieces[:2]))
    x, y, width, height = (
        parse_decimal("viewport", piece) if piece else None for piece in [*pieces[2:], *[""] * (6 - len(pieces))]
    )
    if width == 0 or height == 0:
        raise errors.Malformed("parameter viewport: a part of the picture without width or height")
    return Viewport(size.width, size.height, abs(x or 0.0), abs(y or 0.0), width, height)


def format_viewport(viewport: Viewport) -> str:
    """The value of `viewport=`."""
    values = [viewport.x or None, viewport.y or None, viewport.source_width, viewport.source_height]
    while values and values[-1] is None:
        values.pop()
    return ",".join([str(viewport.width), str(viewport.height), *("" if v is None else repr(v) for v in values)])


def parse_decimal(name: str, text: str) -> float:
    """A decimal number. Malformed for anything else, and for one that has no end."""
    number = float(text) if _DECIMAL.fullmatch(text) else math.nan
    if not math.isfinite(number):
        raise errors.Malformed(f"parameter {name}: expected decimal numbers")
    return number


def parse_count(name: str, text: str) -> int:
    """A whole number from 1, as a size in pixels."""
    return _parse_count(name, text, LARGEST_SIDE)


def _parse_count(name: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 1 <= int(text) <= most):
        raise errors.Malformed(f"parameter {name}: expected a whole number from 1 to {most}")
    return int(text)
