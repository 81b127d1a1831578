"""The header of an RLE frame (PS3.5 Annex G): it tells how many segments there are, and nothing of the picture."""

from __future__ import annotations

import struct

from dicomgate import errors
from dicomgate.dicom.codestreams_reading import exactly
from dicomgate.dicom.source import Source

TRANSFER_SYNTAX = "1.2.840.10008.1.2.5"
_HEADER = 64
_MOST = 15
"""Segments that the header has room for."""


def check(source: Source, *, samples: int, bits_allocated: int) -> None:
    """Malformed or Truncated when the frame cannot be of such pixels: one segment for each byte of each (§G.2)."""
    count, *offsets = struct.unpack("<16I", exactly(source, 0, _HEADER))
    wanted = samples * -(-bits_allocated // 8)
    if count != wanted or not 0 < count <= _MOST:
        raise errors.Malformed(f"an RLE frame of {count} segments where its pixels have {wanted} bytes each")
    starts = offsets[:count]
    if starts[0] != _HEADER or starts != sorted(set(starts)) or starts[-1] >= source.size or any(offsets[count:]):
        raise errors.Malformed("an RLE frame whose segments do not follow each other")
