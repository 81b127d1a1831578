"""What making a representation takes: processes that decode and encode, bounds, and the name of what they make.

Everything made is a pure function of the instance's version, what was asked for and the edition: no time and no chance
is in it, so that strong entity tags and what is kept on disk can rest on these three.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from importlib import metadata
from typing import Final

from dicomgate.dicom.limits import DEFAULT, Limits
from dicomgate.pixels.processes import Workers
from dicomgate.representations.kept import Kept
from dicomgate.representations.pseudonym_secret import PseudonymSecret
from dicomgate.representations.zips import Checksums

_MAKERS: Final = ("dicomgate", "imagecodecs", "numpy", "pillow")
"""Programs that another edition of may make other bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Shared by every request of a door. `limits` bound one data set, the workers bring bounds of their own."""

    workers: Workers
    limits: Limits = DEFAULT
    secret: PseudonymSecret = field(default_factory=PseudonymSecret)
    kept: Kept = field(default_factory=Kept)
    checksums: Checksums = field(default_factory=Checksums)

    @property
    def edition(self) -> str:
        """Changes with the programs that make representations, whose bytes may differ then."""
        return _edition()

    def close(self) -> None:
        """End the processes. May be called twice."""
        self.workers.close()


@functools.cache
def _edition() -> str:
    return " ".join(f"{name} {_find_version(name)}" for name in _MAKERS)


def _find_version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"  # without the extra "pixels" texts and archives of files can be made all the same
