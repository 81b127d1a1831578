"""What people call attributes and UIDs: keywords, vendors' names, names of classes (PS3.6 §6, Annex A)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydicom.datadict import private_dictionaries  # type: ignore[attr-defined]

from dicomgate.dicom import attributes, dictionary, elements, syntaxes

Element = dict[str, Any]


def find_attribute(tag: str, item: Mapping[str, Element]) -> str:
    """The keyword of a public attribute; the vendor's name of a private one of a block that the item reserves.

    Empty where nobody has told.
    """
    keyword = attributes.find_keyword(tag)
    if keyword is not None:
        return keyword
    if attributes.is_private_creator(tag):
        return "PrivateCreator"
    if tag.endswith("0000"):
        return "GroupLength"
    return find_private(tag, find_creator(tag, item)) if attributes.is_private(tag) else ""


def find_creator(tag: str, item: Mapping[str, Element]) -> str:
    """Who reserved the block of a private attribute in this item (PS3.5 §7.8.1); empty where nobody did."""
    place = attributes.find_creator(tag)
    return next(iter(elements.texts(item.get(place, {}))), "") if place else ""


def find_private(tag: str, creator: str) -> str:
    """What a vendor calls an attribute, as far as pydicom knows; empty where it does not."""
    known: Mapping[str, Any] = private_dictionaries.get(creator, {})
    entry = known.get(f"{tag[:4]}xx{tag[6:]}") or known.get(tag)
    return str(entry[2]).rstrip(" ?") if entry else ""


def find_uid(uid: str) -> str:
    """The name of a UID of the standard: a SOP class, a transfer syntax; empty for any other."""
    entry = dictionary.UIDS.get(uid)
    if entry is None:
        known = syntaxes.find(uid)
        return known.name if known else ""
    return str(entry[0])
