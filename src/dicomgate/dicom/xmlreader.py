"""Native DICOM Model XML -> the DICOM JSON model (PS3.19 A.1, PS3.18 §F.3.1).

The parser is the standard library's expat, and hardened: a document type declaration ends it, so there are no entities
and nothing external; depth and number of elements are bounded (XML-06, T6).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from dicomgate import errors
from dicomgate.dicom import attributes
from dicomgate.dicom.limits import DEFAULT, Limits

ROOT = "NativeDicomModel"

_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_NAME_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_WITHIN: dict[str, frozenset[str]] = {
    "": frozenset({ROOT}),
    ROOT: frozenset({"DicomAttribute"}),
    "Item": frozenset({"DicomAttribute"}),
    "DicomAttribute": frozenset({"Value", "Item", "PersonName", "BulkData", "InlineBinary"}),
    "PersonName": frozenset(_NAME_GROUPS),
    **dict.fromkeys(_NAME_GROUPS, frozenset(_NAME_COMPONENTS)),
}
"""Which element may stand in which; what is in none of these holds text alone."""
_HEX = frozenset("0123456789ABCDEF")
_FUNCTIONAL_GROUPS = frozenset({"52009229", "52009230"})
_COUNTED = {"DicomAttribute": "elements", "Item": "items"}
_ELEMENTS_OF_ONE = 16  # a name of all groups and components; nothing else takes so many
_ENCODINGS = frozenset({"UTF-8", "UTF-16", "UTF-16LE", "UTF-16BE", "ISO-8859-1", "US-ASCII"})
_FIRST_BLOCK, _LAST_BLOCK = 0x10, 0xFF


def parse(text: bytes, limits: Limits = DEFAULT) -> dict[str, Any]:
    """The data set of a document, in the form in which `normal.normalise` takes it.

    Malformed for what is no Native DICOM Model, or has a document type; TooLarge beyond the limits.
    """
    reader = _Reader(limits)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.XmlDeclHandler = _check_encoding
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.EntityDeclHandler = _refuse_doctype
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise errors.Malformed(f"expected well-formed XML, saw something else in line {error.lineno}") from None
    return reader.dataset


def _check_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    """Only what expat itself can read: it would ask Python's codecs for any other name."""
    if encoding is not None and encoding.upper() not in _ENCODINGS:
        raise errors.Malformed("an XML encoding that is not taken; expected UTF-8")


def _refuse_doctype(*_: Any) -> None:
    raise errors.Malformed("a document type declaration; none is taken")


@dataclass(slots=True)
class _Open:
    """An element that has begun, and what was found in it."""

    name: str
    said: Mapping[str, str]
    texts: list[str] = field(default_factory=list)
    numbered: list[tuple[int, Any]] = field(default_factory=list)
    element: dict[str, Any] = field(default_factory=dict)
    dataset: dict[str, Any] = field(default_factory=dict)
    private: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)  # tag, creator, element

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def is_functional(self) -> bool:
        """True for the functional groups of an enhanced object, which may hold much more than others."""
        return self.name == "DicomAttribute" and self.said.get("tag") in _FUNCTIONAL_GROUPS


class _Reader:
    """Takes what the parser finds; holds the chain of open elements."""

    def __init__(self, limits: Limits) -> None:
        self.dataset: dict[str, Any] = {}
        self._limits = limits
        self._most = _ELEMENTS_OF_ONE * (limits.elements + limits.enhanced_elements)
        self._count = 0
        self._counts = dict.fromkeys(_COUNTED, 0)  # outside the functional groups
        self._bounds = {"DicomAttribute": limits.elements, "Item": limits.items}
        self._groups = 0  # functional groups that are open
        self._depth = 0
        self._open: list[_Open] = [_Open("", {})]

    def start(self, qualified: str, said: dict[str, str]) -> None:
        name = qualified.rpartition(":")[2]
        around = self._open[-1].name
        if name not in _WITHIN.get(around, ()):
            raise errors.Malformed(f"XML: an element that cannot stand in {around or 'the document'}")
        opened = _Open(name, {key.rpartition(":")[2].lower(): value for key, value in said.items()})
        self._bound(name)
        self._groups += opened.is_functional
        if name == "Item":
            self._depth += 1
            if self._depth > self._limits.depth:
                raise errors.TooLarge(f"data set: sequences nest deeper than {self._limits.depth}")
        self._open.append(opened)

    def _bound(self, name: str) -> None:
        """Count an element while it costs nothing yet."""
        self._count += 1
        if self._count > self._most:
            raise errors.TooLarge(f"XML: more than {self._most} elements")
        if name in self._counts and not self._groups:
            self._counts[name] += 1
            if self._counts[name] > self._bounds[name]:
                raise errors.TooLarge(f"data set: more than {self._bounds[name]} {_COUNTED[name]}")

    def characters(self, text: str) -> None:
        if self._open[-1].name not in _WITHIN:
            self._open[-1].texts.append(text)
        elif text.strip():
            raise errors.Malformed(f"XML: text in {self._open[-1].name or 'the document'}")

    def end(self, _: str) -> None:
        done = self._open.pop()
        self._groups -= done.is_functional
        around = self._open[-1]
        match done.name:
            case "DicomAttribute":
                self._end_attribute(done, around)
            case "Item":
                self._depth -= 1
                _number(done, around, _whole(done), self._limits)
            case "Value":
                _number(done, around, done.text, self._limits)
            case "PersonName":
                _number(done, around, dict(done.element), self._limits)
            case "BulkData":
                around.element["BulkDataURI"] = _uri(done)
            case "InlineBinary":
                around.element["InlineBinary"] = "".join(done.text.split())
            case _ if done.name == ROOT:
                self.dataset = _whole(done)
            case _ if done.name in _NAME_GROUPS:
                around.element[done.name] = "^".join(done.element.get(one, "") for one in _NAME_COMPONENTS).rstrip("^")
            case _:
                around.element[done.name] = done.text

    @staticmethod
    def _end_attribute(done: _Open, around: _Open) -> None:
        element: dict[str, Any] = {**done.element}
        if vr := done.said.get("vr"):
            element["vr"] = vr
        if done.numbered:
            element["Value"] = _in_order(done.numbered)
        tag = (done.said.get("tag") or attributes.find_tag(done.said.get("keyword", "")) or "").upper()
        creator = done.said.get("privatecreator")
        if len(tag) != 8 or not set(tag) <= _HEX:
            raise errors.Malformed(f"XML: expected a tag of 8 hex digits, saw {len(tag)} characters")
        if creator:
            around.private.append((tag, creator, element))
        elif tag in around.dataset:
            raise errors.Malformed(f"{tag}: expected once, came again")
        else:
            around.dataset[sys.intern(tag)] = element


def _number(done: _Open, around: _Open, value: Any, limits: Limits) -> None:
    """Keep a value with its number: that after the last one where none is given (A.1.5: from 1, step 1)."""
    text = done.said.get("number", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not text:
        number = around.numbered[-1][0] + 1 if around.numbered else 1
    if not 1 <= number <= max(limits.items, limits.enhanced_elements):
        raise errors.Malformed("XML: expected numbers of values from 1")
    around.numbered.append((number, value))


def _in_order(numbered: list[tuple[int, Any]]) -> list[Any]:
    """The values by number; where one is missing it is empty. Gaps are bounded by what is there."""
    last = max(number for number, _ in numbered)
    if last > 2 * len(numbered) + 64:
        raise errors.Malformed(f"XML: {len(numbered)} values are numbered up to {last}")
    found: list[Any] = [None] * last
    for number, value in numbered:
        if found[number - 1] is not None:
            raise errors.Malformed(f"XML: value {number} came again")
        found[number - 1] = value
    return found


def _uri(done: _Open) -> str:
    uuid = done.said.get("uuid")
    return done.said.get("uri") or (f"urn:uuid:{uuid}" if uuid else "")


def _whole(level: _Open) -> dict[str, Any]:
    """A data set or item with its private attributes: each creator has a block of its own (PS3.5 §7.8, JSON-11)."""
    dataset = level.dataset
    blocks: dict[tuple[str, str], str] = {}
    taken: dict[str, set[int]] = {}
    for tag, element in dataset.items():
        if attributes.is_private(tag) and tag[4:6] == "00" and tag[6:] >= "10":
            taken.setdefault(tag[:4], set()).add(int(tag[6:], 16))
            creators = element.get("Value") or [None]
            if isinstance(creators[0], str):
                blocks.setdefault((tag[:4], creators[0].strip()), tag[6:])
    for tag in dataset:
        if attributes.is_private(tag) and tag[4:6] != "00":
            taken.setdefault(tag[:4], set()).add(int(tag[4:6], 16))
    for tag, creator, element in level.private:
        if not attributes.is_private(tag):
            raise errors.Malformed(f"{tag}: a private creator, but no private tag")
        name = (tag[:4], creator.strip())
        if name not in blocks:
            blocks[name] = _reserve(taken.setdefault(tag[:4], set()))
            dataset[f"{tag[:4]}00{blocks[name]}"] = {"vr": "LO", "Value": [name[1]]}
        own = f"{tag[:4]}{blocks[name]}{tag[6:]}"
        if own in dataset:
            raise errors.Malformed(f"{tag}: expected once of its creator, came again")
        dataset[own] = element
    return dataset


def _reserve(taken: set[int]) -> str:
    free = next((block for block in range(_FIRST_BLOCK, _LAST_BLOCK + 1) if block not in taken), None)
    if free is None:
        raise errors.Malformed("more private creators in one group than there are blocks")
    taken.add(free)
    return f"{free:02X}"
