"""What a SOP class obviously must hold: pixel data, or a document of one media type (PS3.3 §A, PS3.4 §B.5)."""

from __future__ import annotations

from typing import Final

from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]

from dicomgate.dicom.jsonmodel import JSONDataset

_PIXELS: Final = ("7FE00010", "7FE00008", "7FE00009", "00287FE0", "7FE00001")
DOCUMENT: Final = "00420011"

IMAGES: Final = frozenset(
    uid
    for uid, (name, kind, _, retired, _) in UID_dictionary.items()
    if kind == "SOP Class" and "Image Storage" in name and not retired
)
"""Storage classes of images, by their names in PS3.6 Annex A."""

_CLASS: Final = "1.2.840.10008.5.1.4.1.1.104"
DOCUMENTS: Final = {
    f"{_CLASS}.1": "application/pdf",
    f"{_CLASS}.2": "text/xml",
    f"{_CLASS}.3": "model/stl",
    f"{_CLASS}.4": "model/obj",
    f"{_CLASS}.5": "model/mtl",
}
"""The media type of each class of encapsulated documents (PS3.3 §A.45, §A.85)."""

_SAME: Final = {"application/xml": "text/xml", "application/sla": "model/stl", "application/x-pdf": "application/pdf"}
"""Other names of those media types."""


def plain(media_type: str) -> str:
    """A document's media type, under one name."""
    lower = media_type.partition(";")[0].strip().lower()
    return _SAME.get(lower, lower)


def holds_what_it_must(attributes: JSONDataset, sop_class: str | None) -> bool:
    """False for an image without pixels, and for an encapsulated document without one."""
    if sop_class in IMAGES:
        return any(tag in attributes for tag in _PIXELS)
    return sop_class not in DOCUMENTS or DOCUMENT in attributes
