"""What can be rendered of each object, by its category (PS3.18 §8.7.2, Tables 8.7.4-1 and 10.4.4-1).

The default of each category stands first. Of a multi-frame image a GIF is all frames, moving; a JPEG or PNG is one
frame, so that all of them are several parts. Asked for one such picture alone, the first frame is sent and says that it
is it (`Content-Location`), unless the door is strict.
"""

from __future__ import annotations

import enum
import functools
from typing import Final

from dicomgate.dicom import documents, syntaxes
from dicomgate.dicomweb.negotiation import Offer
from dicomgate.dicomweb.offers import Offers

_ROOT: Final = "1.2.840.10008.5.1.4.1.1"
_REPORTS: Final = f"{_ROOT}.88."
_DOCUMENTS: Final = f"{_ROOT}.104."
_STATES: Final = f"{_ROOT}.11."

_MOVING: Final = "image/gif"
PICTURES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp", "image/jp2", "image/jph", "image/jxl")
"""What one picture can be sent as, the default first; the first three are required."""
TEXTS: Final = ("text/html", "text/plain", "text/xml")
"""What reports, and objects that show nothing, can be sent as, the default first."""


class Category(enum.Enum):
    """What a rendered object becomes (§8.7.2); presentation states stand for the images that they name."""

    IMAGE = "image"
    MULTI_FRAME = "multi-frame image"
    VIDEO = "video"
    TEXT = "text"
    STATE = "presentation state"
    OTHER = "other"


def category(sop_class: str, transfer_syntax: str, frame_count: int) -> Category:
    """The category of an object (MT-01); pictures that cannot be decoded here are as good as none."""
    if sop_class.startswith((_REPORTS, _DOCUMENTS)):
        return Category.TEXT
    if sop_class.startswith(_STATES):
        return Category.STATE
    if frame_count == 0:
        return Category.OTHER
    syntax = syntaxes.find(transfer_syntax)
    if syntax is not None and syntax.is_video:
        return Category.VIDEO
    if syntax is None or not syntax.can_decode:
        return Category.OTHER
    return Category.IMAGE if frame_count == 1 else Category.MULTI_FRAME


def document_type(sop_class: str) -> str | None:
    """The type of a document that is sent as it is, where its class tells."""
    kind = documents.find_by_class(sop_class)
    return None if kind is None else kind.media_type.lower()


@functools.lru_cache(maxsize=256)
def instance_offers(sop_class: str, transfer_syntax: str, frame_count: int, *, many: bool, strict: bool) -> Offers:
    """One object; `many`: as part of an answer that may have several (MT-17)."""
    kind = category(sop_class, transfer_syntax, frame_count)
    match kind:
        case Category.IMAGE:
            return _offers(PICTURES, many=many)
        case Category.STATE if not many:  # of a study its images are there already
            return _offers(PICTURES, many=True) + (() if strict else _single(PICTURES)) + _offers(TEXTS, many=False)
        case Category.MULTI_FRAME:
            others = () if strict else tuple(type_ for type_ in PICTURES if type_ != _MOVING)
            single = (_MOVING, *others)
            return _offers(PICTURES, many=True) + (() if many else _single(single))
        case Category.VIDEO:
            syntax = syntaxes.find(transfer_syntax)
            assert syntax is not None, "only a known syntax is one of videos"
            return _offers((syntax.media_type,), many=many)
    document = document_type(sop_class)
    types = TEXTS if document is None else tuple(dict.fromkeys((document, *TEXTS)))
    return _offers(types, many=many)


def query_offers(sop_class: str, transfer_syntax: str, frame_count: int) -> Offers:
    """One object of WADO-URI, always alone: of several frames first one of them as a picture (AMB-08)."""
    offered = instance_offers(sop_class, transfer_syntax, frame_count, many=False, strict=False)
    single = [offer for offer in offered if not offer.is_multipart]
    return tuple(sorted(single, key=lambda offer: offer.media_type == _MOVING))


@functools.lru_cache(maxsize=8)
def frame_offers(*, many: bool) -> Offers:
    """Frames, each one picture (MT-01)."""
    return _offers(PICTURES, many=many)


THUMBNAIL: Final[Offers] = tuple(Offer(media_type=type_, is_multipart=False) for type_ in PICTURES)
"""A thumbnail is one picture, whatever it stands for (THM-02)."""


def can_hold_profile(media_type: str) -> bool:
    """True for types of picture that hold an ICC profile (§8.3.5.1.5)."""
    return media_type in {"image/jpeg", "image/png"}


def _offers(types: tuple[str, ...], *, many: bool) -> Offers:
    """Alone where it is one by definition; and as parts, which a caller may ask for of one as well (V5)."""
    parts = tuple(Offer(media_type=type_, is_multipart=True) for type_ in types)
    return parts if many else _single(types) + parts


def _single(types: tuple[str, ...]) -> Offers:
    return tuple(Offer(media_type=type_, is_multipart=False) for type_ in types)
