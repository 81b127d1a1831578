"""The blocks of a GIF file: where each picture lies and how it is laid over the one before (GIF89a)."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from dicomgate import errors
from dicomgate.dicom.source import Truncated

MOST_BLOCKS = 1_000_000
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_CONTROL = 0xF9
_HAS_TABLE = 0x80

_Control = tuple[int, int, int | None]
_PLAIN: _Control = (0, 0, None)

Content = bytes | mmap.mmap


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One picture of the file. `palette`: where its colours lie; `data`: where its coded pixels lie.

    `delay`: hundredths of a second until the next; `disposal`: what becomes of it then; `transparent`: a colour that
    leaves what is beneath, None when every pixel covers.
    """

    left: int
    top: int
    width: int
    height: int
    is_interlaced: bool
    palette: range
    data: range
    delay: int = 0
    disposal: int = 0
    transparent: int | None = None


@dataclass(frozen=True, slots=True)
class Screen:
    """The canvas all pictures are laid on."""

    width: int
    height: int
    palette: range
    first: int
    """Where the first block begins."""


def read_screen(content: Content) -> Screen:
    """The canvas. Malformed when this is no GIF, Truncated when it ends early."""
    if content[:6] not in (b"GIF87a", b"GIF89a"):
        raise errors.Malformed("expected a GIF picture, saw other first bytes")
    width, height, flags = struct.unpack_from("<HHB", _exactly(content, 6, 7))
    palette = _table(flags, 13)
    return Screen(width, height, palette, palette.stop)


def read_images(content: Content, screen: Screen) -> Iterator[Image]:
    """The pictures, in order, up to the trailer.

    Malformed or Truncated when the blocks are broken or end without a trailer, TooLarge beyond MOST_BLOCKS.
    """
    at, left = screen.first, MOST_BLOCKS
    control = _PLAIN
    while (kind := _exactly(content, at, 1)[0]) != _TRAILER:
        if kind == _EXTENSION:
            label = _exactly(content, at + 1, 1)[0]
            start = at + 2
            at, left = _skip_blocks(content, start, left)
            if label == _CONTROL:
                control = _control(content, start)
        elif kind == _IMAGE:
            image, at, left = _image(content, at + 1, screen, control, left)
            control = _PLAIN
            yield image
        else:
            raise errors.Malformed(f"byte {at}: expected a block of a GIF picture, saw something else")


def _control(content: Content, at: int) -> _Control:
    size, flags, delay, transparent = struct.unpack_from("<BBHB", _exactly(content, at, 5))
    if size != 4:
        raise errors.Malformed(f"byte {at}: a GIF control block of {size} bytes")
    return delay, flags >> 2 & 7, transparent if flags & 1 else None


def _image(content: Content, at: int, screen: Screen, control: _Control, blocks: int) -> tuple[Image, int, int]:
    left, top, width, height, flags = struct.unpack_from("<HHHHB", _exactly(content, at, 9))
    own = _table(flags, at + 9)
    _exactly(content, own.stop, 1)
    end, blocks = _skip_blocks(content, own.stop + 1, blocks)
    delay, disposal, transparent = control
    image = Image(
        left=left,
        top=top,
        width=width,
        height=height,
        is_interlaced=bool(flags & 0x40),
        palette=own or screen.palette,
        data=range(own.stop, end),
        delay=delay,
        disposal=disposal,
        transparent=transparent,
    )
    return image, end, blocks


def _table(flags: int, at: int) -> range:
    return range(at, at + 3 * (2 << (flags & 7)) if flags & _HAS_TABLE else at)


def _skip_blocks(content: Content, at: int, left: int) -> tuple[int, int]:
    """Past sub-blocks and the empty one that ends them."""
    while size := _exactly(content, at, 1)[0]:
        at += 1 + size
        left -= 1
        if left <= 0:
            raise errors.TooLarge(f"more than {MOST_BLOCKS} blocks in a GIF picture")
    return at + 1, left


def _exactly(content: Content, at: int, length: int) -> bytes:
    piece = content[at : at + length]
    if len(piece) != length:
        raise Truncated(f"byte {at}: the GIF picture ends early")
    return piece
