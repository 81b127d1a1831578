"""WADO-RS: studies, series and instances as PS3.10 files, one part each or one alone (PS3.18 §10.4)."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Final

from dicomgate import errors, origin
from dicomgate.dicom import spans
from dicomgate.dicom.uids import Level
from dicomgate.dicomweb import media_types, negotiation, offers, resources, warning
from dicomgate.dicomweb.negotiation import Offer, Wish
from dicomgate.dicomweb.resources import Resource
from dicomgate.origin import Instance, Pause, Underway
from dicomgate.representations import possible, transcoding
from dicomgate.representations.transcoding import MadeFile
from dicomgate.server import bulkdata, caching, parts, zipped
from dicomgate.server.answers import Answer, Header
from dicomgate.server.exchange import field
from dicomgate.server.parts import Part
from dicomgate.server.requests import Request

_MOST_COUNTED: Final = 5000
"""Instances looked at before the answer begins; of more the length is not told ahead."""
_MOST_TOLD: Final = 20
"""Instances that are looked at for a refusal."""


def retrieve(request: Request, resource: Resource) -> Answer:
    """The instances of a study or series, or one instance."""
    assert resource.target is not None, "instances have a target"
    many = resource.target.level is not Level.INSTANCE
    wanted = request.wishes()
    with contextlib.ExitStack() as held:
        found = held.enter_context(request.door.origin.retrieve.retrieve(resource.target))
        most = 1 if isinstance(found, Underway) and found.is_coming else _MOST_COUNTED
        counted = list(itertools.islice(found, most))
        is_cut = len(counted) == most
        chosen = _choose(wanted, counted, many=many)
        if chosen[0].media_type == media_types.OCTET_STREAM:
            pairs = zip(counted, chosen, strict=True)
            answer = bulkdata.collect(request, itertools.chain(pairs, _go_on(wanted, found, chosen[0])))
        elif chosen[0].media_type == media_types.ZIP:
            files = [_zipped(request, wanted, *pair) for pair in zip(counted, chosen, strict=True)]
            more = (_zipped(request, wanted, *pair) for pair in _go_on(wanted, found, chosen[0]))
            answer = zipped.answer(request, resource.target, files, more if is_cut else None)
        elif chosen[0].is_multipart:
            rest = _later(request, wanted, found, chosen[0]) if is_cut else None
            answer = _several(request, counted, chosen, rest)
        else:
            answer = single(request, counted[0], chosen[0])
        if isinstance(found, Underway) and found.lacking and answer.status == 200:
            answer.status, answer.of = 206, None
            answer.headers.append(lacking(request, found.lacking))
        answer.resources.push(held.pop_all())
        return answer


def lacking(request: Request, count: int) -> Header:
    """Says of how many instances the answer is silent."""
    text = f"{count} instances could not be had from where they are kept"
    return field("warning", warning.format_warning(request.root, text))


def _choose(wanted: tuple[Wish, ...], counted: list[Instance], *, many: bool) -> list[Offer]:
    offered = [_offers(instance, wanted, many=many) for instance in counted]
    try:
        chosen = negotiation.choose_each(wanted, offered)
    except errors.NotAcceptable:
        raise _refusal(counted, many=many) from None
    fitting = [offer for offer in chosen if offer is not None]
    if len(fitting) < len(chosen):
        # 206 would be allowed (RET-03), but few callers look: images would be missing unnoticed.
        lacking = [instance for instance, offer in zip(counted, chosen, strict=True) if offer is None]
        refusal = _refusal(lacking, many=many)
        text = f"of {len(lacking)} among {len(chosen)} instances, {refusal.message}"
        raise errors.NotAcceptable(text, see=refusal.see)
    return fitting


def _offers(instance: Instance, wanted: tuple[Wish, ...], *, many: bool) -> tuple[Offer, ...]:
    return offers.instance_offers(possible.look(instance, wanted), many=many)


def _refusal(lacking: list[Instance], *, many: bool) -> errors.NotAcceptable:
    """Why, and what could be had."""
    each = [offers.instance_offers(possible.look_closely(one), many=many) for one in lacking[:_MOST_TOLD]]
    return negotiation.not_acceptable(offer for one in each for offer in one)


def file_offers(instance: Instance, wanted: tuple[Wish, ...]) -> tuple[Offer, ...]:
    """How one file can be sent, whole, to somebody who wants this."""
    return tuple(offer for offer in _offers(instance, wanted, many=False) if offer.media_type == media_types.DICOM)


def _go_on(wanted: tuple[Wish, ...], found: Iterator[Instance], first: Offer) -> Iterator[tuple[Instance, Offer]]:
    """What comes after those that were looked at, each in the form of the first."""
    for instance in found:
        yield instance, _like(wanted, instance, first)


def _like(wanted: tuple[Wish, ...], instance: Instance, first: Offer) -> Offer:
    return negotiation.choose(wanted, negotiation.alike(_offers(instance, wanted, many=True), first))


def _later(
    request: Request, wanted: tuple[Wish, ...], found: Iterator[Instance], first: Offer
) -> Iterator[Part | Pause]:
    """The same as parts, with pauses while one has still to come."""
    for one in origin.with_pauses(found):
        yield one if isinstance(one, Pause) else part(request, one, _like(wanted, one, first))


def _several(
    request: Request, counted: list[Instance], chosen: list[Offer], rest: Iterator[Part | Pause] | None
) -> Answer:
    pairs = list(zip(counted, chosen, strict=True))
    media_type = chosen[0].media_type
    is_stored = all(offer.is_stored for offer in chosen)
    is_exact = all(instance.facts.digest for instance in counted)
    if rest is not None or not (is_stored or is_exact):
        lazily = itertools.chain((part(request, *pair) for pair in pairs), rest or ())
        return parts.answer_unmeasured(media_type, lazily, [caching.CHANGING])
    listed = "\n".join(f"{instance.facts.version} {variant(request, offer)}" for instance, offer in pairs)
    tag = caching.format_tag(listed, "multipart", is_exact=is_exact)
    if is_stored:
        sized = [part(request, *pair) for pair in pairs]
        return parts.answer_tagged(request, media_type, sized, tag, lifetime=caching.CHANGING)
    return parts.answer_made(request, media_type, (part(request, *pair) for pair in pairs), tag, caching.CHANGING)


def variant(request: Request, offer: Offer) -> str:
    """What tells two representations of the same instance apart."""
    return f"{offer.content_type} {'stored' if offer.is_stored else request.door.maker.edition}"


def part(request: Request, instance: Instance, offer: Offer, location: str | None = None) -> Part:
    """One instance as one part; what is not stored so is begun to be made."""
    location = location or resources.link(request.root, instance.facts.target)
    if offer.is_stored:
        size = instance.facts.size
        return Part(
            content_type=offer.content_type, location=location, size=size, chunks=instance.file(), read=instance.file
        )
    made = _make(request, instance, offer)
    return Part(
        content_type=offer.content_type,
        location=location,
        size=made.size,
        chunks=made.chunks,
        read=lambda span: spans.cut(_make(request, instance, offer).chunks, span),
    )


def _make(request: Request, instance: Instance, offer: Offer) -> MadeFile:
    assert offer.transfer_syntax is not None, "a file has a transfer syntax"
    return transcoding.make_file(request.door.maker, instance, offer.transfer_syntax)


def single(request: Request, instance: Instance, offer: Offer, location: str | None = None) -> Answer:
    """One instance as the whole body, or ranges of it."""
    tag = caching.format_tag(instance.facts.version, variant(request, offer))
    if offer.is_stored:
        stored = part(request, instance, offer, location)
        return parts.answer_single(request, stored, tag, lifetime=caching.CHANGING, modified=instance.facts.modified)
    return parts.answer_made_single(
        request,
        lambda: part(request, instance, offer, location),
        content_type=offer.content_type,
        location=location or resources.link(request.root, instance.facts.target),
        tag=tag,
        lifetime=caching.CHANGING,
    )


def _zipped(request: Request, wanted: tuple[Wish, ...], instance: Instance, offer: Offer) -> zipped.File:
    may_stay = any(wish.media_type == media_types.ZIP and wish.transfer_syntax is None for wish in wanted)
    return zipped.File(instance, offer, variant(request, offer), lambda: part(request, instance, offer), may_stay)
