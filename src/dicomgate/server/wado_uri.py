"""WADO-URI: one instance named by query parameters, in one part (PS3.18 §9)."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.dicomweb import media_types, rendered_offers, rendering, wado_uri
from dicomgate.dicomweb.negotiation import Offer
from dicomgate.dicomweb.rendered_offers import Category
from dicomgate.origin import Instance
from dicomgate.representations import deidentification
from dicomgate.server import caching, rendered, shots
from dicomgate.server import retrieve as wado_rs
from dicomgate.server.answers import Answer
from dicomgate.server.exchange import field
from dicomgate.server.requests import Request

_COPY = Offer(media_type=media_types.DICOM, is_multipart=False, transfer_syntax=syntaxes.EXPLICIT_LITTLE)


def retrieve(request: Request) -> Answer:
    """The instance that the query names, as a file, a picture or a text."""
    asked = wado_uri.parse(request.pairs, request.accept)
    with contextlib.ExitStack() as held:
        instance = next(held.enter_context(request.door.origin.retrieve.retrieve(asked.target)))
        answer = (
            _deidentified(request, instance, asked) if asked.is_anonymous else _answer(request, held, instance, asked)
        )
        answer.resources.push(held.pop_all())
        return answer


def _answer(request: Request, held: contextlib.ExitStack, instance: Instance, asked: wado_uri.Request) -> Answer:
    facts = instance.facts
    kind = rendered_offers.category(facts.sop_class, facts.transfer_syntax, facts.frame_count)
    pictures = rendered_offers.query_offers(facts.sop_class, facts.transfer_syntax, facts.frame_count)
    offer = wado_uri.choose(asked.wishes, kind, wado_rs.file_offers(instance, asked.wishes), pictures)
    if offer.media_type == media_types.DICOM:
        return wado_rs.single(request, instance, offer)
    task = rendered.Task(wanted=asked.wanted, charset=asked.charset)
    if offer.media_type not in rendered_offers.PICTURES:
        return rendered.single_other(request, instance, offer, task)
    if kind is Category.STATE:
        rendering.check_state(asked.wanted.presentation)
        (shot,), missing = shots.of_state(request, held, instance, offer)
    else:
        missing = ()
        frame = _frame(instance, asked.frame)
        (shot,) = shots.of_instance(instance, offer, () if frame is None else (frame,))
        if asked.state is not None:
            shot = replace(shot, frame=shot.frame or 1, state=shots.state_for(request, held, asked.state, instance))
    return rendered.single_picture(request, shot, offer, task, missing)


def _frame(instance: Instance, asked: int | None) -> int | None:
    """The frame that is asked for. Malformed where there is none of that number, or only one (URI-09)."""
    count = instance.facts.frame_count
    if asked is not None and not (count > 1 and asked <= count):
        raise errors.Malformed(f"parameter frameNumber: expected one of several frames, the instance has {count}")
    return asked


def _deidentified(request: Request, instance: Instance, asked: wado_uri.Request) -> Answer:
    """A copy that is none of the stored instances; its address, which names one, is not told with it."""
    offer = wado_uri.choose(asked.wishes, Category.OTHER, [_COPY], [])
    pseudonyms = request.door.maker.secret.pseudonyms
    tag = caching.format_tag(
        instance.facts.version, f"de-identified {pseudonyms.fingerprint} {request.door.maker.edition}"
    )
    headers = [
        field("content-type", offer.content_type),
        field("etag", tag),
        caching.CHANGING,
        caching.VARY,
        caching.NO_RANGES,
    ]
    early = caching.judge(request, headers, tag)
    if early is not None:
        return early
    return Answer(headers=headers, chunks=deidentification.make(request.door.maker, instance).chunks)
