"""What the bytes of pixel data say beside what the metadata says of them: added, believed, corrected or refused.

PS3.18 §10.5.2 lets a sender leave out what the bytes tell. Where both speak and cannot both be right:

- another number of rows, columns, samples or frames: these are not the pixels that the metadata is about; refused;
- what only tells how the same pixels are encoded (bits, colour space, planes, loss) follows the bytes; the value that
  stood there is kept in the Original Attributes Sequence.
"""

from __future__ import annotations

from typing import Any, Final

from dicomgate.composition.content import PixelData, Unfit
from dicomgate.dicom import picture, syntaxes
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.outcomes import Reason
from dicomgate.dicom.picture import Picture

ROWS, COLUMNS, SAMPLES, FRAMES = "00280010", "00280011", "00280002", "00280008"
PHOTOMETRIC, PLANES = "00280004", "00280006"
BITS_ALLOCATED, BITS_STORED, HIGH_BIT, SIGN = "00280100", "00280101", "00280102", "00280103"
LOSSY = "00282110"

_SHAPE: Final = frozenset({ROWS, COLUMNS, SAMPLES, FRAMES})
_GREY: Final = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"})
_HALF_COLOUR: Final = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})
_NAMES: Final = {ROWS: "Rows", COLUMNS: "Columns", SAMPLES: "Samples per Pixel", FRAMES: "Number of Frames"}


def describe(attributes: JSONDataset, pixels: PixelData) -> JSONDataset:
    """Complete the attributes by what the pixels say. The elements that were corrected, as they stood before.

    Unfit when the pixels are not those that the attributes are about.
    """
    if pixels.picture is None:
        if pixels.native is not None:
            _check_length(attributes, pixels.native.size)
        else:
            _count_frames(attributes, pixels)
        return {}
    wrong = set(picture.contradictions(attributes, pixels.picture))
    if wrong & _SHAPE:
        names = ", ".join(_NAMES[tag] for tag in sorted(wrong & _SHAPE))
        raise Unfit(Reason.DOES_NOT_MATCH_CLASS, f"{names}: the metadata says otherwise than the pixel data")
    wrong |= _impossible(attributes, pixels.picture, is_decoded=pixels.native is not None)
    if wrong & {BITS_ALLOCATED, BITS_STORED}:
        wrong |= {BITS_ALLOCATED, BITS_STORED, HIGH_BIT}
    replaced = {}
    for tag, element in pixels.derived.items():
        given = attributes.get(tag)
        if given is None or "Value" not in given:
            attributes[tag] = element
        elif tag in wrong and given["Value"] != element["Value"]:
            replaced[tag] = given
            attributes[tag] = element
    return replaced


def _impossible(attributes: JSONDataset, seen: Picture, *, is_decoded: bool) -> set[str]:
    """What cannot be so with these bytes, beside the contradictions of size."""
    wrong = set()
    photometric = _first(attributes, PHOTOMETRIC)
    if isinstance(photometric, str) and (photometric in _GREY) != (seen.samples == 1):
        wrong.add(PHOTOMETRIC)
    if seen.is_lossy and _first(attributes, LOSSY) not in (None, "01"):
        wrong.add(LOSSY)
    if is_decoded:  # the bytes were made here, so all is known of them
        wrong |= {PLANES, SIGN}
        if seen.samples > 1 or photometric == "PALETTE COLOR":
            wrong.add(PHOTOMETRIC)
        if number(attributes, BITS_ALLOCATED, seen.bits) != seen.bits:
            wrong.add(BITS_ALLOCATED)
    return wrong


def _check_length(attributes: JSONDataset, size: int) -> None:
    """Native pixels say nothing of themselves: the metadata must, and they must be enough of them (PS3.5 §8.1)."""
    if any(number(attributes, tag) < 1 for tag in (ROWS, COLUMNS, BITS_ALLOCATED)):
        raise Unfit(Reason.DOES_NOT_MATCH_CLASS, "uncompressed pixel data needs Rows, Columns and Bits Allocated")
    if any(number(attributes, tag, 1) < 1 for tag in (SAMPLES, FRAMES)):
        raise Unfit(Reason.DOES_NOT_MATCH_CLASS, "Samples per Pixel, Number of Frames: expected at least one")
    samples = number(attributes, SAMPLES, 1)
    if samples == 3 and _first(attributes, PHOTOMETRIC) in _HALF_COLOUR:
        samples = 2
    bits = samples * number(attributes, FRAMES, 1)
    for tag in (ROWS, COLUMNS, BITS_ALLOCATED):
        bits *= number(attributes, tag)
    if -(-bits // 8) > size:
        raise Unfit(
            Reason.DOES_NOT_MATCH_CLASS, f"{size} bytes of pixel data where the metadata tells of {-(-bits // 8)}"
        )


def _count_frames(attributes: JSONDataset, pixels: PixelData) -> None:
    """Frames that were not read: one part each, and as many as are told; of a video the one stream holds them all."""
    count = len(pixels.frames)
    syntax = syntaxes.find(pixels.transfer_syntax)
    if syntax is not None and syntax.is_video:
        return
    if number(attributes, FRAMES, count) != count:
        raise Unfit(Reason.DOES_NOT_MATCH_CLASS, f"{_NAMES[FRAMES]}: {count} came, the metadata says otherwise")
    if count > 1:
        attributes[FRAMES] = {"vr": "IS", "Value": [count]}


def _first(attributes: JSONDataset, tag: str) -> Any:
    return (attributes.get(tag, {}).get("Value") or [None])[0]


def number(attributes: JSONDataset, tag: str, default: int = 0) -> int:
    """The attribute as a number; the default where it says nothing, 0 where it says something else."""
    value = _first(attributes, tag)
    try:
        return default if value is None else int(value)
    except (TypeError, ValueError, OverflowError):
        return 0
