"""What a presentation state draws on a picture, layer over layer (PS3.3 §C.10.5, §C.10.7, §C.11.7)."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dicomgate.dicom.cielab import Colour
from dicomgate.dicom.presentation import Profile
from dicomgate.pixels import labelling, marking, overlays, pose, profiles
from dicomgate.pixels.canvas import Canvas
from dicomgate.pixels.pieces import Pieces
from dicomgate.pixels.placing import Placing
from dicomgate.pixels.recipe import Recipe

Picture = NDArray[np.uint8]


def draw(picture: Picture, recipe: Recipe, content: Pieces, profile: bytes | None) -> Picture:
    """The picture with overlays, graphics and texts. TooLarge when they are more than anybody needs."""
    assert recipe.pose is not None, "only a presentation state draws"
    if recipe.pose.layers is None:
        return picture
    placing = Placing(recipe.pose, recipe.size)
    canvas = Canvas(picture) if profile is None else Canvas(picture, functools.partial(_adapt, profile))
    for layer in pose.parse_layers(content.read(recipe.pose.layers)):
        for overlay in layer.overlays:
            _draw_overlay(canvas, overlays.read(overlay, recipe, content), recipe, placing, layer.colour)
        for mark in layer.marks:
            marking.draw(canvas, mark, placing)
        for label in layer.labels:
            labelling.draw(canvas, label, placing)
    return canvas.picture


def _draw_overlay(canvas: Canvas, mask: NDArray[np.bool_], recipe: Recipe, placing: Placing, colour: Colour) -> None:
    canvas.budget.take(pixels=mask.size + canvas.picture.shape[0] * canvas.picture.shape[1])
    plane = np.where(mask, np.uint8(255), np.uint8(0))
    canvas.lay(placing.place(plane, recipe.box, Image.Resampling.BILINEAR), 0, 0, colour)


def _adapt(profile: bytes, colour: Colour) -> Colour:
    """A colour of sRGB in the colours of a profile."""
    pixel = np.array([[colour]], np.uint8)
    red, green, blue = profiles.convert(pixel, profiles.make(Profile.SRGB), profile)[0, 0].tolist()
    return red, green, blue
