"""Data sets as Native DICOM Model XML, written from and read into the DICOM JSON model (PS3.19 A.1, PS3.18 §F.3.1).

The result is well-formed whatever the values hold: characters that XML 1.0 cannot carry become U+FFFD, for the standard
has no escape for them (XML-07, T8).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dicomgate import errors
from dicomgate.dicom import attributes
from dicomgate.dicom.jsonmodel import JSONDataset

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
DEEPEST = 64

_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_NAME_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")

_FORBIDDEN = (*range(9), 11, 12, *range(14, 32), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF)
_ESCAPES: dict[int, str] = {
    **dict.fromkeys(_FORBIDDEN, "\ufffd"),
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord('"'): "&quot;",
    ord("\t"): "&#9;",
    ord("\n"): "&#10;",
    ord("\r"): "&#13;",  # a reader would turn a bare one into a line feed
}


def format_dataset(dataset: JSONDataset) -> bytes:
    """One document for one data set. TooLarge when sequences nest deeper than any data set that is taken (T6)."""
    pieces = [f'<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">']
    pieces.extend(_write_dataset(dataset, 0))
    pieces.append("</NativeDicomModel>\n")
    return "".join(pieces).encode("utf-8")


def _write_dataset(dataset: JSONDataset, depth: int) -> Iterator[str]:
    if depth > DEEPEST:
        raise errors.TooLarge(f"data set: sequences nest deeper than {DEEPEST}")
    for tag in sorted(dataset):
        if not (tag.endswith("0000") or _is_private_creator(tag)):
            yield f"<DicomAttribute {_identify(tag, dataset)}>"
            yield from _write_content(dataset[tag], depth)
            yield "</DicomAttribute>"


def _identify(tag: str, dataset: JSONDataset) -> str:
    """The attribute's tag, VR, keyword, and of a private one its creator in place of the block (XML-02)."""
    vr = _escape(dataset[tag].get("vr", attributes.UNKNOWN))
    creator = _find_private_creator(tag, dataset)
    if creator is not None:
        return f'tag="{_escape(tag[:4])}00{_escape(tag[6:])}" vr="{vr}" privateCreator="{_escape(creator)}"'
    keyword = attributes.find_keyword(tag)
    known = f' keyword="{keyword}"' if keyword else ""
    return f'tag="{_escape(tag)}" vr="{vr}"{known}'


def _is_private_creator(tag: str) -> bool:
    """True for elements that reserve a block: in XML each private attribute names its creator itself."""
    return len(tag) == 8 and attributes.is_private(tag) and tag[4:6] == "00" and tag[6] != "0"


def _find_private_creator(tag: str, dataset: JSONDataset) -> str | None:
    if len(tag) != 8 or not attributes.is_private(tag):
        return None
    values = dataset.get(f"{tag[:4]}00{tag[4:6]}", {}).get("Value") or [None]
    return values[0] if isinstance(values[0], str) else None


def _write_content(element: dict[str, Any], depth: int) -> Iterator[str]:
    if "BulkDataURI" in element:
        yield f'<BulkData uri="{_escape(element["BulkDataURI"])}"/>'
    elif "InlineBinary" in element:
        yield f"<InlineBinary>{_escape(element['InlineBinary'])}</InlineBinary>"
    else:
        yield from _write_values(element.get("vr"), element.get("Value") or (), depth)


def _write_values(vr: str | None, values: Iterable[Any], depth: int) -> Iterator[str]:
    for number, value in enumerate(values, 1):
        if vr == "SQ":
            yield f'<Item number="{number}">'
            yield from _write_dataset(value or {}, depth + 1)
            yield "</Item>"
        elif vr == "PN":
            yield f'<PersonName number="{number}">'
            yield from _write_name(value)
            yield "</PersonName>"
        else:
            yield f'<Value number="{number}">{_escape("" if value is None else value)}</Value>'


def _write_name(value: dict[str, str] | str | None) -> Iterator[str]:
    groups = {"Alphabetic": value} if isinstance(value, str) else value or {}
    for group in _NAME_GROUPS:
        if text := groups.get(group):
            yield f"<{group}>"
            # A sixth component would be a fault of the sender; it stays with the fifth rather than be lost.
            for name, component in zip(_NAME_COMPONENTS, text.split("^", 4), strict=False):
                if component:
                    yield f"<{name}>{_escape(component)}</{name}>"
            yield f"</{group}>"


def _escape(value: object) -> str:
    return str(value).translate(_ESCAPES)
