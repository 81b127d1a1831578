"""Many small true instances, quickly: one file made by pydicom, its UIDs and pixels exchanged."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from random import Random

from dicomgate.dicom.uids import Target
from dicomgate.testing import instances


def _uid(number: int) -> str:
    return f"2.25.1{number:033d}"  # all of one length, so that they can be exchanged


_MODEL = Target(_uid(1), _uid(2), _uid(3))
SMALL, MIDDLE, LARGE = (16, 8), (50, 50), (1700, 1500)
"""Rows and columns: 256 bytes, 5 kB and 5.1 MB of pixels; the last passes the 4 MiB that the spool keeps in memory."""


@dataclass(frozen=True, slots=True)
class Specimen:
    target: Target
    content: bytes

    @property
    def uid(self) -> str:
        assert self.target.instance is not None
        return self.target.instance

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@functools.cache
def _model(shape: tuple[int, int]) -> bytes:
    return instances.make(_MODEL, rows=shape[0], columns=shape[1])


class Maker:
    def __init__(self, chance: Random) -> None:
        self.chance = chance

    def uid(self) -> str:
        return _uid(self.chance.getrandbits(109))

    def new(self, study: str, series: str, shape: tuple[int, int] = SMALL) -> Specimen:
        """A new instance of a series."""
        return self.like(Target(study, series, self.uid()), shape)

    def like(self, target: Target, shape: tuple[int, int] = SMALL) -> Specimen:
        """Some content under these UIDs."""
        content = _model(shape)
        pixels = shape[0] * shape[1] * 2
        head = content[:-pixels]
        for old, new in zip(_uids(_MODEL), _uids(target), strict=True):
            assert old in head
            head = head.replace(old, new)
        return Specimen(target, head + self.chance.randbytes(pixels))


def _uids(target: Target) -> list[bytes]:
    return [(uid or "").encode() for uid in (target.study, target.series, target.instance)]
