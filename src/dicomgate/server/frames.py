"""Frames: a list as parts, or one alone, in the stored encoding (PS3.18 §10.4.1.1.6; FRM-01, FRM-02, CLI-09)."""

from __future__ import annotations

import contextlib

from dicomgate.dicomweb import negotiation, offers, resources
from dicomgate.dicomweb.resources import Resource
from dicomgate.origin import Instance
from dicomgate.server import caching, parts
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
    facts = instance.facts
    pieces = [instance.frame(number) for number in numbers]
    offered = offers.frame_offers(facts.transfer_syntax, is_lossy=facts.is_lossy, many=len(numbers) > 1)
    offer = negotiation.choose(request.wishes(is_bulk=True), offered)
    made = [
        Part(
            content_type=offer.content_type,
            location=resources.frame_link(request.root, facts.target, number),
            size=piece.size,
            chunks=piece.chunks,
            read=_reader(instance, number),
        )
        for number, piece in zip(numbers, pieces, strict=True)
    ]
    listed = resources.format_frames(numbers)
    if offer.is_multipart:
        version = f"frames {listed} {offer.content_type} multipart"
        tag = caching.format_tag(facts.version, version, is_exact=bool(facts.digest))
        return parts.answer_tagged(request, offer.media_type, made, tag, modified=facts.modified)
    tag = caching.format_tag(facts.version, f"frames {listed} {offer.content_type}")
    return parts.answer_single(request, made[0], tag, modified=facts.modified)


def _reader(instance: Instance, number: int) -> Read:
    return lambda span: instance.frame(number, span=span).chunks
