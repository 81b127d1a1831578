"""Samples of a frame in another form: fewer bits, more room, another value for padding (PS3.5 §8.1.1, LC-11, LC-18).

Without arrays: a frame is one large number, and what is done to a sample is done to all of them at once.
"""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Alteration:
    """How the frame of one source becomes a frame of the object; the values of its pixels stay what they are.

    `allocated` are the bits a sample has in the source, `room` those it gets. Of them `stored` count, from `shift` on;
    what else is there (overlays, dirt) goes. `is_signed`: the sign fills the room. `padding`: a value of the source
    that becomes another.
    """

    allocated: int
    room: int
    stored: int
    shift: int = 0
    is_signed: bool = False
    padding: tuple[int, int] | None = None


def alter(frame: bytes, how: Alteration) -> bytes:
    """The frame in its new form, little endian."""
    if how.room > how.allocated:
        frame = _spread(frame)
    count = 8 * len(frame) // how.room
    ones = _ones(count, how.room)
    mask = (1 << how.stored) - 1
    lanes = (int.from_bytes(frame, "little") >> how.shift) & (ones * mask)
    if how.is_signed:
        lanes |= ((lanes >> (how.stored - 1)) & ones) * (((1 << how.room) - 1) ^ mask)
    altered = lanes.to_bytes(len(frame), "little")
    return altered if how.padding is None else _exchange(altered, how)


def _spread(frame: bytes) -> bytes:
    wide = bytearray(2 * len(frame))
    wide[::2] = frame
    return bytes(wide)


@lru_cache(maxsize=8)
def _ones(count: int, room: int) -> int:
    return int.from_bytes((b"\1" + bytes(room // 8 - 1)) * count, "little")


def _exchange(frame: bytes, how: Alteration) -> bytes:
    assert how.padding is not None, "who asks has a value to exchange"
    old, new = how.padding
    words = _array(frame, how.room, is_signed=how.is_signed)
    if old in words:
        words = array(words.typecode, [new if word == old else word for word in words])
    return _bytes(words)


def count(frame: bytes, value: int, how: Alteration) -> int:
    """How often a value occurs in a frame of the new form."""
    return _array(frame, how.room, is_signed=how.is_signed).count(value)


def _array(frame: bytes, room: int, *, is_signed: bool) -> array[int]:
    letter = "B" if room == 8 else "H"
    words = array(letter.lower() if is_signed else letter, frame)
    if sys.byteorder == "big":
        words.byteswap()
    return words


def _bytes(words: array[int]) -> bytes:
    if sys.byteorder == "big":
        words.byteswap()
    return words.tobytes()


def difference(original: bytes, frame: bytes, how: Alteration) -> bytes:
    """What turns the altered frame into its original again; mostly zeros."""
    return _xor(original, frame[::2] if how.room > how.allocated else frame)


def _xor(left: bytes, right: bytes) -> bytes:
    assert len(left) == len(right), "both are one frame"
    return (int.from_bytes(left, "little") ^ int.from_bytes(right, "little")).to_bytes(len(left), "little")


def restore(frame: bytes, difference: bytes, *, is_spread: bool) -> bytes:
    """The original that `difference` was made of."""
    return _xor(frame[::2] if is_spread else frame, difference)
