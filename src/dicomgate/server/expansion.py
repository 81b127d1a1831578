"""Bodies that come compressed: expanded as they come, in bounded steps, up to a bound (RFC 9110 §8.4.1, T3)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dicomgate import errors

if TYPE_CHECKING:
    from zlib import _Decompress

_STEP: Final = 1 << 20
"""Bytes that one step gives at most."""
_SLICE: Final = 8 << 10
"""Bytes given to zlib at once: at the end of a member it copies what is left of them."""
_FEW_MEMBERS: Final = 1000
_LEAST_MEMBER: Final = 1024

_WINDOW_BITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
CODINGS: Final = ("gzip", "deflate")
"""Codings that are taken, as an answer names them."""
_MANY_MEMBERS: Final = frozenset({"gzip", "x-gzip"})  # RFC 1952 §2.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How large a compressed body may become: `free` bytes in any case, else `ratio` times what came."""

    ratio: int
    free: int


class Expansion:
    """Expands one body: `feed` it a piece, then take `step` after `step` until it is hungry again."""

    def __init__(self, coding: str, bounds: Bounds) -> None:
        self._coding = coding
        self._bounds = bounds
        self._waiting = memoryview(b"")
        self._inflater: _Decompress = zlib.decompressobj(_WINDOW_BITS[coding])
        self._is_within = False  # in the middle of a member
        self._is_full = False
        self._fault: errors.Fault | None = None
        self._members = 0
        self._came = 0
        self._made = 0

    @property
    def is_hungry(self) -> bool:
        """True when nothing more comes of what it was fed."""
        return not (self._waiting or self._is_full or self._fault)

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body."""
        assert self.is_hungry, "one piece after the other"
        self._came += len(data)
        self._waiting = memoryview(data)

    def step(self) -> bytes:
        """The next bytes, perhaps none. Malformed when they are not so compressed, TooLarge past the bounds."""
        if self._fault is not None:
            raise self._fault
        pieces: list[bytes] = []
        room = _STEP
        try:
            while room > 0 and not self.is_hungry:
                piece = self._inflate(room)
                pieces.append(piece)
                room -= len(piece)
        except errors.Fault as fault:
            if not any(pieces):
                raise
            self._fault = fault  # after what came before it
        return b"".join(pieces)

    def finish(self) -> None:
        """The body has ended. Malformed when that was too early."""
        if self._is_within or not self._members:
            raise errors.Malformed(f"Content-Encoding {self._coding}: the body ends before what it holds")

    def _inflate(self, room: int) -> bytes:
        given = bytes(self._waiting[:_SLICE])
        if not self._is_within:
            self._begin_member()
        try:
            piece = self._inflater.decompress(given, room)
        except zlib.error as fault:
            where = self._came - len(self._waiting)
            raise errors.Malformed(f"Content-Encoding {self._coding}: not so compressed, near byte {where}") from fault
        self._is_within = not self._inflater.eof
        self._is_full = self._is_within and len(piece) == room  # zlib may keep a few bytes back
        left = len(self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail)
        self._waiting = self._waiting[len(given) - left :]
        self._count(len(piece))
        return piece

    def _begin_member(self) -> None:
        """Several may follow each other where the coding has it so; what is no member then shows as a fault."""
        if self._members and self._coding not in _MANY_MEMBERS:
            raise errors.Malformed(f"Content-Encoding {self._coding}: bytes follow after its end")
        self._members += 1
        if self._members > _FEW_MEMBERS + self._made // _LEAST_MEMBER:
            raise errors.Malformed(
                f"Content-Encoding {self._coding}: {self._members} members that hold next to nothing"
            )
        self._inflater = zlib.decompressobj(_WINDOW_BITS[self._coding])
        self._is_within = True

    def _count(self, size: int) -> None:
        self._made += size
        if self._made > self._bounds.free and self._made > self._bounds.ratio * self._came:
            raise errors.TooLarge(
                f"Content-Encoding {self._coding}: the body becomes more than {self._bounds.ratio} times as large; "
                "send it as it is"
            )


def find_coding(field: str | None) -> str | None:
    """The one coding that a Content-Encoding field names, None where there is none. UnsupportedCoding for others."""
    names = [name.strip().lower() for name in (field or "").split(",")]
    codings = [name for name in names if name not in {"", "identity"}]
    if not codings:
        return None
    if len(codings) > 1 or codings[0] not in _WINDOW_BITS:
        raise errors.UnsupportedCoding("a body with another Content-Encoding, or with several", see=CODINGS)
    return codings[0]
