"""Whether something was lost by compression, said once for all frames (PS3.3 C.7.6.1.1.5)."""

from __future__ import annotations

from typing import Final

from dicomgate.dicom import syntaxes
from dicomgate.dicom.frames import FragmentFrames
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.multiframe import classic
from dicomgate.multiframe.classic import Classic
from dicomgate.multiframe.gather import FrameSet

_LOSSY, _RATIO, _METHOD = "00282110", "00282112", "00282114"
_METHODS: Final = {
    "image/jpeg": "ISO_10918_1",
    "image/jls": "ISO_14495_1",
    "image/jp2": "ISO_15444_1",
    "image/jphc": "ISO_15444_15",
    "image/jxl": "ISO_18181_1",
}


def describe(frame_set: FrameSet) -> JSONDataset:
    """Lossy Image Compression, once any frame had it; with ratio and method of the frame that lost most."""
    sources = frame_set.sources
    lossy = [source for source in sources if _is_lossy(source)]
    if not lossy:
        said = any(source.text(_LOSSY) for source in sources)
        return {_LOSSY: {"vr": "CS", "Value": ["00"]}} if said else {}
    worst = max(lossy, key=lambda source: max(classic.numbers(source.attributes, _RATIO), default=0.0))
    found: JSONDataset = {_LOSSY: {"vr": "CS", "Value": ["01"]}}
    ratios = classic.numbers(worst.attributes, _RATIO)
    if ratios:
        found[_RATIO] = worst.attributes[_RATIO]
    elif (ratio := _ratio(worst)) is not None:
        found[_RATIO] = {"vr": "DS", "Value": [ratio]}
    if not classic.is_empty(worst.attributes.get(_METHOD)):
        found[_METHOD] = worst.attributes[_METHOD]
    elif (method := _method(worst)) is not None:
        found[_METHOD] = {"vr": "CS", "Value": [method]}
    return found


def _is_lossy(source: Classic) -> bool:
    syntax = syntaxes.find(source.transfer_syntax)
    return source.text(_LOSSY) == "01" or (syntax is not None and syntax.loss is syntaxes.Loss.ALWAYS)


def _ratio(source: Classic) -> float | None:
    if not isinstance(source.frames, FragmentFrames):
        return None
    compressed = sum(source.frames.lengths)
    rows, columns, allocated = (
        classic.number(source.attributes, tag) or 0 for tag in ("00280010", "00280011", "00280100")
    )
    return round(rows * columns * allocated / 8 / compressed, 3) if compressed else None


def _method(source: Classic) -> str | None:
    syntax = syntaxes.find(source.transfer_syntax)
    return _METHODS.get(syntax.media_type or "") if syntax is not None else None
