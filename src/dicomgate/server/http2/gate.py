"""What passes to the protocol's library: bounded frames, header blocks and demands (RFC 9113 §4, §6, §10.5).

The library keeps to the grammar. It would wait for sixteen megabytes of one frame, and answer any number of pings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from h2.errors import ErrorCodes

FRAME_BYTES: Final = 16384
"""Largest frame that is taken: the smallest bound that RFC 9113 §6.5.2 allows."""
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

_HEAD: Final = 9
_DATA, _HEADERS, _SETTINGS, _PUSH_PROMISE, _GOAWAY, _CONTINUATION = 0x0, 0x1, 0x4, 0x5, 0x7, 0x9
_LAST_KNOWN: Final = _CONTINUATION
_END_HEADERS: Final = 0x4
_LONGEST_SETTINGS: Final = 600  # a hundred of them
_SMALL_DATA: Final = 256
_SETTINGS_COST: Final = 10

BURST: Final = 1000.0
A_SECOND: Final = 33.0


class Abuse(Exception):  # noqa: N818 - a signal to the connection, not an error of ours
    """The connection ends; `sentence` repeats nothing of what came."""

    def __init__(self, code: ErrorCodes, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class Allowance:
    """What a caller may have done for nothing: so much at once, and so much a second.

    A viewer cancels hundreds of requests when it scrolls; who does nothing else is not let go on (CVE-2023-44487).
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left = BURST
        self._looked = clock()

    def earn(self, gain: float) -> None:
        """Something useful was done besides."""
        self.spend(-gain)

    def spend(self, cost: float) -> None:
        """Count something. Abuse when it was too much."""
        now = self._clock()
        self._left = min(BURST, self._left + (now - self._looked) * A_SECOND - cost)
        self._looked = now
        if self._left < 0 < cost:
            raise Abuse(ErrorCodes.ENHANCE_YOUR_CALM, "too many frames that ask for work and carry nothing")


class Gate:
    """Looks at the head of each frame as it comes, and lets through what the library shall see."""

    def __init__(self, allowance: Allowance, header_bytes: int) -> None:
        self._allowance = allowance
        self._header_bytes = header_bytes
        self._head = bytearray()
        self._left = len(PREFACE)  # of what is passing
        self._passes = True
        self._is_urgent = True
        self._block = 0  # bytes of the header block that is passing
        self._block_stream = 0  # whose it is, until it has ended
        self._is_greeted = False
        self.is_leaving = False
        """True once the caller has said that he will ask nothing more."""
        self.data: Counter[int] = Counter()
        """Bytes of DATA frames that were begun, by stream; for whoever looks to clear."""

    @property
    def is_waiting(self) -> bool:
        """True while something is incomplete that must come at once: anything but the content of a request."""
        is_within = bool(self._head) or (self._left > 0 and self._is_urgent)
        return is_within or self._block_stream != 0 or not self._is_greeted

    def feed(self, data: bytes) -> bytes:
        """What of it is for the library. Abuse when the connection shall end."""
        passed: list[bytes] = []
        at = 0
        while at < len(data):
            if self._left:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                if self._passes:
                    passed.append(piece)
            else:
                more = data[at : at + _HEAD - len(self._head)]
                self._head += more
                at += len(more)
                if len(self._head) == _HEAD:
                    head, self._head = bytes(self._head), bytearray()
                    self._begin(head)
                    if self._passes:
                        passed.append(head)
        return b"".join(passed)

    def _begin(self, head: bytes) -> None:
        size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        stream = int.from_bytes(head[5:], "big") & 0x7FFFFFFF
        if size > FRAME_BYTES:
            raise Abuse(ErrorCodes.FRAME_SIZE_ERROR, f"a frame of {size} bytes; at most {FRAME_BYTES} are taken")
        if self._block_stream and (kind, stream) != (_CONTINUATION, self._block_stream):
            raise Abuse(ErrorCodes.PROTOCOL_ERROR, "another frame within a header block")
        self._count(kind, size)
        self._left, self._passes, self._is_urgent = size, True, kind != _DATA
        self._is_greeted = True
        match kind:
            case 0x0:
                self.data[stream] += size
            case 0x1 | 0x9:
                self._add_to_block(stream, size, begins=kind == _HEADERS, ends=bool(flags & _END_HEADERS))
            case 0x5:
                raise Abuse(ErrorCodes.PROTOCOL_ERROR, "a caller promises nothing")
            case 0x7:
                self._hear_farewell(stream, size)
            case _ if kind > _LAST_KNOWN:
                self._passes = False  # §5.5: extensions are ignored

    def _count(self, kind: int, size: int) -> None:
        if kind == _DATA:
            self._allowance.spend(1 - size / _SMALL_DATA)
        elif kind == _SETTINGS:
            if size > _LONGEST_SETTINGS:
                raise Abuse(ErrorCodes.ENHANCE_YOUR_CALM, f"settings of {size} bytes")
            self._allowance.spend(_SETTINGS_COST)
        elif kind != _HEADERS:
            self._allowance.spend(1)

    def _add_to_block(self, stream: int, size: int, *, begins: bool, ends: bool) -> None:
        self._block = size if begins else self._block + size
        self._block_stream = 0 if ends else stream
        if self._block > self._header_bytes:
            raise Abuse(ErrorCodes.ENHANCE_YOUR_CALM, f"a header block of more than {self._header_bytes} bytes")

    def _hear_farewell(self, stream: int, size: int) -> None:
        """The library would stop sending at once; what was asked before is answered (§6.8)."""
        if stream or size < 8:
            raise Abuse(ErrorCodes.PROTOCOL_ERROR, "a farewell that is none")
        self._passes = False
        self.is_leaving = True
