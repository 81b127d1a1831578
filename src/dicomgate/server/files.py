"""Bytes of files on their way out: sent by the kernel unread where the connection allows it, else read (sendfile(2)).

The event loop sends only what the kernel holds in memory; whatever lies on the disk alone is brought there by a thread.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from dicomgate import errors
from dicomgate.origin import SHORT, Chunk, File, Stretch

CAN_SEND: Final = sys.platform == "linux"
"""Elsewhere nothing tells whether sending would wait for a disk."""
FILES: Final = "http.response.zerocopysend"
"""ASGI's name for the extension of a connection on which the kernel may send from a file."""
LEAST: Final = 32 << 10
"""Shorter stretches are read: they leave together with what stands around them."""
_STEP: Final = 1 << 20
_LOOK: Final = 128 << 10
"""The kernel reads ahead and drops in pieces of about this size, so a look at one byte of each tells enough."""


class NotInMemory(Exception):  # noqa: N818 - no fault: it only takes longer
    """It would have to be waited for."""


@dataclass(frozen=True, slots=True)
class FileSpan:
    """Bytes of an open file, which the kernel holds in memory: ready to be sent."""

    file: File
    offset: int
    size: int

    def __len__(self) -> int:
        return self.size


def ready(chunks: Iterable[Chunk], *, is_direct: bool) -> Generator[bytes | FileSpan, None, None]:
    """The chunks with stretches in memory (`is_direct`), or read. For a thread: it waits for the disk."""
    for chunk in chunks:
        if not isinstance(chunk, Stretch):
            yield chunk
        elif is_direct and len(chunk) >= LEAST:
            for span in _spans(chunk):
                if not _is_in_memory(span):
                    _bring_in(span)
                yield span
        else:
            yield from chunk.read()


def read_all(chunks: Iterable[Chunk]) -> Iterator[bytes]:
    """The chunks, all of them read. For a thread."""
    for chunk in chunks:
        if isinstance(chunk, Stretch):
            yield from chunk.read()
        else:
            yield chunk


def at_once(chunks: Iterable[Chunk]) -> Iterator[bytes | FileSpan]:
    """The same without waiting: NotInMemory when it would have to be. For the event loop."""
    for chunk in chunks:
        if isinstance(chunk, Stretch):
            for span in _spans(chunk):
                if not _is_in_memory(span):
                    raise NotInMemory
                yield span if len(span) >= LEAST else read(span)
        else:
            yield chunk


def read(span: FileSpan) -> bytes:
    """Its bytes. Unavailable when the file has become shorter."""
    found = span.file.read_at(span.offset, span.size)
    if len(found) < span.size:
        raise errors.Unavailable(SHORT)
    return found


def _spans(stretch: Stretch) -> Iterator[FileSpan]:
    """Steps of a stretch, once it is seen that the file is as long."""
    file = stretch.open()
    if file.size < stretch.span.stop:
        raise errors.Unavailable(SHORT)
    for offset in range(stretch.span.start, stretch.span.stop, _STEP):
        yield FileSpan(file, offset, min(_STEP, stretch.span.stop - offset))


def _is_in_memory(span: FileSpan) -> bool:
    byte = bytearray(1)
    end = span.offset + span.size
    try:
        for offset in (*range(span.offset, end, _LOOK), end - 1):
            os.preadv(span.file.fileno(), [byte], offset, os.RWF_NOWAIT)
    except OSError:  # it lies on the disk alone, or this file system cannot tell
        return False
    return True


def _bring_in(span: FileSpan) -> None:
    buffer = memoryview(bytearray(_LOOK))
    for offset in range(span.offset, span.offset + span.size, _LOOK):
        try:
            os.preadv(span.file.fileno(), [buffer], offset)
        except OSError as error:
            raise errors.Unavailable(f"reading a stored file failed: {error.strerror}") from error
