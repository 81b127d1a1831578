"""Drawings that stand for what shows no picture, or none that everybody may see, as if they were stored (THM-02).

They are instances like any other, of which pictures are made in whatever type and size is asked for.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dicomgate import errors
from dicomgate.dicom import jsonmodel, syntaxes
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import Target
from dicomgate.origin import Facts, Piece

SIDE: Final = 96
_PIXEL_DATA: Final = "7FE00010"
_BACK, _SHEET, _INK = 40, 215, 90


class Icon(enum.Enum):
    """What is drawn."""

    TEXT = "a sheet with lines"
    VIDEO = "a film with an arrow"
    HIDDEN = "a picture behind bars"
    OTHER = "a box"


@dataclass(frozen=True, slots=True)
class IconInstance:
    """A drawing as an instance of one grey frame (the joint's Instance)."""

    icon: Icon

    @property
    def facts(self) -> Facts:
        """As of an instance that is nobody's."""
        return Facts(
            target=Target("2.25.0", "2.25.0", "2.25.0"),
            sop_class="1.2.840.10008.5.1.4.1.1.7",
            transfer_syntax=syntaxes.EXPLICIT_LITTLE,
            size=SIDE * SIDE,
            digest="",
            version=f"icon {self.icon.name}",
            is_lossy=False,
            frame_count=1,
        )

    @property
    def is_sound(self) -> bool:
        """There is no file that could be otherwise."""
        return True

    def metadata(self) -> bytes:
        """What describes the pixels, and nothing else."""
        return jsonmodel.format_dataset(_METADATA)

    def frame(self, number: int, *, span: range | None = None) -> Piece:
        """The drawing. NotFound for a second one."""
        if number != 1:
            raise errors.NotFound(f"frame {number} does not exist; the drawing has one")
        content = _draw(self.icon)
        wanted = content if span is None else content[span.start : span.stop]
        return Piece(transfer_syntax=syntaxes.EXPLICIT_LITTLE, vr="OB", size=len(wanted), chunks=iter((wanted,)))

    def bulk(self, path: str, *, span: range | None = None) -> Piece:
        """The pixels. NotFound for anything else."""
        if path != _PIXEL_DATA:
            raise errors.NotFound("no such bulk data in this instance")
        return self.frame(1, span=span)

    def bulk_paths(self) -> Sequence[str]:
        """The pixels alone."""
        return (_PIXEL_DATA,)

    def file(self, span: range | None = None) -> Iterator[bytes]:  # noqa: ARG002 (the joint)
        """NotAcceptable: it is no file."""
        raise errors.NotAcceptable("a drawing is no file")

    def explicit_file(self) -> Iterator[bytes]:
        """NotAcceptable: it is no file."""
        raise errors.NotAcceptable("a drawing is no file")


_METADATA: Final[JSONDataset] = {
    "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"]},
    "00280002": {"vr": "US", "Value": [1]},
    "00280004": {"vr": "CS", "Value": ["MONOCHROME2"]},
    "00280010": {"vr": "US", "Value": [SIDE]},
    "00280011": {"vr": "US", "Value": [SIDE]},
    "00280100": {"vr": "US", "Value": [8]},
    "00280101": {"vr": "US", "Value": [8]},
    "00280102": {"vr": "US", "Value": [7]},
    "00280103": {"vr": "US", "Value": [0]},
    "00281050": {"vr": "DS", "Value": [128]},
    "00281051": {"vr": "DS", "Value": [256]},
    _PIXEL_DATA: {"vr": "OB", "BulkDataURI": f"bulkdata/{_PIXEL_DATA}"},
}

_Canvas = list[bytearray]


def _draw(icon: Icon) -> bytes:
    canvas = [bytearray([_BACK]) * SIDE for _ in range(SIDE)]
    _DRAWINGS[icon](canvas)
    return b"".join(canvas)


def _fill(canvas: _Canvas, columns: range, rows: range, grey: int) -> None:
    for row in rows:
        canvas[row][columns.start : columns.stop] = bytes([grey]) * len(columns)


def _sheet(canvas: _Canvas) -> None:
    _fill(canvas, range(24, 72), range(16, 80), _SHEET)
    for row in range(28, 72, 9):
        _fill(canvas, range(31, 65 if row < 64 else 50), range(row, row + 3), _INK)


def _film(canvas: _Canvas) -> None:
    _fill(canvas, range(14, 82), range(22, 74), _SHEET)
    for column in range(18, 80, 9):
        for row in (25, 67):
            _fill(canvas, range(column, column + 5), range(row, row + 4), _INK)
    for row in range(34, 63):
        _fill(canvas, range(39, 39 + 24 - abs(48 - row) * 24 // 15), range(row, row + 1), _INK)


def _bars(canvas: _Canvas) -> None:
    _fill(canvas, range(16, 80), range(20, 76), _SHEET)
    for column in range(20, 78, 10):
        _fill(canvas, range(column, column + 6), range(20, 76), _INK)


def _box(canvas: _Canvas) -> None:
    _fill(canvas, range(22, 74), range(30, 76), _SHEET)
    _fill(canvas, range(18, 78), range(22, 34), _SHEET)
    _fill(canvas, range(22, 74), range(34, 36), _INK)
    _fill(canvas, range(40, 56), range(42, 47), _INK)


_DRAWINGS: Final[dict[Icon, Callable[[_Canvas], None]]] = {
    Icon.TEXT: _sheet,
    Icon.VIDEO: _film,
    Icon.HIDDEN: _bars,
    Icon.OTHER: _box,
}
