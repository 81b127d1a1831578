"""What each resource offers, by what is stored: the tables of PS3.18 §8.7.3 and §10.4.4.

Nothing is decoded here, so what is stored compressed is offered as it is stored; what is stored lossily is then also
the default (MT-07), as every video is. Offers stand in the order in which ties are decided.
"""

from __future__ import annotations

import functools
from dataclasses import replace

from dicomgate.dicom import syntaxes
from dicomgate.dicom.syntaxes import Loss, Syntax
from dicomgate.dicomweb import media_types
from dicomgate.dicomweb.negotiation import Offer

Offers = tuple[Offer, ...]

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


@functools.lru_cache(maxsize=256)
def instance_offers(
    transfer_syntax: str, *, is_lossy: bool, has_frames: bool, many: bool, is_sound: bool = True
) -> Offers:
    """A stored instance: a PS3.10 file, or its bulk data (FRM-05). `many`: of a study or series (MT-17).

    `is_sound`: what is stored is such a file; if not, it is sent so only to who asks for it as stored (T2).
    """
    files = _files(transfer_syntax, is_lossy=is_lossy, has_frames=has_frames, is_sound=is_sound)
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
        for uid, is_default, is_stored in files
    )
    bulk = collected_bulk_offers(transfer_syntax, is_lossy=is_lossy, has_frames=has_frames)
    return dicom + tuple(replace(offer, is_only=False) for offer in bulk)


@functools.lru_cache(maxsize=256)
def frame_offers(transfer_syntax: str, *, is_lossy: bool, many: bool) -> Offers:
    """Frames, or encapsulated pixel data as bulk data: the codestream under its own type, and as octets (CLI-01)."""
    syntax = syntaxes.find(transfer_syntax)
    if syntax is not None and not _is_compressed(syntax):
        return _in_forms(media_types.OCTET_STREAM, syntaxes.EXPLICIT_LITTLE, many=many)
    media_type = syntax.media_type if syntax else media_types.OCTET_STREAM
    is_default = _is_default_as_stored(syntax, is_lossy=is_lossy)
    octets = _in_forms(media_types.OCTET_STREAM, transfer_syntax, many=many, is_default=is_default)
    if media_type == media_types.OCTET_STREAM:
        return tuple(replace(offer, is_only=True) for offer in octets)
    return _in_forms(media_type, transfer_syntax, many=many) + octets


def bulk_offers() -> Offers:
    """One value that is not encapsulated pixel data: its bytes, little endian (MT-11)."""
    return _in_forms(media_types.OCTET_STREAM, syntaxes.EXPLICIT_LITTLE, many=False)


@functools.lru_cache(maxsize=256)
def collected_bulk_offers(transfer_syntax: str, *, is_lossy: bool, has_frames: bool) -> Offers:
    """All bulk data of an instance in one answer, each part under one type (FRM-04, V4).

    The transfer syntax is that of the pixel data; every other value goes in Explicit VR Little Endian.
    """
    syntax = syntaxes.find(transfer_syntax)
    if not has_frames or (syntax is not None and not _is_compressed(syntax)):
        return (
            Offer(media_type=media_types.OCTET_STREAM, is_multipart=True, transfer_syntax=syntaxes.EXPLICIT_LITTLE),
        )
    is_default = _is_default_as_stored(syntax, is_lossy=is_lossy)
    return (
        Offer(
            media_type=media_types.OCTET_STREAM,
            is_multipart=True,
            transfer_syntax=transfer_syntax,
            is_default=is_default,
            is_only=True,
        ),
    )


def _files(transfer_syntax: str, *, is_lossy: bool, has_frames: bool, is_sound: bool) -> list[tuple[str, bool, bool]]:
    """The transfer syntaxes in which the whole file can be sent; whether each is the default, and the stored one."""
    syntax = syntaxes.find(transfer_syntax)
    if transfer_syntax == syntaxes.EXPLICIT_LITTLE and is_sound:
        return [(transfer_syntax, True, True)]
    if syntax is not None and not syntax.is_encapsulated:
        return [(syntaxes.EXPLICIT_LITTLE, True, False), (transfer_syntax, False, True)]
    # Without pixel data the encapsulated syntaxes encode as Explicit VR Little Endian does; still, we send it as it is.
    is_default = not has_frames or _is_default_as_stored(syntax, is_lossy=is_lossy)
    return [(transfer_syntax, is_default, True)]


def _is_compressed(syntax: Syntax) -> bool:
    """False also for encapsulated frames that are not compressed: their bytes are native."""
    return syntax.is_encapsulated and syntax.uid != syntaxes.ENCAPSULATED_LITTLE


def _is_default_as_stored(syntax: Syntax | None, *, is_lossy: bool) -> bool:
    """MT-07: where nothing better than the stored picture exists, that is the default."""
    if syntax is None:
        return False
    return syntax.loss is Loss.ALWAYS or (syntax.loss is Loss.MAYBE and is_lossy)


def _in_forms(media_type: str, transfer_syntax: str, *, many: bool, is_default: bool = True) -> Offers:
    """Multipart, and for exactly one item also a single part (MT-17, V5)."""
    return tuple(
        Offer(media_type=media_type, is_multipart=form, transfer_syntax=transfer_syntax, is_default=is_default)
        for form in ((True,) if many else (True, False))
    )
