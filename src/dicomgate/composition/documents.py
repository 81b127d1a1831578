"""An encapsulated document: its media type and its length are told with it (PS3.3 §C.24.2, PS3.18 §10.5.1.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dicomgate.composition import classes, description
from dicomgate.composition.collection import Part
from dicomgate.composition.content import Unfit
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.outcomes import Reason
from dicomgate.dicomweb import media_types

_SOP_CLASS: Final = "00080016"
_MEDIA_TYPE: Final = "00420012"
_LENGTH: Final = "00420015"


def describe(attributes: JSONDataset, parts: Sequence[Part]) -> None:
    """Complete the attributes by what the part says. Unfit when it is another document than the metadata is about."""
    if len(parts) != 1:
        raise Unfit(Reason.CANNOT_UNDERSTAND, f"a document comes in one part, not in {len(parts)}")
    part = parts[0]
    said = None if part.media_type == media_types.OCTET_STREAM else classes.plain(part.media_type)
    given = _first(attributes, _MEDIA_TYPE)
    if said is not None and given is not None and classes.plain(given) != said:
        raise Unfit(Reason.DOES_NOT_MATCH_CLASS, "the document's media type is not the one that the metadata gives")
    wanted = classes.DOCUMENTS.get(_first(attributes, _SOP_CLASS) or "")
    if wanted is not None and (said or given) is not None and classes.plain(said or given or "") != wanted:
        raise Unfit(Reason.DOES_NOT_MATCH_CLASS, f"the SOP class is for {wanted}")
    length = description.number(attributes, _LENGTH, len(part.span))
    if length != len(part.span):
        raise Unfit(Reason.DOES_NOT_MATCH_CLASS, f"{len(part.span)} bytes of a document said to have {length}")
    if given is None and (said or wanted) is not None:
        attributes[_MEDIA_TYPE] = {"vr": "LO", "Value": [said or wanted]}
    attributes[_LENGTH] = {"vr": "UL", "Value": [len(part.span)]}


def _first(attributes: JSONDataset, tag: str) -> str | None:
    value = (attributes.get(tag, {}).get("Value") or [None])[0]
    return value if isinstance(value, str) and value else None
