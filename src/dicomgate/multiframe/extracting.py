"""Some frames of an object with many as an object of their own (PS3.4 §Y.3.3, PS3.3 C.12.3, LC-35)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from dicomgate import errors
from dicomgate.dicom import encode, part10, syntaxes
from dicomgate.dicom.encode import BulkValue, Encapsulated, Frames
from dicomgate.dicom.frames import FragmentFrames
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.source import Source
from dicomgate.multiframe import anatomy, classes, classic, enhanced, identity, remainder, splitting
from dicomgate.multiframe.classes import tag, tags
from dicomgate.multiframe.classic import Classic, Element

_EXTRACTION, _SOURCE, _LIST = (
    tag("FrameExtractionSequence"),
    tag("MultiFrameSourceSOPInstanceUID"),
    tag("SimpleFrameList"),
)
_PURPOSE: Final = ("109105", "DCM", "Frame Extracting Equipment")
_CONTRIBUTION: Final = "Frames extracted from an Image with many"
_OF_THE_WHOLE: Final = tags(
    "ConcatenationUID SOPInstanceUIDOfConcatenationSource InConcatenationNumber InConcatenationTotalNumber "
    "ConcatenationFrameOffsetNumber RepresentativeFrameNumber FrameNumbersOfInterest FrameOfInterestDescription "
    "FrameOfInterestType InstanceCreationDate InstanceCreationTime"
)
"""What is true of all frames together, or names frames by numbers that they have no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """The object, without being written. `frames`: their numbers in the one that they are of."""

    of: Classic
    frames: tuple[int, ...]
    attributes: JSONDataset

    @property
    def instance(self) -> str:
        """SOP Instance UID: always the same for the same frames of the same object."""
        return classic.text(self.attributes, "00080018")

    @property
    def transfer_syntax(self) -> str:
        """That of compressed frames, which are copied as they are."""
        return self.of.transfer_syntax if _is_compressed(self.of) else syntaxes.EXPLICIT_LITTLE


def extract(source: Classic, frames: Sequence[int], *, salt: str = "") -> Extracted:
    """An object of the same class and series with these frames, from 1, in their order.

    Malformed for numbers that do not rise (§Y.3.2), or of which the object has no frame, and for an object whose frames
    cannot be told apart; NotAcceptable for one of another kind.
    """
    count = splitting.frame_count(source)
    if not frames or any(after <= before for before, after in zip((0, *frames), frames, strict=False)):
        raise errors.Malformed("expected numbers of frames, from 1, each greater than the one before")
    if frames[-1] > count:
        raise errors.Malformed(f"frame {frames[-1]} of an object with {count}")
    return Extracted(of=source, frames=tuple(frames), attributes=_attributes(source, frames, salt))


def _attributes(source: Classic, frames: Sequence[int], salt: str) -> JSONDataset:
    whole = source.attributes
    kept = {
        name: element for name, element in whole.items() if name not in _OF_THE_WHOLE and not _is_record(whole, name)
    }
    groups = classic.items(whole, classes.PER_FRAME)
    instance = identity.derive("extracted", [source.instance, *map(str, frames)], salt=salt)
    item: JSONDataset = {
        _LIST: {"vr": "UL", "Value": list(frames)},
        _SOURCE: {"vr": "UI", "Value": [source.instance]},
    }
    kept |= {
        "00080018": {"vr": "UI", "Value": [instance]},
        "00280008": {"vr": "IS", "Value": [len(frames)]},
        _EXTRACTION: {"vr": "SQ", "Value": [*classic.items(whole, _EXTRACTION), item]},
        enhanced.EQUIPMENT: {"vr": "SQ", "Value": [*classic.items(whole, enhanced.EQUIPMENT), _equipment()]},
        classes.PER_FRAME: {"vr": "SQ", "Value": [groups[number - 1] for number in frames]},
        "7FE00010": {"vr": splitting.pixel_vr(whole), "BulkDataURI": enhanced.FRAMES_URI},
    }
    return {name: kept[name] for name in sorted(kept)}


def _is_record(whole: JSONDataset, name: str) -> bool:
    """Whether an attribute belongs to the record of originals: it is about all frames."""
    return bool(remainder.find_blocks(whole)) and name.startswith(remainder.RESERVATION[:4])


def _equipment() -> JSONDataset:
    return {
        "00080070": {"vr": "LO", "Value": ["dicomgate"]},
        "0018A003": {"vr": "ST", "Value": [_CONTRIBUTION]},
        "0040A170": {"vr": "SQ", "Value": [anatomy.code_item(*_PURPOSE)]},
    }


def _is_compressed(source: Classic) -> bool:
    return isinstance(source.frames, FragmentFrames)


def write(extracted: Extracted) -> Iterator[bytes]:
    """The object as a file, frame by frame. Malformed for what is not there any more; OSError as the source's bytes."""
    yield part10.write_beginning(
        sop_class=classic.text(extracted.attributes, "00080016"),
        instance=extracted.instance,
        transfer_syntax=extracted.transfer_syntax,
    )
    with extracted.of.opened() as (_, dataset):
        yield from encode.write_dataset(extracted.attributes, partial(_find_bulk, extracted, dataset))


def _find_bulk(extracted: Extracted, dataset: Source, path: str, element: Element) -> BulkValue | Frames | Encapsulated:
    uri, source = element["BulkDataURI"], extracted.of
    if uri == enhanced.FRAMES_URI and path == encode.PIXEL_DATA:
        frames = (splitting.read_frame(source, dataset, number) for number in extracted.frames)
        if isinstance(source.frames, FragmentFrames):
            found = (source.frames.find(number) for number in extracted.frames)
            return Frames([sum(map(len, spans or ())) for spans in found], ((frame,) for frame in frames))
        return BulkValue(
            len(splitting.read_frame(source, dataset, extracted.frames[0])) * len(extracted.frames), frames
        )
    place = source.places.get(uri)
    return encode.no_bulk(path, element) if place is None else classic.value(place, dataset)
