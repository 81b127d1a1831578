"""One source of a conversion: its data set, read once, and where its bytes lie (PS3.10 §7, PS3.18 Annex F).

Large values stay where they are. The data set names each by a digest of its bytes, so that two of them are the same
value exactly if their elements are equal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import orjson

from dicomgate.dicom import encode, frames, header
from dicomgate.dicom.bulk import Place
from dicomgate.dicom.frames import FrameTable
from dicomgate.dicom.inflate import InflatedSource
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.limits import DEFAULT, Limits
from dicomgate.dicom.source import FileSource, Source

Element = dict[str, Any]
STEP = 1 << 20
_PIXELS = frozenset(frames.PIXELS)


class Content(Protocol):
    """Where the bytes of one instance can be had, as often as they are needed."""

    def open(self) -> AbstractContextManager[Source]:
        """The bytes, for as long as the context lasts. OSError when they cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class File:
    """A file of a folder."""

    path: Path

    @contextmanager
    def open(self) -> Iterator[Source]:
        """The file's bytes. OSError when it cannot be opened."""
        with self.path.open("rb", buffering=0) as file:
            yield FileSource(file.fileno())


class Pool:
    """Elements that are equal become one object: slices of a series differ in a few of hundreds."""

    def __init__(self) -> None:
        self._known: dict[bytes, Element] = {}
        self._last: JSONDataset = {}

    def share(self, dataset: JSONDataset) -> JSONDataset:
        """The same data set of elements that are shared with all that went before."""
        known, last = self._known, self._last
        shared = {}
        for tag, element in dataset.items():
            before = last.get(tag)
            shared[tag] = before if before == element else known.setdefault(_digest(element), element)
        self._last = shared
        return shared


def _digest(element: Element) -> bytes:
    """What stands for an element in a pool; its text would take the four kilobytes that orjson writes into."""
    return hashlib.blake2b(orjson.dumps(element), digest_size=20).digest()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classic:
    """An instance that may become a frame.

    `attributes` is its data set without pixel data. `places` tells of each large value, by the URI that stands for
    it, where its bytes lie. Without `content` it can be grouped and described, not written.
    """

    attributes: JSONDataset
    transfer_syntax: str
    name: str = ""
    content: Content | None = None
    frames: FrameTable | None = None
    places: Mapping[str, Place] = field(default_factory=dict)
    is_deflated: bool = False
    dataset_offset: int = 0
    size: int = 0

    def text(self, tag: str) -> str:
        """The first value as text; nothing where there is none."""
        return text(self.attributes, tag)

    @property
    def instance(self) -> str:
        """SOP Instance UID."""
        return self.text("00080018")

    @property
    def series(self) -> str:
        """Series Instance UID."""
        return self.text("0020000E")

    @property
    def sop_class(self) -> str:
        """SOP Class UID."""
        return self.text("00080016")

    @contextmanager
    def opened(self) -> Iterator[tuple[Source, Source]]:
        """The file's bytes, and those of the data set that `frames` and `places` count in, which deflation moves."""
        assert self.content is not None, "a source that is written has its bytes"
        with self.content.open() as source:
            yield source, InflatedSource(source, self.dataset_offset) if self.is_deflated else source


def read(content: Content, *, name: str = "", pool: Pool | None = None, limits: Limits = DEFAULT) -> Classic:
    """Read an instance. Malformed, TooLarge as `header.read`; OSError when its bytes cannot be had."""
    with content.open() as source:
        found = header.read(source, limits)
        values = InflatedSource(source, found.dataset_offset) if found.is_deflated else source
        places = _name_by_content(found.attributes, found.bulk, values)
        for tag in _PIXELS:
            found.attributes.pop(tag, None)
        return Classic(
            name=name,
            content=content,
            attributes=(pool or Pool()).share(found.attributes),
            transfer_syntax=found.transfer_syntax,
            frames=found.frames,
            places=places,
            is_deflated=found.is_deflated,
            dataset_offset=found.dataset_offset,
            size=source.size,
        )


def _name_by_content(attributes: JSONDataset, bulk: Mapping[str, Place], source: Source) -> dict[str, Place]:
    """Give every large value, but for the pixels, a URI that is made of its bytes."""
    places: dict[str, Place] = {}
    for path, place in bulk.items():
        if path in _PIXELS:
            continue
        digest = hashlib.sha256(f"{place.word if len(place.pieces) == 0 else 0}".encode())
        for chunk in read_span(source, range(place.offset, place.offset + place.length)):
            digest.update(chunk)
        uri = f"sha256:{digest.hexdigest()}"
        find(attributes, path)["BulkDataURI"] = uri
        places.setdefault(uri, place)
    return places


def find(attributes: JSONDataset, path: str) -> Element:
    """The element at a path that `bulk.format_path` made."""
    *steps, tag = path.split("/")
    for sequence, number in zip(steps[::2], steps[1::2], strict=True):
        attributes = attributes[sequence]["Value"][int(number) - 1]
    element: Element = attributes[tag]
    return element


def value(place: Place, source: Source) -> encode.BulkValue | encode.Encapsulated:
    """The bytes of a large value, as they are written into another data set."""
    chunks = read_span(source, range(place.offset, place.offset + place.length))
    if place.pieces:
        return encode.Encapsulated(chunks)
    return encode.BulkValue(place.length, frames.swap_words(chunks, place.word))


def read_span(source: Source, span: range) -> Iterator[bytes]:
    """The bytes of a span, in steps."""
    for at in range(span.start, span.stop, STEP):
        yield source.read_at(at, min(STEP, span.stop - at))


# Values of a data set.


def values(dataset: JSONDataset, tag: str) -> list[Any]:
    """The values of an attribute; none when it is missing or empty."""
    return dataset.get(tag, {}).get("Value") or []


def text(dataset: JSONDataset, tag: str) -> str:
    """The first value as text; nothing where there is none."""
    given = values(dataset, tag)
    return given[0].strip() if given and isinstance(given[0], str) else ""


def numbers(dataset: JSONDataset, tag: str) -> tuple[float, ...]:
    """The values of a numeric attribute; those that are no numbers make all of it none."""
    given = values(dataset, tag)
    try:
        return tuple(float(one) for one in given)
    except (TypeError, ValueError):
        return ()


def number(dataset: JSONDataset, tag: str) -> float | None:
    """The first number, if it is one."""
    found = numbers(dataset, tag)
    return found[0] if found else None


def items(dataset: JSONDataset, tag: str) -> list[JSONDataset]:
    """The items of a sequence."""
    if dataset.get(tag, {}).get("vr", "SQ") != "SQ":
        return []
    return [item or {} for item in values(dataset, tag)]


def is_empty(element: Element | None) -> bool:
    """True for an element that is missing or has no value: in a comparison the same (C.7.6.16.2.25)."""
    return element is None or not ("BulkDataURI" in element or element.get("InlineBinary") or element.get("Value"))
