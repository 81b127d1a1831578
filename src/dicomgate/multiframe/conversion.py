"""All that becomes of a patient's instances in the enhanced view: objects, presentation states, new references.

PS3.4 C.3.5: what refers to a converted image refers to its object afterwards, and nothing is left out (LC-06, LC-07).
UIDs are settled before anything is described, so that one object can be described without the others.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from dicomgate.dicom import encode, geometry, part10, planes, syntaxes
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.multiframe import classes, classic, enhanced, gather, joining, overlays, reissuing, splitting, writing
from dicomgate.multiframe.classic import Classic
from dicomgate.multiframe.enhanced import Enhanced, Settled
from dicomgate.multiframe.gather import Gathering, Reason
from dicomgate.multiframe.joining import Joined, Joining, Refusal
from dicomgate.multiframe.overlays import State
from dicomgate.multiframe.references import Now, Renaming


class Became(enum.StrEnum):
    """What an instance of the view is."""

    ENHANCED = "enhanced"
    JOINED = "joined from the parts of a concatenation"
    STATE = "presentation state of overlays"
    REISSUED = "references updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One instance of the view; `write` gives its file, as often as it is asked for. `reason`: why it is no frame."""

    became: Became
    study: str
    series: str
    instance: str
    sources: tuple[Classic, ...]
    write: Callable[[], Iterator[bytes]]
    reason: Reason | Refusal | None = None


_NOTHING_JOINED: Final = Joining((), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What becomes of a number of instances. Nothing is written, and only pixels that hide overlays were read."""

    gathering: Gathering
    settled: tuple[Settled, ...]
    states: tuple[tuple[State, ...], ...]
    renaming: dict[str, Now]
    known: dict[str, tuple[str, str]]
    keeps_originals: bool
    ahead: int = 0
    joining: Joining = _NOTHING_JOINED
    view: str = ""

    @property
    def failures(self) -> list[tuple[Classic, Reason | Refusal]]:
        """What has, or is a part of, an object with many frames and could not be converted or joined, and why."""
        images = [(one.source, one.reason) for one in self.gathering.leftovers if one.reason is not Reason.CLASS]
        return [*images, *self.joining.refused]

    def describe(self, number: int) -> Enhanced:
        """The object of the set with this number, from 0, without being written."""
        states = [state.instance for state in self.states[number]]
        made = enhanced.describe(self.settled[number], self.renaming, known=self.known, states=states)
        return replace(made, attributes=self._in_view(made.attributes))

    def _in_view(self, dataset: JSONDataset) -> JSONDataset:
        """The data set, which names the view that it was made for, if there is one."""
        return dict(sorted({**dataset, **classes.in_view(self.view)}.items())) if self.view else dataset

    def products(self) -> Iterator[Product]:
        """Every instance of the view, those that stay as they are, too."""
        for number, settled in enumerate(self.settled):
            yield self._enhanced(number, settled)
            yield from self._states(number, settled)
        parts = {id(part) for one in self.joining.joined for part in one.parts}
        refused = {id(part): why for part, why in self.joining.refused}
        for joined in self.joining.joined:
            yield self._joined(joined)
        for leftover in self.gathering.leftovers:
            if leftover.reason is not Reason.TWICE and id(leftover.source) not in parts:
                yield self._other(leftover.source, refused.get(id(leftover.source), leftover.reason))

    def _joined(self, joined: Joined) -> Product:
        now = self.renaming.get(joined.instance)
        return Product(
            became=Became.JOINED,
            study=joined.parts[0].text("0020000D"),
            series=joined.parts[0].series if now is None else now.series,
            instance=joined.instance if now is None else now.instance,
            sources=joined.parts,
            write=partial(joining.write, joined, now, self.renaming),
        )

    def _enhanced(self, number: int, settled: Settled) -> Product:
        def write() -> Iterator[bytes]:
            made = self.describe(number)
            return writing.write(made, keeps_originals=self.keeps_originals, ahead=self.ahead)

        sources = settled.frame_set.sources
        return Product(
            became=Became.ENHANCED,
            study=sources[0].text("0020000D"),
            series=settled.series,
            instance=settled.instance,
            sources=sources,
            write=write,
        )

    def _states(self, number: int, settled: Settled) -> Iterator[Product]:
        for state, dataset in self.describe_states(number):
            yield Product(
                became=Became.STATE,
                study=classic.text(dataset, "0020000D"),
                series=classic.text(dataset, "0020000E"),
                instance=state.instance,
                sources=tuple(settled.frame_set.sources[frame - 1] for frame in state.frames),
                write=partial(_write_state, dataset, state),
            )

    def describe_states(self, number: int) -> Iterator[tuple[State, JSONDataset]]:
        """The presentation states of the set with this number, from 0, and their data sets."""
        if not self.states[number]:
            return
        image = self.describe(number).attributes
        image = {tag: element for tag, element in image.items() if tag not in {classes.SHARED, classes.PER_FRAME}}
        for state in self.states[number]:
            yield state, self._in_view(overlays.describe(self.settled[number], state, image))

    def _other(self, source: Classic, reason: Reason | Refusal) -> Product:
        now = self.renaming.get(source.instance)
        if now is None:
            return Product(
                became=Became.UNCHANGED,
                study=source.text("0020000D"),
                series=source.series,
                instance=source.instance,
                sources=(source,),
                write=partial(copy, source),
                reason=reason,
            )
        made = reissue(source, now, self.renaming, keeps_originals=self.keeps_originals, view=self.view)
        return replace(made, reason=reason)

    def explain(self) -> dict[str, Any]:
        """What would be made and why, as plain data."""
        found = self.gathering.explain()
        for described, settled, states in zip(found["objects"], self.settled, self.states, strict=True):
            described |= {
                "becomes": f"{'Legacy Converted ' if settled.lacks else ''}Enhanced {settled.frame_set.kind.name}",
                "lacks": list(settled.lacks),
                "SOPInstanceUID": settled.instance,
                "presentation_states": len(states),
            }
        found["objects"] += [_explain(one) for one in self.joining.joined]
        parts = {part.instance for one in self.joining.joined for part in one.parts}
        refused = {part.instance: why.value for part, why in self.joining.refused}
        found["leftovers"] = [one for one in found["leftovers"] if one["SOPInstanceUID"] not in parts]
        for one in found["leftovers"]:
            one["reason"] = refused.get(one["SOPInstanceUID"], one["reason"])
            one["becomes"] = (Became.REISSUED if one["SOPInstanceUID"] in self.renaming else Became.UNCHANGED).value
        return found


def plan(
    sources: Iterable[Classic],
    *,
    salt: str = "",
    keeps_originals: bool = True,
    ahead: int = 0,
    converted: Mapping[str, Now] | None = None,
    joins: bool = False,
    view: str = "",
) -> Plan:
    """What becomes of instances of any kind, which are taken to be all that there is of their patients.

    `ahead`: as in `writing.write`. `converted`: images that are not among them, for they became frames of objects that
    are; what refers to them follows. `joins`: the parts of a concatenation become one object. `view`: what is
    made says that it was made for this one (C.12.1).

    OSError when an image whose samples hide an overlay cannot be read.
    """
    every = list(sources)
    gathering = gather.gather(every)
    settled = enhanced.settle(gathering.sets, salt=salt)
    renaming: dict[str, Now] = dict(converted or {})
    for one in settled:
        renaming |= one.renaming()
    found = joining.join(left.source for left in gathering.leftovers) if joins else _NOTHING_JOINED
    for joined in found.joined:
        renaming |= joined.renaming()
    theirs = {now.instance for now in (converted or {}).values()}  # they name their images rightly
    others = [
        left.source
        for left in gathering.leftovers
        if left.source.instance not in renaming and left.source.instance not in theirs
    ]
    wholes = [joined.as_source for joined in found.joined]
    reissued = reissuing.close([*others, *wholes], renaming, salt=salt)
    for joined in found.joined:
        renaming |= _moved(joined, reissued.get(joined.instance))
    renaming |= reissued
    return Plan(
        gathering=gathering,
        settled=tuple(settled),
        states=tuple(tuple(overlays.find(one)) for one in settled),
        renaming=renaming,
        known={one.instance: (one.text("0020000D"), one.series) for one in every if one.instance},
        keeps_originals=keeps_originals,
        ahead=ahead,
        joining=found,
        view=view,
    )


def reissue(source: Classic, now: Now, renaming: Renaming, *, keeps_originals: bool = True, view: str = "") -> Product:
    """An object that only refers to what was converted."""
    return Product(
        became=Became.REISSUED,
        study=now.study,
        series=now.series,
        instance=now.instance,
        sources=(source,),
        write=partial(reissuing.write, source, now, renaming, keeps_originals=keeps_originals, view=view),
    )


def _moved(joined: Joined, now: Now | None) -> dict[str, Now]:
    """What the parts of an object have become that refers to something new, so that it is a new one."""
    if now is None:
        return {}
    parts = joined.renaming().items()
    return {name: replace(one, series=now.series, instance=now.instance) for name, one in parts}


def _explain(joined: Joined) -> dict[str, Any]:
    first = joined.parts[0]
    stacks = geometry.find_stacks(planes.find_planes(joined.attributes))
    return {
        "SeriesInstanceUID": first.series,
        "modality": first.text("00080060"),
        "frames": sum(map(splitting.frame_count, joined.parts)),
        "positions": sum(stack.count for stack in stacks),
        "times": max((stack.passes for stack in stacks), default=0),
        "spacing": stacks[0].step if len(stacks) == 1 else None,
        "irregularities": sorted({one for stack in stacks for one in stack.irregularities}),
        "apart_by": {},
        "parts": len(joined.parts),
        "becomes": Became.JOINED.value,
        "SOPInstanceUID": joined.instance,
    }


def _write_state(dataset: JSONDataset, state: State) -> Iterator[bytes]:
    yield part10.write_beginning(
        sop_class=enhanced.PRESENTATION_STATE,
        instance=state.instance,
        transfer_syntax=syntaxes.EXPLICIT_LITTLE,
    )
    yield from encode.write_dataset(dataset, partial(find_state_bulk, state))


def find_state_bulk(
    state: State, path: str, element: classic.Element
) -> encode.BulkValue | encode.Frames | encode.Encapsulated:
    """The bytes of a large value of a presentation state, which lie in the image that it was made of."""
    place = state.source.places.get(element["BulkDataURI"])
    if place is None:
        return encode.no_bulk(path, element)
    with state.source.opened() as (_, found):
        value = classic.value(place, found)
        assert isinstance(value, encode.BulkValue), "overlay data is not compressed"
        return encode.BulkValue(value.size, list(value.chunks))


def is_of_overlays(source: Classic) -> bool:
    """True for a presentation state that conversion made of the overlays of images."""
    if source.sop_class != enhanced.PRESENTATION_STATE:
        return False
    last = next(iter(classic.items(source.attributes, enhanced.EQUIPMENT)[-1:]), {})
    return classic.text(last, "0018A003") == enhanced.FROM_CLASSIC


def copy(source: Classic) -> Iterator[bytes]:
    """The file as it is."""
    with source.opened() as (file, _):
        yield from classic.read_span(file, range(file.size))
