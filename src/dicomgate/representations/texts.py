"""Reports, and whatever shows no picture, as text that a person reads: HTML, plain text, XML (PS3.18 §8.7.4, REN-01).

What leaves is inert: every value is escaped, nothing is linked, styled by its content or run (REN-11, T15). The XML is
the Native DICOM Model (PS3.19 §A.1), which holds all there is.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any, Final

from dicomgate.dicom import attributes, xmlmodel
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.representations import report_content
from dicomgate.representations.report_content import Line

HTML, PLAIN, XML = "text/html", "text/plain", "text/xml"

_DEEPEST: Final = 64
_LONGEST: Final = 4096
_HEADINGS: Final = (
    ("Patient", "00100010"),
    ("Patient ID", "00100020"),
    ("Birth date", "00100030"),
    ("Sex", "00100040"),
    ("Study", "00081030"),
    ("Study date", "00080020"),
    ("Accession number", "00080050"),
    ("Series", "0008103E"),
    ("Content date", "00080023"),
)
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:0 1em}dt{color:#666}dd{margin:0}"
    "ul{list-style:none;padding-left:1.2em;border-left:1px solid #ddd}b{font-weight:600}"
    "span{white-space:pre-wrap;overflow-wrap:anywhere}"
)


def render(dataset: JSONDataset, media_type: str, charset: str) -> str:
    """The object as text of the type, saying that it is in the charset; characters are not looked at.

    TooLarge when sequences nest deeper than any data set that is taken.
    """
    if media_type == XML:
        return xmlmodel.format_dataset(dataset).decode().replace('encoding="UTF-8"', f'encoding="{charset}"', 1)
    heading = [(name, text) for name, tag in _HEADINGS if (text := _values(dataset.get(tag, {})))]
    is_report = report_content.is_report(dataset)
    said = list(report_content.lines(dataset)) if is_report else [Line(0, _title(dataset), ""), *_listed(dataset, 1)]
    return _page(heading, said, charset) if media_type == HTML else _plain(heading, said)


def _title(dataset: JSONDataset) -> str:
    return _values(dataset.get("00420010", {})) or _values(dataset.get("00080060", {})) or "DICOM object"


def _listed(dataset: JSONDataset, depth: int) -> Iterator[Line]:
    """Every attribute that is no private one, in the order of the data set."""
    for tag in sorted(dataset):
        if attributes.is_private(tag) or depth > _DEEPEST:
            continue
        element = dataset[tag]
        name = attributes.find_keyword(tag) or f"({tag[:4]},{tag[4:]})"
        if element.get("vr") != "SQ":
            yield Line(depth, name, _values(element))
            continue
        for number, item in enumerate(element.get("Value") or (), 1):
            yield Line(depth, f"{name} {number}", "")
            yield from _listed(item or {}, depth + 1)


def _values(element: dict[str, Any]) -> str:
    if "BulkDataURI" in element or "InlineBinary" in element:
        return "(bytes)"
    text = "\\".join(report_content.format_value(value) for value in element.get("Value") or ())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _plain(heading: list[tuple[str, str]], said: list[Line]) -> str:
    texts = [f"{name}: {text}" for name, text in heading]
    for line in said:
        indent = "  " * line.depth
        value = line.value.replace("\n", f"\n{indent}  ")
        texts.append(f"{indent}{line.name}: {value}" if line.value else f"{indent}{line.name}")
    return "\n".join([*texts[: len(heading)], "", *texts[len(heading) :]]) + "\n"


def _page(heading: list[tuple[str, str]], said: list[Line], charset: str) -> str:
    title = html.escape(said[0].name)
    facts = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in heading)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="{charset}"><title>{title}</title>'
        f"<style>{_STYLE}</style></head>\n<body><dl>{facts}</dl>\n<h1>{title}</h1>\n"
        f"{''.join(_nested(said[1:]))}</body></html>\n"
    )


def _nested(said: list[Line]) -> Iterator[str]:
    """Lists within lists, as deep as the lines stand."""
    depth = 0
    for line in said:
        if line.depth > depth:
            yield "<ul>" * (line.depth - depth)
        elif depth:
            yield "</li>" + "</ul></li>" * (depth - line.depth)
        depth = line.depth
        name, value = html.escape(line.name), html.escape(line.value)
        yield f"\n<li><b>{name}</b>" + (f" <span>{value}</span>" if value else "")
    yield "</li>" + "</ul></li>" * (depth - 1) + "</ul>\n" if depth else ""
