"""What a data set says differently when its pixels are encoded otherwise (PS3.3 §C.7.6.1.1.5, §C.7.6.3, §C.12.4).

Decompressing, and compressing without loss, changes only how pixels are described. Lossy compression makes another
image: a derived one, with a SOP Instance UID of its own, which says how much was lost and of which instance.
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from typing import Any, Final

from dicomgate.dicom import picture, syntaxes
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.pixel_description import PixelDescription
from dicomgate.dicom.syntaxes import Loss

Element = dict[str, Any]
Changes = dict[str, Element | None]

PIXEL_DATA: Final = "7FE00010"
SOP_INSTANCE: Final = "00080018"
_SOP_CLASS: Final = "00080016"
_IMAGE_TYPE, _FRAME_TYPE = "00080008", "00089007"
_LOSSY, _RATIO, _METHOD = "00282110", "00282112", "00282114"
_DERIVATION, _DERIVATION_CODES, _SOURCES = "00082111", "00089215", "00082112"
_FUNCTIONAL_GROUPS: Final = ("52009229", "52009230")
_EXTREMES: Final = ("00280106", "00280107")
_LONGEST_TEXT: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """How pixels are encoded now. `ratio`: of the loss that was added here, None when there was none."""

    transfer_syntax: str
    description: PixelDescription
    ratio: float | None = None


def describe(attributes: JSONDataset, stored: str, encoded: Encoded, identity: str) -> Changes:
    """The attributes that change, for a data set that is stored in one syntax and leaves in another.

    `identity`: what the new image is made of; a derived one is named by it, so that it has one name however often it
    is asked for.
    """
    changes = described_pixels(attributes, encoded)
    changes |= _loss_so_far(attributes, stored)
    if encoded.ratio is not None:
        changes |= _derivation({**attributes, **_present(changes)}, encoded, identity)
    return changes


def described_pixels(attributes: JSONDataset, encoded: Encoded) -> Changes:
    """What the pixel data itself needs, in the data set or in an item that holds pixel data."""
    now = encoded.description
    is_encapsulated = syntaxes.TABLE[encoded.transfer_syntax].is_encapsulated
    vr = "OW" if now.bits_allocated > 8 and not is_encapsulated else "OB"
    changes: Changes = {PIXEL_DATA: {"vr": vr, "BulkDataURI": ""}}
    said: dict[str, tuple[str, Any]] = {
        "00280004": ("CS", now.photometric_interpretation),
        "00280100": ("US", now.bits_allocated),
        "00280101": ("US", now.bits_stored),
        "00280102": ("US", now.high_bit),
        "00280103": ("US", int(now.is_signed)),
    }
    if now.is_colour:
        said["00280006"] = ("US", now.planar_configuration)
    changes |= {
        tag: {"vr": vr, "Value": [value]}
        for tag, (vr, value) in said.items()
        if _first(attributes, tag) not in (value, str(value))
    }
    return changes


def derived_uid(identity: str) -> str:
    """The SOP Instance UID of a derived image: always the same for the same making (PS3.5 §B.2)."""
    number = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:16], "big")
    number = number & ~(0xF << 76) | 8 << 76  # a UUID of version 8, made from what it names (RFC 9562 §5.8)
    number = number & ~(3 << 62) | 2 << 62
    return f"2.25.{number}"


def _loss_so_far(attributes: JSONDataset, stored: str) -> Changes:
    """A lossy syntax tells that something was lost; once it is left, only the data set can (C.7.6.1.1.5)."""
    syntax = syntaxes.find(stored)
    if syntax is None or syntax.loss is not Loss.ALWAYS or _first(attributes, _LOSSY) == "01":
        return {}
    changes: Changes = {_LOSSY: {"vr": "CS", "Value": ["01"]}}
    method = picture.LOSSY_METHODS.get(syntax.media_type)
    if method and not _values(attributes, _METHOD) and not _values(attributes, _RATIO):
        changes[_METHOD] = {"vr": "CS", "Value": [method]}
    return changes


def _derivation(attributes: JSONDataset, encoded: Encoded, identity: str) -> Changes:
    syntax = syntaxes.TABLE[encoded.transfer_syntax]
    assert encoded.ratio is not None, "only then something is derived"
    ratio = round(encoded.ratio, 2)
    changes: Changes = {
        SOP_INSTANCE: {"vr": "UI", "Value": [derived_uid(identity)]},
        _LOSSY: {"vr": "CS", "Value": ["01"]},
        _RATIO: {"vr": "DS", "Value": [*_steps(attributes, _RATIO), ratio]},
        _METHOD: {"vr": "CS", "Value": [*_steps(attributes, _METHOD), picture.LOSSY_METHODS[syntax.media_type]]},
        _DERIVATION: {"vr": "ST", "Value": [_text(attributes, f"{syntax.name}, ratio {ratio:g}")]},
        _DERIVATION_CODES: _with_item(attributes, _DERIVATION_CODES, _code("113040", "Lossy Compression")),
        _SOURCES: _with_item(attributes, _SOURCES, _source(attributes)),
        _IMAGE_TYPE: {"vr": "CS", "Value": ["DERIVED", *(_values(attributes, _IMAGE_TYPE)[1:] or ["SECONDARY"])]},
    }
    changes |= {tag: None for tag in _EXTREMES if tag in attributes}
    for tag in _FUNCTIONAL_GROUPS:
        if tag in attributes and _has_original(attributes[tag]):
            changes[tag] = _as_derived(copy.deepcopy(attributes[tag]))
    return changes


def _steps(attributes: JSONDataset, tag: str) -> list[Any]:
    """Earlier steps of lossy compression, as many as the other attribute that lists them tells of."""
    count = max(len(_values(attributes, _RATIO)), len(_values(attributes, _METHOD)))
    known = _values(attributes, tag)
    return known + [None] * (count - len(known))


def _text(attributes: JSONDataset, step: str) -> str:
    before = _first(attributes, _DERIVATION)
    text = f"{before}; {step}" if isinstance(before, str) and before.strip() else step
    return text if len(text) <= _LONGEST_TEXT else str(before)


def _with_item(attributes: JSONDataset, tag: str, item: JSONDataset) -> Element:
    return {"vr": "SQ", "Value": [*_values(attributes, tag), item]}


def _code(value: str, meaning: str) -> JSONDataset:
    return {
        "00080100": {"vr": "SH", "Value": [value]},
        "00080102": {"vr": "SH", "Value": ["DCM"]},
        "00080104": {"vr": "LO", "Value": [meaning]},
    }


def _source(attributes: JSONDataset) -> JSONDataset:
    return {
        "00081150": {"vr": "UI", "Value": _values(attributes, _SOP_CLASS)},
        "00081155": {"vr": "UI", "Value": _values(attributes, SOP_INSTANCE)},
        "0040A170": {"vr": "SQ", "Value": [_code("121320", "Uncompressed predecessor")]},
    }


def _has_original(element: Element) -> bool:
    return any(
        "ORIGINAL" in values if tag == _FRAME_TYPE else nested.get("vr") == "SQ" and _has_original(nested)
        for item in element.get("Value") or ()
        for tag, nested in (item or {}).items()
        for values in [nested.get("Value") or ()]
    )


def _as_derived(element: Element) -> Element:
    """The same functional groups, whose frames are no longer as they were acquired."""
    for item in element.get("Value") or ():
        for tag, nested in (item or {}).items():
            if tag == _FRAME_TYPE and nested.get("Value"):
                nested["Value"][0] = "DERIVED"
            elif nested.get("vr") == "SQ":
                _as_derived(nested)
    return element


def _present(changes: Changes) -> JSONDataset:
    return {tag: element for tag, element in changes.items() if element is not None}


def _values(attributes: JSONDataset, tag: str) -> list[Any]:
    return list(attributes.get(tag, {}).get("Value") or [])


def _first(attributes: JSONDataset, tag: str) -> Any:
    return (_values(attributes, tag) or [None])[0]
