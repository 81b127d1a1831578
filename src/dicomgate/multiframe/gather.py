"""Which images may share one object, in what order, and which are left over and why (PS3.4 C.3.5, LC-10, LC-11).

A function of data sets alone: no pixel is looked at, nothing depends on the order in which images are given.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dicomgate.dicom import geometry, moments, planes, syntaxes, uids
from dicomgate.dicom.frames import FragmentFrames, NativeFrames
from dicomgate.dicom.frames import Kind as Known
from dicomgate.dicom.geometry import Stack
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.multiframe import classes, classic, image_types
from dicomgate.multiframe.classes import Kind
from dicomgate.multiframe.classic import Classic

LARGEST: Final = 0xFFFFFFFE
"""Bytes of native pixel data in one object: its length has 32 bits."""
_ROUNDING: Final = 1e-9
"""What sums of floats may be off by, as a part of what was summed."""
_PIXELS_OF_KIND: Final = frozenset({"MONOCHROME1", "MONOCHROME2"})


class Reason(enum.StrEnum):
    """Why an image becomes no frame."""

    CLASS = "no CT, MR or PET image with one frame"
    IDENTITY = "study, series or instance UID is missing or malformed"
    TWICE = "an instance with this UID is there already"
    MODALITY = "its modality is not that of its class"
    FRAMES = "its pixel data is not exactly one frame"
    COLOUR = "it is not grey"
    BITS = "the class with many frames has no room for its bits"
    PLACE = "it does not say where in the patient it lies"


@dataclass(frozen=True, slots=True)
class Leftover:
    """An image that stays as it is."""

    source: Classic
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSet:
    """Images that become one object, in the order of its frames.

    `places` are their in-stack position numbers, `times` their temporal position indices, from 1. `is_turned`: place 1
    is the last of the stack, for the images are numbered against the normal of the slices. `is_regular`: the
    slices are evenly spaced on a straight line, every position as often as any other. `is_sound`: they are, or they are
    all at one place, and it is known how much room a slice takes: nothing speaks against taking each frame for a part
    of a volume. `criteria` says what they have in common, in words; `part` which part of a stack this is that is too
    large for one object.
    """

    kind: Kind
    sources: tuple[Classic, ...]
    stack: Stack
    places: tuple[int, ...]
    times: tuple[int, ...]
    is_regular: bool
    is_sound: bool
    criteria: dict[str, str]
    is_turned: bool = False
    part: int = 1

    @property
    def is_compressed(self) -> bool:
        """Frames are encapsulated."""
        return _is_compressed(self.sources[0])

    @property
    def distances(self) -> tuple[float, ...]:
        """Millimetres along the normal of each place, in the order of their numbers."""
        return self.stack.distances[::-1] if self.is_turned else self.stack.distances

    @property
    def has_times(self) -> bool:
        """Some position has several frames."""
        return self.times[-1] > 1  # frames are in the order of time; looking at all for each would be quadratic


@dataclass(frozen=True, slots=True)
class Gathering:
    """What becomes of a number of images."""

    sets: tuple[FrameSet, ...]
    leftovers: tuple[Leftover, ...]

    def explain(self) -> dict[str, Any]:
        """The same as plain data: what each object would hold, what kept its images apart from others, what is left."""
        differing = _differing(self.sets)
        return {
            "objects": [_explain(one, differing) for one in self.sets],
            "leftovers": [
                {"name": one.source.name, "SOPInstanceUID": one.source.instance, "reason": one.reason.value}
                for one in self.leftovers
            ],
        }


def gather(sources: Iterable[Classic]) -> Gathering:
    """Group images; those of one object are of one series."""
    leftovers: list[Leftover] = []
    groups: dict[tuple[tuple[str, str], ...], list[Classic]] = {}
    seen: set[str] = set()
    for source in sorted(sources, key=_in_time):
        kind = classes.find_classic(source.sop_class)
        reason = Reason.CLASS if kind is None else _find_reason(source, kind, seen)
        if kind is None or reason is not None:
            leftovers.append(Leftover(source, reason or Reason.CLASS))
            continue
        seen.add(source.instance)
        groups.setdefault(tuple(_criteria(source, kind).items()), []).append(source)
    sets = [one for key, group in groups.items() for part in _by_echo(group) for one in _stacked(dict(key), *part)]
    sets.sort(key=lambda one: (one.sources[0].series, min(map(_number, one.sources)), one.sources[0].instance))
    return Gathering(tuple(sets), tuple(leftovers))


# What stays.


def _find_reason(source: Classic, kind: Kind, seen: set[str]) -> Reason | None:
    if not all(uids.is_uid(source.text(tag)) for tag in ("0020000D", "0020000E", "00080018")):
        return Reason.IDENTITY
    if source.instance in seen:
        return Reason.TWICE
    if source.text("00080060") != kind.modality:
        return Reason.MODALITY
    if not _has_one_frame(source):
        return Reason.FRAMES
    if source.text("00280004") not in _PIXELS_OF_KIND or _whole(source, "00280002", 1) != 1:
        return Reason.COLOUR
    if not _has_room(source, kind):
        return Reason.BITS
    return None if planes.find_plane(source.attributes) is not None else Reason.PLACE


def _has_one_frame(source: Classic) -> bool:
    if _whole(source, "00280008", 1) > 1:
        return False
    match source.frames:
        case NativeFrames():
            return source.frames.count == 1
        case FragmentFrames():
            return source.frames.count == 1 and source.frames.kind is Known.FRAGMENTS
        case None:
            return source.content is None


def _has_room(source: Classic, kind: Kind) -> bool:
    allocated, stored, high = (_whole(source, tag, 0) for tag in ("00280100", "00280101", "00280102"))
    if not 1 <= stored <= high + 1 <= allocated or allocated not in {8, 16}:
        return False
    if not _is_compressed(source):
        return True  # what does not fit is brought into another form
    return allocated in kind.allocated and stored in kind.stored and high == stored - 1


def _whole(source: Classic, tag: str, default: int) -> int:
    found = classic.number(source.attributes, tag)
    return int(found) if found is not None else default


def _is_compressed(source: Classic) -> bool:
    syntax = syntaxes.find(source.transfer_syntax)
    return syntax is not None and syntax.is_encapsulated


# What belongs together.


def _criteria(source: Classic, kind: Kind) -> dict[str, str]:
    """What must be alike, in words that an explanation shows."""
    attributes = source.attributes
    found = {
        "patient": f"{source.text('00100020')} {classic.values(attributes, '00100010')}",
        "study": source.text("0020000D"),
        "series": source.series,
        "class": kind.name,
        "frame of reference": source.text("00200052"),
        "image type": "\\".join(image_types.parts(attributes)),
        "signed samples": "yes" if _whole(source, "00280103", 0) else "no",
        "compression": _compression(source),
        "pixel padding": "yes" if "00280120" in attributes else "no",
        "anatomy": "yes" if _says_anatomy(source) else "no",
        "irradiation event": "yes" if source.text("00083010") else "no",
        "presented inverted": "yes" if source.text("00280004") == "MONOCHROME1" else "no",
    }
    if kind is classes.CT:
        found["kernel"] = "\\".join(map(str, classic.values(attributes, "00181210")))
    return found


def _compression(source: Classic) -> str:
    """Of compressed frames all that stands in their codestreams; native ones can be brought into one form."""
    if not _is_compressed(source):
        return "none"
    pixels = (str(_whole(source, tag, 0)) for tag in ("00280100", "00280101", "00280120", "00280121"))
    return " ".join((syntaxes.name(source.transfer_syntax), *pixels))


def _says_anatomy(source: Classic) -> bool:
    return bool(source.text("00180015") or classic.items(source.attributes, "00082218"))


def _by_echo(group: list[Classic]) -> list[tuple[list[Classic], str]]:
    """Echoes apart, if there are several and each has more images than one."""
    echoes: dict[str, list[Classic]] = {}
    for source in group:
        number, time = classic.number(source.attributes, "00180086"), classic.number(source.attributes, "00180081")
        echoes.setdefault(f"{number or 0:g}: {time or 0:.3f} ms", []).append(source)
    if len(echoes) == 1 or min(map(len, echoes.values())) == 1:
        return [(group, "")]
    return [(members, echo) for echo, members in echoes.items()]


def _stacked(criteria: dict[str, str], group: Sequence[Classic], echo: str) -> Iterable[FrameSet]:
    """Parallel slices of one size and spacing are one object, cut where its pixels would be too long."""
    kind = classes.find_classic(group[0].sop_class)
    assert kind is not None, "others were left over"
    for stack in geometry.find_stacks([planes.find_plane(source.attributes) for source in group]):
        if _mixes_thickness(stack, group):
            for thickness, members in _by_thickness(stack, group).items():
                yield from _stacked({**criteria, "slice thickness": thickness}, members, echo)
            continue
        is_turned = _is_turned(stack, group)
        placed = [
            (time, place, group[number])
            for place, here in enumerate(stack.places[::-1] if is_turned else stack.places, 1)
            for time, number in enumerate(here, 1)
        ]
        placed.sort(key=lambda one: one[:2])
        said = {**criteria, **_said(stack), **({"echo": echo} if echo else {})}
        for part, cut in enumerate(_cut(placed), 1):
            places = tuple(place for _, place, _ in cut)
            is_regular = _is_regular(stack, places)
            yield FrameSet(
                kind=kind,
                sources=tuple(source for *_, source in cut),
                stack=stack,
                places=places,
                times=tuple(time for time, *_ in cut),
                is_regular=is_regular,
                is_sound=(is_regular or len(set(places)) == 1) and _is_thick(stack, cut),
                criteria=said,
                is_turned=is_turned,
                part=part,
            )


def _is_turned(stack: Stack, group: Sequence[Classic]) -> bool:
    """Whether Instance Number grows against the normal: then positions do, so that scrolling goes the way it went."""
    means = [sum(_number(group[number]) for number in here) / len(here) for here in stack.places]
    parts = [(2 * place - len(means) + 1) * mean for place, mean in enumerate(means)]
    return sum(parts) < -_ROUNDING * sum(map(abs, parts))


def _mixes_thickness(stack: Stack, group: Sequence[Classic]) -> bool:
    """Images at one place are one position of a stack only if they are equally thick (C.7.6.16.2.2.4, LC-23)."""
    return any(len({_thickness(group[number]) for number in here}) > 1 for here in stack.places)


def _by_thickness(stack: Stack, group: Sequence[Classic]) -> dict[str, list[Classic]]:
    found: dict[str, list[Classic]] = {}
    for here in stack.places:
        for number in here:
            found.setdefault(_thickness(group[number]), []).append(group[number])
    return found


def _thickness(source: Classic) -> str:
    return f"{classic.number(source.attributes, '00180050') or 0:.4g} mm"


_Placed = tuple[int, int, Classic]


def _is_regular(stack: Stack, places: Sequence[int]) -> bool:
    each = Counter(places)
    odd = set(stack.irregularities) - {"several slices at one position", "tilted"}
    return len(set(each.values())) == 1 and len(each) > 1 and not odd


def _is_thick(stack: Stack, placed: Sequence[_Placed]) -> bool:
    """It is known how much room a slice takes; a volume must say so (C.7.6.16.2.1)."""
    return stack.step is not None or all(
        classic.number(source.attributes, "00180050") is not None for *_, source in placed
    )


def _cut(placed: list[_Placed]) -> list[list[_Placed]]:
    first = placed[0][2]
    if _is_compressed(first):
        return [placed]
    frame = _whole(first, "00280010", 1) * _whole(first, "00280011", 1) * 2
    most = max(1, LARGEST // frame)
    return [placed[at : at + most] for at in range(0, len(placed), most)]


def _said(stack: Stack) -> dict[str, str]:
    plane = stack.plane
    directions = " ".join(f"{value:.4f}" for value in (*plane.across, *plane.down))
    return {
        "orientation": directions,
        "matrix": f"{plane.rows} x {plane.columns}",
        "pixel spacing": f"{plane.row_spacing:g} {plane.column_spacing:g}",
    }


# The order in time.


def _in_time(source: Classic) -> tuple[Any, ...]:
    """What tells images at one position apart: the point in time, then who came first, at last the UID."""
    attributes = source.attributes
    return (
        classic.number(attributes, "00200100") or 0,
        moment(attributes),
        classic.number(attributes, "00541300") or 0,
        classic.number(attributes, "00181060") or 0,
        classic.number(attributes, "00180081") or 0,
        _number(source),
        source.instance,
        source.name,
    )


def _number(source: Classic) -> float:
    return classic.number(source.attributes, "00200013") or 0


def moment(attributes: Any) -> str:
    """When the data of an image was acquired, as DT; nothing when it does not say, or says no moment that exists."""
    said = classic.text(attributes, "0008002A")
    if moments.is_date_time(said) and (len(said) < 8 or moments.is_date(said)):
        return said
    day, time = day_and_time(attributes, "00080022", "00080032")
    return day + time


def day_and_time(attributes: JSONDataset, day: str, time: str) -> tuple[str, str]:
    """A date and its time in today's spelling; nothing for the two, or for the time, where there is none."""
    found = moments.date(classic.text(attributes, day))
    return (found, moments.time(classic.text(attributes, time))) if moments.is_date(found) else ("", "")


# Explanations.


def _differing(sets: Sequence[FrameSet]) -> dict[str, set[str]]:
    """The criteria by which sets of one series are told apart."""
    found: dict[str, dict[str, set[str]]] = {}
    for one in sets:
        values = found.setdefault(one.sources[0].series, {})
        for name, value in one.criteria.items():
            values.setdefault(name, set()).add(value)
    counts = Counter(one.sources[0].series for one in sets)
    every = {series: {name for name, seen in values.items() if len(seen) > 1} for series, values in found.items()}
    return {series: names for series, names in every.items() if counts[series] > 1}


_NEVER_SHOWN: Final = frozenset({"patient"})


def _explain(one: FrameSet, differing: dict[str, set[str]]) -> dict[str, Any]:
    names = differing.get(one.sources[0].series, set())
    return {
        "SeriesInstanceUID": one.sources[0].series,
        "modality": one.kind.modality,
        "frames": len(one.sources),
        "positions": len(set(one.places)),
        "times": max(one.times),
        "spacing": one.stack.step,
        "irregularities": list(one.stack.irregularities),
        "apart_by": {
            name: one.criteria[name] if name not in _NEVER_SHOWN else "differs"
            for name in sorted(names)
            if name in one.criteria
        },
        "part": one.part,
    }
