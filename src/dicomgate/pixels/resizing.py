"""The part of a picture that is shown, turned and brought to its size (PS3.18 §8.3.5.1.3)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dicomgate.pixels.recipe import Recipe

Picture = NDArray[np.uint8]

GAP: Final = 3.0
"""A picture that shrinks is first averaged until it is this many times too large: quicker, and as smooth."""


def cut(pixels: NDArray[Any], box: tuple[int, int, int, int]) -> NDArray[Any]:
    """The part that is shown."""
    left, top, right, bottom = box
    return pixels[top:bottom, left:right]


def fit(picture: Picture, recipe: Recipe) -> Picture:
    """Flipped and scaled as the recipe says."""
    if recipe.flips[0]:
        picture = picture[:, ::-1]
    if recipe.flips[1]:
        picture = picture[::-1]
    picture = np.ascontiguousarray(picture)
    width, height = recipe.size
    if (height, width) == picture.shape[:2]:
        return picture
    image = Image.fromarray(picture)
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=GAP))
