"""Files without a name in memory: what goes to a worker process and comes back, without a copy through a pipe."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from dicomgate import errors


@contextmanager
def opened(pieces: Iterable[bytes] = ()) -> Iterator[int]:
    """A new file with these bytes, closed in the end. OutOfSpace when they have no room."""
    try:
        file = _new()
    except OSError as error:
        raise errors.OutOfSpace("no room for a file in memory") from error
    try:
        for piece in pieces:
            _write(file, piece)
        yield file
    finally:
        os.close(file)


def read(file: int, offset: int, length: int) -> bytes:
    """The bytes there, all of them; fewer when the file ends, whatever its writer said."""
    pieces = []
    while length > 0 and (piece := os.pread(file, length, offset)):
        pieces.append(piece)
        offset += len(piece)
        length -= len(piece)
    return b"".join(pieces) if len(pieces) != 1 else pieces[0]


def _new() -> int:
    create = getattr(os, "memfd_create", None)
    if create is not None:
        return int(create("frames"))
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _write(file: int, piece: bytes) -> None:
    view = memoryview(piece)
    try:
        while view:
            view = view[os.write(file, view) :]
    except OSError as error:
        raise errors.OutOfSpace("no room for a file in memory") from error
