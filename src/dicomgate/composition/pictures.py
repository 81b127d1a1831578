"""Bulk data parts become pixel data: as they are where a transfer syntax holds them, else decoded (PS3.18 §10.5.2).

Nothing is compressed again, and nothing decoded but what Table 10.5.2-1 has decoded: GIF and PNG, one frame or many.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import BinaryIO, Final

from dicomgate import errors
from dicomgate.composition import description
from dicomgate.composition.collection import Collection, Part
from dicomgate.composition.content import Octets, PixelData, Unfit, Workshop
from dicomgate.dicom import codestreams, codestreams_rle, picture, syntaxes
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.outcomes import Reason
from dicomgate.dicom.picture import Picture
from dicomgate.dicom.source import FileSource, Source, SpanSource
from dicomgate.dicom.syntaxes import Syntax
from dicomgate.dicomweb import media_types

_NATIVE: Final = frozenset({syntaxes.EXPLICIT_LITTLE, syntaxes.IMPLICIT_LITTLE})
"""Native pixels in either are the same bytes."""
_RLE: Final = "image/dicom-rle"
_ONE_PART: Final = "a video comes in one part"
_LOSSY: Final = "00282110"
_DESCRIPTION: Final = ("00280002", "00280004", "00280010", "00280011", "00280100", "00280101", "00280102", "00280103")
"""What must be said of any pixel data (PS3.3 Table C.7-11b)."""


def read(
    parts: Sequence[Part], collection: Collection, attributes: JSONDataset, workshop: Workshop, held: ExitStack
) -> PixelData:
    """Pixel data of the parts that a data set names for it; files opened for the moment are left with `held`.

    Unfit, Malformed, TooLarge, UnsupportedMedia when it is none; Unavailable or OutOfSpace when it cannot be done now.
    """
    kinds = {(part.media_type, part.transfer_syntax) for part in parts}
    if len(kinds) > 1:
        raise Unfit(Reason.CANNOT_UNDERSTAND, "the frames of one value come as different media types")
    ((media_type, named),) = kinds
    sources = [collection.source(part) for part in parts]
    if media_type in codestreams.TRANSFORMED:
        return _decode(sources, media_type, workshop, held)
    if media_type == media_types.OCTET_STREAM and (named or syntaxes.EXPLICIT_LITTLE) in _NATIVE:
        return PixelData(transfer_syntax=syntaxes.EXPLICIT_LITTLE, native=Octets(tuple(sources)), derived={})
    if media_type == _RLE or (media_type == media_types.OCTET_STREAM and named is not None):
        return _as_sent(sources, named or codestreams_rle.TRANSFER_SYNTAX, attributes)
    return _encapsulate(sources, media_type, named, attributes)


def _as_sent(sources: Sequence[Source], named: str, attributes: JSONDataset) -> PixelData:
    """Frames as a file has them, in the transfer syntax that was named; read only for what is not said of them."""
    is_described = all(attributes.get(tag, {}).get("Value") for tag in _DESCRIPTION)
    media_type = codestreams.find_media_type(named)
    if media_type is not None and not is_described:
        return _encapsulate(sources, media_type, named, attributes)
    syntax = syntaxes.find(named)
    if syntax is None or not syntax.is_encapsulated or syntax.is_deflated:
        raise Unfit(Reason.SYNTAX_NOT_SUPPORTED, "no frames can be taken in the transfer syntax of the part")
    if not is_described:
        raise Unfit(Reason.DOES_NOT_MATCH_CLASS, "such frames do not describe their pixels: the metadata must")
    if not all(source.size for source in sources):
        raise Unfit(Reason.CANNOT_UNDERSTAND, "a frame without a byte")
    if syntax.is_video and len(sources) > 1:
        raise Unfit(Reason.CANNOT_UNDERSTAND, _ONE_PART)
    if named == codestreams_rle.TRANSFER_SYNTAX:
        _check_rle(sources, attributes)
    frames = [Octets((source,)) for source in sources]
    return PixelData(transfer_syntax=_fragmentable(syntax, frames), frames=frames, derived={})


def _fragmentable(syntax: Syntax, frames: Sequence[Octets]) -> str:
    """The transfer syntax; of a video that one fragment does not hold the one that allows several (PS3.5 §8.2.5)."""
    several = f"{syntax.uid}.1"
    is_long = syntax.is_video and sum(frame.size for frame in frames) > picture.LONGEST_FRAGMENT
    return several if is_long and syntaxes.find(several) is not None else syntax.uid


def _check_rle(sources: Sequence[Source], attributes: JSONDataset) -> None:
    """Frames that tell nothing of their pixels, but how many bytes each has."""
    samples = description.number(attributes, description.SAMPLES)
    bits_allocated = description.number(attributes, description.BITS_ALLOCATED)
    for source in sources:
        codestreams_rle.check(source, samples=samples, bits_allocated=bits_allocated)


def _encapsulate(sources: Sequence[Source], media_type: str, named: str | None, attributes: JSONDataset) -> PixelData:
    """Compressed frames, each without the file format around it."""
    pictures = [codestreams.read(source, media_type) for source in sources]
    whole = functools.reduce(picture.joined, pictures)
    if whole.is_video and len(pictures) > 1:
        raise Unfit(Reason.CANNOT_UNDERSTAND, _ONE_PART)
    lossy = (attributes.get(_LOSSY, {}).get("Value") or [""])[0] == "01"
    transfer_syntax = codestreams.choose_syntax(whole, named, is_lossy=lossy)
    frames = [
        Octets(tuple(SpanSource(source, span) for span in seen.spans))
        for source, seen in zip(sources, pictures, strict=True)
    ]
    size = sum(frame.size for frame in frames)
    derived = picture.derive(whole, transfer_syntax=transfer_syntax, size=size)
    return PixelData(transfer_syntax=transfer_syntax, frames=frames, picture=whole, derived=derived)


def _decode(sources: Sequence[Source], media_type: str, workshop: Workshop, held: ExitStack) -> PixelData:
    """Pictures as native pixels, one after the other in one file, however many there are."""
    result = held.enter_context(workshop.scratch())
    whole = _decode_into(result, sources[0], media_type, workshop)
    for source in sources[1:]:
        with workshop.scratch() as file:
            whole = picture.joined(whole, _decode_into(file, source, media_type, workshop))
            if whole.frame_bytes * whole.frames > picture.LONGEST_FRAGMENT:
                raise errors.TooLarge(f"native pixel data of more than {picture.LONGEST_FRAGMENT} bytes")
            _append(result, FileSource(file.fileno()))
    result.flush()
    native = Octets((FileSource(result.fileno()),))
    derived = picture.derive(whole)
    return PixelData(transfer_syntax=syntaxes.EXPLICIT_LITTLE, native=native, picture=whole, derived=derived)


def _decode_into(result: BinaryIO, source: Source, media_type: str, workshop: Workshop) -> Picture:
    with workshop.scratch() as file:
        _append(file, source)
        file.flush()
        return workshop.decoder.decode_open(file.fileno(), media_type, result.fileno())


def _append(file: BinaryIO, source: Source) -> None:
    file.seek(0, os.SEEK_END)
    file.writelines(Octets((source,)).chunks())
