"""Thumbnails: one small picture that stands for a study, series, instance or frame (PS3.18 §10.4.3.3.4, THM)."""

from __future__ import annotations

import contextlib

from dicomgate import errors
from dicomgate.dicom.presentation import Presentation, Viewport
from dicomgate.dicom.uids import Level
from dicomgate.dicomweb import negotiation, rendered_offers, rendering
from dicomgate.dicomweb.negotiation import Offer
from dicomgate.dicomweb.rendering import Wanted
from dicomgate.dicomweb.resources import Resource
from dicomgate.origin import Instance
from dicomgate.representations import representative
from dicomgate.server import caching, parts, rendered
from dicomgate.server.answers import Answer
from dicomgate.server.parts import Part
from dicomgate.server.rendered import Task
from dicomgate.server.requests import Request
from dicomgate.server.shots import Shot


def retrieve(request: Request, resource: Resource) -> Answer:
    """A picture of the target, whatever it is, that tells nobody who the patient is (THM-02)."""
    assert resource.target is not None, "a thumbnail is one of something"
    wanted = rendering.parse_thumbnail(request.pairs)
    offer = negotiation.choose(request.wishes(), rendered_offers.THUMBNAIL)
    with contextlib.ExitStack() as held:
        found = held.enter_context(request.door.origin.retrieve.retrieve(resource.target))
        instance = next(found) if resource.level is Level.INSTANCE else representative.choose(found)
        answer = _answer(request, instance, resource, offer, wanted)
        answer.resources.push(held.pop_all())
        return answer


def _middle(instance: Instance, frames: tuple[int, ...]) -> int | None:
    """Of several frames that are named the one in the middle."""
    if frames and frames[-1] > instance.facts.frame_count:
        count = instance.facts.frame_count
        raise errors.NotFound(f"frame {frames[-1]} does not exist; the instance has {count}")
    return frames[(len(frames) - 1) // 2] if frames else None


def _answer(request: Request, instance: Instance, resource: Resource, offer: Offer, wanted: Viewport | None) -> Answer:
    frame = _middle(instance, resource.frames)
    sample = representative.sample(instance, wanted, frame)
    shot = Shot(sample.instance, sample.frame)
    task = Task(wanted=Wanted(Presentation(viewport=sample.viewport)))
    source = Shot(instance, sample.frame if resource.frames else None)  # what stands for a whole names the whole
    part = Part(
        content_type=offer.content_type,
        location=source.location(request.root),
        size=None,
        chunks=rendered.draw(request, shot, offer, task),
    )
    tag = rendered.format_tag(request, f"thumbnail {instance.facts.version} {shot.key}", offer.content_type, task)
    if resource.level is not Level.INSTANCE:
        return parts.answer_single(request, part, tag, lifetime=caching.CHANGING)
    return parts.answer_single(request, part, tag, modified=instance.facts.modified)
