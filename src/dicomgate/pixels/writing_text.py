"""Lines of text in the corners of a picture, white with a dark edge, in whatever script a font is there for (REN-03).

The font that comes along writes Latin, Greek, Cyrillic, Armenian, Georgian, Arabic and Hebrew letters. For others the
system's fonts are looked at. A name that is known in several scripts is written in the first that can be.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dicomgate.pixels.recipe import Text

Picture = NDArray[np.uint8]

_SMALLEST, _LARGEST = 9, 48
_PART: Final = 34
"""Lines of text that a picture's height has room for."""
_LONGEST: Final = 128
_MOST_FILES: Final = 5000
_PLACES: Final = ("/usr/share/fonts", "/usr/local/share/fonts", "/System/Library/Fonts", "/Library/Fonts")
_KNOWN: Final = (
    # Beginnings of names of fonts with large or rare scripts, the better first.
    "NotoSansCJK-Regular",
    "SourceHanSans",
    "NotoSansSC",
    "NotoSansJP",
    "NotoSansKR",
    "wqy-microhei",
    "wqy-zenhei",
    "DroidSansFallback",
    "NanumGothic",
    "Arial Unicode",
    "NotoSansThai-Regular",
    "NotoSansDevanagari-Regular",
    "NotoSansArabic-Regular",
    "NotoSansHebrew-Regular",
    "unifont",
)
_NO_LETTER: Final = "\U0010ffff"


def write(picture: Picture, texts: Sequence[Text]) -> Picture:
    """The picture with the texts in its left corners."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    height, width = picture.shape[:2]
    size = min(max(height // _PART, _SMALLEST), _LARGEST)
    for text in texts:
        lines = [choose(line) for line in text.lines if any(line)]
        step = size + size // 3
        top = height - size // 2 - step * len(lines) if text.is_at_bottom else size // 2
        for number, (line, path) in enumerate(lines):
            font = _fitting(draw, line, path, size, width - size)
            place = (size // 2, top + number * step)
            draw.text(
                place,
                line,
                font=font,
                fill=_fill(image, 255),
                stroke_width=max(size // 12, 1),
                stroke_fill=_fill(image, 0),
            )
    return np.asarray(image)


def own_font(size: int) -> ImageFont.FreeTypeFont:
    """The font that comes along."""
    return open_font(_own(), size)


def _fill(image: Image.Image, level: int) -> int | tuple[int, int, int]:
    return level if image.mode == "L" else (level, level, level)


def _fitting(draw: ImageDraw.ImageDraw, line: str, path: str, size: int, width: int) -> ImageFont.FreeTypeFont:
    """The font, smaller where the line would not fit."""
    font = open_font(path, size)
    long = draw.textlength(line, font=font)
    return open_font(path, max(int(size * width / long), 6)) if long > width > 0 else font


def choose(line: tuple[str, ...]) -> tuple[str, str]:
    """What is written of a line that is known in several scripts, and the font that can."""
    written = [_clean(text) for text in line if text]
    for text in written:
        path = _find_font(frozenset(text))
        if path is not None:
            return text, path
    return written[0], _own()


def _clean(text: str) -> str:
    """What has no shape is left out, and of long lines the end."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:_LONGEST])


@functools.lru_cache(maxsize=256)
def _find_font(letters: frozenset[str]) -> str | None:
    return next((path for path in (_own(), *_system()) if all(_has(path, letter) for letter in letters)), None)


@functools.lru_cache(maxsize=4096)
def _has(path: str, letter: str) -> bool:
    if letter.isspace():
        return True
    font = open_font(path, 16)
    return bytes(font.getmask(letter)) != bytes(font.getmask(_NO_LETTER))


@functools.lru_cache(maxsize=64)
def open_font(path: str, size: int) -> ImageFont.FreeTypeFont:
    """A font of a file, of a size."""
    return ImageFont.truetype(path, size)


@functools.cache
def _own() -> str:
    """The font that comes along; the package is a folder of files wherever a process of its own can import it."""
    return str(resources.files("dicomgate.pixels").joinpath("fonts", "DejaVuSans.ttf"))


@functools.cache
def _system() -> tuple[str, ...]:
    """Fonts of the system with scripts that the own one has not, each tried whether it can be read."""
    found = sorted(itertools.islice(_font_files(), _MOST_FILES))
    ordered = [str(path) for name in _KNOWN for path in found if path.name.startswith(name)]
    return tuple(path for path in ordered if _can_read(path))


def _font_files() -> Iterator[Path]:
    for place in _PLACES:
        for folder, _, names in os.walk(place):
            yield from (Path(folder, name) for name in names if name.endswith((".ttf", ".ttc", ".otf")))


def _can_read(path: str) -> bool:
    try:
        open_font(path, 16)
    except OSError:
        return False
    return True
