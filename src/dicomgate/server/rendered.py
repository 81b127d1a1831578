"""Rendered resources: studies, series, instances and frames as anybody's program shows them (PS3.18 §10.4.3.3.3, REN).

Nothing is made before it is known that the caller has not got it yet, and each part only when the one before has left.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import orjson

from dicomgate import errors
from dicomgate.dicom.presentation import Profile
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
from dicomgate.representations import encapsulated, moving_pictures, pictures, state_pose, texts
from dicomgate.server import caching, parts, shots
from dicomgate.server.answers import Answer, Header
from dicomgate.server.exchange import field
from dicomgate.server.parts import Part
from dicomgate.server.requests import Request
from dicomgate.server.shots import Shot

_MOST_COUNTED: Final = 5000
"""Instances looked at before the answer begins; of more no entity tag is told."""
Limits = dict[str, tuple[float, float]]
"""What is black and white in frames that do not say it: the same for all frames of a version."""
_VARY_TEXT: Final[Header] = (b"vary", b"Accept, Accept-Charset")


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
            answer = _instance(request, held, next(found), task)
        else:
            answer = _collection(request, found, task)
        answer.resources.push(held.pop_all())
        return answer


def _instance(request: Request, held: contextlib.ExitStack, instance: Instance, task: Task) -> Answer:
    offer = negotiation.choose(request.wishes(), _offers(request, instance, many=False))
    if offer.media_type not in rendered_offers.PICTURES:
        part = other_part(request, instance, offer, task)
        if offer.is_multipart:
            return _several(request, instance.facts.version, offer, [part], task)
        return single_other(request, instance, offer, task)
    if category(instance) is not Category.STATE:
        return _pictures(request, shots.of_instance(instance, offer), offer, task)
    rendering.check_state(task.wanted.presentation)
    chosen, missing = shots.of_state(request, held, instance, offer)
    return _pictures(request, chosen, offer, task, missing)


def _frames(request: Request, instance: Instance, frames: tuple[int, ...], task: Task) -> Answer:
    count = instance.facts.frame_count
    if frames[-1] > count:
        raise errors.NotFound(f"frame {frames[-1]} does not exist; the instance has {count}")
    if category(instance) is Category.VIDEO:
        raise errors.NotAcceptable("frames of a video are not decoded here; ask for /rendered of the instance")
    offer = negotiation.choose(request.wishes(), rendered_offers.frame_offers(many=len(frames) > 1))
    return _pictures(request, shots.of_instance(instance, offer, frames), offer, task)


def _pictures(request: Request, chosen: list[Shot], offer: Offer, task: Task, missing: tuple[str, ...] = ()) -> Answer:
    if not offer.is_multipart:
        return single_picture(request, chosen[0], offer, task, missing)
    grey: Limits = {}
    version = "\n".join(shot.key for shot in chosen)
    made = (picture_part(request, shot, offer, task, grey) for shot in chosen)
    answer = _several(request, version, offer, made, task)
    answer.headers += _state_warnings(request, chosen[0], missing)
    return answer


def single_picture(request: Request, shot: Shot, offer: Offer, task: Task, missing: tuple[str, ...] = ()) -> Answer:
    """One picture as the whole body; `missing`: what is not shown, in words."""
    part = picture_part(request, shot, offer, task, {})
    tag = format_tag(request, shot.key, offer.content_type, task)
    modified = shot.instance.facts.modified if shot.state is None else 0.0
    lifetime = _lifetime(task) if shot.state is None else caching.CHANGING  # the first of its images may still come
    answer = parts.answer_single(request, part, tag, lifetime=lifetime, modified=modified)
    answer.headers += [*_warnings(request, task), *_state_warnings(request, shot, missing)]
    return answer


def single_other(request: Request, instance: Instance, offer: Offer, task: Task) -> Answer:
    """A text, document or video as the whole body."""
    part = dataclasses.replace(other_part(request, instance, offer, task), read=_reader(instance, offer))
    tag = format_tag(request, instance.facts.version, part.content_type, task)
    modified = instance.facts.modified
    answer = parts.answer_single(request, part, tag, lifetime=caching.CHANGING, modified=modified)
    answer.headers = [*_with_charset(answer.headers, offer), *_warnings(request, task)]
    return answer


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
        part for instance, offer in itertools.chain(fitting, more) for part in _parts(request, instance, offer, task)
    )
    listed = "\n".join(f"{instance.facts.version} {offer.content_type}" for instance, offer in fitting)
    answer = _several(request, listed, fitting[0][1], made, task, is_whole=len(counted) < _MOST_COUNTED)
    for kind in {offer.media_type: offer for _, offer in fitting}.values():
        answer.headers = _with_charset(answer.headers, kind)
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
    if not is_whole:
        return parts.answer_unmeasured(offer.media_type, made, [caching.CHANGING, *_warnings(request, task)])
    charsets = f"{task.charset} {request.header(b'accept-charset')} {request.accept}"
    tag = format_tag(request, f"{version} {charsets}", offer.content_type, task)
    answer = parts.answer_made(request, offer.media_type, made, tag, caching.CHANGING)
    answer.headers = [*_with_charset(answer.headers, offer), *_warnings(request, task)]
    return answer


# Parts.


def category(instance: Instance) -> Category:
    """What the instance becomes when it is rendered."""
    facts = instance.facts
    return rendered_offers.category(facts.sop_class, facts.transfer_syntax, facts.frame_count)


def _parts(request: Request, instance: Instance, offer: Offer, task: Task) -> Iterator[Part]:
    if offer.media_type not in rendered_offers.PICTURES:
        yield other_part(request, instance, offer, task)
        return
    grey: Limits = {}
    for shot in shots.of_instance(instance, offer):
        yield picture_part(request, shot, offer, task, grey)


def picture_part(request: Request, shot: Shot, offer: Offer, task: Task, grey: Limits) -> Part:
    """A picture that is made when it is read. Malformed where the type has no room for what is wanted (REN-08)."""
    asked = task.wanted.presentation.profile
    if asked not in (None, Profile.NO) and not rendered_offers.can_hold_profile(offer.media_type):
        raise errors.Malformed(f"parameter iccprofile: expected no, for {offer.media_type} holds no profile")
    return Part(
        content_type=offer.content_type,
        location=shot.location(request.root),
        size=None,
        chunks=_draw(request, shot, offer, task, grey),
    )


def _draw(request: Request, shot: Shot, offer: Offer, task: Task, grey: Limits) -> Iterator[bytes]:
    """The picture. NotAcceptable when what is stored cannot be read: that is no fault of the caller's."""
    maker, version = request.door.maker, shot.instance.facts.version
    wanted = task.wanted.presentation
    if shot.frame is None:
        yield from moving_pictures.render(maker, shot.instance, wanted)
        return
    limits = grey.get(version)
    made = pictures.render(maker, shot.instance, shot.frame, wanted, offer.media_type, state=shot.state, limits=limits)
    if made.limits is not None:
        grey.setdefault(version, made.limits)
    yield made.content


def other_part(request: Request, instance: Instance, offer: Offer, task: Task) -> Part:
    """What is not a picture made of one: a stored stream or document, or a text."""
    if category(instance) is not Category.VIDEO:
        return _document_part(request, instance, offer, task)
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
        chunks=_write_text(request, instance, offer.media_type, charset),
    )


def _charset(request: Request, offer: Offer, task: Task) -> TextCharset:
    named = [m for m in media_types.parse_list(request.accept or "") if m.type == offer.media_type]
    return text_charsets.choose(
        named[0].get("charset") if named else None, task.charset, request.header(b"accept-charset")
    )


def _write_text(request: Request, instance: Instance, media_type: str, charset: TextCharset) -> Iterator[bytes]:
    """The text. NotAcceptable when it does not fit into the character set."""
    maker = request.door.maker

    def make() -> tuple[bytes, bytes]:
        return b"", charset.encode(texts.render(orjson.loads(instance.metadata()), media_type, charset.name))

    _, content = maker.kept.get(instance.facts, f"text {media_type} {charset.name} {maker.edition}", make)
    yield content


def _reader(instance: Instance, offer: Offer) -> Callable[[range], Iterator[bytes]] | None:
    """What reads a part of the body where it is stored as it is sent (V14)."""
    if offer.media_type == rendered_offers.document_type(instance.facts.sop_class):
        return lambda span: encapsulated.read(instance, span).chunks
    is_made = offer.media_type in rendered_offers.PICTURES or offer.media_type in rendered_offers.TEXTS
    return None if is_made else lambda span: instance.frame(1, span=span).chunks


# What the answer says of itself.


def format_tag(request: Request, version: str, content_type: str, task: Task) -> str:
    """The entity tag of what is made of a version, as it is wanted, by these programs."""
    representation = f"rendered {content_type} {task.key} {request.door.maker.edition}"
    return caching.format_tag(version, representation)


def _lifetime(task: Task) -> Header:
    """What is written into pictures may be corrected, the pixels are not."""
    return caching.CHANGING if task.wanted.presentation.annotations else caching.IMMUTABLE


def _with_charset(headers: list[Header], offer: Offer) -> list[Header]:
    """Texts differ by what the caller says of character sets."""
    if offer.media_type not in rendered_offers.TEXTS:
        return headers
    return [_VARY_TEXT if header[0] == b"vary" else header for header in headers]


def _warnings(request: Request, task: Task) -> list[Header]:
    text = task.wanted.warning
    return [] if text is None else [_warning(request, text)]


def _state_warnings(request: Request, shot: Shot, missing: tuple[str, ...]) -> list[Header]:
    """What is not shown of a presentation state is told."""
    if shot.state is not None:
        missing += state_pose.find_left_out(shot.state)
    return [_warning(request, f"Of the presentation state are not shown: {', '.join(missing)}")] if missing else []


def _warning(request: Request, text: str) -> Header:
    return field("warning", warning.format_warning(request.root, text))
