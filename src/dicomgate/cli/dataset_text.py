"""A data set for a person to read: a line for each element, sequences indented, values shortened (PS3.18 Annex F)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.cells import cell_len, set_cell_size

from dicomgate.cli import output
from dicomgate.dicom import attributes, bulk, elements, names
from dicomgate.origin import JSONDataset

_INDENT: Final = 2
_LONGEST_NAME: Final = 34
_LEAST_VALUE: Final = 20
"""Cells that a value has left of it, however deep it lies and narrow the terminal is."""
_SHOWN_BYTES: Final = 16
_BETWEEN: Final = "  "


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One element, or the head of an item (which has no tag)."""

    depth: int
    tag: str = ""
    vr: str = ""
    name: str = ""
    value: str = ""
    note: str = ""  # what is known of the value beyond what it says


def describe(dataset: JSONDataset, sizes: Mapping[str, str] | None = None) -> Iterator[Line]:
    """The lines of a data set. `sizes` tells of values that lie elsewhere, by the path that names them."""
    return _item(dataset, (), sizes or {})


def _item(item: JSONDataset, steps: tuple[tuple[str, int], ...], sizes: Mapping[str, str]) -> Iterator[Line]:
    depth = 2 * len(steps)
    for tag in sorted(item):
        element = item[tag]
        vr = str(element.get("vr", ""))
        name = names.find_attribute(tag, item) or "-"
        if vr == "SQ":
            items = list(elements.items([element]))
            value = output.count(len(items), "item", "items")
            yield Line(depth=depth, tag=tag, vr=vr, name=name, value=value, note=_creator(tag, item))
            for number, inner in enumerate(items, 1):
                yield Line(depth=depth + 1, value=f"item {number}")
                yield from _item(inner, (*steps, (tag, number)), sizes)
            continue
        value, note = _value(element, sizes.get(bulk.format_path(steps, tag), ""))
        yield Line(depth=depth, tag=tag, vr=vr, name=name, value=value, note=note or _creator(tag, item))


def _creator(tag: str, item: JSONDataset) -> str:
    creator = names.find_creator(tag, item) if attributes.is_private(tag) else ""
    return f"[{creator}]" if creator else ""


def _value(element: Mapping[str, Any], size: str) -> tuple[str, str]:
    """The value as text, and a note on it."""
    if "BulkDataURI" in element:
        return f"({size})" if size else "(bulk data)", ""
    if "InlineBinary" in element:
        return _binary(str(element["InlineBinary"]), str(element.get("vr", "")))
    text = "\\".join(_text(value) for value in element.get("Value") or ())
    name = names.find_uid(text) if element.get("vr") == "UI" else ""
    return (name, text) if name else (text, "")


def _text(value: object) -> str:
    return next(iter(elements.texts({"Value": [value]})), "")


def _binary(text: str, vr: str) -> tuple[str, str]:
    """The first bytes in hex, of a value of unknown kind its text if it is one; and how many there are."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return "(no base64)", ""
    length = output.count(len(raw), "byte", "bytes")
    stripped = raw.rstrip(b" \0")
    if vr == "UN" and stripped and stripped.isascii() and stripped.decode("ascii").isprintable():
        return stripped.decode("ascii"), f"({length})"
    more = " …" if len(raw) > _SHOWN_BYTES else ""
    return f"{raw[:_SHOWN_BYTES].hex(' ')}{more}", f"({length})"


@dataclass(frozen=True, slots=True)
class Widths:
    """Where the columns stand. `whole`: values are not shortened."""

    name: int
    all: int
    whole: bool = False


def measure(lines: Sequence[Line], width: int, *, whole: bool = False) -> Widths:
    """Columns for a terminal of a width: the names as wide as the longest, up to a bound."""
    longest = max((_INDENT * line.depth + cell_len(line.name) for line in lines if line.tag), default=0)
    room = width - len("(0000,0000)") - len("SQ") - 3 * len(_BETWEEN) - _LEAST_VALUE
    return Widths(max(8, min(longest, _LONGEST_NAME, room)), width, whole)


def format_line(line: Line, widths: Widths) -> tuple[str, str, str, str]:
    """A line in four pieces to print one behind the other: tag and VR, name, value, note."""
    indent = " " * (_INDENT * line.depth)
    if not line.tag:
        return "", indent, line.value, ""
    head = f"{indent}({line.tag[:4]},{line.tag[4:]}){_BETWEEN}{line.vr:2}{_BETWEEN}"
    room = max(widths.name - len(indent), 8)
    name = _fit(line.name, room) + _BETWEEN
    if widths.whole:
        return head, name, plain(line.value), f"{_BETWEEN}{plain(line.note)}" if line.note else ""
    left = max(_LEAST_VALUE, widths.all - len(head) - cell_len(name))
    value = plain(line.value)
    if line.vr != "UI":  # half a UID names nothing: it goes over the edge
        value = shorten(value, left)
    left -= cell_len(value) + len(_BETWEEN)
    note = plain(line.note) if line.note else ""
    return head, name, value, f"{_BETWEEN if value else ''}{shorten(note, left)}" if note and left > _INDENT else ""


def _fit(text: str, cells: int) -> str:
    return set_cell_size(shorten(text, cells), cells)


def shorten(text: str, cells: int) -> str:
    """The text in so many cells of a terminal; what is left out is told by a sign."""
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, max(0, cells - 1)).rstrip(" ") + "…"


def plain(text: str) -> str:
    """One line without anything that steers a terminal: ends of lines are shown as signs."""
    return output.plain(text.replace("\r\n", "\n").replace("\n", "↵").replace("\r", "↵"))
