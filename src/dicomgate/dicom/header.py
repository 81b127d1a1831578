"""The header of a DICOM file: everything but its large values, read once, in one pass (PS3.10 §7, PS3.18 Annex F)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dicomgate import collector, errors
from dicomgate.dicom import bulk, frames, part10, syntaxes
from dicomgate.dicom.bulk import Place
from dicomgate.dicom.forms import Encoding
from dicomgate.dicom.frames import FrameTable
from dicomgate.dicom.inflate import InflatedSource
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.limits import DEFAULT, Limits
from dicomgate.dicom.scanner import FIRST_WINDOW, Scanner
from dicomgate.dicom.source import Source, Truncated
from dicomgate.dicom.uids import Target, is_uid

__all__ = ["DEFAULT", "FrameTable", "Header", "JSONDataset", "Limits", "Place", "Truncated", "read"]


@dataclass(slots=True, kw_only=True)
class Header:
    """What a file holds, but for its large values. `bulk` tells where those lie, in the order of the data set.

    Offsets count from the start of the file; of the inflated data set where `is_deflated`. `opens_unknown`: values of
    UN elements that are sequences elsewhere were read as such. `is_sound`: see part10.Beginning.
    `stated_charset`: Specific Character Set as the file has it (the attributes tell of UTF-8); None where it has none.
    """

    meta: JSONDataset
    transfer_syntax: str
    encoding: Encoding
    is_deflated: bool
    dataset_offset: int
    dataset_size: int
    attributes: JSONDataset
    bulk: dict[str, Place]
    frames: FrameTable | None
    target: Target | None
    sop_class: str | None
    is_sound: bool
    opens_unknown: bool = True
    stated_charset: bytes | None = None


def read(source: Source, limits: Limits = DEFAULT, *, window: int = FIRST_WINDOW) -> Header:
    """Read a file. Malformed, Truncated or TooLarge when it cannot be read as one DICOM object within the limits."""
    beginning = part10.read_beginning(source)
    content = source
    if beginning.is_deflated:
        content = InflatedSource(source, beginning.dataset_offset, limits, seconds=limits.seconds)
    span = range(0 if beginning.is_deflated else beginning.dataset_offset, content.size)
    with collector.paused():
        scanner, attributes = _scan(content, span, beginning.encoding, limits, window)
    if not beginning.encoding.is_little:
        _note_words(attributes, scanner.bulk)
    target = _target(attributes)
    for element, path in scanner.left_out:
        element["BulkDataURI"] = bulk.format_uri(target, path)
    return Header(
        meta=beginning.meta,
        transfer_syntax=beginning.transfer_syntax,
        encoding=beginning.encoding,
        is_deflated=beginning.is_deflated,
        dataset_offset=beginning.dataset_offset,
        dataset_size=len(span),
        attributes=attributes,
        bulk=scanner.bulk,
        frames=frames.build(content, attributes, scanner, syntaxes.find(beginning.transfer_syntax), limits),
        target=target,
        sop_class=_uid(attributes, "00080016"),
        is_sound=beginning.is_sound,
        opens_unknown=scanner.opens_unknown,
        stated_charset=scanner.stated_charset,
    )


def _scan(source: Source, span: range, encoding: Encoding, limits: Limits, window: int) -> tuple[Scanner, JSONDataset]:
    """One pass; a second when what stood in UN elements was no sequence after all, and they stay closed."""
    scanner = Scanner(source, span, encoding, limits, window=window)
    try:
        return scanner, scanner.read()
    except errors.Malformed:
        if not scanner.has_opened_unknown:
            raise
    scanner = Scanner(source, span, encoding, limits, window=window, opens_unknown=False)
    return scanner, scanner.read()


def _note_words(attributes: JSONDataset, places: dict[str, Place]) -> None:
    """Say of each value of a big endian data set how its bytes turn."""
    for path, place in places.items():
        if not place.pieces:
            places[path] = replace(place, word=frames.word(attributes, path, place.vr))


def _uid(attributes: JSONDataset, tag: str) -> str | None:
    """The one value, if it is a UID (T9)."""
    value = attributes.get(tag, {}).get("Value")
    if value and len(value) == 1 and isinstance(value[0], str) and is_uid(value[0]):
        return value[0]
    return None


def _target(attributes: JSONDataset) -> Target | None:
    study, series = _uid(attributes, "0020000D"), _uid(attributes, "0020000E")
    instance = _uid(attributes, "00080018")
    if study is None or series is None or instance is None:
        return None
    return Target(study, series, instance)
