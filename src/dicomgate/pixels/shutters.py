"""Parts of an image that a presentation state covers (PS3.3 §C.7.6.11, §C.7.6.15, §C.11.12)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dicomgate.dicom.cielab import Colour
from dicomgate.pixels import canvas, overlays, polygons
from dicomgate.pixels.pieces import Pieces
from dicomgate.pixels.pose import Shutter
from dicomgate.pixels.recipe import Recipe

Mask = NDArray[np.bool_]
Picture = NDArray[np.uint8]


def cover(picture: Picture, recipe: Recipe, content: Pieces) -> Picture:
    """The shown part of the image with what is outside of all shapes in the shutter's grey or colour."""
    assert recipe.pose is not None, "only a presentation state has shutters here"
    shutter = recipe.pose.shutter
    if shutter is None:
        return picture
    seen = _seen(shutter, recipe, content)
    if seen.all():
        return picture
    return filled(picture, ~seen, shutter.colour)


def filled(picture: Picture, mask: Mask, colour: Colour) -> Picture:
    """A copy with a colour where the mask is set; grey becomes colour only where the colour is none of its own."""
    if picture.ndim == 2 and not canvas.is_grey(colour):
        picture = np.repeat(picture[:, :, None], 3, axis=2)
    made = picture.copy()
    made[mask] = colour[1] if picture.ndim == 2 else colour
    return made


def _seen(shutter: Shutter, recipe: Recipe, content: Pieces) -> Mask:
    left, top, right, bottom = recipe.box
    columns, rows = np.arange(left, right), np.arange(top, bottom)
    seen = np.ones((bottom - top, right - left), np.bool_)
    if shutter.rectangle is not None:
        first, upper, last, lower = shutter.rectangle
        seen &= ((columns >= first) & (columns <= last))[None, :]
        seen &= ((rows >= upper) & (rows <= lower))[:, None]
    if shutter.circle is not None:
        column, row, radius = shutter.circle
        assert recipe.pose is not None, "a shutter is a state's"
        height, width = recipe.pose.pixel
        across = (columns - column).astype(np.float64) ** 2
        down = ((rows - row) * (height / width)) ** 2
        seen &= across[None, :] + down[:, None] <= radius * radius
    if shutter.polygon:
        corners = np.array(shutter.polygon, np.float64) + 0.5 - (left, top)  # in the middle of pixels
        seen &= polygons.inside(corners, (right - left, bottom - top))
    if shutter.bitmap is not None:
        seen &= ~overlays.read(shutter.bitmap, recipe, content)
    return seen
