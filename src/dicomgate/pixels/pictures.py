"""Pictures that no transfer syntax holds become native pixels in a file (PS3.18 Table 10.5.2-1: gif, png)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

from dicomgate import errors
from dicomgate.dicom import picture, syntaxes
from dicomgate.dicom.codestreams import TRANSFORMED
from dicomgate.dicom.picture import MONOCHROME2, RGB, Picture
from dicomgate.pixels.processes import Workers

LARGEST_FILE = 1 << 30
"""Bytes of a compressed picture that are taken."""


class Decoder:
    """Decodes pictures in worker processes; any number of threads may share it."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    def decode(self, content: bytes | Path, media_type: str, into: Path) -> Picture:
        """Decode a picture into a new file: native pixels, little endian, by pixel, frame after frame.

        Malformed when it cannot be decoded, TooLarge beyond the limits of size, time or memory, UnsupportedMedia for
        another type, Unavailable when no worker process is free or it was ended, OutOfSpace. Then no file is left.
        """
        with _opened(content, into.parent) as source, _created(into) as result:
            return self.decode_open(source, media_type, result)

    def decode_open(self, source: int, media_type: str, into: int) -> Picture:
        """Decode an open file into another, which is empty, and which nothing is to be read of after a fault.

        The faults of `decode`.
        """
        media_type = media_type.lower()
        if media_type not in TRANSFORMED:
            raise errors.UnsupportedMedia("a media type that is not decoded here", see=tuple(sorted(TRANSFORMED)))
        if os.fstat(source).st_size > LARGEST_FILE:
            raise errors.TooLarge(f"a picture of more than {LARGEST_FILE} bytes")
        most = self._workers.limits.output
        arguments = {"media_type": media_type, "largest": picture.LARGEST_FRAME, "most": most}
        answer = self._workers.run("decode", arguments, (source, into))
        return _read_answer(answer, os.fstat(into).st_size)


def _read_answer(answer: dict[str, Any], size: int) -> Picture:
    """The worker's answer, believed only as far as the file it wrote bears it out."""
    rows, columns, samples, bits, frames = (
        int(answer[name]) for name in ("rows", "columns", "samples", "bits", "frames")
    )
    found = picture.checked(
        Picture(
            rows=rows,
            columns=columns,
            samples=samples,
            bits=bits,
            photometric=MONOCHROME2 if samples == 1 else RGB,
            syntaxes=(syntaxes.EXPLICIT_LITTLE,),
            spans=(range(size),),
            frames=frames,
            frame_times=_times(answer["delays"]),
        )
    )
    if found.frame_bytes * frames != size:
        raise errors.Malformed(f"the picture decoded to {size} bytes where its header tells of another size")
    return found


def _times(delays: list[int]) -> tuple[Fraction, ...]:
    """From each frame to the next, in milliseconds: one for all where they are alike, none where nothing is said."""
    if len(delays) < 2 or not any(delays):
        return ()
    steps = delays[:-1]
    return (Fraction(steps[0]),) if len(set(steps)) == 1 else tuple(map(Fraction, steps))


@contextmanager
def _opened(content: bytes | Path, directory: Path) -> Iterator[int]:
    """The content as an open file, on disk or made for the moment."""
    if isinstance(content, Path):
        source = os.open(content, os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield source
        finally:
            os.close(source)
        return
    with tempfile.TemporaryFile(dir=directory) as file:
        file.write(content)
        file.flush()
        yield file.fileno()


@contextmanager
def _created(path: Path) -> Iterator[int]:
    """A new file, which stays only if all goes well."""
    result = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield result
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(result)
