"""Thumbnails: one small picture that stands for a study, series, instance or frame (PS3.18 §10.4.3.3.4, THM)."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Final

from dicomgate import errors
from dicomgate.dicom.presentation import Viewport
from dicomgate.dicom.uids import Level
from dicomgate.dicomweb import negotiation, rendered_offers, rendering, resources
from dicomgate.dicomweb.negotiation import Offer
from dicomgate.dicomweb.resources import Resource
from dicomgate.origin import Instance
from dicomgate.representations import thumbnails
from dicomgate.representations.maker import Maker
from dicomgate.server import caching, parts
from dicomgate.server.answers import Answer
from dicomgate.server.parts import Part
from dicomgate.server.requests import Request

_MOST_LOOKED_AT: Final = 5000
"""Instances of a study or series of which one is chosen."""


def retrieve(request: Request, resource: Resource) -> Answer:
    """A picture of the target, whatever it is, that tells nobody who the patient is (THM-02)."""
    assert resource.target is not None, "a thumbnail is one of something"
    viewport = rendering.parse_thumbnail(request.pairs)
    offer = negotiation.choose(request.wishes(), rendered_offers.THUMBNAIL)
    with contextlib.ExitStack() as held:
        every = held.enter_context(request.door.origin.retrieve.retrieve(resource.target))
        found = list(itertools.islice(every, _MOST_LOOKED_AT))
        answer = _answer(request, resource, found, offer, viewport)
        answer.resources.push(held.pop_all())
        return answer


def _answer(
    request: Request, resource: Resource, found: list[Instance], offer: Offer, viewport: Viewport | None
) -> Answer:
    assert resource.target is not None, "a thumbnail is one of something"
    frame = _middle(found[0], resource.frames)
    link = resources.link(request.root, resource.target)
    part = Part(
        content_type=offer.content_type,
        location=link if frame is None else resources.frame_link(request.root, resource.target, frame),
        size=None,
        chunks=_draw(request.door.maker, found, frame, viewport, offer.media_type),
    )
    version = "\n".join(instance.facts.version for instance in found)
    wish = f"thumbnail {frame} {viewport} {offer.content_type} {request.door.maker.edition}"
    tag = caching.format_tag(version, wish)
    if resource.level is Level.INSTANCE:
        return parts.answer_single(request, part, tag, modified=found[0].facts.modified)
    return parts.answer_single(request, part, tag, lifetime=caching.CHANGING)


def _middle(instance: Instance, frames: tuple[int, ...]) -> int | None:
    """Of several frames that are named the one in the middle."""
    if frames and frames[-1] > instance.facts.frame_count:
        count = instance.facts.frame_count
        raise errors.NotFound(f"frame {frames[-1]} does not exist; the instance has {count}")
    return frames[(len(frames) - 1) // 2] if frames else None


def _draw(
    maker: Maker, found: list[Instance], frame: int | None, viewport: Viewport | None, media_type: str
) -> Iterator[bytes]:
    if frame is not None:
        yield thumbnails.of_frame(maker, found[0], frame, viewport, media_type).content
    elif len(found) == 1:
        yield thumbnails.of_instance(maker, found[0], viewport, media_type).content
    else:
        yield thumbnails.of_several(maker, found, viewport, media_type).content
