"""A picture of an object in the terminal: in the size that fits, the way the terminal can."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from dicomgate.cli import terminal, terminal_pictures
from dicomgate.cli.shown import Shown
from dicomgate.cli.terminal import Graphics
from dicomgate.cli.terminal_pictures import Bitmap
from dicomgate.dicom.presentation import Presentation, Viewport, Window
from dicomgate.pixels.pictures import Decoder
from dicomgate.pixels.processes import Workers

_LINES_KEPT = 2
"""Of the terminal, for the prompt before the picture and the one after it."""


def paint(shown: Shown, graphics: Graphics, frame: int, window: Window | None) -> Iterator[str]:
    """What shows a frame when it is written to the terminal. The faults of rendering."""
    width, height = _room(graphics)
    png = shown.render(frame, Presentation(window=window, viewport=Viewport(width, height)))
    if graphics is Graphics.KITTY:
        return terminal_pictures.format_kitty(png)
    bitmap = _decode(png)
    if graphics is Graphics.ITERM:
        return terminal_pictures.format_iterm(png, bitmap.width, bitmap.height)
    if graphics is Graphics.SIXEL:
        return terminal_pictures.format_sixels(bitmap)
    return terminal_pictures.format_half_blocks(bitmap, has_all_colours=terminal.has_all_colours())


def _room(graphics: Graphics) -> tuple[int, int]:
    """The largest picture in pixels."""
    size = terminal.measure()
    lines = max(1, size.lines - _LINES_KEPT)
    if graphics is Graphics.HALF:
        return size.columns, 2 * lines
    return size.columns * size.cell[0], lines * size.cell[1]


def _decode(png: bytes) -> Bitmap:
    """The pixels, by a process of its own: who made the picture may be a stranger."""
    with tempfile.TemporaryDirectory() as directory, Workers() as workers:
        into = Path(directory, "pixels")
        made = Decoder(workers).decode(png, "image/png", into)
        content = into.read_bytes()
    if made.bits == 16:
        content = content[1::2]  # the upper byte of each, little endian
    if made.samples == 1:
        content = bytes(value for value in content for _ in range(3))
    return Bitmap(made.columns, made.rows, content)
