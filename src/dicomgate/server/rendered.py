"""Rendered resources: studies, series, instances and frames as anybody's program shows them (PS3.18 §10.4.3.3.3, REN).

Nothing is made before it is known that the caller has not got it yet, and each part only when the one before has left.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import orjson

from dicomgate import errors
from dicomgate.dicom.presentation import Annotation, Profile
from dicomgate.dicom.uids import Level
from dicomgate.dicomweb import (
    media_types,
    negotiation,
    parameters,
    rendered_offers,
    rendering,
    resources,
    text_charsets,
    warning,
)
from dicomgate.dicomweb.negotiation import Offer, Wish
from dicomgate.dicomweb.rendered_offers import Category
from dicomgate.dicomweb.rendering import Wanted
from dicomgate.dicomweb.resources import Resource
from dicomgate.dicomweb.text_charsets import TextCharset
from dicomgate.origin import Instance
from dicomgate.representations import encapsulated, texts
from dicomgate.server import caching, parts
from dicomgate.server.answers import Answer, Header
from dicomgate.server.exchange import field
from dicomgate.server.parts import Part
from dicomgate.server.requests import Request

_MOST_COUNTED: Final = 5000
"""Instances looked at before the answer begins; of more no entity tag is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is wanted of whatever is rendered."""

    wanted: Wanted
    charset: str | None = None  # as the query names it

    @property
    def key(self) -> str:
        """The same for the same wish."""
        return repr(self.wanted.presentation)


def retrieve(request: Request, resource: Resource) -> Answer:
    """What the target looks like: one picture or text, or several as parts (REN-09)."""
    assert resource.target is not None, "what is rendered is something"
    task = Task(wanted=rendering.parse(request.pairs), charset=parameters.find_single(request.pairs, "charset"))
    with contextlib.ExitStack() as held:
        found = held.enter_context(request.door.origin.retrieve.retrieve(resource.target))
        if resource.frames:
            answer = _frames(request, next(found), resource.frames, task)
        elif resource.level is Level.INSTANCE:
            answer = _instance(request, next(found), task)
        else:
            answer = _collection(request, found, task)
        answer.resources.push(held.pop_all())
        return answer


def single(request: Request, instance: Instance, offer: Offer, task: Task, frame: int | None = None) -> Answer:
    """One instance, or one frame of it, as the whole body."""
    part = next(_parts(request, instance, offer, task, () if frame is None else (frame,)))
    tag = _tag(request, f"{instance.facts.version} {frame}", part.content_type, task)
    answer = parts.answer_single(request, part, tag, _reader(instance, offer), lifetime=_lifetime(offer, task))
    answer.headers += _warnings(request, task)
    return answer


def _instance(request: Request, instance: Instance, task: Task) -> Answer:
    offer = negotiation.choose(request.wishes(), _offers(request, instance, many=False))
    if not offer.is_multipart:
        return single(request, instance, offer, task)
    return _several(request, instance.facts.version, offer, _parts(request, instance, offer, task, ()), task)


def _frames(request: Request, instance: Instance, frames: tuple[int, ...], task: Task) -> Answer:
    count = instance.facts.frame_count
    if frames[-1] > count:
        raise errors.NotFound(f"frame {frames[-1]} does not exist; the instance has {count}")
    offer = negotiation.choose(request.wishes(), rendered_offers.frame_offers(many=len(frames) > 1))
    if not offer.is_multipart:
        return single(request, instance, offer, task, frames[0])
    version = f"{instance.facts.version} {frames}"
    return _several(request, version, offer, _parts(request, instance, offer, task, frames), task)


def _collection(request: Request, found: Iterator[Instance], task: Task) -> Answer:
    """Every instance of a study or series that can be rendered so; 206 when some cannot (RET-03)."""
    wanted = request.wishes()
    counted = list(itertools.islice(found, _MOST_COUNTED))
    offered = [_offers(request, instance, many=True) for instance in counted]
    chosen = [negotiation.find(wanted, each) for each in offered]
    fitting = [(instance, offer) for instance, offer in zip(counted, chosen, strict=True) if offer is not None]
    if not fitting:
        raise negotiation.not_acceptable([offer for each in offered for offer in each])
    more = _go_on(request, wanted, found) if len(counted) == _MOST_COUNTED else ()
    made = (
        part
        for instance, offer in itertools.chain(fitting, more)
        for part in _parts(request, instance, offer, task, ())
    )
    listed = "\n".join(f"{instance.facts.version} {offer.content_type}" for instance, offer in fitting)
    answer = _several(request, listed, fitting[0][1], made, task, is_whole=len(counted) < _MOST_COUNTED)
    if answer.status == 200 and len(fitting) < len(counted):
        answer.status = 206
        answer.headers.append(_warning(request, f"{len(counted) - len(fitting)} instances cannot be rendered so"))
    return answer


def _go_on(request: Request, wanted: tuple[Wish, ...], found: Iterator[Instance]) -> Iterator[tuple[Instance, Offer]]:
    for instance in found:
        offer = negotiation.find(wanted, _offers(request, instance, many=True))
        if offer is not None:
            yield instance, offer


def _offers(request: Request, instance: Instance, *, many: bool) -> tuple[Offer, ...]:
    facts = instance.facts
    return rendered_offers.instance_offers(
        facts.sop_class, facts.transfer_syntax, facts.frame_count, many=many, strict=request.door.settings.strict
    )


def _several(
    request: Request, version: str, offer: Offer, made: Iterable[Part], task: Task, *, is_whole: bool = True
) -> Answer:
    headers: list[Header] = [caching.CHANGING, *_warnings(request, task)]
    if is_whole:
        tag = _tag(request, version, offer.content_type, task, is_exact=False)
        headers.append(field("etag", tag))
        if caching.is_known(request, tag):
            return caching.not_modified(headers)
    return parts.answer_unmeasured(offer.media_type, made, headers)


# One instance's parts.


def _parts(request: Request, instance: Instance, offer: Offer, task: Task, frames: tuple[int, ...]) -> Iterator[Part]:
    facts = instance.facts
    kind = rendered_offers.category(facts.sop_class, facts.transfer_syntax, facts.frame_count)
    if offer.media_type in rendered_offers.PICTURES:
        _check_profile(offer, task)
        yield from _pictures(frames)
    elif kind is Category.VIDEO:
        yield _video_part(request, instance, offer)
    else:
        yield _document_part(request, instance, offer, task)


def _pictures(frames: tuple[int, ...]) -> Iterator[Part]:
    where = "the frames" if frames else "/frames, or for the instance itself"
    raise errors.NotAcceptable(f"pictures are not made here; ask for {where}")


def _check_profile(offer: Offer, task: Task) -> None:
    asked = task.wanted.presentation.profile
    if asked not in (None, Profile.NO) and not rendered_offers.can_hold_profile(offer.media_type):
        raise errors.Malformed(f"parameter iccprofile: expected no, for {offer.media_type} holds no profile")


def _video_part(request: Request, instance: Instance, offer: Offer) -> Part:
    """The stream as it is stored."""
    piece = instance.frame(1)
    location = resources.link(request.root, instance.facts.target)
    return Part(content_type=offer.media_type, location=location, size=piece.size, chunks=piece.chunks)


def _document_part(request: Request, instance: Instance, offer: Offer, task: Task) -> Part:
    """A document as it is, or a report or a list of attributes as text."""
    location = resources.link(request.root, instance.facts.target)
    if offer.media_type == rendered_offers.document_type(instance.facts.sop_class):
        piece = encapsulated.read(instance)
        return Part(content_type=offer.media_type, location=location, size=piece.size, chunks=piece.chunks)
    charset = _charset(request, offer, task)
    return Part(
        content_type=f"{offer.media_type}; charset={charset.name.lower()}",
        location=location,
        size=None,
        chunks=_write_text(instance, offer.media_type, charset),
    )


def _charset(request: Request, offer: Offer, task: Task) -> TextCharset:
    named = [m for m in media_types.parse_list(request.accept or "") if m.type == offer.media_type]
    return text_charsets.choose(
        named[0].get("charset") if named else None, task.charset, request.header(b"accept-charset")
    )


def _write_text(instance: Instance, media_type: str, charset: TextCharset) -> Iterator[bytes]:
    yield charset.encode(texts.render(orjson.loads(instance.metadata()), media_type, charset.name))


def _reader(instance: Instance, offer: Offer) -> Callable[[range], Iterator[bytes]] | None:
    """What reads a part of the body where it is stored as it is sent (V14)."""
    if offer.media_type == rendered_offers.document_type(instance.facts.sop_class):
        return lambda span: encapsulated.read(instance, span).chunks
    is_made = offer.media_type in rendered_offers.PICTURES or offer.media_type in rendered_offers.TEXTS
    return None if is_made else lambda span: instance.frame(1, span=span).chunks


# What the answer says of itself.


def _tag(request: Request, version: str, content_type: str, task: Task, *, is_exact: bool = True) -> str:
    representation = f"rendered {content_type} {task.key} {request.door.maker.edition}"
    return caching.format_tag(version, representation, is_exact=is_exact)


def _lifetime(offer: Offer, task: Task) -> Header:
    """Who the patient is may be corrected, the pixels are not."""
    tells_patient = Annotation.PATIENT in task.wanted.presentation.annotations
    is_picture = offer.media_type in rendered_offers.PICTURES
    return caching.IMMUTABLE if is_picture and not tells_patient else caching.CHANGING


def _warnings(request: Request, task: Task) -> list[Header]:
    text = task.wanted.warning
    return [] if text is None else [_warning(request, text)]


def _warning(request: Request, text: str) -> Header:
    return field("warning", warning.format_warning(request.root, text))
