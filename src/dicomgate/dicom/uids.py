"""UIDs and what they point at: a study, a series of it, an instance of that (PS3.5 §9, PS3.18 §10.1)."""

from __future__ import annotations

import enum
import re
import uuid
from dataclasses import dataclass

from dicomgate import errors

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")
LONGEST = 64


class Level(enum.IntEnum):
    """The levels of the study root information model, top down."""

    STUDY = 1
    SERIES = 2
    INSTANCE = 3


def is_uid(text: str) -> bool:
    """True for 1 to 64 digits and dots without an empty component; leading zeros occur and are tolerated."""
    return len(text) <= LONGEST and _UID.fullmatch(text) is not None


def parse_uid(text: str, *, what: str = "UID") -> str:
    """The UID itself; Malformed if the text is none. The text is not repeated: it may be anything."""
    if not is_uid(text):
        raise errors.Malformed(f"{what}: expected 1 to 64 digits and dots, saw {len(text)} characters that are none")
    return text


def mint() -> str:
    """A new UID that nobody else has (PS3.5 B.2: a UUID under 2.25)."""
    return f"2.25.{uuid.uuid4().int}"


@dataclass(frozen=True, slots=True)
class Target:
    """A study, a series of it, or an instance of that."""

    study: str
    series: str | None = None
    instance: str | None = None

    @property
    def level(self) -> Level:
        """How deep the target points."""
        if self.instance is not None:
            return Level.INSTANCE
        return Level.SERIES if self.series is not None else Level.STUDY
