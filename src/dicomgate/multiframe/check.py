"""Whether a converted object is as PS3.4 C.3.5 and PS3.3 A.70 to A.72 want it: what general checkers do not look at.

Each finding names the rule that is broken, as the tests of this room number them, and its clause. With the sources at
hand it is also seen whether anything of them was lost.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dicomgate.dicom import attributes as dictionary
from dicomgate.dicom import elements, geometry, planes
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.multiframe import anatomy, classes, classic, enhanced, groups, references, unassigned
from dicomgate.multiframe.classes import Kind, tags


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that an object breaks. `detail` names attributes and frames, never values."""

    rule: str
    clause: str
    detail: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """The object that is looked at, its parts, and what it was made of."""

    top: JSONDataset
    kind: Kind
    shared: JSONDataset
    frames: list[JSONDataset]
    sources: Sequence[JSONDataset]

    def item(self, frame: JSONDataset, group: str) -> JSONDataset:
        """The item of a group of a frame, its own or shared."""
        own = frame if group in frame else self.shared
        return next(iter(classic.items(own, group)), {})


_Rule = Callable[[_Seen], Iterator[str]]


def check(dataset: JSONDataset, sources: Sequence[JSONDataset] = ()) -> list[Finding]:
    """What is wrong with an object. `sources`: the data sets it was made of, one for each frame, in that order."""
    kind = classes.find_enhanced(classic.text(dataset, "00080016"))
    if kind is None or classic.text(dataset, "00080060") != kind.modality:
        return [Finding("LC-10", "PS3.4 C.3.5", "class and modality are not those of an enhanced CT, MR or PET")]
    shared = next(iter(classic.items(dataset, classes.SHARED)), {})
    seen = _Seen(dataset, kind, shared, classic.items(dataset, classes.PER_FRAME), sources)
    return [Finding(rule, clause, detail) for rule, clause, find in _RULES for detail in find(seen)]


# The object among others.


def _new_instance(seen: _Seen) -> Iterator[str]:
    top = seen.top
    for source in seen.sources:
        for tag in ("00080018", "0020000E"):
            old, new = classic.text(source, tag), classic.text(top, tag)
            if new == old or new.startswith(f"{old}."):
                yield f"{tag} is that of a source, or made of it"
        for tag in ("0020000D", "00200052", "00100020", "00100010"):
            if not classic.is_empty(source.get(tag)) and source[tag] != top.get(tag):
                yield f"{tag} is not that of the sources"


def _series_date(seen: _Seen) -> Iterator[str]:
    moment = enhanced.earliest(seen.sources, "00080021", "00080031")
    if moment is not None and (classic.text(seen.top, "00080021"), classic.text(seen.top, "00080031")) != moment:
        yield "Series Date and Time are not the earliest of the sources"


def _requests(seen: _Seen) -> Iterator[str]:
    kept = classic.items(seen.top, "00400275")
    if any(item not in kept for source in seen.sources for item in classic.items(source, "00400275")):
        yield "items of Request Attributes Sequence are missing"


def _equipment(seen: _Seen) -> Iterator[str]:
    last = next(iter(classic.items(seen.top, enhanced.EQUIPMENT)[-1:]), {})
    purpose = next(iter(classic.items(last, "0040A170")), {})
    if (classic.text(purpose, "00080100"), classic.text(purpose, "00080102")) != enhanced.PURPOSE[:2]:
        yield "the last contribution is not that of conversion equipment"
    elif classic.text(last, "0018A003") != enhanced.FROM_CLASSIC:
        yield "the Contribution Description is another than the standard's"


def _forbidden(seen: _Seen) -> Iterator[str]:
    for tag in classes.FORBIDDEN_AT_TOP & seen.top.keys():
        yield f"{dictionary.find_keyword(tag)} may not be there"


def _overlays(seen: _Seen) -> Iterator[str]:
    every = [seen.top, *_unassigned(seen)]
    if any(classes.is_overlay(tag) or classes.is_curve(tag) for dataset in every for tag in dataset):
        yield "there are overlay planes or curves"
    if any("00700001" in dataset for dataset in every):
        yield "there are graphic annotations"
    if seen.sources and not classic.items(seen.top, "00089237"):
        found = (classes.is_overlay(tag) and tag.endswith("3000") for source in seen.sources for tag in source)
        if any(found):
            yield "overlays of the sources have become no presentation states"


def _unassigned(seen: _Seen) -> list[JSONDataset]:
    own = (item for frame in seen.frames for item in classic.items(frame, classes.UNASSIGNED_PER_FRAME))
    return [*classic.items(seen.shared, classes.UNASSIGNED_SHARED), *own]


# The top of the data set.

TYPE_1: Final = tags(
    "SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID Modality FrameOfReferenceUID Rows Columns "
    "SamplesPerPixel PhotometricInterpretation BitsAllocated BitsStored HighBit PixelRepresentation ImageType "
    "PixelPresentation VolumetricProperties VolumeBasedCalculationTechnique InstanceNumber ContentDate ContentTime "
    "NumberOfFrames"
)
TYPE_2: Final = tags(
    "PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime AccessionNumber ReferringPhysicianName "
    "StudyID SeriesNumber Manufacturer PositionReferenceIndicator AcquisitionContextSequence"
)


def _modules(seen: _Seen) -> Iterator[str]:
    for tag in sorted(TYPE_1):
        if classic.is_empty(seen.top.get(tag)):
            yield f"{dictionary.find_keyword(tag)} has no value"
    for tag in sorted(TYPE_2 - seen.top.keys()):
        yield f"{dictionary.find_keyword(tag)} is not there"
    if seen.kind is not classes.MR and classic.text(seen.top, "20500020") != "IDENTITY":
        yield "Presentation LUT Shape is not IDENTITY"
    if seen.kind is classes.PET and not classic.text(seen.top, "00189004"):
        yield "Content Qualification has no value"


def _pixels(seen: _Seen) -> Iterator[str]:
    allocated, stored, high = (classic.number(seen.top, tag) or 0 for tag in ("00280100", "00280101", "00280102"))
    if classic.number(seen.top, "00280002") != 1 or classic.text(seen.top, "00280004") != "MONOCHROME2":
        yield "samples are not grey, or not MONOCHROME2"
    if allocated not in seen.kind.allocated or stored not in seen.kind.stored or high != stored - 1:
        yield f"{stored:g} bits stored of {allocated:g} allocated are not allowed"


def _image_type(seen: _Seen) -> Iterator[str]:
    yield from _typed(seen.top, "00080008", is_frame=False)
    for frame in seen.frames:
        yield from _typed(seen.item(frame, seen.kind.frame_type), "00089007", is_frame=True)


def _typed(dataset: JSONDataset, tag: str, *, is_frame: bool) -> Iterator[str]:
    name = dictionary.find_keyword(tag)
    values = [str(value or "") for value in classic.values(dataset, tag)]
    if len(values) != 4:
        yield f"{name} has {len(values)} values"
        return
    allowed = {"ORIGINAL", "DERIVED"} if is_frame else {"ORIGINAL", "DERIVED", "MIXED"}
    if values[0] not in allowed or values[1] != "PRIMARY":
        yield f"{name}: the first two values are not allowed"
    if values[2] == "MIXED" or (not values[2] and not is_frame):
        yield f"{name}: the third value says nothing"
    if values[0] == "ORIGINAL" and values[3] != "NONE":
        yield f"{name}: what is original has no derived contrast"
    technique = classic.text(dataset, "00089207")
    if not technique or (values[0] == "ORIGINAL" and technique != "NONE"):
        yield f"{name} does not agree with Volume Based Calculation Technique"
    if not classic.text(dataset, "00089205") or not classic.text(dataset, "00089206"):
        yield f"{name} stands without Pixel Presentation or Volumetric Properties"


# Functional groups.

_NEEDED: Final = {
    classes.FRAME_CONTENT: frozenset(),
    classes.PIXEL_MEASURES: tags("PixelSpacing"),
    classes.PLANE_POSITION: tags("ImagePositionPatient"),
    classes.PLANE_ORIENTATION: tags("ImageOrientationPatient"),
    classes.FRAME_VOI: tags("WindowCenter WindowWidth"),
    classes.PIXEL_VALUES: tags("RescaleIntercept RescaleSlope RescaleType"),
    classes.FRAME_ANATOMY: tags("AnatomicRegionSequence FrameLaterality"),
    classes.IRRADIATION_EVENT: tags("IrradiationEventUID"),
}
_OF_EACH: Final = frozenset({classes.FRAME_CONTENT, classes.UNASSIGNED_PER_FRAME, classes.CONVERSION_SOURCE})
_SEVERAL: Final = frozenset({classes.REFERENCED_IMAGE, classes.DERIVATION_IMAGE, classes.REAL_WORLD_VALUES})
_MAY_LACK: Final = frozenset({classes.UNASSIGNED_PER_FRAME})


def _groups(seen: _Seen) -> Iterator[str]:
    for name in sorted(groups.kinds_of_group(seen.kind)):
        if name not in seen.shared and not all(name in frame for frame in seen.frames):
            yield f"{dictionary.find_keyword(name)} is not in every frame"
    for frame in seen.frames:
        for name in sorted(frame.keys() & seen.shared.keys()):
            yield f"{dictionary.find_keyword(name)} is both shared and of a frame"
    for name in sorted(_OF_EACH & seen.shared.keys()):
        yield f"{dictionary.find_keyword(name)} is shared"
    if any(classes.UNASSIGNED_SHARED in frame for frame in seen.frames):
        yield "Unassigned Shared Converted Attributes are of a frame"
    counts = Counter(name for frame in seen.frames for name in frame)
    for name, count in counts.items():
        if count != len(seen.frames) and name not in _MAY_LACK:
            yield f"{dictionary.find_keyword(name)} is in {count} of {len(seen.frames)} frames"
    yield from _contents(seen)


def _contents(seen: _Seen) -> Iterator[str]:
    for where in (seen.shared, *seen.frames):
        for name in where:
            items = classic.items(where, name)
            if len(items) != 1 and name not in _SEVERAL:
                yield f"{dictionary.find_keyword(name)} has {len(items)} items"
            for tag in _NEEDED.get(name, frozenset()):
                if any(classic.is_empty(item.get(tag)) for item in items):
                    yield f"{dictionary.find_keyword(name)} lacks {dictionary.find_keyword(tag)}"


def _conditional_groups(seen: _Seen) -> Iterator[str]:
    """What must be there because a source has it (A.70.4)."""
    wanted = {
        classes.REFERENCED_IMAGE: any(classic.items(source, classes.REFERENCED_IMAGE) for source in seen.sources),
        classes.DERIVATION_IMAGE: any(classic.items(source, "00082112") for source in seen.sources),
        classes.FRAME_ANATOMY: any(_says_anatomy(source) for source in seen.sources),
        classes.IRRADIATION_EVENT: seen.kind is not classes.MR
        and any(classic.text(source, "00083010") for source in seen.sources),
    }
    for name, is_wanted in wanted.items():
        if is_wanted and name not in seen.shared and not all(name in frame for frame in seen.frames):
            yield f"{dictionary.find_keyword(name)} is not there, though a source has what it tells"


def _says_anatomy(source: JSONDataset) -> bool:
    return bool(classic.items(source, "00082218") or anatomy.find(classic.text(source, "00180015")))


def _frame_count(seen: _Seen) -> Iterator[str]:
    if not seen.frames or classic.number(seen.top, "00280008") != len(seen.frames):
        yield "Number of Frames is not that of the items of the Per-Frame Functional Groups"


def _origins(seen: _Seen) -> Iterator[str]:
    told = []
    for number, frame in enumerate(seen.frames, 1):
        items = classic.items(frame, classes.CONVERSION_SOURCE)
        if len(items) != 1 or not all(classic.text(item, tag) for item in items for tag in ("00081150", "00081155")):
            yield f"frame {number} does not name its one source"
            continue
        told.append((classic.text(items[0], "00081155"), classic.numbers(items[0], "00081160")))
    if len(set(told)) != len(told):
        yield "two frames name the same source"
    if seen.sources and [one for one, _ in told] != [classic.text(source, "00080018") for source in seen.sources]:
        yield "the sources that frames name are not those they were made of"


def _private(seen: _Seen) -> Iterator[str]:
    """Creators go along; what had none in its source has none here."""
    orphans = {
        tag[:4] for source in seen.sources for tag in source if (dictionary.find_creator(tag) or tag) not in source
    }
    for item in _unassigned(seen):
        for tag in item:
            creator = dictionary.find_creator(tag)
            if creator is not None and creator not in item and tag[:4] not in orphans:
                yield f"a private attribute of group {tag[:4]} stands without its creator"


# Dimensions.


def _dimensions(seen: _Seen) -> Iterator[str]:
    pointers = classic.items(seen.top, "00209222")
    if not pointers:
        return
    organizations = {classic.text(item, "00209164") for item in classic.items(seen.top, "00209221")}
    if any(classic.text(item, "00209164") not in organizations for item in pointers):
        yield "a dimension is of no organization that the object names"
    contents = [next(iter(classic.items(frame, classes.FRAME_CONTENT)), {}) for frame in seen.frames]
    indices = [classic.numbers(content, "00209157") for content in contents]
    if any(len(index) != len(pointers) or min(index, default=0) < 1 for index in indices):
        yield "a frame has not one index for each dimension, from 1"
    if len(set(indices)) != len(indices):
        yield "two frames have the same dimension index values"
    yield from _stacks(seen, contents)


def _stacks(seen: _Seen, contents: Sequence[JSONDataset]) -> Iterator[str]:
    where: dict[tuple[str, tuple[float, ...]], tuple[Any, ...]] = {}
    for frame, content in zip(seen.frames, contents, strict=True):
        key = (classic.text(content, "00209056"), classic.numbers(content, "00209057"))
        place = (
            classic.numbers(seen.item(frame, classes.PLANE_POSITION), "00200032"),
            classic.numbers(seen.item(frame, classes.PLANE_ORIENTATION), "00200037"),
            classic.numbers(seen.item(frame, classes.PIXEL_MEASURES), "00180050"),
        )
        if not _is_near(where.setdefault(key, place), place):
            yield "two frames at one position of a stack lie at different places"
    if classic.text(seen.top, "00209311") in {"3D", "3D_TEMPORAL"} and not _is_regular(seen.top):
        yield "a volume is claimed whose slices are not evenly spaced"


def _is_near(left: tuple[Any, ...], right: tuple[Any, ...]) -> bool:
    pairs = zip(left[0], right[0], strict=False)
    is_as_thick = len(left[2]) == len(right[2]) and all(map(math.isclose, left[2], right[2]))
    return is_as_thick and len(left[0]) == len(right[0]) and all(abs(a - b) <= 1 for a, b in pairs)


def _is_regular(top: JSONDataset) -> bool:
    stacks = geometry.find_stacks(planes.find_planes(top))
    allowed = {"several slices at one position", "tilted"}
    return len(stacks) == 1 and set(stacks[0].irregularities) <= allowed


# References, and what was in the sources.


def _instance_references(seen: _Seen) -> Iterator[str]:
    studies = [seen.top, *classic.items(seen.top, "00081200")]
    series = [one for study in studies for one in classic.items(study, "00081115")]
    if not series:
        return
    told = {classic.text(item, "00081155") for one in series for item in classic.items(one, "0008114A")}
    named = {instance for frame in seen.frames for instance in _named(frame)} | set(_named(seen.shared))
    if not named <= told:
        yield "not all instances that the frames name are in the Common Instance Reference"


def _named(frame: JSONDataset) -> Iterator[str]:
    for name in (classes.CONVERSION_SOURCE, classes.REFERENCED_IMAGE):
        yield from (classic.text(item, "00081155") for item in classic.items(frame, name))
    derived = {tag: element for tag, element in frame.items() if tag == classes.DERIVATION_IMAGE}
    yield from (instance for instance, _ in references.found(derived))


def _nothing_lost(seen: _Seen) -> Iterator[str]:
    for number, (source, frame) in enumerate(zip(seen.sources, seen.frames, strict=False), 1):
        for tag in missing(seen.top, frame, source):
            name = "private attribute" if dictionary.is_private(tag) else dictionary.find_keyword(tag) or tag
            yield f"{name} of the source of frame {number} is nowhere"


def missing(top: JSONDataset, frame: JSONDataset, source: JSONDataset) -> list[str]:
    """The attributes of a source that cannot be found in an object, with their values, for its frame."""
    shared = next(iter(classic.items(top, classes.SHARED)), {})
    items = [top, *_laid_out(shared), *_laid_out(frame)]
    lost = []
    for tag, element in source.items():
        if classic.is_empty(element) or not unassigned.may_stay(tag) or tag == "00080005":
            continue
        creator_tag = dictionary.find_creator(tag)
        creator = next(iter(elements.texts(source.get(creator_tag or "", {}))), None)
        found = (one for item in items for one in elements.find(item, tag, creator if creator_tag else None))
        if not dictionary.is_private_creator(tag) and not any(_is_same(one, element) for one in found):
            lost.append(tag)
    return lost


def _is_same(one: dict[str, Any], element: dict[str, Any]) -> bool:
    """Alike as far as a decimal string of 16 characters tells; references may have followed their targets."""
    if one == element:
        return True
    if element.get("vr") == "DS" == one.get("vr"):
        return _is_near_number(one.get("Value") or [], element.get("Value") or [])
    return element.get("vr") == "SQ" and any(references.found({"": element})) and one.get("vr") == "SQ"


def _is_near_number(left: list[Any], right: list[Any]) -> bool:
    pairs = list(zip(left, right, strict=False))
    if len(left) != len(right) or not all(isinstance(one, int | float) for pair in pairs for one in pair):
        return False
    return all(math.isclose(a, b, rel_tol=1e-9) for a, b in pairs)


def _laid_out(held: JSONDataset) -> Iterator[JSONDataset]:
    yield held
    for name in held:
        yield from classic.items(held, name)


_RULES: Final[tuple[tuple[str, str, _Rule], ...]] = (
    ("LC-01", "PS3.4 C.3.5", _new_instance),
    ("LC-03", "PS3.4 C.3.5", _series_date),
    ("LC-04", "PS3.4 C.3.5", _requests),
    ("LC-05", "PS3.4 C.3.5", _equipment),
    ("LC-08", "PS3.3 A.70.3.1", _forbidden),
    ("LC-12", "PS3.3 A.70.3", _modules),
    ("LC-13", "PS3.3 A.70.4", _groups),
    ("LC-14", "PS3.3 A.70.4", _conditional_groups),
    ("LC-15", "PS3.3 C.7.6.16.2.25", _nothing_lost),
    ("LC-15", "PS3.3 C.7.6.16.2.25", _private),
    ("LC-17", "PS3.3 C.7.6.16.2.25.3", _origins),
    ("LC-18", "PS3.3 A.70.3.1", _overlays),
    ("LC-19", "PS3.3 C.8.15.2", _pixels),
    ("LC-20", "PS3.3 C.8.16", _image_type),
    ("LC-22", "PS3.3 C.7.6.16", _frame_count),
    ("LC-23", "PS3.3 C.7.6.17", _dimensions),
    ("LC-24", "PS3.3 C.12.2", _instance_references),
)
