"""The task `transcode`: frames of one description in, encoded frames out; runs in worker processes alone."""

from __future__ import annotations

import os
from typing import Any

from dicomgate import errors
from dicomgate.dicom.pixel_description import PixelDescription
from dicomgate.pixels import encoding

CHANGED = ("photometric_interpretation", "planar_configuration", "high_bit", "is_lossy")
"""What of a description another transfer syntax changes, beside itself."""


def transcode(
    source: int, into: int, *, lengths: list[int], description: dict[str, Any], transfer_syntax: str, quality: int
) -> dict[str, Any]:
    """Transcode frames that lie one after the other in one file into another file; their lengths, and what changed.

    The faults of `encoding.transcode_frame`, OutOfSpace when the file takes no more.
    """
    given = PixelDescription(**description)
    made, at = [], 0
    found = given
    for length in lengths:
        frame = os.pread(source, length, at)
        at += length
        encoded = encoding.transcode_frame(frame, given, transfer_syntax, quality)
        found = encoded.description
        made.append(len(encoded.codestream))
        _write(into, encoded.codestream)
    return {"lengths": made, "changes": {name: getattr(found, name) for name in CHANGED}}


def _write(into: int, content: bytes) -> None:
    view = memoryview(content)
    try:
        while view:
            view = view[os.write(into, view) :]
    except OSError as error:
        raise errors.OutOfSpace("no room for the frames that were encoded") from error
