"""What each resource offers, by what is stored and what can be made of it: the tables of PS3.18 §8.7.3 and §10.4.4.

Without a transfer syntax the default is Explicit VR Little Endian, so what is stored compressed is decompressed, with
the two exceptions of §8.7.3.5.2: where only a lossy form is stored (every video is one), and where the decompressed
value is too long for that syntax, the default is what is stored (MT-07). Offers stand in the order in which ties are
decided: what is stored before what is made.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from dicomgate.dicom import syntaxes
from dicomgate.dicom.syntaxes import Loss, Syntax
from dicomgate.dicomweb import media_types
from dicomgate.dicomweb.negotiation import Offer

Offers = tuple[Offer, ...]

TYPE_DEFAULTS: Final[dict[str, str]] = {
    # What a type means without a transfer syntax (Table 8.7.3-5), in the order of our preference where any image does.
    "image/jpeg": "1.2.840.10008.1.2.4.70",
    "image/jls": "1.2.840.10008.1.2.4.80",
    "image/jphc": "1.2.840.10008.1.2.4.201",
    "image/jxl": "1.2.840.10008.1.2.4.110",
    "image/dicom-rle": "1.2.840.10008.1.2.5",
    "image/jp2": "1.2.840.10008.1.2.4.90",
    "image/jpx": "1.2.840.10008.1.2.4.92",
}
ENCODINGS: Final = tuple(
    sorted(uid for uid, syntax in syntaxes.TABLE.items() if syntax.can_encode and syntax.is_encapsulated)
)
"""The transfer syntaxes that pixels are compressed in here."""
_ONLY_BY_NAME: Final = frozenset({"image/jp2", "image/jpx"})
"""Slow to decode, so nobody gets them who has not asked for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What decides in which forms an instance can be sent.

    `encodings`: the transfer syntaxes in which its frames could be compressed. `is_sound`: what is stored is a PS3.10
    file; if not, it is sent so only to who asks for it as stored (T2). `fits`: native, its pixel data has a length of
    32 bits (MT-09). `is_bare`: its fragments are native frames, byte for byte.
    """

    transfer_syntax: str
    is_lossy: bool = False
    has_frames: bool = True
    is_sound: bool = True
    fits: bool = True
    is_bare: bool = False
    encodings: tuple[str, ...] = ()

    @property
    def syntax(self) -> Syntax | None:
        """What is known of the transfer syntax."""
        return syntaxes.find(self.transfer_syntax)

    @property
    def is_compressed(self) -> bool:
        """True also where it is only encapsulated, or nobody knows how it is encoded."""
        syntax = self.syntax
        return syntax is None or syntax.is_encapsulated

    @property
    def is_default_as_stored(self) -> bool:
        """MT-07: where nothing better than the stored picture exists, that is the default."""
        syntax = self.syntax
        if syntax is None:
            return False
        return syntax.loss is Loss.ALWAYS or (syntax.loss is Loss.MAYBE and self.is_lossy)

    @property
    def can_be_native(self) -> bool:
        """Whether its frames can be had without compression."""
        syntax = self.syntax
        return syntax is not None and syntax.can_decode


METADATA: Offers = (
    Offer(media_type=media_types.DICOM_JSON, is_multipart=False),
    Offer(media_type=media_types.DICOM_XML, is_multipart=True),
)
"""Metadata of a study or series (MT-18)."""

METADATA_OF_INSTANCE: Offers = (*METADATA, Offer(media_type=media_types.DICOM_XML, is_multipart=False))
"""Of one instance: one document may also come alone (V5)."""

SEARCH: Offers = (
    Offer(media_type=media_types.DICOM_JSON, is_multipart=False),
    Offer(media_type=media_types.DICOM_XML, is_multipart=True),
)
"""What a search finds (QIDO-19)."""

STORE_REPORT: Offers = (
    Offer(media_type=media_types.DICOM_JSON, is_multipart=False),
    Offer(media_type=media_types.DICOM_XML, is_multipart=False),
    Offer(media_type=media_types.DICOM_XML, is_multipart=True),
)
"""The answer to a store (V6: JSON unless XML is asked for)."""

ERROR: Offers = (
    Offer(media_type=media_types.PROBLEM_JSON, is_multipart=False),
    Offer(media_type=media_types.PLAIN_TEXT, is_multipart=False),
)
"""A status report (GEN-06)."""


@functools.lru_cache(maxsize=1024)
def instance_offers(stored: Stored, *, many: bool) -> Offers:
    """A stored instance: a PS3.10 file, bulk data (FRM-05), or in an archive. `many`: of a study or series (MT-17)."""
    forms = (True,) if many else (True, False)
    dicom = tuple(
        Offer(
            media_type=media_types.DICOM,
            is_multipart=form,
            transfer_syntax=uid,
            is_default=is_default,
            is_stored=is_stored,
        )
        for form in forms
        for uid, is_default, is_stored in _files(stored)
    )
    bulk = tuple(replace(offer, is_only=False) for offer in collected_bulk_offers(stored))
    return dicom + bulk + archive_offers(dicom)


def archive_offers(files: Iterable[Offer]) -> Offers:
    """Files of these offers in a ZIP, without and with a DICOMDIR: also of a study or series one part alone.

    What has no default among files is there as it is stored, so that an archive is always whole.
    """
    zipped = (replace(offer, media_type=media_types.ZIP, is_multipart=False, is_only_by_name=True) for offer in files)
    found = tuple(dict.fromkeys(zipped))
    has_default = any(offer.is_default for offer in found)
    return tuple(
        replace(offer, is_default=offer.is_default if has_default else offer.is_stored, has_directory=has_directory)
        for has_directory in (False, True)
        for offer in found
    )


@functools.lru_cache(maxsize=1024)
def frame_offers(stored: Stored, *, many: bool) -> Offers:
    """Frames: codestreams under their own types, and octets, which are native unless the codestream is meant (CLI-01).

    `many`: more than one part will be needed, so that none of them can be the whole answer.
    """
    return pixel_data_offers(stored, has_many_frames=many, is_one_value=False)


@functools.lru_cache(maxsize=1024)
def pixel_data_offers(stored: Stored, *, has_many_frames: bool, is_one_value: bool = True) -> Offers:
    """Pixel data as bulk data: native it is one value, compressed it is one part a frame (FRM-04).

    `is_one_value`: False for a list of frames, of which each is a part in any form.
    """
    is_video = stored.syntax is not None and stored.syntax.is_video
    many = has_many_frames and not is_video
    native = _native_octets(stored, many=many and not is_one_value)
    if not stored.is_compressed:
        return native + tuple(_made_codestreams(stored, many=many))
    if stored.is_bare and not is_one_value:
        return _bare_frames(stored, many=many)
    media_type = stored.syntax.media_type if stored.syntax else media_types.OCTET_STREAM
    default = TYPE_DEFAULTS.get(media_type, stored.transfer_syntax)
    is_its_types = stored.is_default_as_stored or default not in (set(stored.encodings) - {stored.transfer_syntax})
    octets = _in_forms(media_types.OCTET_STREAM, stored.transfer_syntax, many=many)
    as_default = stored.is_default_as_stored
    octets = tuple(replace(offer, is_default=as_default, is_only=media_type == offer.media_type) for offer in octets)
    if media_type == media_types.OCTET_STREAM:
        return octets + native + tuple(_made_codestreams(stored, many=many))
    own = _in_forms(media_type, stored.transfer_syntax, many=many)
    own = tuple(replace(offer, is_default=is_its_types, is_only=True) for offer in own)
    return own + octets + native + tuple(_made_codestreams(stored, many=many))


def bulk_offers() -> Offers:
    """One value that is no pixel data: its bytes, little endian (MT-11)."""
    return _in_forms(media_types.OCTET_STREAM, syntaxes.EXPLICIT_LITTLE, many=False)


@functools.lru_cache(maxsize=1024)
def collected_bulk_offers(stored: Stored) -> Offers:
    """All bulk data of an instance in one answer, each part under one type (FRM-04, V4).

    The transfer syntax is that of the pixel data; every other value goes in Explicit VR Little Endian.
    """
    octets = Offer(media_type=media_types.OCTET_STREAM, is_multipart=True, transfer_syntax=syntaxes.EXPLICIT_LITTLE)
    if not stored.has_frames or not stored.is_compressed:
        return (octets,)
    as_default = stored.is_default_as_stored
    as_stored = replace(octets, transfer_syntax=stored.transfer_syntax, is_default=as_default, is_only=True)
    native = (replace(octets, is_default=not as_default, is_stored=False),) if stored.can_be_native else ()
    return (as_stored, *native)


def _files(stored: Stored) -> list[tuple[str, bool, bool]]:
    """The transfer syntaxes in which the whole file can be sent; whether each is the default, and the stored one."""
    syntax, uid = stored.syntax, stored.transfer_syntax
    made = [(each, False, False) for each in stored.encodings if each != uid]
    if uid == syntaxes.EXPLICIT_LITTLE and stored.is_sound:
        return [(uid, True, True), *made]
    if syntax is None or syntax.is_referenced:
        return [(uid, stored.is_default_as_stored or not stored.has_frames, True)]
    can_be_explicit = not stored.has_frames or (stored.can_be_native and stored.fits)
    as_default = stored.has_frames and (stored.is_default_as_stored or not stored.fits)
    explicit = [(syntaxes.EXPLICIT_LITTLE, not as_default, False)] if can_be_explicit else []
    as_stored = [(uid, as_default, True)]
    return [*as_stored, *explicit, *made] if syntax.is_encapsulated else [*explicit, *as_stored, *made]


def _native_octets(stored: Stored, *, many: bool) -> Offers:
    """Frames without compression, where they can be had."""
    if not stored.can_be_native:
        return ()
    octets = _in_forms(media_types.OCTET_STREAM, syntaxes.EXPLICIT_LITTLE, many=many)
    if not stored.is_compressed:
        return octets
    is_default = not stored.is_default_as_stored
    return tuple(replace(offer, is_default=is_default, is_stored=False) for offer in octets)


def _bare_frames(stored: Stored, *, many: bool) -> Offers:
    """Frames that are encapsulated but not compressed: their bytes are native as they lie."""
    octets = _in_forms(media_types.OCTET_STREAM, stored.transfer_syntax, many=many)
    by_name = tuple(replace(offer, is_default=False) for offer in octets)
    native = _in_forms(media_types.OCTET_STREAM, syntaxes.EXPLICIT_LITTLE, many=many)
    return native + by_name + tuple(_made_codestreams(stored, many=many))


def _made_codestreams(stored: Stored, *, many: bool) -> Iterator[Offer]:
    """Frames compressed here; a type without a transfer syntax means the one of its table (MT-12)."""
    own = stored.syntax.media_type if stored.syntax and stored.is_compressed else ""
    for uid in sorted(stored.encodings, key=_preference):
        syntax = syntaxes.TABLE[uid]
        if uid == stored.transfer_syntax or syntax.media_type == media_types.OCTET_STREAM:
            continue
        is_default = uid == TYPE_DEFAULTS.get(syntax.media_type)
        is_default = is_default and not (syntax.media_type == own and stored.is_default_as_stored)
        for offer in _in_forms(syntax.media_type, uid, many=many):
            yield replace(
                offer,
                is_default=is_default,
                is_stored=False,
                is_only_by_name=syntax.media_type in _ONLY_BY_NAME,
            )


def _preference(uid: str) -> tuple[int, str]:
    kinds = list(TYPE_DEFAULTS)
    media_type = syntaxes.TABLE[uid].media_type
    return (kinds.index(media_type) if media_type in kinds else len(kinds), uid)


def _in_forms(media_type: str, transfer_syntax: str, *, many: bool) -> Offers:
    """Multipart, and for exactly one item also a single part (MT-17, V5)."""
    return tuple(
        Offer(media_type=media_type, is_multipart=form, transfer_syntax=transfer_syntax)
        for form in ((True,) if many else (True, False))
    )
