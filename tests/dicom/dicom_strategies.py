"""Data sets of the DICOM JSON model, as a reader of headers makes them (hypothesis)."""

from __future__ import annotations

import base64
import struct
from typing import Any

from hypothesis import strategies as st

_LETTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\\^= \u2028\u2029")
_PLAIN = st.text(st.characters(min_codepoint=48, max_codepoint=122, exclude_characters="\\^="), min_size=1, max_size=12)
_WORD = st.text(_LETTERS, min_size=1, max_size=12)
_FINITE = st.floats(allow_nan=False, allow_infinity=False)


def _several(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """One value, or several of which inner ones may be empty."""
    return st.one_of(values.map(lambda one: [one]), st.lists(st.one_of(values, st.none()), min_size=2, max_size=4))


_NAMES = st.fixed_dictionaries({}, optional={"Alphabetic": _WORD, "Ideographic": _WORD, "Phonetic": _WORD}).filter(bool)
_VALUES: dict[str, st.SearchStrategy[list[Any]]] = {
    "AE": _several(_PLAIN),
    "CS": _several(_PLAIN),
    "DA": _several(st.dates().map(lambda day: day.strftime("%Y%m%d"))),
    "DS": _several(st.integers(-(10**9), 10**9).map(lambda number: number / 1000)),
    "IS": _several(st.integers(-(2**31), 2**31 - 1)),
    "LO": _several(_WORD),
    "LT": _WORD.map(lambda text: [text]),
    "PN": _several(_NAMES),
    "SH": _several(_WORD),
    "TM": _several(st.times().map(lambda time: time.strftime("%H%M%S"))),
    "UC": _several(_WORD),
    "UT": _WORD.map(lambda text: [text]),
    "UR": _PLAIN.map(lambda text: [text]),
    "UI": _several(st.integers(0, 10**9).map(lambda number: f"1.2.{number}")),
    "AT": st.lists(st.integers(0, 2**32 - 1).map(lambda tag: f"{tag:08X}"), min_size=1, max_size=3),
    "US": st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=3),
    "SS": st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=3),
    "UL": st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3),
    "SL": st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=3),
    "UV": st.lists(st.integers(0, 2**53), min_size=1, max_size=3),
    "SV": st.lists(st.one_of(st.integers(-(2**53), 2**53), st.just("9223372036854775807")), min_size=1, max_size=3),
    "FL": st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=3),
    "FD": st.lists(st.one_of(_FINITE, st.sampled_from(["NaN", "Infinity", "-Infinity"])), min_size=1, max_size=3),
}
_BYTES = st.binary(min_size=1, max_size=20).map(lambda raw: base64.b64encode(raw + bytes(len(raw) % 2)).decode())


def _ends_in_nothing(values: list[Any]) -> bool:
    return all(value is None for value in values)


def elements() -> st.SearchStrategy[dict[str, Any]]:
    """One element of any VR but SQ; some empty."""
    valued = [
        values.filter(lambda given: not _ends_in_nothing(given)).map(lambda given, vr=vr: {"vr": vr, "Value": given})
        for vr, values in _VALUES.items()
    ]
    empty = st.sampled_from(sorted(_VALUES)).map(lambda vr: {"vr": vr})
    inline = st.tuples(st.sampled_from(["OB", "UN"]), _BYTES).map(lambda made: {"vr": made[0], "InlineBinary": made[1]})
    return st.one_of(*valued, empty, inline)


_CREATOR = {"vr": "LO", "Value": ["DICOMGATE TEST"]}
_TAGS = st.integers(0x10, 0xFF).map(lambda number: f"000910{number:02X}")


def _with_creator(dataset: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted({"00090010": _CREATOR, **dataset}.items())) if dataset else {}


def datasets() -> st.SearchStrategy[dict[str, Any]]:
    """Private elements of one block, of every VR, nested up to three deep."""
    flat = st.dictionaries(_TAGS, elements(), max_size=6).map(_with_creator)

    def nested(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
        sequence = st.one_of(
            st.just({"vr": "SQ"}),
            st.lists(inner, min_size=1, max_size=3).map(lambda items: {"vr": "SQ", "Value": items}),
        )
        return st.dictionaries(_TAGS, st.one_of(elements(), sequence), max_size=4).map(_with_creator)

    return st.recursive(flat, nested, max_leaves=6)


def is_exact(number: float) -> bool:
    """True when a 32-bit float holds it."""
    return struct.unpack("<f", struct.pack("<f", number))[0] == number
