"""Rendered resources: studies, series, instances and frames as anybody's program shows them (PS3.18 §10.4.3.3.3, REN).

Nothing is made before it is known that the caller has not got it yet, and each part only when the one before has left.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import orjson

from dicomgate import errors
from dicomgate.dicom.uids import Level
from dicomgate.dicomweb import negotiation, rendered_offers, resources, text_charsets
from dicomgate.dicomweb.negotiation import Offer
from dicomgate.dicomweb.rendered_offers import Category
from dicomgate.dicomweb.resources import Kind, Resource
from dicomgate.dicomweb.text_charsets import TextCharset
from dicomgate.origin import Instance
from dicomgate.representations import texts
from dicomgate.server import caching, parts
from dicomgate.server.answers import Answer
from dicomgate.server.parts import Part
from dicomgate.server.requests import Request

_DOCUMENT: Final = "00420011"


def retrieve(request: Request, resource: Resource) -> Answer:
    """What the target looks like. NotAcceptable for pictures, which are not made here."""
    assert resource.target is not None, "what is rendered is something"
    if resource.level is not Level.INSTANCE or resource.frames or resource.kind is Kind.THUMBNAIL:
        raise _no_pictures()
    with contextlib.ExitStack() as held:
        found = held.enter_context(request.door.origin.retrieve.retrieve(resource.target))
        answer = _one(request, next(found))
        answer.resources.push(held.pop_all())
        return answer


def _one(request: Request, instance: Instance) -> Answer:
    facts = instance.facts
    kind = rendered_offers.category(facts.sop_class, facts.transfer_syntax, facts.frame_count)
    if kind not in {Category.TEXT, Category.OTHER}:
        raise _no_pictures()
    offered = rendered_offers.instance_offers(
        facts.sop_class, facts.transfer_syntax, facts.frame_count, many=False, strict=request.door.settings.strict
    )
    offer = negotiation.choose(request.wishes(), offered)
    part = text_part(request, instance, offer)
    tag = caching.format_tag(facts.version, f"rendered {part.content_type} {request.door.maker.edition}")
    if offer.is_multipart:
        return parts.answer_tagged(request, offer.media_type, [part], tag)
    return parts.answer_single(request, part, tag, None, lifetime=caching.CHANGING)


def _no_pictures() -> errors.NotAcceptable:
    return errors.NotAcceptable(
        "rendered pictures and thumbnails are not made here; ask for /frames, or for the instance itself",
        see=("application/octet-stream", "application/dicom"),
    )


def text_part(request: Request, instance: Instance, offer: Offer) -> Part:
    """A report, a document or a list of attributes."""
    location = resources.link(request.root, instance.facts.target)
    if offer.media_type == rendered_offers.document_type(instance.facts.sop_class):
        piece = instance.bulk(_DOCUMENT)
        return Part(content_type=offer.media_type, location=location, size=piece.size, chunks=piece.chunks)
    charset = text_charsets.choose(None, None, None)
    return Part(
        content_type=f"{offer.media_type}; charset={charset.name.lower()}",
        location=location,
        size=None,
        chunks=_write_text(instance, offer.media_type, charset),
    )


def _write_text(instance: Instance, media_type: str, charset: TextCharset) -> Iterator[bytes]:
    yield charset.encode(texts.render(orjson.loads(instance.metadata()), media_type, charset.name))
