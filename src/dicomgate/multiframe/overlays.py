"""Overlays of images, as presentation states that draw them over the frames (PS3.4 C.3.5, PS3.3 A.33.1, LC-18).

An enhanced object may have no overlay plane (A.70.3.1), and none of its samples may hide one in bits of its own.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from dicomgate.dicom.frames import NativeFrames
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.multiframe import classes, classic, enhanced, identity, pixel_module
from dicomgate.multiframe.classic import Classic
from dicomgate.multiframe.enhanced import PRESENTATION_STATE, Settled

_DATA, _POSITION, _ALLOCATED, _LAYER = "3000", "0102", "0100", "1001"
_TAKEN: Final = frozenset(
    {"0010", "0011", "0022", "0040", "0045", "0050", _ALLOCATED, _POSITION, "1301", "1302", "1303", "1500", _DATA}
)
"""The elements of an overlay group that a presentation state may have, too (C.9.2)."""
_WINDOW: Final = ("00281050", "00281051", "00281055", "00281056")
_RESCALE: Final = ("00281052", "00281053", "00281054")
_CALLED: Final = "OVERLAYS"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A presentation state that is to be made, for frames whose overlays and shades are the same."""

    instance: str
    number: int
    frames: tuple[int, ...]
    attributes: JSONDataset
    """Overlays, windows and rescaling."""
    source: Classic


def find(settled: Settled) -> list[State]:
    """What is to be drawn over the frames of an object; none when its sources have no overlays."""
    found: dict[bytes, tuple[JSONDataset, list[int]]] = {}
    for number, source in enumerate(settled.frame_set.sources, 1):
        planes = _planes(source)
        if not planes:
            continue
        shown = planes | _shades(source)
        found.setdefault(orjson.dumps(shown), (shown, []))[1].append(number)
    return [
        State(
            instance=identity.derive("overlays", [settled.instance, str(frames[0])], salt=settled.salt),
            number=number,
            frames=tuple(frames),
            attributes=shown,
            source=settled.frame_set.sources[frames[0] - 1],
        )
        for number, (shown, frames) in enumerate(found.values(), 1)
    ]


def _planes(source: Classic) -> JSONDataset:
    """The overlay planes of an image, those in the bits of its samples as planes of their own."""
    found: JSONDataset = {}
    groups = sorted({tag[:4] for tag in source.attributes if tag[:2] == "60" and classes.is_overlay(tag)})
    for group in groups:
        plane = {
            tag: element
            for tag, element in source.attributes.items()
            if tag.startswith(group) and tag[4:] in _TAKEN and not classic.is_empty(element)
        }
        position = int(classic.number(plane, group + _POSITION) or 0)
        if group + _DATA not in plane:
            hidden = _hidden(source, position)
            if hidden is None:
                continue
            plane[group + _DATA] = {"vr": "OW", "InlineBinary": base64.b64encode(hidden).decode("ascii")}
            plane |= {f"{group}0010": source.attributes["00280010"], f"{group}0011": source.attributes["00280011"]}
        plane[group + _ALLOCATED] = {"vr": "US", "Value": [1]}
        plane[group + _POSITION] = {"vr": "US", "Value": [0]}
        plane.setdefault(f"{group}0040", {"vr": "CS", "Value": ["G"]})
        plane.setdefault(f"{group}0050", {"vr": "SS", "Value": [1, 1]})
        plane[group + _LAYER] = {"vr": "CS", "Value": [_CALLED]}
        found |= plane
    return found


_PICK: Final = {bit: bytes(48 + (value >> bit & 1) for value in range(256)) for bit in range(8)}
"""For each bit, a table from bytes to the digits 0 and 1."""


def _hidden(source: Classic, position: int) -> bytes | None:
    """One bit of each sample, packed as overlay data; None where the samples have no such bit of their own."""
    allocated = int(classic.number(source.attributes, "00280100") or 0)
    high = int(classic.number(source.attributes, "00280102") or 0)
    stored = int(classic.number(source.attributes, "00280101") or 0)
    is_free = high < position < allocated or 0 <= position < high + 1 - stored
    if source.content is None or not isinstance(source.frames, NativeFrames) or not is_free:
        return None
    step = allocated // 8
    bytes_of_it = pixel_module.read_native(source)[position // 8 :: step]
    digits = bytes_of_it.translate(_PICK[position % 8])
    length = -(-len(digits) // 8)
    return int(digits[::-1], 2).to_bytes(length + length % 2, "little")


def _shades(source: Classic) -> JSONDataset:
    """What makes grey of samples: a presentation state that does not say it has them shown without (N.2)."""
    attributes = source.attributes
    found = {tag: attributes[tag] for tag in _RESCALE if not classic.is_empty(attributes.get(tag))}
    if found:
        found.setdefault("00281052", {"vr": "DS", "Value": [0]})
        found.setdefault("00281053", {"vr": "DS", "Value": [1]})
        found.setdefault("00281054", {"vr": "LO", "Value": ["US"]})
    window = {tag: attributes[tag] for tag in _WINDOW if not classic.is_empty(attributes.get(tag))}
    if {"00281050", "00281051"} <= window.keys():
        found["00283110"] = {"vr": "SQ", "Value": [window]}
    shape = "INVERSE" if source.text("00280004") == "MONOCHROME1" else "IDENTITY"
    found["20500020"] = {"vr": "CS", "Value": [shape]}
    return found


def describe(settled: Settled, state: State, image: JSONDataset) -> JSONDataset:
    """The data set of a Grayscale Softcopy Presentation State about frames of the object `image`."""
    series = identity.derive("series of overlays", [settled.series], salt=settled.salt)
    found: JSONDataset = {
        tag: element for tag, element in image.items() if tag in classes.PATIENT_AND_STUDY or tag in _KEPT
    }
    found.setdefault("00200060", {"vr": "CS"})
    found |= state.attributes
    found |= dict(_identification(settled, state, image, series))
    found["00081115"] = _sequence([_referenced(image, state)])
    found["0070005A"] = _sequence([_displayed_area(state.source)])
    found["00700060"] = _sequence([{"00700002": _one("CS", _CALLED), "00700062": _one("IS", 1)}])
    return {tag: found[tag] for tag in sorted(found)}


_KEPT: Final = ("00080021", "00080031", "00080201", "00200060")


def _identification(
    settled: Settled, state: State, image: JSONDataset, series: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "00080016", _one("UI", PRESENTATION_STATE)
    yield "00080018", _one("UI", state.instance)
    yield "00080060", _one("CS", "PR")
    yield "00080070", _one("LO", "dicomgate")
    yield enhanced.EQUIPMENT, _sequence(enhanced.equipment([{}], enhanced.FROM_CLASSIC))
    yield "0020000E", _one("UI", series)
    yield "00200011", image.get("00200011", {"vr": "IS"})
    yield "00200013", _one("IS", 1000 * settled.number + state.number)
    yield "00700080", _one("CS", _CALLED)
    yield "00700081", _one("LO", "Overlays of the classic images")
    yield "00700082", image["00080023"]
    yield "00700083", image["00080033"]
    yield "00700084", {"vr": "PN"}


def _referenced(image: JSONDataset, state: State) -> JSONDataset:
    item = {"00081150": image["00080016"], "00081155": image["00080018"]}
    if len(state.frames) != image["00280008"]["Value"][0]:
        item["00081160"] = {"vr": "IS", "Value": list(state.frames)}
    return {"00081140": _sequence([item]), "0020000E": image["0020000E"]}


def _displayed_area(source: Classic) -> JSONDataset:
    attributes = source.attributes
    return {
        "00700052": {"vr": "SL", "Value": [1, 1]},
        "00700053": {
            "vr": "SL",
            "Value": [int(classic.number(attributes, tag) or 1) for tag in ("00280011", "00280010")],
        },
        "00700100": _one("CS", "SCALE TO FIT"),
        "00700101": attributes["00280030"],
    }


def _one(vr: str, value: object) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}


def _sequence(items: list[JSONDataset]) -> dict[str, Any]:
    return {"vr": "SQ", "Value": items}
