"""A tree of WADL elements, written as XML and as JSON (WADL 2009/02; PS3.18 Annex G)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

import orjson

NAMESPACE: Final = "http://wadl.dev.java.net/2009/02"

REPEATED: Final = frozenset({"doc", "resource", "method", "param", "option", "response", "representation"})
"""Elements of which an array is written in JSON, even of one (Annex G)."""


@dataclass(frozen=True, slots=True)
class Element:
    """An element: its attributes in their order, and either elements inside or a text."""

    name: str
    attributes: tuple[tuple[str, str], ...] = ()
    children: tuple[Element, ...] = ()
    text: str = ""


def write_xml(application: Element) -> bytes:
    """The document, in UTF-8."""
    return "".join(('<?xml version="1.0" encoding="UTF-8"?>\n', *_xml(application, 0))).encode()


def _xml(element: Element, depth: int) -> Iterator[str]:
    indent = "  " * depth
    attributes = (("xmlns", NAMESPACE), *element.attributes) if depth == 0 else element.attributes
    start = indent + "<" + element.name + "".join(f" {name}={quoteattr(value)}" for name, value in attributes)
    if element.children:
        yield f"{start}>\n"
        for child in element.children:
            yield from _xml(child, depth + 1)
        yield f"{indent}</{element.name}>\n"
    elif element.text:
        yield f"{start}>{escape(element.text)}</{element.name}>\n"
    else:
        yield f"{start}/>\n"


def write_json(application: Element) -> bytes:
    """The same as JSON: an attribute is `@name`, what may be repeated an array, the text of a doc its `value`."""
    return orjson.dumps({application.name: _json(application)})


def _json(element: Element) -> dict[str, Any]:
    found: dict[str, Any] = {f"@{name}": value for name, value in element.attributes}
    for child in element.children:
        if child.name in REPEATED:
            found.setdefault(child.name, []).append(_json(child))
        else:
            assert child.name not in found, "only what is repeated comes twice"
            found[child.name] = _json(child)
    if element.text:
        found["value"] = element.text
    return found
