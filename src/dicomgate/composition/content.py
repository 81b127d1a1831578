"""What goes into the data set where its metadata names bulk data, and what is to be said when it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO

from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.limits import DEFAULT, Limits
from dicomgate.dicom.outcomes import Reason
from dicomgate.dicom.picture import Picture
from dicomgate.dicom.source import Source
from dicomgate.pixels.pictures import Decoder

CHUNK = 1 << 20


class Unfit(Exception):  # noqa: N818 - a verdict on one instance, not a failure
    """An instance that cannot be made of what came, and the reason to report."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What composing needs beside the parts: bounds on a data set, a decoder, files for the moment, our own name."""

    decoder: Decoder
    scratch: Callable[[], AbstractContextManager[BinaryIO]]
    limits: Limits = DEFAULT
    system: str = "dicomgate"


@dataclass(frozen=True, slots=True)
class Octets:
    """A value's bytes, one source after the other."""

    sources: tuple[Source, ...]

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return sum(source.size for source in self.sources)

    def chunks(self) -> Iterator[bytes]:
        """The bytes, a bounded number at a time."""
        for source in self.sources:
            for at in range(0, source.size, CHUNK):
                yield source.read_at(at, CHUNK)


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelData:
    """Pixel data as the file will hold it.

    `native` or, where compressed, `frames`: the codestream of each, or the one stream of a video. `derived`: the
    attributes that the bytes determine.
    """

    transfer_syntax: str
    native: Octets | None = None
    frames: Sequence[Octets] = ()
    picture: Picture | None = None
    derived: JSONDataset
