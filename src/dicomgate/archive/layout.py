"""Where the values and frames of a stored instance lie: what retrieval needs to know without reading the file again.

Written once at arrival, kept by the index as a text it does not look into.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from dicomgate import errors
from dicomgate.dicom import frames
from dicomgate.dicom.frames import FragmentSummary, NativeFrames
from dicomgate.dicom.header import Header, Place

VERSION = 1
"""Of the text below; the index itself has another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Places are in the file, or in the inflated data set when the syntax is deflated."""

    dataset_offset: int
    dataset_size: int
    is_sound: bool  # the file begins as PS3.10 says, and truly
    checksum: str  # XXH3-128 of the file; empty where nobody counted
    bulk: dict[str, Place]
    frames: NativeFrames | FragmentSummary | None


def format_layout(header: Header, checksum: str) -> bytes:
    """The text that the index keeps."""
    return orjson.dumps(
        {
            "version": VERSION,
            "dataset": [header.dataset_offset, header.dataset_size],
            "sound": header.is_sound,
            "checksum": checksum,
            "bulk": {path: _format_place(place) for path, place in header.bulk.items()},
            "frames": header.frames.summary() if header.frames is not None else None,
        }
    )


def parse_layout(text: bytes) -> Layout:
    """The layout again. Unavailable when another version of dicomgate wrote it."""
    tree: dict[str, Any] = orjson.loads(text)
    if tree.get("version") != VERSION:
        raise errors.Unavailable("the index was written by another version of dicomgate: run dicomgate admin reindex")
    return Layout(
        dataset_offset=tree["dataset"][0],
        dataset_size=tree["dataset"][1],
        is_sound=tree["sound"],
        checksum=tree["checksum"],
        bulk={path: _parse_place(place) for path, place in tree["bulk"].items()},
        frames=frames.from_summary(tree["frames"]) if tree["frames"] is not None else None,
    )


def _format_place(place: Place) -> list[Any]:
    bounds = [bound for piece in place.pieces for bound in (piece.start, piece.stop)]
    return [place.offset, place.length, place.vr, place.word, *bounds]


def _parse_place(values: list[Any]) -> Place:
    offset, length, vr, word, *bounds = values
    return Place(offset, length, vr, word, tuple(map(range, bounds[::2], bounds[1::2])))
