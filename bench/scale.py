"""How much is measured: enough for figures to quote, or as little as shows where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.caller import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Numbers of things and of turns."""

    name: str
    turns: int
    slices: int  # CT slices of the series that is retrieved
    stored: int  # instances of a request that stores many
    large: int  # bytes of the large instance
    indexed: int  # instances of the index that is searched
    written: int  # instances of an index that is written to be timed
    factor: float  # of the numbers of small requests
    has_bare: bool  # also beside bare uvicorn
    slide: int  # bytes of a slide
    frames: int  # of it that are asked for in one list
    stalled: float  # seconds that stalled readers are watched

    def requests(self, count: int) -> int:
        """So many, or fewer."""
        return max(8, round(count * self.factor))


FULL = Scale(
    name="full",
    turns=5,
    slices=300,
    stored=200,
    large=500_000_000,
    indexed=100_000,
    written=5_000,
    factor=1.0,
    has_bare=True,
    slide=4_000_000_000,
    frames=2_000,
    stalled=3.0,
)
QUICK = Scale(
    name="quick",
    turns=3,
    slices=200,
    stored=50,
    large=100_000_000,
    indexed=10_000,
    written=1_000,
    factor=0.25,
    has_bare=False,
    slide=400_000_000,
    frames=200,
    stalled=1.5,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every group of figures works with."""

    scale: Scale
    scratch: Path  # nothing in it is deleted before the end: deleting just before creating makes creating slow
    caller: Caller
    has_nginx: bool
