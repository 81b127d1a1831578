"""From what a header says to what the index keeps: one description, whichever way the instance came in."""

from __future__ import annotations

import time

from dicomgate.archive import layout, policy
from dicomgate.dicom import jsonmodel, syntaxes
from dicomgate.dicom.header import Header
from dicomgate.index.base import Entry
from dicomgate.origin import JSONDataset

_LOSSY = "00282110"
_SYNTAXES = "00083002"


def describe(
    header: Header, *, key: str, size: int, digest: str, checksum: str, original_digest: str = "", received: float = 0.0
) -> Entry:
    """The entry for an instance whose header passed `policy.examine`."""
    assert header.target is not None
    syntax = syntaxes.TABLE[header.transfer_syntax]
    return Entry(
        target=header.target,
        sop_class=policy.value(header.attributes, "00080016") or "",
        transfer_syntax=header.transfer_syntax,
        size=size,
        digest=digest,
        original_digest=original_digest,
        key=key,
        received=received or time.time(),
        attributes=header.attributes,
        metadata=format_metadata(header),
        layout=layout.format_layout(header, checksum),
        frame_chunks=header.frames.chunks() if header.frames is not None else (),
        is_lossy=_is_lossy(header.attributes, syntax),
        frame_count=header.frames.count if header.frames is not None else 0,
    )


def format_metadata(header: Header) -> bytes:
    """The JSON text that answers a request for metadata."""
    return jsonmodel.format_dataset(_with_syntax(header.attributes, syntaxes.TABLE[header.transfer_syntax]))


def _is_lossy(attributes: JSONDataset, syntax: syntaxes.Syntax) -> bool:
    if syntax.loss is not syntaxes.Loss.MAYBE:
        return syntax.loss is syntaxes.Loss.ALWAYS
    return policy.value(attributes, _LOSSY) != "00"


def _with_syntax(attributes: JSONDataset, syntax: syntaxes.Syntax) -> JSONDataset:
    """The attributes and the syntax that can be had (V11): Explicit VR Little Endian for all uncompressed ones."""
    uid = syntax.uid if syntax.is_encapsulated else syntaxes.EXPLICIT_LITTLE
    return dict(sorted({**attributes, _SYNTAXES: {"vr": "UI", "Value": [uid]}}.items()))
