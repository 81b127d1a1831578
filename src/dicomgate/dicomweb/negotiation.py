"""What the caller would accept, and the best of what is offered (PS3.18 §8.7.5 to §8.7.8, RFC 9110 §12.5.1)."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.dicomweb import media_types
from dicomgate.dicomweb.media_types import MediaType

AS_STORED = "*"
_EXACT = 2
DIRECTORY = "dicomdir"
"""Parameter of application/zip: `true` asks for a DICOMDIR among the files."""
_NEVER_NEGOTIATED = frozenset({syntaxes.IMPLICIT_LITTLE, syntaxes.EXPLICIT_BIG})  # GEN-09


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One thing the caller would take. `media_type` may be a range; of a multipart wish it is the parts' type.

    `is_multipart` None: either will do (`*/*`). `transfer_syntax` None: the type's default, `*`: as stored. Wishes of a
    lower `tier` go first, whatever their quality: `accept=` in the address wins over the header (V1).
    `has_directory`: an archive with a DICOMDIR.
    """

    media_type: str
    is_multipart: bool | None = False
    transfer_syntax: str | None = None
    quality: float = 1.0
    tier: int = 0
    position: int = 0
    has_directory: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One representation that can be had.

    `is_default`: what a wish without a transfer syntax gets; `is_stored`: what `transfer-syntax=*` gets; `is_only`:
    the codestream that is there, so a wish for anything at all gets it (FRM-07); `is_only_by_name`: no range of types
    means it.
    """

    media_type: str
    is_multipart: bool
    transfer_syntax: str | None = None
    is_default: bool = True
    is_stored: bool = True
    is_only: bool = False
    is_only_by_name: bool = False
    has_directory: bool = False

    @property
    def content_type(self) -> str:
        """The Content-Type of the single part, or of each part (MT-08, V3)."""
        return media_types.with_transfer_syntax(self.media_type, self.transfer_syntax)

    @property
    def can_be_named(self) -> bool:
        """False for transfer syntaxes that are never negotiated by name (GEN-09)."""
        return self.transfer_syntax not in _NEVER_NEGOTIATED

    @property
    def wish(self) -> str:
        """What to write into Accept to get it."""
        syntax = None if self.is_default else AS_STORED if self.is_stored else self.transfer_syntax
        parameters = (("transfer-syntax", syntax),) if syntax else ()
        if self.has_directory:
            parameters = (*parameters, (DIRECTORY, "true"))
        if self.is_multipart:
            return media_types.format_media_type(
                MediaType(media_types.MULTIPART, (("type", self.media_type), *parameters))
            )
        return media_types.format_media_type(MediaType(self.media_type, parameters))


ANYTHING = Wish(media_type=media_types.ANY, is_multipart=None)


@functools.lru_cache(maxsize=256)  # a viewer sends the same header for every frame
def wishes(
    accept: str | None, accept_query: str | None = None, *, strict: bool = False, is_bulk: bool = False
) -> tuple[Wish, ...]:
    """What an Accept header and an `accept=` parameter ask for.

    Members that cannot be read are left out; no header means anything (V1, AMB-01). When `strict`, a missing header is
    NotAcceptable (GEN-07) and DICOM types mixed with rendered ones are Malformed (MT-02); `is_bulk` tells that the
    resource is bulk data, so that image/jpeg is no rendered type there (AMB-02).
    """
    if strict and accept is None:
        raise errors.NotAcceptable("an Accept header is required")
    header = _parse_wishes(accept, tier=1) if accept and accept.strip() else (replace(ANYTHING, tier=1),)
    query = _parse_wishes(_restore_plus(accept_query), tier=0) if accept_query else ()
    if strict:
        _refuse_mix(header + query, is_bulk=is_bulk)
    return query + header


def find(wanted: Sequence[Wish], offers: Sequence[Offer]) -> Offer | None:
    """The best offer, None when none is wanted.

    Of the wishes that fit an offer the most specific counts. The highest quality wins, then the earlier wish, then the
    earlier offer; but what is stored wins over what would have to be made for as good a wish (§8.7.8.1: ties are the
    server's choice).
    """
    ranked = [(rank, offer) for offer in offers if (rank := _rank(wanted, offer)) is not None]
    if not ranked:
        return None
    best_rank, best = min(ranked, key=lambda pair: pair[0])
    if best.is_stored:
        return best
    alike = (pair for pair in ranked if pair[1].is_stored and pair[0][:2] == best_rank[:2])
    as_stored = [
        pair
        for pair in alike
        if _kind(pair[1]) == _kind(best) and pair[1].transfer_syntax != best.transfer_syntax  # else it begins unsoundly
    ]
    return min(as_stored, key=lambda pair: pair[0])[1] if as_stored else best


def _rank(wanted: Sequence[Wish], offer: Offer) -> tuple[int, float, int] | None:
    """How much an offer is wanted, the lowest most; None when it is not."""
    for tier in sorted({wish.tier for wish in wanted}):
        wish = _most_specific([wish for wish in wanted if wish.tier == tier], offer)
        if wish is not None:
            return (wish.tier, -wish.quality, wish.position) if wish.quality > 0 else None
    return None


def _kind(offer: Offer) -> tuple[bool, bool]:
    """Whether it is a file, and alone: one kind does not stand for another."""
    return offer.is_multipart, offer.media_type == media_types.DICOM


def choose(wanted: Sequence[Wish], offers: Sequence[Offer]) -> Offer:
    """The best offer. NotAcceptable, naming what could be had, when none is wanted."""
    found = find(wanted, offers)
    if found is None:
        raise not_acceptable(offers)
    return found


def choose_each(wanted: Sequence[Wish], offers: Sequence[tuple[Offer, ...]]) -> list[Offer | None]:
    """An offer for each instance of one answer, all of one media type, each with its own transfer syntax (RET-04, V4).

    None where an instance has nothing that is wanted (206 then, RET-03). NotAcceptable when none has.
    """
    found: dict[tuple[Offer, ...], Offer | None] = {each: find(wanted, each) for each in offers}
    first = next((offer for offer in found.values() if offer is not None), None)
    if first is None:
        raise not_acceptable([offer for each in found for offer in each])
    for each in found:
        found[each] = find(wanted, alike(each, first))
    return [found[each] for each in offers]


def may_want_made(wanted: Iterable[Wish], stored: str) -> bool:
    """Whether some wish could mean pictures that are compressed anew: another syntax by name, or a type of images."""
    return any(
        wish.quality > 0
        and wish.transfer_syntax not in (AS_STORED, stored, syntaxes.EXPLICIT_LITTLE)
        and _could_be_made(wish)
        for wish in wanted
    )


def _could_be_made(wish: Wish) -> bool:
    if wish.transfer_syntax is None:
        return wish.media_type.startswith("image/")
    syntax = syntaxes.find(wish.transfer_syntax)
    return syntax is not None and syntax.can_encode


def alike(offers: Iterable[Offer], first: Offer) -> list[Offer]:
    """Those that can be of one answer with the first: they differ in the transfer syntax only."""
    form = (first.media_type, first.is_multipart, first.has_directory)
    return [offer for offer in offers if (offer.media_type, offer.is_multipart, offer.has_directory) == form]


def not_acceptable(offers: Iterable[Offer]) -> errors.NotAcceptable:
    """The refusal that says what could be had."""
    unique = tuple(dict.fromkeys(offers))
    see = tuple(dict.fromkeys(offer.wish for offer in unique))
    kept = sorted({o.transfer_syntax for o in unique if o.transfer_syntax and not o.is_default and o.is_stored})
    names = [syntax.name if (syntax := syntaxes.find(uid)) else "an unknown syntax" for uid in kept]
    stored = ", ".join(f"{name} ({uid})" for name, uid in zip(names, kept, strict=True))
    why = f" It is stored as {stored}, which transfer-syntax=* asks for." if stored else ""
    return errors.NotAcceptable(f"nothing that was asked for can be sent.{why}", see=see)


def _parse_wishes(text: str, *, tier: int) -> tuple[Wish, ...]:
    found: list[Wish] = []
    for member in media_types.parse_list(text):
        found.extend(_wishes_of(member, tier, len(found)))
    return tuple(found)


def _wishes_of(member: MediaType, tier: int, position: int) -> list[Wish]:
    """One member is one wish, and one more for each further transfer syntax that it repeats (CLI-02)."""
    quality = _parse_quality(member.get("q"))
    if quality is None:
        return []
    type_, is_multipart = member.type, False if member.type != media_types.ANY else None
    if type_ in (media_types.MULTIPART, "multipart/*"):
        type_, is_multipart = (member.get("type") or media_types.ANY).lower(), True
    type_ = media_types.ALIASES.get(type_, type_)
    first, *others = member.all("transfer-syntax") or (None,)
    has_directory = type_ == media_types.ZIP and (member.get(DIRECTORY) or "").lower() == "true"
    wish = Wish(media_type=type_, is_multipart=is_multipart, transfer_syntax=first, quality=quality, tier=tier)
    kept = [replace(wish, has_directory=True) if has_directory else wish]
    for other in others:
        # "In this syntax, else as stored" cannot mean only what happens to have the first syntax's type.
        is_any = other == AS_STORED and type_.startswith(("image/", "video/"))
        kept.append(replace(kept[0], transfer_syntax=other, media_type=media_types.ANY if is_any else type_))
    return [replace(wish, position=position) for wish in kept]


def _parse_quality(text: str | None) -> float | None:
    """The weight, at most 1; None when it cannot be read."""
    if text is None:
        return 1.0
    try:
        quality = float(text) if len(text) <= 16 else math.nan
    except ValueError:
        return None
    return min(quality, 1.0) if quality >= 0 else None


def _restore_plus(text: str) -> str:
    """Many write `accept=application/dicom+json` unescaped, where `+` reads as a blank."""
    return text.replace("dicom json", "dicom+json").replace("dicom xml", "dicom+xml")


def _refuse_mix(found: Iterable[Wish], *, is_bulk: bool) -> None:
    found = list(found)
    if any(_is_rendered(wish, is_bulk=is_bulk) for wish in found) and any(map(_is_dicom, found)):
        raise errors.Malformed("Accept: DICOM types and rendered types cannot be mixed")


def _is_rendered(wish: Wish, *, is_bulk: bool) -> bool:
    if wish.media_type in media_types.RENDERED_ONLY:
        return True
    return not is_bulk and not wish.is_multipart and wish.media_type in media_types.BULK_OR_RENDERED


def _is_dicom(wish: Wish) -> bool:
    is_bulk = wish.is_multipart and wish.media_type in media_types.BULK_OR_RENDERED
    return bool(is_bulk) or wish.media_type in media_types.DICOM_ONLY


def _most_specific(wanted: Iterable[Wish], offer: Offer) -> Wish | None:
    fitting = [(specificity, wish) for wish in wanted if (specificity := _fit(wish, offer)) is not None]
    return max(fitting, key=lambda pair: (pair[0], -pair[1].position))[1] if fitting else None


def _fit(wish: Wish, offer: Offer) -> tuple[int, int, int] | None:
    """How precisely the wish means this offer: its form, type, transfer syntax. None when it does not."""
    if wish.is_multipart not in (None, offer.is_multipart) or wish.has_directory != offer.has_directory:
        return None
    type_, syntax = _fit_type(wish.media_type, offer.media_type.lower()), _fit_syntax(wish, offer)
    if type_ is None or syntax is None or (offer.is_only_by_name and type_ < _EXACT):
        return None
    return (0 if wish.is_multipart is None else 1, type_, syntax)


def _fit_type(wanted: str, offered: str) -> int | None:
    if wanted == offered:
        return _EXACT
    if wanted == media_types.ANY:
        return 0
    return 1 if wanted.endswith("/*") and offered.startswith(wanted[:-1]) else None


def _fit_syntax(wish: Wish, offer: Offer) -> int | None:
    if offer.transfer_syntax is None:
        return 0
    if wish.transfer_syntax is None:
        return 0 if offer.is_default or (offer.is_only and wish.media_type.endswith("/*")) else None
    if wish.transfer_syntax == AS_STORED:
        return 1 if offer.is_stored else None
    is_named = wish.transfer_syntax == offer.transfer_syntax and offer.can_be_named
    return 2 if is_named else None
