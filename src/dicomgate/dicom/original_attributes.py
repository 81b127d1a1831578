"""What a data set said before it was changed: Original Attributes Sequence (PS3.3 C.12.1.1.9, STOW-09)."""

from __future__ import annotations

import datetime as dt
import enum
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from dicomgate import errors
from dicomgate.dicom import attributes as dictionary
from dicomgate.dicom import encode
from dicomgate.dicom.jsonmodel import JSONDataset

Element = dict[str, Any]
Changes = Mapping[str, Element | None]
"""Top-level attributes and what they become; None: they are removed."""

SEQUENCE = "04000561"
MODIFIED = "04000550"
_MOMENT = "04000562"
_MOMENT_FORMAT = "%Y%m%d%H%M%S.%f%z"
_SYSTEM = "04000563"
_SOURCE = "04000564"
_REASON = "04000565"
_NONCONFORMING = "04000551"
_PATIENT_ID, _ISSUER = "00100020", "00100021"


class Reason(enum.StrEnum):
    """Reason for the Attribute Modification (0400,0565)."""

    COERCE = "COERCE"  # an arriving instance was brought into line with what is known here
    CORRECT = "CORRECT"  # what was wrong was put right


def changed(attributes: JSONDataset, wanted: Changes) -> dict[str, Element | None]:
    """Of what is wanted that which differs: values, or VR where there are values; removal of what is not there is none.

    Private attributes are as any other; whoever asks for one brings its creator.
    """
    return {tag: element for tag, element in wanted.items() if not _is_same(attributes.get(tag), element)}


def _is_same(stored: Element | None, wanted: Element | None) -> bool:
    if stored is None or wanted is None:
        return stored is wanted
    return _content(stored) == _content(wanted)


def _content(element: Element) -> tuple[Any, ...]:
    values = element.get("Value") or None
    return (values, element.get("InlineBinary"), element.get("BulkDataURI"), element.get("vr") if values else None)


def item(
    attributes: JSONDataset,
    changes: Changes,
    *,
    system: str,
    reason: Reason,
    moment: dt.datetime,
    source: str = "",
    with_bulk: bool = False,
) -> JSONDataset:
    """One item that records the changes to a data set; `moment` knows its zone.

    What was empty or absent stands with zero length, and so does what broke its VR, whose value then stands aside, in
    UTF-8. A private attribute has its creator beside it, Patient ID its issuer. Values kept as bulk data stay out
    unless `with_bulk`: `amend` can copy them.
    """
    previous = {tag: _previous(attributes.get(tag), tag, new) for tag, new in changes.items() if tag != SEQUENCE}
    creators = {_creator_of(tag) for tag in previous if dictionary.is_private(tag) and tag[4:6] != "00"}
    previous |= {tag: attributes[tag] for tag in creators if tag in attributes and tag not in previous}
    if _PATIENT_ID in previous and _ISSUER in attributes:
        previous.setdefault(_ISSUER, attributes[_ISSUER])
    broken: list[JSONDataset] = []
    kept = _conforming(dict(sorted(previous.items())), (), broken, with_bulk=with_bulk)
    aside: JSONDataset = {_NONCONFORMING: {"vr": "SQ", "Value": broken}} if broken else {}
    return {
        MODIFIED: {"vr": "SQ", "Value": [kept]},
        **aside,
        _MOMENT: {"vr": "DT", "Value": [moment.strftime(_MOMENT_FORMAT)]},
        _SYSTEM: {"vr": "LO", "Value": [system]},
        _SOURCE: {"vr": "LO", "Value": [source]} if source else {"vr": "LO"},
        _REASON: {"vr": "CS", "Value": [reason.value]},
    }


def _previous(stored: Element | None, tag: str, new: Element | None) -> Element:
    if stored is not None:
        return stored
    return {"vr": (new or {}).get("vr") or dictionary.vr(tag)}


def _creator_of(tag: str) -> str:
    return f"{tag[:4]}00{tag[4:6]}"


def recorded(attributes: JSONDataset, record: JSONDataset) -> Element:
    """The sequence with one more item, behind those that were there."""
    return {"vr": "SQ", "Value": [*(attributes.get(SEQUENCE, {}).get("Value") or ()), record]}


def last_moment(attributes: JSONDataset) -> dt.datetime | None:
    """When the last change was made that is recorded as `item` does; None where there is none."""
    records = attributes.get(SEQUENCE, {}).get("Value") or [{}]
    (told,) = ((records[-1] or {}).get(_MOMENT, {}).get("Value") or [None])[:1]
    try:
        return dt.datetime.strptime(told, _MOMENT_FORMAT) if isinstance(told, str) else None  # noqa: DTZ007 - with zone
    except ValueError:
        return None


def _conforming(
    dataset: JSONDataset, steps: encode.Steps, broken: list[JSONDataset], *, with_bulk: bool
) -> JSONDataset:
    """The data set with zero length for each value that breaks its VR; what it was goes to `broken`."""
    found: JSONDataset = {}
    for tag, element in dataset.items():
        if element.get("vr") == "SQ":
            items = [
                _conforming(item or {}, (*steps, (tag, number)), broken, with_bulk=with_bulk)
                for number, item in enumerate(element.get("Value") or (), 1)
            ]
            found[tag] = {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
        elif "BulkDataURI" in element:
            found |= {tag: element} if with_bulk else {}
        elif _is_writable(tag, element):
            found[tag] = element
        else:
            found[tag] = {"vr": element["vr"]}
            broken.append(_set_aside(tag, element, steps))
    return found


def _is_writable(tag: str, element: Element) -> bool:
    try:
        encode.write_element(tag, element)
    except errors.Malformed:
        return False
    return True


def _set_aside(tag: str, element: Element, steps: encode.Steps) -> JSONDataset:
    """An item of Nonconforming Modified Attributes Sequence: which attribute, and what it held."""
    text = "\\".join("" if value is None else str(value) for value in element.get("Value") or ())
    found: JSONDataset = {
        "00720026": {"vr": "AT", "Value": [tag]},
        "00720028": {"vr": "US", "Value": [0]},
        "04000552": {"vr": "OB", "InlineBinary": b64encode(text.encode("utf_8")).decode("ascii")},
    }
    if steps:
        found["00720052"] = {"vr": "AT", "Value": [sequence for sequence, _ in steps]}
        found["00741057"] = {"vr": "IS", "Value": [number for _, number in steps]}
    return dict(sorted(found.items()))
