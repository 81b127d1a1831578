"""The document inside an instance, as it is (PS3.3 C.24.2, PS3.18 §10.4.3.3.3; FRM-06, V14)."""

from __future__ import annotations

import binascii
from collections.abc import Iterator

import orjson

from dicomgate import errors
from dicomgate.dicom.documents import DOCUMENT, LENGTH
from dicomgate.origin import Instance, Piece


def read(instance: Instance, span: range | None = None) -> Piece:
    """The document's bytes without the pad, or a span of them. NotFound when the object has none."""
    dataset = orjson.loads(instance.metadata())
    element = dataset.get(DOCUMENT, {})
    length = next(iter(dataset.get(LENGTH, {}).get("Value") or ()), None)
    if "BulkDataURI" in element:
        return _cut(instance, length, span)
    if "InlineBinary" not in element:
        raise errors.NotFound("there is no document in this instance")
    content = binascii.a2b_base64(element["InlineBinary"])
    size = _without_pad(len(content), length)
    wanted = range(size) if span is None else span
    piece = content[wanted.start : wanted.stop]
    return Piece(transfer_syntax=instance.facts.transfer_syntax, vr="OB", size=len(piece), chunks=iter((piece,)))


def _cut(instance: Instance, length: object, span: range | None) -> Piece:
    if span is not None:
        return instance.bulk(DOCUMENT, span=span)
    whole = instance.bulk(DOCUMENT)
    size = _without_pad(whole.size, length)
    if size == whole.size:
        return whole
    _close(whole.chunks)
    return instance.bulk(DOCUMENT, span=range(size))


def _without_pad(size: int, length: object) -> int:
    """What the object says is believed where it is off by the pad alone."""
    return length if isinstance(length, int) and length == size - 1 else size


def _close(chunks: Iterator[bytes]) -> None:
    close = getattr(chunks, "close", None)
    if close is not None:
        close()
