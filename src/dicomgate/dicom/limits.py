"""How much a data set may ask of its reader; every bound is checked before memory or time is spent (T1, T3, T4)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on one data set. `elements` and `items` count outside the functional groups of enhanced objects.

    `enhanced_elements` counts elements and items inside them, and the fragments of pixel data. `inflated` bounds a
    deflated data set in bytes, `inflate_ratio` against what was sent. Values longer than `inline` bytes become bulk
    data where PS3.18 §10.4.3.3.2 allows it; `text` bounds those of the other value representations.
    """

    depth: int = 64
    elements: int = 50_000
    items: int = 100_000
    enhanced_elements: int = 1_000_000
    seconds: float = 30.0
    inflated: int = 4 << 30
    inflate_ratio: int = 1000
    inline: int = 1024
    text: int = 1 << 20
    frame: int = 1 << 30


DEFAULT = Limits()
