"""Objects with many frames as classic images with one: from any maker, converted or acquired so (PS3.4 C.3.5, LC-30).

Who wants the files back that an object was made of asks `restoring` first. What is made here says the same, but need
not be spelled alike.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from dicomgate import errors
from dicomgate.dicom import encode, part10, syntaxes, uids, values
from dicomgate.dicom.frames import FragmentFrames, Kind, NativeFrames
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.source import Source
from dicomgate.multiframe import classes, classic, enhanced, flattening, identity, references
from dicomgate.multiframe.classic import Classic, Element
from dicomgate.multiframe.references import Images, Now, Renaming

MOST: Final = 100_000
"""Frames that an object may have."""


class Naming(enum.Enum):
    """Which UIDs the images get."""

    SOURCES = "those of the images that the object was made of, where it names them and their series"
    NEW = "new ones"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One classic image, made without being written. `frame`: its number in the object, from 1."""

    of: Classic
    frame: int
    attributes: JSONDataset
    transfer_syntax: str

    @property
    def instance(self) -> str:
        """SOP Instance UID."""
        return classic.text(self.attributes, "00080018")

    @property
    def series(self) -> str:
        """Series Instance UID."""
        return classic.text(self.attributes, "0020000E")


def frame_count(source: Classic) -> int:
    """How many frames an object has. Malformed when frames, groups and what it says of their number disagree."""
    if classes.find_enhanced(source.sop_class) is None:
        raise errors.NotAcceptable("no CT, MR or PET image with many frames")
    groups = len(classic.items(source.attributes, classes.PER_FRAME))
    said = classic.number(source.attributes, "00280008")
    if not groups or groups > MOST or said != groups:
        raise errors.Malformed(f"{groups} items of per-frame functional groups where {said or 0:g} frames are said")
    match source.frames:
        case NativeFrames() | FragmentFrames(kind=Kind.FRAGMENTS) if source.frames.count == groups:
            return groups
        case None if source.content is None:
            return groups
    raise errors.Malformed(f"the pixel data has not the {groups} frames that there are groups for")


def split(
    source: Classic,
    naming: Naming,
    *,
    renaming: Renaming | None = None,
    first: int = 1,
    salt: str = "",
) -> Iterator[Image]:
    """The images, in the order of the frames. `first`: the number of the first one, where others come before it.

    Malformed as `frame_count`, NotAcceptable for an object of another kind.
    """
    count = frame_count(source)
    whole = references.update(source.attributes, renaming or {})
    kind = classes.find_enhanced(source.sop_class)
    assert kind is not None, "frame_count has looked"
    parts = flattening.take_apart(whole, kind)
    names = _Names(naming, _series_of_sources(whole), first, salt)
    own = {enhanced.EQUIPMENT: _equipment(whole)}
    for frame in range(1, count + 1):
        yield _image(source, parts, frame, names, own)


def renaming(source: Classic, naming: Naming, *, first: int = 1, salt: str = "") -> Images:
    """What each frame of an object becomes, without being made. Faults as of `split`."""
    count = frame_count(source)
    kind = classes.find_enhanced(source.sop_class)
    assert kind is not None, "frame_count has looked"
    names = _Names(naming, _series_of_sources(source.attributes), first, salt)
    frames = classic.items(source.attributes, classes.PER_FRAME)
    return tuple(
        Now(study=source.text("0020000D"), series=series, instance=instance, sop_class=kind.classic)
        for number in range(1, count + 1)
        for series, instance in [names.choose(source, _origin_of(frames[number - 1]), number)]
    )


def _origin_of(frame: JSONDataset) -> str:
    """The image that a frame was made of, where it says."""
    return classic.text(next(iter(classic.items(frame, classes.CONVERSION_SOURCE)), {}), "00081155")


@dataclass(frozen=True, slots=True)
class _Names:
    naming: Naming
    series: dict[str, str]
    first: int
    salt: str

    def choose(self, source: Classic, origin: str, frame: int) -> tuple[str, str]:
        """Series and instance."""
        if self.naming is Naming.SOURCES and uids.is_uid(origin) and origin in self.series:
            return self.series[origin], origin
        return (
            identity.derive("series of classic", [source.series], salt=self.salt),
            identity.derive("classic", [source.instance, str(frame)], salt=self.salt),
        )


def _series_of_sources(whole: JSONDataset) -> dict[str, str]:
    """In which series each source of the object was, as its Common Instance Reference tells."""
    found: dict[str, str] = {}
    studies = [whole, *classic.items(whole, "00081200")]
    for study in studies:
        for series in classic.items(study, "00081115"):
            uid = classic.text(series, "0020000E")
            found |= {classic.text(item, "00081155"): uid for item in classic.items(series, "0008114A")}
    return found


def _image(source: Classic, parts: flattening.Parts, frame: int, names: _Names, own: JSONDataset) -> Image:
    series, instance = names.choose(source, _origin_of(parts.frames[frame - 1]), frame)
    found = flattening.flatten(parts, frame) | own
    found |= {
        "00080016": _uid(parts.kind.classic),
        "00080018": _uid(instance),
        "0020000E": _uid(series),
        classes.CONVERSION_SOURCE: {"vr": "SQ", "Value": [_origin(source, frame)]},
    }
    if classic.is_empty(found.get("00200052")):
        found["00200052"] = _uid(identity.derive("frame of reference", [source.series], salt=names.salt))
    found.setdefault("00200013", {"vr": "IS", "Value": [names.first + frame - 1]})
    found["7FE00010"] = {"vr": pixel_vr(found), "BulkDataURI": enhanced.FRAMES_URI}
    return Image(
        of=source,
        frame=frame,
        attributes={tag: found[tag] for tag in sorted(found)},
        transfer_syntax=source.transfer_syntax if _is_compressed(source) else syntaxes.EXPLICIT_LITTLE,
    )


def _origin(source: Classic, frame: int) -> JSONDataset:
    return {
        "00081150": _uid(source.sop_class),
        "00081155": _uid(source.instance),
        "00081160": {"vr": "IS", "Value": [frame]},
    }


def _equipment(whole: JSONDataset) -> Element:
    return {"vr": "SQ", "Value": enhanced.equipment([whole], enhanced.FROM_ENHANCED)}


def _uid(uid: str) -> Element:
    return {"vr": "UI", "Value": [uid]}


def pixel_vr(dataset: JSONDataset) -> str:
    """The VR of native pixel data, and of compressed (PS3.5 §A.4)."""
    return "OB" if (classic.number(dataset, "00280100") or 16) <= 8 else "OW"


def _is_compressed(source: Classic) -> bool:
    return isinstance(source.frames, FragmentFrames)


# Bytes.


def write(image: Image) -> Iterator[bytes]:
    """The image as a file. Malformed for what cannot be written or is not there; OSError as the source's bytes."""
    yield part10.write_beginning(
        sop_class=classic.text(image.attributes, "00080016"),
        instance=image.instance,
        transfer_syntax=image.transfer_syntax,
    )
    with image.of.opened() as (_, dataset):
        yield from encode.write_dataset(image.attributes, partial(_find_bulk, image, dataset))


def _find_bulk(
    image: Image, dataset: Source, path: str, element: Element
) -> encode.BulkValue | encode.Frames | encode.Encapsulated:
    uri = element["BulkDataURI"]
    if uri == enhanced.FRAMES_URI and path == encode.PIXEL_DATA:
        frame = read_frame(image.of, dataset, image.frame)
        if _is_compressed(image.of):
            return encode.Frames([len(frame)], [[frame]])
        return encode.BulkValue(len(frame), [frame])
    place = image.of.places.get(uri)
    return encode.no_bulk(path, element) if place is None else classic.value(place, dataset)


def read_frame(source: Classic, dataset: Source, number: int) -> bytes:
    """One frame's samples, little endian, or its codestream. Malformed when the bytes are not there."""
    match source.frames:
        case NativeFrames():
            place = source.frames.find(number)
            if place is not None and place[1] == 0 and place[2] % 8 == 0:
                return values.swap(dataset.read_at(place[0].start, len(place[0])), source.frames.swap_word)
        case FragmentFrames():
            spans = source.frames.find(number)
            if spans is not None:
                return b"".join(dataset.read_at(span.start, len(span)) for span in spans)
    raise errors.Malformed(f"frame {number} cannot be found in the pixel data")


# Concatenations.


def in_order(parts: Iterable[Classic]) -> list[tuple[Classic, int]]:
    """Objects with the number of each one's first frame: those of a concatenation count on (C.7.6.16.2.2.4).

    Conflict when a concatenation is not whole: what is missing, or comes twice.
    """
    found: dict[str, list[Classic]] = {}
    for part in parts:
        found.setdefault(part.text("00209161") or part.instance, []).append(part)
    return [one for group in found.values() for one in _counted(group)]


def _counted(group: list[Classic]) -> list[tuple[Classic, int]]:
    if not group[0].text("00209161"):
        return [(part, 1) for part in group]
    numbers = [int(classic.number(part.attributes, "00209162") or 0) for part in group]
    total = max(int(classic.number(part.attributes, "00209163") or 0) for part in group) or max(numbers)
    if sorted(numbers) != list(range(1, total + 1)):
        raise errors.Conflict(f"{len(group)} parts of a concatenation of {total}: it is not whole")
    first, counted = 1, []
    for _, part in sorted(zip(numbers, group, strict=True), key=lambda pair: pair[0]):
        counted.append((part, first))
        first += frame_count(part)
    return counted
