"""What a SOP class obviously must hold: pixel data, or a document (PS3.3 §A, PS3.4 §B.5)."""

from __future__ import annotations

from typing import Final

from dicomgate.dicom import dictionary, documents
from dicomgate.dicom.jsonmodel import JSONDataset

IMAGES: Final = frozenset(
    uid
    for uid, (name, kind, _, retired, _) in dictionary.UIDS.items()
    if kind == "SOP Class" and "Image Storage" in name and not retired
)
"""Storage classes of images, by their names in PS3.6 Annex A."""

_PIXELS: Final = ("7FE00010", "7FE00008", "7FE00009", "00287FE0")
"""Pixel data as integers, floats, doubles, and at the address of another service."""


def holds_what_it_must(attributes: JSONDataset, sop_class: str) -> bool:
    """False for an image without pixels, and for an encapsulated document without one."""
    if sop_class in IMAGES:
        return any(tag in attributes for tag in _PIXELS)
    return documents.find_by_class(sop_class) is None or documents.DOCUMENT in attributes
