"""An encapsulated document: its media type and its length are told with it (PS3.3 §C.24.2, PS3.18 §10.5.1.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dicomgate.composition.collection import Collection, Part
from dicomgate.composition.content import Unfit
from dicomgate.dicom import documents
from dicomgate.dicom.documents import DOCUMENT, LENGTH, MIME_TYPE, Kind
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.outcomes import Reason
from dicomgate.dicomweb import media_types

_SOP_CLASS: Final = "00080016"
_MODALITY: Final = "00080060"
_NAMES: Final = {
    _SOP_CLASS: "SOP Class UID",
    MIME_TYPE: "MIME Type of Encapsulated Document",
    LENGTH: "Encapsulated Document Length",
}

__all__ = ["DOCUMENT", "describe"]


def describe(attributes: JSONDataset, parts: Sequence[Part], collection: Collection) -> bool:
    """Complete the attributes by what the part says; False when they are not as the SOP class wants them.

    Unfit when it is another document than the metadata is about, Malformed when it is none of its media type.
    """
    if len(parts) != 1:
        raise Unfit(Reason.CANNOT_UNDERSTAND, f"a document comes in one part, not in {len(parts)}")
    part = parts[0]
    size = len(part.span)
    is_named = part.media_type != media_types.OCTET_STREAM
    wanted = documents.find_by_class(_text(attributes, _SOP_CLASS))
    kind = documents.find(part.media_type) if is_named else wanted
    if kind is None:
        _describe_other(attributes, part, wanted, size)
        return True
    if is_named:
        documents.check(collection.source(part), kind)
    wrong = documents.contradictions(attributes, kind, size)
    if wrong and wrong != (_MODALITY,):
        raise Unfit(Reason.DOES_NOT_MATCH_CLASS, _say(wrong))
    _complete(attributes, documents.derive(kind, size))
    return not wrong


def _describe_other(attributes: JSONDataset, part: Part, wanted: Kind | None, size: int) -> None:
    """A document of a type that no class of the standard is for: any class that is not for another may hold it."""
    if wanted is not None:
        raise Unfit(Reason.DOES_NOT_MATCH_CLASS, f"the SOP class is for {wanted.media_type}")
    said: JSONDataset = {LENGTH: {"vr": "UL", "Value": [size]}}
    if part.media_type != media_types.OCTET_STREAM:
        said[MIME_TYPE] = {"vr": "LO", "Value": [part.media_type]}
        if _text(attributes, MIME_TYPE).lower() not in ("", part.media_type):
            raise Unfit(Reason.DOES_NOT_MATCH_CLASS, _say((MIME_TYPE,)))
    if (attributes.get(LENGTH, {}).get("Value") or [size])[0] != size:
        raise Unfit(Reason.DOES_NOT_MATCH_CLASS, _say((LENGTH,)))
    _complete(attributes, said)


def _complete(attributes: JSONDataset, derived: JSONDataset) -> None:
    """An attribute without a value is as one that is not there."""
    for tag, element in derived.items():
        if not attributes.get(tag, {}).get("Value"):
            attributes[tag] = element


def _say(wrong: Sequence[str]) -> str:
    names = ", ".join(_NAMES[tag] for tag in wrong if tag in _NAMES)
    return f"{names}: the metadata says otherwise than the document"


def _text(attributes: JSONDataset, tag: str) -> str:
    value = (attributes.get(tag, {}).get("Value") or [""])[0]
    return value if isinstance(value, str) else ""
