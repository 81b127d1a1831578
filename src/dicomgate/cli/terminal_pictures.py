"""Pictures as what terminals show: graphics of kitty, of iTerm2, sixels, or half blocks of colour.

All functions are pure: a picture goes in, the characters that show it come out, a line or a chunk at a time.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_ESCAPE: Final = "\x1b"
_KITTY_CHUNK: Final = 4096
_MOST_COLOURS: Final = 256
_BAND: Final = 6
_RUN: Final = re.compile(rb"(.)\1{3,}", re.DOTALL)
_CUBE: Final = (0, 95, 135, 175, 215, 255)
"""Steps of a channel in the 6 x 6 x 6 colours of a terminal with 256."""


@dataclass(frozen=True, slots=True)
class Bitmap:
    """Red, green and blue of every pixel, a byte each, row by row."""

    width: int
    height: int
    content: bytes

    def row(self, number: int) -> bytes:
        """A row's pixels; black below the last one."""
        if number >= self.height:
            return bytes(3 * self.width)
        return self.content[3 * self.width * number : 3 * self.width * (number + 1)]


def format_kitty(png: bytes) -> Iterator[str]:
    """A PNG file by the graphics protocol of kitty, shown where the cursor stands."""
    text = base64.standard_b64encode(png).decode("ascii")
    for start in range(0, len(text), _KITTY_CHUNK):
        keys = ["a=T", "f=100", "q=2"] if start == 0 else []
        keys.append(f"m={int(start + _KITTY_CHUNK < len(text))}")
        yield f"{_ESCAPE}_G{','.join(keys)};{text[start : start + _KITTY_CHUNK]}{_ESCAPE}\\"
    yield "\n"


def format_iterm(picture: bytes, width: int, height: int) -> Iterator[str]:
    """A picture file by the protocol of iTerm2; width and height in pixels."""
    text = base64.standard_b64encode(picture).decode("ascii")
    size = f"size={len(picture)};width={width}px;height={height}px"
    yield f"{_ESCAPE}]1337;File=inline=1;{size};preserveAspectRatio=1:{text}\a\n"


def format_half_blocks(bitmap: Bitmap, *, has_all_colours: bool = True) -> Iterator[str]:
    """A character for two pixels one above the other, a line for two rows; 256 colours where there are no more."""
    name = _exact if has_all_colours else _nearest
    for number in range(0, bitmap.height, 2):
        upper, lower = bitmap.row(number), bitmap.row(number + 1)
        is_last = number + 1 >= bitmap.height
        line: list[str] = []
        before = ""
        for place in range(0, 3 * bitmap.width, 3):
            colours = f"38;{name(upper[place : place + 3])}"
            colours += "" if is_last else f";48;{name(lower[place : place + 3])}"
            if colours != before:
                line.append(f"{_ESCAPE}[{colours}m")
                before = colours
            line.append("▀")
        yield f"{''.join(line)}{_ESCAPE}[0m\n"


def _exact(pixel: bytes) -> str:
    return f"2;{pixel[0]};{pixel[1]};{pixel[2]}"


def _nearest(pixel: bytes) -> str:
    """The nearest of the 256 colours: of the 24 greys, or of the cube."""
    steps = [min(range(6), key=lambda step: abs(_CUBE[step] - channel)) for channel in pixel]
    grey = max(0, min(23, round((sum(pixel) / 3 - 8) / 10)))
    cube = sum(abs(_CUBE[step] - channel) for step, channel in zip(steps, pixel, strict=True))
    if sum(abs(8 + 10 * grey - channel) for channel in pixel) < cube:
        return f"5;{232 + grey}"
    return f"5;{16 + 36 * steps[0] + 6 * steps[1] + steps[2]}"


def format_sixels(bitmap: Bitmap) -> Iterator[str]:
    """Sixels: a palette of up to 256 colours, then bands of six rows, each colour in turn."""
    palette, pixels = _with_palette(bitmap)
    yield f'{_ESCAPE}P0;1q"1;1;{bitmap.width};{bitmap.height}'
    for number, colour in enumerate(palette):
        yield f"#{number};2;" + ";".join(str(round(channel / 2.55)) for channel in colour)
    for start in range(0, bitmap.height, _BAND):
        rows = [
            pixels[bitmap.width * row : bitmap.width * (row + 1)]
            for row in range(start, min(start + _BAND, bitmap.height))
        ]
        yield "$".join(_colour_in_band(colour, rows) for colour in sorted(set(b"".join(rows)))) + "-"
    yield f"{_ESCAPE}\\\n"


def _colour_in_band(colour: int, rows: list[bytes]) -> str:
    """One colour of up to six rows: a character for six pixels one above the other, runs counted."""
    table = bytes(int(value == colour) for value in range(256))
    bits = 0
    for number, row in enumerate(rows):
        bits |= int.from_bytes(row.translate(table), "big") << number
    line = bits.to_bytes(len(rows[0]), "big").rstrip(b"\0").translate(_SIXELS)
    counted = _RUN.sub(lambda run: b"!%d%b" % (len(run[0]), run[1]), line)
    return f"#{colour}{counted.decode('ascii')}"


_SIXELS: Final = bytes((value & 63) + 63 for value in range(256))


def _with_palette(bitmap: Bitmap) -> tuple[list[bytes], bytes]:
    """The colours, and the number of each pixel's; with as few of the lowest bits left out as it takes."""
    content = bitmap.content
    for bits in range(8):
        kept = bytes(value >> bits << bits for value in range(256))
        coarse = content.translate(kept) if bits else content
        colours = sorted({coarse[place : place + 3] for place in range(0, len(coarse), 3)})
        if len(colours) <= _MOST_COLOURS:
            numbers = {colour: number for number, colour in enumerate(colours)}
            return colours, bytes(numbers[coarse[place : place + 3]] for place in range(0, len(coarse), 3))
    raise AssertionError("one bit of three channels makes eight colours")
