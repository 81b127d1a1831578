"""Frames in another encoding: decoded, compressed or both, in processes of their own (PS3.18 §8.7.3, T5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.dicom.pixel_description import PixelDescription
from dicomgate.dicom.syntaxes import Loss
from dicomgate.origin import Instance
from dicomgate.pixels.transcoding import Transcoded, Transcoder
from dicomgate.representations.maker import Maker


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameMaker:
    """Makes the frames of one instance in one transfer syntax."""

    maker: Maker
    instance: Instance
    description: PixelDescription
    transfer_syntax: str

    @property
    def is_native(self) -> bool:
        """Whether frames are made without compression."""
        return not syntaxes.TABLE[self.transfer_syntax].is_encapsulated

    @property
    def adds_loss(self) -> bool:
        """Whether what is made is less than what is stored: whatever may lose something is made so that it does."""
        return syntaxes.TABLE[self.transfer_syntax].loss is not Loss.NEVER

    def frames(self, numbers: Iterable[int]) -> Iterator[Transcoded]:
        """Frames, from 1, in this order; the first is made before the second is read.

        NotFound past the last, NotAcceptable when one cannot be made of what is stored.
        """
        stored = (b"".join(self.instance.frame(number).chunks) for number in numbers)
        return make(self.maker, self.description, self.transfer_syntax, stored)


def make(
    maker: Maker, description: PixelDescription, transfer_syntax: str, stored: Iterable[bytes]
) -> Iterator[Transcoded]:
    """Frames, of whose stored bytes the description tells, in a transfer syntax.

    NotAcceptable when one cannot be decoded or does not go into that syntax, Unavailable when no process is free.
    """
    try:
        yield from Transcoder(maker.workers).frames(stored, description, transfer_syntax)
    except (errors.Malformed, errors.TooLarge, errors.UnsupportedMedia, errors.NotAcceptable) as fault:
        before, after = (f"{syntaxes.name(uid)} ({uid})" for uid in (description.transfer_syntax, transfer_syntax))
        raise errors.NotAcceptable(
            f"what is stored as {before} cannot be sent as {after}: {fault.message}; ask for transfer-syntax=*"
        ) from fault
