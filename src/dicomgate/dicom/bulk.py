"""Which values leave the data set as bulk data, how they are named and where their bytes lie (PS3.18 §10.4.3.3.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dicomgate.dicom.uids import Target

_ALLOWED = "DS FL FD IS LT OB OD OF OL OV OW SL SS ST SV UC UL UN US UT UV"
ALLOWED = frozenset(_ALLOWED.split())
"""RET-06: never SQ, PN, UI and the other short texts."""

WORD: dict[str, int] = {
    **dict.fromkeys(("OW", "US", "SS", "AT"), 2),
    **dict.fromkeys(("OF", "OL", "FL", "SL", "UL"), 4),
    **dict.fromkeys(("OD", "OV", "FD", "SV", "UV"), 8),
}
"""The bytes that change places between big and little endian, by value representation (PS3.5 §7.3)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value lies: in the file, or in the inflated data set when the file is deflated.

    `word` is how many bytes change places to make the value little endian; 1: none. An encapsulated value lies from
    its first item to before its delimiter; `pieces` are then its fragments, without the offset table. Those of the
    data set's own pixel data stand in the frame table instead.
    """

    offset: int
    length: int
    vr: str
    word: int = 1
    pieces: tuple[range, ...] = ()


def format_path(steps: Iterable[tuple[str, int]], tag: str) -> str:
    """The name of a value: its tag after the sequences and item numbers, from 1, that lead to it."""
    return "".join(f"{sequence}/{number}/" for sequence, number in steps) + tag


def format_uri(target: Target | None, path: str) -> str:
    """The BulkDataURI below the service root; relative to the instance when the data set does not say which it is."""
    if target is None:
        return f"bulkdata/{path}"
    return f"/studies/{target.study}/series/{target.series}/instances/{target.instance}/bulkdata/{path}"
