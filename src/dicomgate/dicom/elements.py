"""Elements and values of a data set in the DICOM JSON model, as matching looks at them (PS3.18 §F.2, PS3.5 §7.8)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from typing import Any

Element = dict[str, Any]
Item = dict[str, Any]

LARGEST_UNKNOWN = 4096
"""Characters of base64 of a value of unknown VR that are read as text."""


def find(item: Item, tag: str, creator: str | None = None) -> list[Element]:
    """The element with the tag; of a private one with its creator given, those of every block that is reserved so."""
    if creator is None:
        return [item[tag]] if tag in item else []
    places = (tag[:4] + block + tag[6:] for block in _blocks(item, tag[:4], creator))
    return [item[place] for place in places if place in item]


def find_reservations(item: Item, tag: str, creator: str) -> list[Element]:
    """The Private Creator elements of the tag's group that hold this creator."""
    return [item[f"{tag[:4]}00{block}"] for block in _blocks(item, tag[:4], creator)]


def _blocks(item: Item, group: str, creator: str) -> Iterator[str]:
    start = f"{group}00"
    reserving = sorted(tag for tag in item if tag.startswith(start) and tag[6] != "0")
    return (tag[6:] for tag in reserving if texts(item[tag])[:1] == [creator])


def items(sequences: Iterable[Element]) -> Iterator[Item]:
    """The items of sequences; what is no sequence has none."""
    for element in sequences:
        for item in element.get("Value") or ():
            if element.get("vr", "SQ") == "SQ" and isinstance(item, dict | None):
                yield item or {}


def has_value(element: Element) -> bool:
    """False for what is there and says nothing."""
    if element.get("BulkDataURI") or element.get("InlineBinary"):
        return True
    values = element.get("Value") or ()
    return bool(values) if element.get("vr") == "SQ" else any(value not in (None, "", {}) for value in values)


def texts(element: Element) -> list[str]:
    """The values as text, the empty ones left out; a person name with its groups as PS3.5 §6.2.1 writes them."""
    if "InlineBinary" in element and element.get("vr") == "UN":
        return _unknown(element["InlineBinary"])
    found = (_text(value) for value in element.get("Value") or ())
    return [text for text in found if text]


def _text(value: object) -> str:
    if isinstance(value, dict):
        groups = (value.get(name) or "" for name in ("Alphabetic", "Ideographic", "Phonetic"))
        return "=".join(map(str, groups)).rstrip("=")
    return "" if value is None else str(value)


def _unknown(text: str) -> list[str]:
    """What a value of unknown VR says if it is text, as that of a private attribute sent in Implicit VR often is."""
    try:
        raw = base64.b64decode(text[:LARGEST_UNKNOWN], validate=True)
    except (binascii.Error, ValueError):
        return []
    values = raw.decode("utf-8", "replace").rstrip(" \0").split("\\")
    return [value.strip(" ") for value in values if value.strip(" ")]


def numbers(element: Element) -> list[int | float]:
    """The values as numbers, those that are none left out."""
    found = (parse_number(value) if isinstance(value, str) else value for value in element.get("Value") or ())
    return [number for number in found if isinstance(number, int | float)]


def parse_number(text: str) -> int | float | None:
    """A number as IS, DS and JSON write them; None if it is none."""
    text = text.strip(" ")
    if not text.isascii() or "_" in text or len(text) > 64:
        return None
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return None
