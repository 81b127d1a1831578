"""WADO-URI: the query form of retrieval <-> one instance and what it is wanted as (PS3.18 §9)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dicomgate import errors
from dicomgate.dicom import uids
from dicomgate.dicom.uids import Target
from dicomgate.dicomweb import media_types, negotiation, offers, parameters
from dicomgate.dicomweb.media_types import MediaType
from dicomgate.dicomweb.negotiation import Offer, Wish
from dicomgate.dicomweb.parameters import Pairs

RENDERED_DEFAULT: Final = "image/jpeg"
"""What an image is sent as when nobody says (§9.3, AMB-08)."""

_NAMES: Final = (("studyUID", "study"), ("seriesUID", "series"), ("objectUID", "instance"))
_NOT_WITH_DICOM: Final = ("windowCenter", "windowWidth", "presentationUID", "presentationSeriesUID")
_BOTH_OR_NEITHER: Final = (("windowCenter", "windowWidth"), ("presentationUID", "presentationSeriesUID"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One instance, and the representations that are wanted of it, always as a single part (URI-02)."""

    target: Target
    wishes: tuple[Wish, ...]


def parse(pairs: Pairs, accept: str | None = None) -> Request:
    """What a WADO-URI query asks for; parameters that are not known are ignored (GEN-03).

    Malformed when a required parameter is missing (URI-01), or a known one has a value that it cannot have.
    NotAcceptable when a de-identified copy is asked for: none is made here, and the original is none (URI-07).
    """
    parameters.check(pairs)
    if parameters.find_single(pairs, "requestType") != "WADO":
        raise errors.Malformed("parameter requestType: expected WADO")
    found = [_get_uid(pairs, name, what) for name, what in _NAMES]
    for name, check in _CHECKS.items():
        value = parameters.find_single(pairs, name)
        if value is not None:
            check(name, value)
    for first, second in _BOTH_OR_NEITHER:
        if (parameters.find_single(pairs, first) is None) != (parameters.find_single(pairs, second) is None):
            raise errors.Malformed(f"parameters {first} and {second}: expected both or neither")
    if parameters.find_single(pairs, "anonymize") is not None:
        raise errors.NotAcceptable("de-identified copies are not made here, and the original is not sent for one")
    wishes = _parse_content_type(pairs, accept)
    if any(wish.media_type == media_types.DICOM for wish in wishes):
        _check_dicom(pairs)
    return Request(target=Target(*found), wishes=wishes)


def choose(
    wishes: tuple[Wish, ...], transfer_syntax: str, *, is_lossy: bool, has_frames: bool, is_sound: bool = True
) -> Offer:
    """The best single part of what is offered of an instance. NotAcceptable with what could be had (URI-08)."""
    offered = offers.instance_offers(
        transfer_syntax, is_lossy=is_lossy, has_frames=has_frames, many=False, is_sound=is_sound
    )
    fitting = [offer for offer in offered if offer.media_type == media_types.DICOM and not offer.is_multipart]
    found = negotiation.find(wishes, fitting)
    if found is None:
        see = tuple(dict.fromkeys(_format_wish(offer) for offer in fitting if offer.can_be_named))
        raise errors.NotAcceptable(f"nothing that was asked for can be sent; what can: {', '.join(see)}", see=see)
    return found


def _format_wish(offer: Offer) -> str:
    return f"contentType={offer.media_type}&transferSyntax={offer.transfer_syntax}"


def link(root: str, target: Target) -> str:
    """The address that asks for an instance as it would be sent over DICOM; root is the service's base (§9.4.1)."""
    names = "".join(
        f"&{name}={uid}" for (name, _), uid in zip(_NAMES, (target.study, target.series, target.instance), strict=True)
    )
    return f"{root}?requestType=WADO{names}&contentType={media_types.DICOM}"


def _get_uid(pairs: Pairs, name: str, what: str) -> str:
    value = parameters.find_single(pairs, name)
    if value is None:
        raise errors.Malformed(f"parameter {name}: expected the UID of the {what}, it is missing")
    return uids.parse_uid(value, what=f"parameter {name}")


def _parse_content_type(pairs: Pairs, accept: str | None) -> tuple[Wish, ...]:
    """The types that contentType lists, else those that Accept names, else a rendered image (URI-03, URI-04)."""
    transfer_syntax = parameters.find_single(pairs, "transferSyntax")
    said = parameters.find_single(pairs, "contentType")
    if said is None:
        named = [wish for wish in negotiation.wishes(accept) if "*" not in wish.media_type and not wish.is_multipart]
        return tuple(named) or (Wish(media_type=RENDERED_DEFAULT),)
    members = media_types.parse_list(said)
    if not members:
        raise errors.Malformed("parameter contentType: expected a media type")
    if any(member.type == media_types.DICOM for member in members):
        if any(member.type != media_types.DICOM for member in members):
            raise errors.Malformed("parameter contentType: DICOM and rendered types cannot be mixed")
        if any(member.get("transfer-syntax") or member.get("charset") for member in members):
            raise errors.Malformed("parameter contentType: application/dicom takes no parameters here")
        return (Wish(media_type=media_types.DICOM, transfer_syntax=transfer_syntax),)
    return tuple(_rendered_wish(member, position) for position, member in enumerate(members))


def _rendered_wish(member: MediaType, position: int) -> Wish:
    return Wish(media_type=member.type, position=position)


def _check_dicom(pairs: Pairs) -> None:
    for name in _NOT_WITH_DICOM:
        if parameters.find_single(pairs, name) is not None:
            raise errors.Malformed(f"parameter {name}: not together with application/dicom")


def _check_uid(name: str, value: str) -> None:
    uids.parse_uid(value, what=f"parameter {name}")


def _check_yes(name: str, value: str) -> None:
    if value != "yes":
        raise errors.Malformed(f"parameter {name}: expected yes")


def _check_count(name: str, value: str) -> None:
    if not (value.isascii() and value.isdigit() and len(value) <= 10 and int(value) > 0):
        raise errors.Malformed(f"parameter {name}: expected a whole number from 1")


def _check_quality(name: str, value: str) -> None:
    _check_count(name, value)
    if int(value) > 100:
        raise errors.Malformed(f"parameter {name}: expected a whole number from 1 to 100")


def _check_number(name: str, value: str) -> None:
    _parse_number(name, value)


def _check_region(name: str, value: str) -> None:
    """Left, top, right, bottom as parts of the whole, each pair ascending (URI-11)."""
    numbers = [_parse_number(name, piece) for piece in value.split(",")]
    if len(numbers) == 4:
        left, top, right, bottom = numbers
        if 0 <= left < right <= 1 and 0 <= top < bottom <= 1:
            return
    raise errors.Malformed(f"parameter {name}: expected xmin,ymin,xmax,ymax within 0 to 1, ascending")


def _parse_number(name: str, text: str) -> float:
    try:
        number = float(text) if len(text) <= 32 else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise errors.Malformed(f"parameter {name}: expected decimal numbers")
    return number


_CHECKS: Final[dict[str, Callable[[str, str], None]]] = {
    "transferSyntax": _check_uid,
    "anonymize": _check_yes,
    "frameNumber": _check_count,
    "rows": _check_count,
    "columns": _check_count,
    "imageQuality": _check_quality,
    "windowCenter": _check_number,
    "windowWidth": _check_number,
    "region": _check_region,
    "presentationUID": _check_uid,
    "presentationSeriesUID": _check_uid,
}
"""Each known parameter that may stand beside the UIDs, and what its value must be (URI-07 to URI-15)."""
