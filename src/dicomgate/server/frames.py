"""Frames: a list as parts, or one alone, as stored or made (PS3.18 §10.4.1.1.6; FRM-01, FRM-02, MT-12, CLI-09)."""

from __future__ import annotations

import contextlib
import functools

from dicomgate.dicomweb import offers, resources
from dicomgate.dicomweb.negotiation import Offer
from dicomgate.dicomweb.resources import Resource
from dicomgate.origin import Instance
from dicomgate.server import caching, choosing, parts
from dicomgate.server.answers import Answer
from dicomgate.server.parts import Part
from dicomgate.server.ranges import Read
from dicomgate.server.requests import Request


def retrieve(request: Request, resource: Resource) -> Answer:
    """The frames in the order of the list."""
    assert resource.target is not None, "frames have an instance"
    with contextlib.ExitStack() as held:
        found = held.enter_context(request.door.origin.retrieve.retrieve(resource.target))
        answer = _answer(request, next(found), resource.frames)
        answer.resources.push(held.pop_all())
        return answer


def _answer(request: Request, instance: Instance, numbers: tuple[int, ...]) -> Answer:
    stored = [instance.frame(number) for number in numbers]  # first: what does not exist is not found
    offer = choosing.choose(request, instance, functools.partial(offers.frame_offers, many=len(numbers) > 1))
    said = f"frames {resources.format_frames(numbers)} {offer.content_type}"
    if offer.is_stored:
        made = [
            Part.stored(
                offer.content_type,
                resources.frame_link(request.root, instance.facts.target, number),
                piece,
                _reader(instance, number),
            )
            for number, piece in zip(numbers, stored, strict=True)
        ]
        return _answer_stored(request, instance, offer, made, said)
    return _answer_made(request, instance, offer, numbers, f"{said} {request.door.maker.edition}")


def _answer_stored(request: Request, instance: Instance, offer: Offer, made: list[Part], said: str) -> Answer:
    facts = instance.facts
    if offer.is_multipart:
        tag = caching.format_tag(facts.version, f"{said} multipart", is_exact=bool(facts.digest))
        return parts.answer_tagged(request, offer.media_type, made, tag, modified=facts.modified)
    return parts.answer_single(request, made[0], caching.format_tag(facts.version, said), modified=facts.modified)


def _answer_made(request: Request, instance: Instance, offer: Offer, numbers: tuple[int, ...], said: str) -> Answer:
    making = choosing.frame_maker(request, instance, offer)
    locations = [resources.frame_link(request.root, instance.facts.target, number) for number in numbers]
    made = (
        choosing.made_part(offer.content_type, location, frame.codestream)
        for location, frame in zip(locations, making.frames(numbers), strict=True)
    )
    if offer.is_multipart:
        tag = caching.format_tag(instance.facts.version, f"{said} multipart")
        return parts.answer_made(request, offer.media_type, made, tag, caching.IMMUTABLE)
    return parts.answer_made_single(
        request,
        lambda: next(made),
        content_type=offer.content_type,
        location=locations[0],
        tag=caching.format_tag(instance.facts.version, said),
    )


def _reader(instance: Instance, number: int) -> Read:
    return lambda span: instance.frame(number, span=span).chunks
