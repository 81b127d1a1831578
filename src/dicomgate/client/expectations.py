"""What an answer should be like, in pieces that probes put together; each raises Unexpected with what was seen."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any

from dicomgate.client.probing import Ask, Reply, Unexpected
from dicomgate.client.subjects import Subject

Expectation = Callable[[Reply], None]


def asking(ask: Ask, *expectations: Expectation) -> Callable[[Subject], None]:
    """What a probe does that asks once."""

    def run(subject: Subject) -> None:
        reply = subject.ask(ask)
        for expectation in expectations:
            expectation(reply)

    return run


def asking_each(asks: Iterable[Ask], *expectations: Expectation) -> Callable[[Subject], None]:
    """What a probe does that asks several times and expects the same each time."""
    every = tuple(asks)

    def run(subject: Subject) -> None:
        for ask in every:
            asking(ask, *expectations)(subject)

    return run


def require(is_so: bool, saw: str) -> None:
    """Unexpected, with what was seen, unless it is so."""
    if not is_so:
        raise Unexpected(saw)


def status(*codes: int) -> Expectation:
    """One of these status codes."""

    def check(reply: Reply) -> None:
        require(reply.status in codes, f"{reply.status}")

    return check


def media_type(*types: str) -> Expectation:
    """200 with one of these types."""

    def check(reply: Reply) -> None:
        require(reply.status in (200, 206), f"{reply.status}")
        require(reply.media_type.type in types, f"{reply.media_type.type[:60] or 'no media type'}")

    return check


def content_type(text: str) -> Expectation:
    """Content-Type is exactly this."""

    def check(reply: Reply) -> None:
        saw = reply.header("Content-Type") or "no Content-Type"
        require(saw == text, saw[:80])

    return check


def empty(reply: Reply) -> None:
    """No content."""
    require(not reply.body, f"{reply.status} with {len(reply.body)} bytes")


def filled(reply: Reply) -> None:
    """Some content."""
    require(bool(reply.body), f"{reply.status} without content")


def has_header(*names: str) -> Expectation:
    """Each of these fields is there."""

    def check(reply: Reply) -> None:
        missing = [name for name in names if not reply.header(name)]
        require(not missing, f"{reply.status} without {', '.join(missing)}")

    return check


def header_names(name: str, *wanted: str) -> Expectation:
    """A list in a field names each of these, or all."""

    def check(reply: Reply) -> None:
        said = {one.strip().lower() for one in (reply.header(name) or "").split(",")}
        missing = [one for one in wanted if one.lower() not in said]
        require("*" in said or not missing, f"{name} without {', '.join(missing)}")

    return check


def warns(reply: Reply) -> None:
    """A Warning with the code 299."""
    text = reply.header("Warning") or ""
    require(text.startswith("299 "), f"{reply.status} with {'another' if text else 'no'} Warning")


def count(least: int, most: int | None = None) -> Expectation:
    """So many data sets."""

    def check(reply: Reply) -> None:
        found = len(reply.datasets())
        require(least <= found <= (least if most is None else most), f"{reply.status} with {found} results")

    return check


def some(reply: Reply) -> None:
    """At least one data set."""
    require(bool(reply.datasets()), f"{reply.status} without results")


def has_attributes(*tags: str) -> Expectation:
    """Each result has these attributes, with or without a value."""

    def check(reply: Reply) -> None:
        some(reply)
        missing = sorted({tag for dataset in reply.datasets() for tag in tags if tag not in dataset})
        require(not missing, f"without {', '.join(missing)}")

    return check


def lacks_attributes(*tags: str) -> Expectation:
    """No result has one of these attributes with a value."""

    def check(reply: Reply) -> None:
        there = sorted({tag for dataset in reply.datasets() for tag in tags if dataset.get(tag, {}).get("Value")})
        require(not there, f"with {', '.join(there)}")

    return check


def part_count(least: int, most: int | None = None) -> Expectation:
    """So many parts."""

    def check(reply: Reply) -> None:
        found = len(reply.parts())
        require(least <= found <= (least if most is None else most), f"{found} parts")

    return check


def parts_are(*types: str) -> Expectation:
    """Every part is of one of these types, and so is what the answer says of itself."""

    def check(reply: Reply) -> None:
        parts = reply.parts()
        require(bool(parts), "no parts")
        other = next((part.media_type.type for part in parts if part.media_type.type not in types), None)
        require(other is None, f"a part of {(other or 'no type')[:60]}")

    return check


def is_file(reply: Reply) -> None:
    """The content is a PS3.10 file."""
    require(reply.body[128:132] == b"DICM", f"{reply.status} with something that is no DICOM file")


def value(dataset: dict[str, Any], tag: str) -> Any:
    """The first value of an attribute."""
    element = dataset.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return values[0] if isinstance(values, list) and values else None


def values(datasets: Iterable[dict[str, Any]], tag: str) -> set[Any]:
    """The first values of an attribute in several data sets."""
    return {found for dataset in datasets if isinstance(found := value(dataset, tag), str | int | float)}


def picture_size(content: bytes) -> tuple[int, int]:
    """Columns and rows of a PNG picture."""
    require(content[:8] == b"\x89PNG\r\n\x1a\n" and len(content) > 24, "something that is no PNG picture")
    columns, rows = struct.unpack_from(">II", content, 16)
    return int(columns), int(rows)


def is_picture(reply: Reply) -> None:
    """The content is what its type says: JPEG, PNG or GIF."""
    beginnings = {"image/jpeg": b"\xff\xd8", "image/png": b"\x89PNG", "image/gif": b"GIF8"}
    expected = beginnings.get(reply.media_type.type)
    require(expected is not None, reply.media_type.type[:60] or "no media type")
    require(reply.body.startswith(expected or b"?"), f"{reply.media_type.type} that begins otherwise")
