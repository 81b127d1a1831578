"""How a presentation state places, covers and draws on a frame of an image (PS3.3 §C.7.6.11, §C.10.4, §C.11.12)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from dicomgate.dicom import displayed_area, state_references
from dicomgate.dicom.cielab import Colour
from dicomgate.dicom.displayed_area import DisplayedArea, Measured
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.pixel_description import PixelDescription
from dicomgate.origin import Instance
from dicomgate.pixels import pose
from dicomgate.pixels.overlay_plane import Overlay
from dicomgate.pixels.pieces import Span
from dicomgate.pixels.pose import Pose, Shutter
from dicomgate.representations import overlay_planes, state_layers, state_mask
from dicomgate.representations.dataset_values import items, numbers, text, values, whole
from dicomgate.representations.shown_values import Fetch

_FRAME_SHUTTERS: Final = "00189472"
_SHAPES, _SHUTTER_GROUP = "00181600", "00181623"
_SHUTTER_GREY, _SHUTTER_LAB = "00181622", "00181624"
_EDGES: Final = ("00181602", "00181606", "00181604", "00181608")
_MOST_CORNERS: Final = 4096
_FARTHEST: Final = 1_000_000
_BLACK: Final = (0, 0, 0)
_ACTIVATION, _DATA = "1001", "3000"

_NOT_SHOWN: Final = {
    # What a state may have and what of it is not shown here, in words.
    "00700402": "superimposed images",
    "00701B01": "blended images",
}


@dataclass(frozen=True, slots=True)
class State:
    """A presentation state: where its values are, and what it says."""

    instance: Instance
    dataset: JSONDataset


@dataclass(frozen=True, slots=True)
class Posing:
    """A frame of an image under a state, and how bytes are put where the maker of the picture finds them."""

    state: State
    image: JSONDataset
    frame: int
    description: PixelDescription
    area: DisplayedArea
    fetch_image: Fetch
    fetch_state: Fetch
    add: Callable[[bytes], Span]

    def pose(self, measured: Measured) -> Pose:
        """All of it. TooLarge for more than is drawn on one picture."""
        layers = state_layers.read(
            self.state.instance, self.state.dataset, self.image, self.frame, list(self._overlays())
        )
        return Pose(
            area=self.area.box,
            quarters=self.area.quarters,
            is_flipped=self.area.is_flipped,
            size=measured.whole,
            origin=measured.origin,
            pixel=self.area.pixel,
            shutter=self._shutter(),
            layers=self.add(pose.format_layers(layers)) if layers else None,
        )

    def _overlays(self) -> Iterator[tuple[str, Overlay]]:
        """The state's own, and those of the image, with the layers in which it activates them (C.11.7)."""
        said = self.state.dataset
        for group in sorted({tag[:4] for tag in said if tag[:2] == "60"}):
            layer = text(said, group + _ACTIVATION)
            found = self._overlay(group) if layer else None
            if found is not None:
                yield layer, found

    def _overlay(self, group: str) -> Overlay | None:
        if group + _DATA in self.state.dataset:
            return overlay_planes.read_group(self.state.dataset, group, self.frame, self.description, self.fetch_state)
        return overlay_planes.read_group(self.image, group, self.frame, self.description, self.fetch_image)

    def _shutter(self) -> Shutter | None:
        said = self.state.dataset
        item = next(state_references.items_about(said, _FRAME_SHUTTERS, self.image, self.frame), said)
        shapes = {str(shape) for shape in values(item, _SHAPES)}
        if not shapes:
            return None
        return Shutter(
            colour=self._shutter_colour(item),
            rectangle=_rectangle(item) if "RECTANGULAR" in shapes else None,
            circle=_circle(item) if "CIRCULAR" in shapes else None,
            polygon=_polygon(item) if "POLYGONAL" in shapes else (),
            bitmap=self._overlay(f"{whole(item, _SHUTTER_GROUP):04X}") if "BITMAP" in shapes else None,
        )

    def _shutter_colour(self, item: JSONDataset) -> Colour:
        said = state_layers.colour(item, _SHUTTER_LAB, _SHUTTER_GREY)
        return said or state_layers.colour(self.state.dataset, _SHUTTER_LAB, _SHUTTER_GREY) or _BLACK


def find_left_out(state: State) -> tuple[str, ...]:
    """What a state says and is not shown, in words."""
    found = dict.fromkeys(state_layers.find_left_out(state.instance, state.dataset))
    found.update(dict.fromkeys(word for tag, word in _NOT_SHOWN.items() if values(state.dataset, tag)))
    if any(displayed_area.is_of_matrix(item) for item in items(state.dataset, "0070005A")):
        found["areas in the matrix of a slide"] = None
    if not state_mask.is_made(state.dataset):
        found["mask subtraction"] = None
    return tuple(found)


def _rectangle(item: JSONDataset) -> tuple[int, int, int, int] | None:
    """From columns and rows that begin at 1; the pixels at its edges are seen."""
    said = [whole(item, tag) if values(item, tag) else None for tag in _EDGES]
    left, top, right, bottom = (None if edge is None else _bounded(edge) - 1 for edge in said)
    if left is None or top is None or right is None or bottom is None:
        return None
    return left, top, right, bottom


def _circle(item: JSONDataset) -> tuple[float, float, float] | None:
    centre, radius = numbers(item, "00181610"), numbers(item, "00181612")
    if len(centre) != 2 or len(radius) != 1:
        return None
    return _bounded(centre[1]) - 1.0, _bounded(centre[0]) - 1.0, float(_bounded(radius[0]))


def _polygon(item: JSONDataset) -> tuple[tuple[float, float], ...]:
    said = numbers(item, "00181620")[: 2 * _MOST_CORNERS]
    corners = tuple((_bounded(said[at + 1]) - 1.0, _bounded(said[at]) - 1.0) for at in range(0, len(said) - 1, 2))
    return corners if len(corners) > 2 else ()


def _bounded(place: float) -> int:
    return int(min(max(place, -_FARTHEST), _FARTHEST))
