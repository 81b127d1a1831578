"""WADO-RS: studies, series and instances as PS3.10 files, one part each or one alone (PS3.18 §10.4)."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Final

from dicomgate import errors
from dicomgate.dicom.uids import Level
from dicomgate.dicomweb import media_types, negotiation, offers, resources
from dicomgate.dicomweb.negotiation import Offer, Wish
from dicomgate.dicomweb.resources import Resource
from dicomgate.origin import Instance
from dicomgate.server import bulkdata, caching, parts
from dicomgate.server.answers import Answer
from dicomgate.server.parts import Part
from dicomgate.server.requests import Request

_MOST_COUNTED: Final = 5000
"""Instances looked at before the answer begins; of more the length is not told ahead."""


def retrieve(request: Request, resource: Resource) -> Answer:
    """The instances of a study or series, or one instance."""
    assert resource.target is not None, "instances have a target"
    many = resource.target.level is not Level.INSTANCE
    wanted = request.wishes()
    with contextlib.ExitStack() as held:
        found = held.enter_context(request.door.origin.retrieve.retrieve(resource.target))
        counted = list(itertools.islice(found, _MOST_COUNTED))
        chosen = _choose(wanted, counted, many=many)
        if chosen[0].media_type == media_types.OCTET_STREAM:
            pairs = zip(counted, chosen, strict=True)
            answer = bulkdata.collect(request, itertools.chain(pairs, _go_on(wanted, found)))
        elif chosen[0].is_multipart:
            answer = _several(request, counted, chosen, _go_on(wanted, found))
        else:
            answer = single(request, counted[0], chosen[0])
        answer.resources.push(held.pop_all())
        return answer


def _choose(wanted: tuple[Wish, ...], counted: list[Instance], *, many: bool) -> list[Offer]:
    offered = [_offers(instance, many=many) for instance in counted]
    chosen = negotiation.choose_each(wanted, offered)
    fitting = [offer for offer in chosen if offer is not None]
    if len(fitting) < len(chosen):
        # 206 would be allowed (RET-03), but few callers look: images would be missing unnoticed.
        lacking = [one for each, offer in zip(offered, chosen, strict=True) if offer is None for one in each]
        refusal = negotiation.not_acceptable(lacking)
        count = len(chosen) - len(fitting)
        raise errors.NotAcceptable(f"of {count} among {len(chosen)} instances, {refusal.message}", see=refusal.see)
    return fitting


def _offers(instance: Instance, *, many: bool) -> tuple[Offer, ...]:
    facts = instance.facts
    return offers.instance_offers(
        facts.transfer_syntax,
        is_lossy=facts.is_lossy,
        has_frames=facts.frame_count > 0,
        many=many,
        is_sound=instance.is_sound,
    )


def file_offers(instance: Instance) -> tuple[Offer, ...]:
    """How one file can be sent, whole."""
    return tuple(offer for offer in _offers(instance, many=False) if offer.media_type == media_types.DICOM)


def _go_on(wanted: tuple[Wish, ...], found: Iterator[Instance]) -> Iterator[tuple[Instance, Offer]]:
    for instance in found:
        yield instance, negotiation.choose(wanted, _offers(instance, many=True))


def _several(
    request: Request, counted: list[Instance], chosen: list[Offer], rest: Iterator[tuple[Instance, Offer]]
) -> Answer:
    pairs = list(zip(counted, chosen, strict=True))
    listed = "\n".join(f"{instance.facts.version} {variant(offer)}" for instance, offer in pairs)
    is_whole = len(counted) < _MOST_COUNTED
    media_type = chosen[0].media_type
    if is_whole:
        is_exact = all(instance.facts.digest for instance in counted)
        tag = caching.format_tag(listed, "multipart", is_exact=is_exact)
        made = [_part(request, *pair) for pair in pairs]
        return parts.answer_tagged(request, media_type, made, tag, lifetime=caching.CHANGING)
    lazily = (_part(request, *pair) for pair in itertools.chain(pairs, rest))
    return parts.answer_unmeasured(media_type, lazily, [caching.CHANGING])


def variant(offer: Offer) -> str:
    """What tells two representations of the same instance apart."""
    return f"{offer.content_type} {'stored' if offer.is_stored else 'rewritten'}"


def _part(request: Request, instance: Instance, offer: Offer) -> Part:
    return Part(
        content_type=offer.content_type,
        location=resources.link(request.root, instance.facts.target),
        size=instance.facts.size if offer.is_stored else None,
        chunks=instance.file() if offer.is_stored else instance.explicit_file(),
        read=instance.file if offer.is_stored else None,
    )


def single(request: Request, instance: Instance, offer: Offer) -> Answer:
    """One instance as the whole body; a range of it where it is sent as stored."""
    part = _part(request, instance, offer)
    tag = caching.format_tag(instance.facts.version, variant(offer))
    return parts.answer_single(request, part, tag, lifetime=caching.CHANGING, modified=instance.facts.modified)
