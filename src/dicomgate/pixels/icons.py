"""Icons that stand for what has no picture, or for one that is not shown: a sheet with one word on it."""

from __future__ import annotations

import os
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw

from dicomgate.pixels import files_of_pictures, writing_text

_GROUND, _SHEET, _EDGE, _INK = 34, 58, 120, 215
_LARGER: Final = 4
"""Drawn so many times larger than it will be, so that its lines are smooth."""


def draw(into: int, *, word: str, size: list[int], media_type: str) -> dict[str, Any]:
    """Draw a sheet of a size with a word on it as a file of a type of picture."""
    width, height = size
    image = Image.new("L", (width, height), _GROUND)
    side = min(width, height)
    if side >= 16:
        image.paste(_sheet(word, side), ((width - side) // 2, (height - side) // 2))
    view = memoryview(files_of_pictures.encode(np.asarray(image), media_type, None, None))
    while view:
        view = view[os.write(into, view) :]
    return {"width": width, "height": height}


def _sheet(word: str, side: int) -> Image.Image:
    large = min(side, 512) * _LARGER
    image = Image.new("L", (large, large), _GROUND)
    pencil = ImageDraw.Draw(image)
    left, right, top, bottom, fold = (round(large * part) for part in (0.2, 0.8, 0.1, 0.9, 0.16))
    outline = [(left, top), (right - fold, top), (right, top + fold), (right, bottom), (left, bottom)]
    pencil.polygon(outline, fill=_SHEET, outline=_EDGE, width=large // 60)
    pencil.line([(right - fold, top), (right - fold, top + fold), (right, top + fold)], _EDGE, large // 60)
    font = writing_text.own_font(round(min(large * 0.17, large * 0.85 / max(len(word), 1))))
    pencil.text((large // 2, large // 2), word, _INK, font, anchor="mm")
    return image.resize((side, side), Image.Resampling.LANCZOS)
