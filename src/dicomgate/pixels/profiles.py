"""ICC profiles: found in pictures, made, and used to bring colours from one into another (PS3.18 §8.3.5.1.5)."""

from __future__ import annotations

import functools
import struct
from typing import Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from dicomgate.dicom.presentation import Profile

Picture = NDArray[np.uint8]

LARGEST: Final = 4 << 20
_MOST_SEGMENTS: Final = 1000
_ICC: Final = b"ICC_PROFILE\0"
_CREATED: Final = slice(24, 36)
_DATE: Final = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
"""Nothing that is made tells when."""
_ROWS: Final = 256

_D50: Final = (0.3457, 0.3585, 1.0)
_ROMM_PRIMARIES: Final = (0.7347, 0.2653, 1.0, 0.1596, 0.8404, 1.0, 0.0366, 0.0001, 1.0)
"""Of ISO 22028-2."""


def is_usable(profile: bytes) -> bool:
    """True for a sound profile of red, green and blue."""
    if not 128 <= len(profile) <= LARGEST or profile[16:20] != b"RGB ":
        return False
    try:
        imagecodecs.cms_profile_validate(profile)
    except (RuntimeError, ValueError):
        return False
    return True


@functools.cache
def make(profile: Profile) -> bytes:
    """A profile of a named kind of colours, the same bytes each time."""
    match profile:
        case Profile.ADOBE_RGB:
            made = imagecodecs.cms_profile("adobergb")
        case Profile.ROMM_RGB:
            made = imagecodecs.cms_profile("rgb", whitepoint=_D50, primaries=_ROMM_PRIMARIES, gamma=1.8)
        case _:
            made = imagecodecs.cms_profile("srgb")
    changed = bytearray(made)
    changed[_CREATED] = _DATE
    return bytes(changed)


def convert(picture: Picture, source: bytes, target: bytes) -> Picture:
    """The picture's colours in another profile, a band of rows at a time."""
    out = np.empty_like(picture)
    for first in range(0, len(picture), _ROWS):
        band = np.ascontiguousarray(picture[first : first + _ROWS])
        out[first : first + _ROWS] = imagecodecs.cms_transform(
            band, source, target, colorspace="rgb", outcolorspace="rgb", outdtype="u1"
        )
    return out


def find_in_jpeg(codestream: bytes) -> bytes | None:
    """The profile that a JPEG file has in its segments (ICC.1 §B.4), whole; None where there is none."""
    pieces: dict[int, bytes] = {}
    at = 2
    for _ in range(_MOST_SEGMENTS):
        if at + 4 > len(codestream) or codestream[at] != 0xFF or codestream[at + 1] == 0xDA:
            break
        length = int.from_bytes(codestream[at + 2 : at + 4], "big")
        content = codestream[at + 4 : at + 2 + length]
        if codestream[at + 1] == 0xE2 and content.startswith(_ICC) and len(content) > 14:
            pieces[content[12]] = content[14:]
        at += 2 + max(length, 2)
    return b"".join(piece for _, piece in sorted(pieces.items())) or None
