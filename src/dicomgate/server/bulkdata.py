"""Bulk data and pixel data: one value that metadata names, or all of a target (PS3.18 §10.4.3.3.5; FRM-03 to 05)."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from dicomgate import errors
from dicomgate.dicom import spans, syntaxes
from dicomgate.dicomweb import media_types, offers, resources
from dicomgate.dicomweb.negotiation import Offer
from dicomgate.dicomweb.offers import Offers, Stored
from dicomgate.dicomweb.resources import Kind, Resource
from dicomgate.origin import Instance
from dicomgate.representations import transcoding
from dicomgate.server import caching, choosing, parts
from dicomgate.server.answers import Answer
from dicomgate.server.parts import Part
from dicomgate.server.ranges import Read
from dicomgate.server.requests import Request

PIXEL_DATA: Final = "7FE00010"
_PIXELS: Final = frozenset({PIXEL_DATA, "7FE00008", "7FE00009"})

_Offered = Callable[[Instance, Stored], Offers]


def retrieve(request: Request, resource: Resource) -> Answer:
    """One value, or every value of the target."""
    assert resource.target is not None, "bulk data has a target"
    with contextlib.ExitStack() as held:
        found = held.enter_context(request.door.origin.retrieve.retrieve(resource.target))
        if resource.bulk:
            answer = _one_value(request, next(found), resource.bulk)
        elif resource.kind is Kind.PIXELDATA:
            pictures = (instance for instance in found if instance.facts.frame_count)
            answer = collect(request, _choose_alike(request, pictures, _offer_pixels), _PIXELS)
        else:
            answer = collect(request, _choose_alike(request, found, _offer_collected))
        answer.resources.push(held.pop_all())
        return answer


def collect(request: Request, chosen: Iterable[tuple[Instance, Offer]], only: frozenset[str] | None = None) -> Answer:
    """Every value of several instances, one part each; compressed frames one part each (FRM-04)."""
    chosen = iter(chosen)
    begun = next(chosen, None)
    media_type = begun[1].media_type if begun else media_types.OCTET_STREAM
    pairs = itertools.chain([begun] if begun else [], chosen)
    made = (part for instance, offer in pairs for part in _parts(request, instance, offer, only))
    first = next(made, None)
    if first is None:
        raise errors.NotFound("there is no bulk data here")
    return parts.answer_unmeasured(media_type, itertools.chain([first], made), [caching.CHANGING])


def _choose_alike(request: Request, found: Iterable[Instance], offered: _Offered) -> Iterator[tuple[Instance, Offer]]:
    """An offer for each instance, all of the first one's media type (V4)."""
    media_type: str | None = None
    for instance in found:
        offer = choosing.choose(request, instance, functools.partial(_alike, media_type, offered, instance))
        media_type = offer.media_type
        yield instance, offer


def _alike(media_type: str | None, offered: _Offered, instance: Instance, stored: Stored) -> Offers:
    parts_only = (offer for offer in offered(instance, stored) if offer.is_multipart)
    return tuple(offer for offer in parts_only if media_type in (None, offer.media_type))


def _offer_pixels(instance: Instance, stored: Stored) -> Offers:
    return offers.pixel_data_offers(stored, has_many_frames=instance.facts.frame_count > 1)


def _offer_collected(instance: Instance, stored: Stored) -> Offers:  # noqa: ARG001 (as the other)
    return offers.collected_bulk_offers(stored)


def _one_value(request: Request, instance: Instance, place: str) -> Answer:
    """What does not exist is not found, whatever is acceptable."""
    if place not in instance.bulk_paths():
        raise errors.NotFound("no such bulk data in this instance")
    facts = instance.facts
    is_picture = place == PIXEL_DATA and facts.frame_count > 0
    offered = functools.partial(_offer_pixels, instance) if is_picture else lambda _: offers.bulk_offers()
    offer = choosing.choose(request, instance, offered)
    said = f"{place} {offer.content_type}"
    if not offer.is_stored:
        return _made_value(request, instance, place, offer, f"{said} {request.door.maker.edition}")
    made = list(_stored_parts(request, instance, place, offer.media_type))
    if not offer.is_multipart:
        return parts.answer_single(request, made[0], caching.format_tag(facts.version, said), modified=facts.modified)
    tag = caching.format_tag(facts.version, f"{said} multipart", is_exact=bool(facts.digest))
    return parts.answer_tagged(request, offer.media_type, made, tag, modified=facts.modified)


def _made_value(request: Request, instance: Instance, place: str, offer: Offer, said: str) -> Answer:
    made = _made_parts(request, instance, place, offer)
    if offer.is_multipart:
        tag = caching.format_tag(instance.facts.version, f"{said} multipart")
        return parts.answer_made(request, offer.media_type, made, tag, caching.IMMUTABLE)
    return parts.answer_made_single(
        request,
        lambda: next(made),
        content_type=offer.content_type,
        location=resources.bulk_link(request.root, instance.facts.target, place),
        tag=caching.format_tag(instance.facts.version, said),
    )


def _parts(request: Request, instance: Instance, offer: Offer, only: frozenset[str] | None) -> Iterator[Part]:
    for place in instance.bulk_paths():
        if only is not None and place not in only:
            continue
        if place == PIXEL_DATA and instance.facts.frame_count and not offer.is_stored:
            yield from _made_parts(request, instance, place, offer)
        else:
            yield from _stored_parts(request, instance, place, offer.media_type)


def _stored_parts(request: Request, instance: Instance, place: str, media_type: str) -> Iterator[Part]:
    """One value as it is stored: compressed pictures have a part a frame, a video is one stream (MT-12)."""
    location = resources.bulk_link(request.root, instance.facts.target, place)
    for frame in _frames_apart(instance) if place == PIXEL_DATA else (None,):
        read = _reader(instance, place, frame)
        piece = instance.bulk(place) if frame is None else instance.frame(frame)
        content_type = media_types.with_transfer_syntax(media_type, piece.transfer_syntax)
        yield Part.stored(content_type, location, piece, read)


def _made_parts(request: Request, instance: Instance, place: str, offer: Offer) -> Iterator[Part]:
    """Pixel data: native it is one value, compressed it is a part a frame."""
    location = resources.bulk_link(request.root, instance.facts.target, place)
    making = choosing.frame_maker(request, instance, offer)
    if not making.is_native:
        for frame in making.frames(range(1, instance.facts.frame_count + 1)):
            yield choosing.made_part(offer.content_type, location, frame.codestream)
        return
    value = transcoding.native_value(making)
    yield Part(
        content_type=offer.content_type,
        location=location,
        size=value.size,
        chunks=value.chunks,
        read=lambda span: spans.cut(transcoding.native_value(making).chunks, span),
    )


def _frames_apart(instance: Instance) -> Iterable[int | None]:
    """The numbers of the frames that are parts of their own; None for the one value."""
    facts = instance.facts
    syntax = syntaxes.find(facts.transfer_syntax)
    is_apart = facts.frame_count > 1 and syntax is not None and syntax.is_encapsulated and not syntax.is_video
    return range(1, facts.frame_count + 1) if is_apart else (None,)


def _reader(instance: Instance, place: str, frame: int | None) -> Read:
    if frame is not None:
        return lambda span: instance.frame(frame, span=span).chunks
    return lambda span: instance.bulk(place, span=span).chunks
