"""WADO-URI: the query form of retrieval <-> one instance and what it is wanted as (PS3.18 §9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from dicomgate import errors
from dicomgate.dicom import uids
from dicomgate.dicom.presentation import Presentation, Region, Viewport, Window
from dicomgate.dicom.uids import Target
from dicomgate.dicomweb import media_types, negotiation, parameters, rendering
from dicomgate.dicomweb.negotiation import Offer, Wish
from dicomgate.dicomweb.parameters import Pairs
from dicomgate.dicomweb.rendered_offers import Category
from dicomgate.dicomweb.rendering import Wanted
from dicomgate.dicomweb.resources import LARGEST_FRAME

PARAMETERS: Final = (
    "requestType",
    "studyUID",
    "seriesUID",
    "objectUID",
    "contentType",
    "charset",
    "anonymize",
    "transferSyntax",
    "frameNumber",
    "annotation",
    "imageQuality",
    "rows",
    "columns",
    "region",
    "windowCenter",
    "windowWidth",
    "presentationUID",
    "presentationSeriesUID",
)
"""Of the URI service (§9.4.1, §9.5.1)."""

_NAMES: Final = (("studyUID", "study"), ("seriesUID", "series"), ("objectUID", "instance"))
_ANNOTATIONS: Final = ("annotation", "imageAnnotation")  # the table of §9.5 has the one, its text the other
_NOT_WITH_DICOM: Final = ("windowCenter", "windowWidth", "presentationUID", "presentationSeriesUID")
_NOT_WITH_STATE: Final = ("windowCenter", "windowWidth", "frameNumber")
_ANONYMOUS: Final = Wish(media_type=media_types.DICOM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One instance, and the representations that are wanted of it, always as a single part (URI-02).

    `frame` counts from 1; `state` is a presentation state to apply. `charset`: what the query says of texts.
    """

    target: Target
    wishes: tuple[Wish, ...]
    wanted: Wanted
    frame: int | None = None
    state: Target | None = None
    is_anonymous: bool = False
    charset: str | None = None


def parse(pairs: Pairs, accept: str | None = None) -> Request:
    """What a WADO-URI query asks for; parameters that are not known are ignored (GEN-03).

    Malformed when a required parameter is missing (URI-01), or a known one has a value that it cannot have, or stands
    beside one that excludes it.
    """
    parameters.check(pairs)
    if parameters.find_single(pairs, "requestType") != "WADO":
        raise errors.Malformed("parameter requestType: expected WADO")
    target = Target(*(_get_uid(pairs, name, what) for name, what in _NAMES))
    is_anonymous = _parse_anonymize(parameters.find_single(pairs, "anonymize"))
    wanted, state = _parse_wanted(pairs), _parse_state(pairs, target.study)
    frame = parameters.find_single(pairs, "frameNumber")
    said = parameters.find_single(pairs, "contentType")
    transfer_syntax = _parse_transfer_syntax(parameters.find_single(pairs, "transferSyntax"))
    wishes = _wishes(said, accept, transfer_syntax)
    if said is not None and any(map(_is_dicom, wishes)):
        _exclude(pairs, _NOT_WITH_DICOM, "application/dicom")
    return Request(
        target=target,
        wishes=_only_dicom(wishes, transfer_syntax) if is_anonymous else wishes,
        wanted=wanted,
        frame=None if frame is None else _parse_frame(frame),
        state=state,
        is_anonymous=is_anonymous,
        charset=parameters.find_single(pairs, "charset"),
    )


def choose(wishes: Sequence[Wish], kind: Category, files: Sequence[Offer], rendered: Sequence[Offer]) -> Offer:
    """The best single part of what is offered. NotAcceptable with what could be had (URI-08).

    Nobody says what he wants: pictures of an image, the text of a report, the file of anything else (§9.3, AMB-08).
    """
    offered = [*files, *rendered] if kind is Category.OTHER else [*rendered, *files]
    fitting = [offer for offer in offered if not offer.is_multipart]
    found = negotiation.find(wishes, fitting)
    if found is None:
        see = tuple(dict.fromkeys(_format_wish(offer) for offer in fitting if offer.can_be_named))
        raise errors.NotAcceptable(f"nothing that was asked for can be sent; what can: {', '.join(see)}", see=see)
    return found


def _format_wish(offer: Offer) -> str:
    syntax = f"&transferSyntax={offer.transfer_syntax}" if offer.transfer_syntax else ""
    return f"contentType={offer.media_type}{syntax}"


def link(root: str, target: Target) -> str:
    """The address that asks for an instance as it would be sent over DICOM; root is the service's base (§9.4.1)."""
    names = "".join(
        f"&{name}={uid}" for (name, _), uid in zip(_NAMES, (target.study, target.series, target.instance), strict=True)
    )
    return f"{root}?requestType=WADO{names}&contentType={media_types.DICOM}"


# What is wanted: which types.


def _wishes(said: str | None, accept: str | None, transfer_syntax: str | None) -> tuple[Wish, ...]:
    """The types that contentType lists, else those that Accept names, else anything (URI-03, URI-04)."""
    if said is None:
        found = tuple(wish for wish in negotiation.wishes(accept) if not wish.is_multipart)
        return tuple(
            replace(w, transfer_syntax=transfer_syntax or w.transfer_syntax) if _is_dicom(w) else w for w in found
        )
    members = media_types.parse_list(said)
    if not members:
        raise errors.Malformed("parameter contentType: expected a media type")
    if any(member.type == media_types.DICOM for member in members):
        if any(member.type != media_types.DICOM for member in members):
            raise errors.Malformed("parameter contentType: DICOM and rendered types cannot be mixed")
        if any(member.get("transfer-syntax") or member.get("charset") for member in members):
            raise errors.Malformed("parameter contentType: application/dicom takes no parameters here")
        return (Wish(media_type=media_types.DICOM, transfer_syntax=transfer_syntax),)
    return tuple(wish for wish in negotiation.wishes(said) if not wish.is_multipart)


def _is_dicom(wish: Wish) -> bool:
    return wish.media_type == media_types.DICOM


def _only_dicom(wishes: tuple[Wish, ...], transfer_syntax: str | None) -> tuple[Wish, ...]:
    """De-identified copies are files. Malformed when only pictures or texts would be taken (2011 §8.1.7)."""
    if any(_is_dicom(wish) or wish.media_type in (media_types.ANY, "application/*") for wish in wishes):
        return (replace(_ANONYMOUS, transfer_syntax=transfer_syntax),)
    raise errors.Malformed("parameter anonymize: expected together with contentType=application/dicom")


# What is wanted: parameters of pictures.


def _parse_wanted(pairs: Pairs) -> Wanted:
    name = _ANNOTATIONS[1] if parameters.find_single(pairs, _ANNOTATIONS[1]) is not None else _ANNOTATIONS[0]
    known, unknown = rendering.parse_annotation(parameters.find_single(pairs, name), name)
    presentation = Presentation(
        window=_parse_window(pairs),
        viewport=_parse_viewport(pairs),
        region=_parse_region(parameters.find_single(pairs, "region")),
        quality=rendering.parse_quality(parameters.find_single(pairs, "imageQuality"), "imageQuality"),
        annotations=known,
    )
    return Wanted(presentation, unknown)


def _parse_window(pairs: Pairs) -> Window | None:
    center, width = _parse_both(pairs, "windowCenter", "windowWidth")
    if center is None or width is None:
        return None
    numbers = rendering.parse_decimal("windowCenter", center), rendering.parse_decimal("windowWidth", width)
    return rendering.checked_window("windowWidth", Window(*numbers))


def _parse_viewport(pairs: Pairs) -> Viewport | None:
    """Sizes at most; without one of them, the other decides (URI-10)."""
    columns, rows = parameters.find_single(pairs, "columns"), parameters.find_single(pairs, "rows")
    if columns is None and rows is None:
        return None
    width = rendering.LARGEST_SIDE if columns is None else rendering.parse_count("columns", columns)
    height = rendering.LARGEST_SIDE if rows is None else rendering.parse_count("rows", rows)
    return Viewport(width, height)


def _parse_region(text: str | None) -> Region | None:
    """Left, top, right, bottom as parts of the whole, each pair ascending (URI-11)."""
    if text is None:
        return None
    numbers = [rendering.parse_decimal("region", piece) for piece in text.split(",", 4)]
    if len(numbers) == 4:
        left, top, right, bottom = numbers
        if 0 <= left < right <= 1 and 0 <= top < bottom <= 1:
            return Region(left, top, right, bottom)
    raise errors.Malformed("parameter region: expected xmin,ymin,xmax,ymax within 0 to 1, ascending")


def _parse_state(pairs: Pairs, study: str) -> Target | None:
    """A presentation state of the same study; its own windows and frames count (URI-15)."""
    instance, series = _parse_both(pairs, "presentationUID", "presentationSeriesUID")
    if instance is None or series is None:
        return None
    _exclude(pairs, _NOT_WITH_STATE, "a presentation state")
    return Target(
        study,
        uids.parse_uid(series, what="parameter presentationSeriesUID"),
        uids.parse_uid(instance, what="parameter presentationUID"),
    )


def _parse_both(pairs: Pairs, first: str, second: str) -> tuple[str | None, str | None]:
    found = parameters.find_single(pairs, first), parameters.find_single(pairs, second)
    if (found[0] is None) != (found[1] is None):
        raise errors.Malformed(f"parameters {first} and {second}: expected both or neither")
    return found


def _exclude(pairs: Pairs, names: Sequence[str], what: str) -> None:
    for name in names:
        if parameters.find_single(pairs, name) is not None:
            raise errors.Malformed(f"parameter {name}: not together with {what}")


def _parse_anonymize(text: str | None) -> bool:
    if text not in (None, "yes"):
        raise errors.Malformed("parameter anonymize: expected yes")
    return text is not None


def _parse_transfer_syntax(text: str | None) -> str | None:
    return None if text is None else uids.parse_uid(text, what="parameter transferSyntax")


def _parse_frame(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 1 <= int(text) <= LARGEST_FRAME):
        raise errors.Malformed("parameter frameNumber: expected a whole number from 1")
    return int(text)


def _get_uid(pairs: Pairs, name: str, what: str) -> str:
    value = parameters.find_single(pairs, name)
    if value is None:
        raise errors.Malformed(f"parameter {name}: expected the UID of the {what}, it is missing")
    return uids.parse_uid(value, what=f"parameter {name}")
