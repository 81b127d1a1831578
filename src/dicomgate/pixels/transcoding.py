"""Frames in another transfer syntax, seen from the server: made in worker processes, a few at a time (§8.7.3.5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from dicomgate import errors
from dicomgate.dicom import pixel_formats, syntaxes
from dicomgate.dicom.pixel_description import PixelDescription
from dicomgate.pixels import memory_files
from dicomgate.pixels.limits import Bounds
from dicomgate.pixels.processes import Workers

DEFAULT_QUALITY = 90
_MOST_AT_ONCE = 2 << 20
"""Bytes of decoded frames, and of given ones, that one call is for; a frame that is larger goes alone."""
_MOST_FRAMES = 64
_PROGRAM = 64 << 20
_PER_SAMPLE = 64
"""Bytes that codecs need at most for a sample, all their steps together."""
_PATIENCE = 20.0
_SLOWEST = 1 << 20
"""Bytes a second."""


@dataclass(frozen=True, slots=True)
class Transcoded:
    """One frame: its codestream (or native pixels), and what they are now."""

    codestream: bytes
    description: PixelDescription


class Transcoder:
    """Transcodes frames in worker processes; any number of threads may share it."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    def frames(
        self,
        frames: Iterable[bytes],
        description: PixelDescription,
        transfer_syntax: str,
        *,
        quality: int = DEFAULT_QUALITY,
    ) -> Iterator[Transcoded]:
        """The frames in another transfer syntax, in order; the first is made before the second is read.

        Native frames are little endian, those of one bit begin with a byte. `quality`, 1 to 100, counts where the
        syntax loses something. NotAcceptable at once when it cannot hold such pixels or they are not decoded here.
        While they are made: Malformed when a frame is not as described, NotAcceptable when it has what cannot be kept,
        TooLarge beyond time and memory, Unavailable when no process is free.
        """
        source = syntaxes.find(description.transfer_syntax)
        if source is None or not source.can_decode:
            raise errors.NotAcceptable(f"{syntaxes.name(description.transfer_syntax)} is not decoded here")
        pixel_formats.require_hold(description, transfer_syntax)
        if not 1 <= quality <= 100:
            raise errors.Malformed(f"quality {quality}: expected 1 to 100")
        return self._frames(frames, description, transfer_syntax, quality)

    def _frames(
        self, frames: Iterable[bytes], description: PixelDescription, transfer_syntax: str, quality: int
    ) -> Iterator[Transcoded]:
        for batch in _batches(frames, description.frame_bytes):
            arguments = {
                "lengths": [len(frame) for frame in batch],
                "description": asdict(description),
                "transfer_syntax": transfer_syntax,
                "quality": quality,
            }
            bounds = bounds_for(description, sum(map(len, batch)), len(batch))
            with memory_files.opened(batch) as given, memory_files.opened() as made:
                answer = self._workers.run("transcode", arguments, (given, made), bounds)
                yield from _read(answer, made, len(batch), description, transfer_syntax)


def bounds_for(description: PixelDescription, given: int, count: int = 1) -> Bounds:
    """What a task on so many frames, of so many bytes together, may take: it follows from the pixels (T3, T5)."""
    samples = description.rows * description.columns * description.samples_per_pixel
    decoded = description.frame_bytes * count
    return Bounds(
        memory=_PROGRAM + _PER_SAMPLE * samples + 4 * given + 2 * decoded,
        output=_PROGRAM + 2 * decoded,
        seconds=_PATIENCE + (decoded + given) / _SLOWEST,
    )


def _batches(frames: Iterable[bytes], frame_bytes: int) -> Iterator[list[bytes]]:
    """One frame first, so that its bytes may leave; then more at a time."""
    batch: list[bytes] = []
    size, most = 0, 1
    for frame in frames:
        batch.append(frame)
        size += max(len(frame), frame_bytes)
        if len(batch) >= most or size >= _MOST_AT_ONCE:
            yield batch
            batch, size, most = [], 0, min(2 * most, _MOST_FRAMES)
    if batch:
        yield batch


def _read(
    answer: dict[str, Any], made: int, count: int, given: PixelDescription, transfer_syntax: str
) -> Iterator[Transcoded]:
    """The frames that a task made; a worker is believed only as far as its answer is one."""
    lengths = answer["lengths"]
    description = replace(given, transfer_syntax=transfer_syntax, **answer["changes"])
    if len(lengths) != count:
        raise errors.Malformed(f"{len(lengths)} frames were encoded, not {count}")
    at = 0
    for length in lengths:
        codestream = memory_files.read(made, at, length)
        if len(codestream) != length:
            raise errors.Malformed("a frame was encoded to fewer bytes than its process said")
        at += length
        yield Transcoded(codestream, description)
