"""The frames of an instance as one moving picture (GIF89a; PS3.18 Table 8.7.4-1, REN-12).

Each frame is made when it is its turn and leaves at once; how long it is shown is what the object says.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Sequence
from typing import Final

from dicomgate import errors
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.presentation import Presentation
from dicomgate.origin import Instance
from dicomgate.pixels import gif
from dicomgate.representations import pictures
from dicomgate.representations.dataset_values import number, numbers
from dicomgate.representations.maker import Maker

MEDIA_TYPE: Final = "image/gif"
MOST_FRAMES: Final = 4096

_FRAME_TIME, _FRAME_TIMES, _CINE_RATE, _DISPLAY_RATE = "00181063", "00181065", "00180040", "00082144"
_USUAL: Final = 100.0
"""Milliseconds, where nothing is said."""
_SHORTEST, _LONGEST = 2, 6000
"""Hundredths of a second; viewers take less than two for a mistake."""
_LOOP: Final = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"


def render(maker: Maker, instance: Instance, wanted: Presentation) -> Iterator[bytes]:
    """All frames, over and over. The faults of `pictures.render`, those of the first frame before anything is sent.

    NotAcceptable beyond MOST_FRAMES.
    """
    count = instance.facts.frame_count
    if count > MOST_FRAMES:
        raise errors.NotAcceptable(f"{count} frames; a moving picture has at most {MOST_FRAMES}: ask for frames")
    dataset = pictures.read_dataset(instance)
    made = pictures.render_several(maker, instance, range(1, count + 1), wanted, MEDIA_TYPE)
    first = next(made)
    return _write(itertools.chain([first], made), delays(dataset, count))


def delays(dataset: JSONDataset, count: int) -> Sequence[int]:
    """How long each frame is shown, in hundredths of a second (PS3.3 §C.7.6.5)."""
    times = numbers(dataset, _FRAME_TIMES)
    if len(times) >= count > 1:
        steps = [*times[1:count], times[count - 1]]  # each value is the time since the frame before
        return [_hundredths(step) for step in steps]
    time = number(dataset, _FRAME_TIME)
    rate = number(dataset, _CINE_RATE) or number(dataset, _DISPLAY_RATE)
    if not time and rate and rate > 0:
        time = 1000 / rate
    return [_hundredths(time if time and time > 0 else _USUAL)] * count


def _hundredths(milliseconds: float) -> int:
    return min(max(round(milliseconds / 10), _SHORTEST), _LONGEST)


def _write(made: Iterator[pictures.Picture], shown: Sequence[int]) -> Iterator[bytes]:
    """Files of one picture each become one: their pictures, each with its own colours and time."""
    for place, (picture, delay) in enumerate(zip(made, shown, strict=True)):
        if place == 0:
            yield b"GIF89a" + struct.pack("<HHBBB", picture.width, picture.height, 0x70, 0, 0) + _LOOP
        screen = gif.read_screen(picture.content)
        image = next(gif.read_images(picture.content, screen))
        colours = picture.content[image.palette.start : image.palette.stop]
        bits = (len(colours) // 3 - 1).bit_length() - 1
        flags = 0x80 | (0x40 if image.is_interlaced else 0) | bits
        yield b"".join(
            (
                struct.pack("<BBBBHBB", 0x21, 0xF9, 4, 0x04, delay, 0, 0),
                struct.pack("<BHHHHB", 0x2C, 0, 0, image.width, image.height, flags),
                colours,
                picture.content[image.data.start : image.data.stop],
            )
        )
    yield b"\x3b"
