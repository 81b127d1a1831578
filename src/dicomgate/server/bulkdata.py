"""Bulk data and pixel data: one value that metadata names, or all of a target (PS3.18 §10.4.3.3.5; FRM-03 to 05)."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Final

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.dicomweb import media_types, negotiation, offers, resources
from dicomgate.dicomweb.negotiation import Offer
from dicomgate.dicomweb.resources import Kind, Resource
from dicomgate.origin import Facts, Instance, Piece
from dicomgate.server import caching, parts
from dicomgate.server.answers import Answer
from dicomgate.server.parts import Part
from dicomgate.server.ranges import Read
from dicomgate.server.requests import Request

PIXEL_DATA: Final = "7FE00010"
_PIXELS: Final = frozenset({PIXEL_DATA, "7FE00008", "7FE00009"})


def retrieve(request: Request, resource: Resource) -> Answer:
    """One value, or every value of the target."""
    assert resource.target is not None, "bulk data has a target"
    with contextlib.ExitStack() as held:
        found = held.enter_context(request.door.origin.retrieve.retrieve(resource.target))
        if resource.bulk:
            answer = _one_value(request, next(found), resource.bulk)
        else:
            wanted = request.wishes(is_bulk=True)
            only = _PIXELS if resource.kind is Kind.PIXELDATA else None
            chosen = ((each, negotiation.choose(wanted, _collected_offers(each.facts))) for each in found)
            answer = collect(request, chosen, only)
        answer.resources.push(held.pop_all())
        return answer


def collect(request: Request, chosen: Iterable[tuple[Instance, Offer]], only: frozenset[str] | None = None) -> Answer:
    """Every value of several instances, one part each; compressed frames one part each (FRM-04)."""
    made = (part for instance, offer in chosen for part in _parts(request, instance, offer, only))
    first = next(made, None)
    if first is None:
        raise errors.NotFound("there is no bulk data here")
    return parts.answer_unmeasured(media_types.OCTET_STREAM, itertools.chain([first], made), [caching.CHANGING])


def _collected_offers(facts: Facts) -> tuple[Offer, ...]:
    return offers.collected_bulk_offers(
        facts.transfer_syntax, is_lossy=facts.is_lossy, has_frames=facts.frame_count > 0
    )


def _parts(request: Request, instance: Instance, offer: Offer, only: frozenset[str] | None) -> Iterator[Part]:
    for place in instance.bulk_paths():
        if only is None or place in only:
            for piece in _pieces(instance, place):
                content_type = media_types.with_transfer_syntax(offer.media_type, piece.transfer_syntax)
                yield _part(request, instance, place, content_type, piece)


def _one_value(request: Request, instance: Instance, place: str) -> Answer:
    facts = instance.facts
    many = place == PIXEL_DATA and _is_one_part_a_frame(facts)
    if place == PIXEL_DATA and _is_compressed(facts):
        offered = offers.frame_offers(facts.transfer_syntax, is_lossy=facts.is_lossy, many=many)
    else:
        offered = offers.bulk_offers()
    pieces = _pieces(instance, place)  # asked first: what does not exist is not found, whatever is acceptable
    offer = negotiation.choose(request.wishes(is_bulk=True), offered)
    made = [
        _part(
            request, instance, place, offer.content_type, piece, read=_reader(instance, place, number if many else None)
        )
        for number, piece in enumerate(pieces, 1)
    ]
    if not offer.is_multipart:
        tag = caching.format_tag(facts.version, f"{place} {offer.content_type}")
        return parts.answer_single(request, made[0], tag, modified=facts.modified)
    version = f"{place} {offer.content_type} multipart"
    tag = caching.format_tag(facts.version, version, is_exact=bool(facts.digest))
    return parts.answer_tagged(request, offer.media_type, made, tag, modified=facts.modified)


def _pieces(instance: Instance, place: str) -> list[Piece]:
    facts = instance.facts
    if place == PIXEL_DATA and _is_one_part_a_frame(facts):
        return [instance.frame(number) for number in range(1, facts.frame_count + 1)]
    return [instance.bulk(place)]


def _reader(instance: Instance, place: str, frame: int | None) -> Read:
    if frame is not None:
        return lambda span: instance.frame(frame, span=span).chunks
    return lambda span: instance.bulk(place, span=span).chunks


def _part(
    request: Request, instance: Instance, place: str, content_type: str, piece: Piece, *, read: Read | None = None
) -> Part:
    location = resources.bulk_link(request.root, instance.facts.target, place)
    return Part(content_type=content_type, location=location, size=piece.size, chunks=piece.chunks, read=read)


def _is_compressed(facts: Facts) -> bool:
    syntax = syntaxes.find(facts.transfer_syntax)
    return syntax is None or (syntax.is_encapsulated and facts.frame_count > 0)


def _is_one_part_a_frame(facts: Facts) -> bool:
    """True for compressed pictures, but not for a video: that is one stream (MT-12)."""
    syntax = syntaxes.find(facts.transfer_syntax)
    return facts.frame_count > 1 and syntax is not None and syntax.is_encapsulated and not syntax.is_video
