"""An answer before it is sent, and its body in steps: lazy chunks become pieces of a good size for a socket (T21)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dicomgate.origin import PAUSE, Chunk
from dicomgate.server import files
from dicomgate.server.files import FileSpan

if TYPE_CHECKING:
    from dicomgate.server.representation import Representation

Header = tuple[bytes, bytes]
OutPiece = bytes | memoryview | FileSpan
"""What is sent at once."""

STEP: Final = 1 << 20
"""Bytes read in one visit to a thread."""
PIECE: Final = 256 << 10
"""Bytes sent at once; larger ones cost copies in the socket's buffers."""
_SMALL: Final = 32 << 10
_MOST_PAUSES: Final = 64
"""Empty chunks, each told after some work that gave nothing to send, until it is looked whether the caller is there."""


@dataclass(slots=True, kw_only=True)
class Answer:
    """What a deed wants said. `resources` are let go when the last byte is out or the caller has gone.

    `of`: what it was cut from, where the same may be asked for again.
    """

    status: int = 200
    headers: list[Header] = field(default_factory=list)
    chunks: Iterable[Chunk] = ()
    size: int | None = None  # of the body, where it is known before it is made
    resources: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    of: Representation | None = None


class Body:
    """The body of one answer, made step by step in whatever thread calls; never by two at once.

    `is_direct`: files may be sent unread.
    """

    def __init__(self, answer: Answer, *, is_direct: bool = False) -> None:
        self._source = iter(answer.chunks)
        self._chunks = files.ready(self._source, is_direct=is_direct)
        self._answer = answer
        self._lock = threading.Lock()
        self._left = answer.size
        self.is_done = False
        self.is_closed = False

    def step(self, limit: int = STEP) -> list[OutPiece]:
        """The next pieces, about `limit` bytes; afterwards `is_done` tells whether more will come."""
        with self._lock:
            if self.is_done:
                return []
            pieces, self.is_done = take(self._chunks, limit)
            if self._left is not None:
                self._left -= sum(len(piece) for piece in pieces)
                self.is_done = self.is_done or self._left <= 0
            return pieces

    def close(self) -> None:
        """Let go of everything, after a step that still runs has ended."""
        with self._lock:
            self.is_done = self.is_closed = True
            self._chunks.close()
            close = getattr(self._source, "close", None)
            if close is not None:
                close()
            self._answer.resources.close()


def take(chunks: Iterator[bytes | FileSpan], limit: int) -> tuple[list[OutPiece], bool]:
    """Pieces of at most `PIECE` bytes from chunks of any size until `limit`; and whether the chunks came to an end.

    Small chunks are joined; larger ones pass as they are or in slices, for copying them costs more than sending. Where
    the chunks pause, what there is leaves: the next may be long in coming.
    """
    pieces: list[OutPiece] = []
    small: list[bytes] = []
    waiting = taken = pauses = 0
    is_done = True
    for chunk in chunks:
        taken += len(chunk)
        if not chunk:
            pauses += _MOST_PAUSES if chunk is PAUSE else 1
        if isinstance(chunk, bytes) and len(chunk) < _SMALL and waiting + len(chunk) <= PIECE:
            small.append(chunk)
            waiting += len(chunk)
        else:
            if waiting:
                pieces.append(b"".join(small))
                small, waiting = [], 0
            pieces += [chunk] if isinstance(chunk, FileSpan) else slices(chunk)
        if taken >= limit or pauses >= _MOST_PAUSES:
            is_done = False
            break
    if waiting:
        pieces.append(b"".join(small))
    return pieces, is_done


def slices(chunk: bytes) -> list[OutPiece]:
    """A chunk in pieces of a good size."""
    count = -(-len(chunk) // PIECE)
    if count <= 1:
        return [chunk] if chunk else []
    view, size = memoryview(chunk), -(-len(chunk) // count)
    return [view[start : start + size] for start in range(0, len(view), size)]
