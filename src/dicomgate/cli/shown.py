"""What `dicomgate show` looks at: an object's attributes, and its pictures when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dicomgate import errors
from dicomgate.cli import output
from dicomgate.dicom import header, syntaxes, uids
from dicomgate.dicom.header import Header
from dicomgate.dicom.limits import Limits
from dicomgate.dicom.source import FileSource
from dicomgate.dicom.uids import Level, Target
from dicomgate.origin import JSONDataset

if TYPE_CHECKING:
    from dicomgate.cli.places import Place
    from dicomgate.dicom.presentation import Presentation

_PIXELS = "7FE00010"
_CHARSET = "00080005"
_KEYS = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An object: the file meta information where it is a file, its data set, and what is known of its large values.

    `stated` is what the file itself has where the attributes say it otherwise. `render` makes a PNG file of a frame,
    from 1.
    """

    attributes: JSONDataset
    render: Callable[[int, Presentation], bytes]
    meta: JSONDataset = field(default_factory=dict)
    stated: JSONDataset = field(default_factory=dict)
    sizes: Mapping[str, str] = field(default_factory=dict)


def read_file(path: Path, limits: Limits) -> Shown:
    """A file on its own. Malformed when it is no DICOM file, OSError when it cannot be read."""
    with path.open("rb") as file:
        seen = header.read(FileSource(file.fileno()), limits)
    return Shown(
        meta=seen.meta,
        attributes=seen.attributes,
        stated={_CHARSET: _charset(seen.stated_charset)},
        sizes={place: _size(seen, place) for place in seen.bulk},
        render=lambda frame, wanted: _render_file(path, limits, frame, wanted),
    )


def read_place(place: Place, uid: str) -> Shown:
    """An instance of a place; the first one of the series or study, where the UID is of one.

    Malformed for what is no UID, NotFound when nothing there has it; the faults of the place.
    """
    uids.parse_uid(uid)
    target = next(filter(None, (_find(place, key, uid) for key in _KEYS)), None)
    if target is None:
        raise errors.NotFound("no instance, series or study there has this UID")
    (dataset, *_) = place.metadata(target)
    return Shown(attributes=dataset, render=lambda frame, wanted: place.render(target, frame, wanted))


def _find(place: Place, key: str, uid: str) -> Target | None:
    from dicomgate.client import targets

    order = () if key == _KEYS[0] else (("orderby", "InstanceNumber"),)
    found = place.search("/instances", ((key, uid), *order), 1)
    return next((targets.find_target(dataset, Level.INSTANCE) for dataset in found), None)


def _charset(stated: bytes | None) -> JSONDataset:
    """The element as it is in the file: text is UTF-8 here, whatever it was there; empty where there is none."""
    if stated is None:
        return {}
    terms = stated.decode("ascii", "replace").split("\\")
    return {"vr": "CS", "Value": [term.strip(" \0") for term in terms]} if stated else {"vr": "CS"}


def _size(seen: Header, path: str) -> str:
    place = seen.bulk[path]
    length = sum(map(len, place.pieces)) if place.pieces else place.length
    text = output.count(length, "byte", "bytes")
    if path != _PIXELS or seen.frames is None:
        return text
    syntax = syntaxes.find(seen.transfer_syntax)
    encoding = f" of {syntax.name}" if syntax is not None and syntax.is_encapsulated else ""
    return f"{output.count(seen.frames.count, 'frame', 'frames')}, {text}{encoding}"


def _render_file(path: Path, limits: Limits, frame: int, wanted: Presentation) -> bytes:
    """By the same steps as a server's /rendered."""
    from dicomgate.archive import lone
    from dicomgate.pixels.processes import Workers
    from dicomgate.representations import pictures
    from dicomgate.representations.maker import Maker

    with Workers() as workers:
        maker = Maker(workers=workers, limits=limits)
        return pictures.render(maker, lone.open_file(path, limits), frame, wanted, "image/png").content
