"""Which pictures are to be made of what a caller names: frames, a moving whole, the images of a presentation state."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import orjson

from dicomgate import errors
from dicomgate.dicom import state_references
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.state_references import Place, Reference
from dicomgate.dicom.uids import Target
from dicomgate.dicomweb import rendered_offers, resources
from dicomgate.dicomweb.negotiation import Offer
from dicomgate.dicomweb.rendered_offers import Category
from dicomgate.origin import Instance
from dicomgate.representations.state_pose import State
from dicomgate.server.requests import Request

MOVING: Final = "image/gif"
_RENDERED: Final = frozenset({Category.IMAGE, Category.MULTI_FRAME})


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: a frame from 1, or None for all of them, moving; under a presentation state, or not."""

    instance: Instance
    frame: int | None
    state: State | None = None

    @property
    def key(self) -> str:
        """The same for the same pixels."""
        state = f" under {self.state.instance.facts.version}" if self.state is not None else ""
        return f"{self.instance.facts.version} {self.frame}{state}"

    def location(self, root: str) -> str:
        """The resource that it is made from (GEN-08): the instance, or the frame of several."""
        facts = self.instance.facts
        if self.frame is None or facts.frame_count == 1:
            return resources.link(root, facts.target)
        return resources.frame_link(root, facts.target, self.frame)


def of_instance(instance: Instance, offer: Offer, frames: tuple[int, ...] = ()) -> list[Shot]:
    """Frames of an image; without any named, all of them where they come as parts or move, else the first."""
    count = instance.facts.frame_count
    if not frames and count > 1:
        if offer.media_type == MOVING:
            return [Shot(instance, None)]
        frames = tuple(range(1, count + 1)) if offer.is_multipart else (1,)
    return [Shot(instance, frame) for frame in frames or (1,)]


def of_state(
    request: Request, held: contextlib.ExitStack, state: Instance, offer: Offer
) -> tuple[list[Shot], tuple[str, ...]]:
    """The images of a presentation state that are here, in the order of §8.3.5.1.6 (REN-09, REN-10).

    Also, in words, what is not shown. NotAcceptable when none is here. Where one picture alone is wanted, the first.
    """
    dataset: JSONDataset = orjson.loads(state.metadata())
    found: list[tuple[Place, Shot]] = []
    named = state_references.references(dataset)
    missing = 0
    for reference in named:
        instance = _find_image(request, held, state.facts.target.study, reference)
        if instance is None:
            missing += 1
        else:
            found.extend(_places(instance, reference, State(state, dataset)))
    if not found:
        raise errors.NotAcceptable("of the images that this presentation state is about none is here")
    shots = [shot for _, shot in sorted(found, key=lambda pair: pair[0])]  # stable: else in the order of the state
    words = (f"{missing} of {len(named)} images",) if missing else ()
    return shots if offer.is_multipart else shots[:1], words


def state_for(request: Request, held: contextlib.ExitStack, target: Target, image: Instance) -> State:
    """A presentation state to be applied to an image. Malformed unless it is one, is here, and names the image."""
    try:
        found = next(held.enter_context(request.door.origin.retrieve.retrieve(target)))
    except errors.NotFound:
        raise errors.Malformed("parameter presentationUID: no such presentation state is here") from None
    dataset: JSONDataset = orjson.loads(found.metadata())
    facts, named = image.facts, state_references.references(dataset)
    kind = rendered_offers.category(found.facts.sop_class, found.facts.transfer_syntax, found.facts.frame_count)
    if kind is not Category.STATE:
        raise errors.Malformed("parameter presentationUID: expected a presentation state, saw another kind of object")
    if not any((one.series, one.instance) == (facts.target.series, facts.target.instance) for one in named):
        raise errors.Malformed("parameter presentationUID: the presentation state is not about this image")
    return State(found, dataset)


def _find_image(request: Request, held: contextlib.ExitStack, study: str, reference: Reference) -> Instance | None:
    target = Target(study, reference.series, reference.instance)
    try:
        instance = next(held.enter_context(request.door.origin.retrieve.retrieve(target)))
    except errors.NotFound:
        return None
    facts = instance.facts
    kind = rendered_offers.category(facts.sop_class, facts.transfer_syntax, facts.frame_count)
    return instance if kind in _RENDERED else None


def _places(instance: Instance, reference: Reference, state: State) -> Iterator[tuple[Place, Shot]]:
    dataset: JSONDataset = orjson.loads(instance.metadata())
    count = instance.facts.frame_count
    for frame in reference.frames or range(1, count + 1):
        if frame <= count:
            yield state_references.place(dataset, frame), Shot(instance, frame, state)
