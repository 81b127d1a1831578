"""What a presentation state draws on a frame: overlays, graphics and texts in layers (PS3.3 §C.10.5, §C.10.7)."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator, Sequence
from typing import Final

from dicomgate import errors
from dicomgate.dicom import cielab, state_references
from dicomgate.dicom.cielab import Colour
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.origin import Instance
from dicomgate.pixels import pose
from dicomgate.pixels.overlay_plane import Overlay
from dicomgate.pixels.pose import Label, Layer, Mark, Shadow
from dicomgate.representations import dataset_values
from dicomgate.representations.dataset_values import first_item, items, number, numbers, text, values, whole

_LAYERS, _ANNOTATIONS = "00700060", "00700001"
_TEXTS, _GRAPHICS, _COMPOUNDS = "00700008", "00700009", "00700209"
_LAYER, _ORDER, _GREY, _LAB = "00700002", "00700062", "00700066", "00700401"
_COMPOUND_ID: Final = "00700226"
_KINDS: Final = frozenset({"POINT", "POLYLINE", "INTERPOLATED", "CIRCLE", "ELLIPSE"})
_UNITS: Final = frozenset({"PIXEL", "DISPLAY"})
_WHITE: Final = (255, 255, 255)
_MOST_LAYERS: Final = 256
_MOST_LINES: Final = 32
_LONGEST: Final = 8 << 20


def read(
    state: Instance, said: JSONDataset, image: JSONDataset, frame: int, overlays: Sequence[tuple[str, Overlay]]
) -> tuple[Layer, ...]:
    """What is drawn on a frame of an image; `overlays`: those that are activated, each with the layer it lies in.

    TooLarge for more graphics and texts than are drawn on one picture.
    """
    reader = _Reader(state)
    named = {text(item, _LAYER): item for item in items(said, _LAYERS)[:_MOST_LAYERS]}
    order = sorted(named, key=lambda name: whole(named[name], _ORDER))
    groups = list(state_references.items_about(said, _ANNOTATIONS, image, frame))
    used = [*(name for name, _ in overlays), *(text(group, _LAYER) for group in groups)]
    # Layers that nobody defined lie above the others.
    order += [name for name in dict.fromkeys(used) if name not in named][:_MOST_LAYERS]
    layers = (reader.layer(name, named.get(name, {}), groups, overlays) for name in order)
    return tuple(one for one in layers if one.overlays or one.marks or one.labels)


def find_left_out(state: Instance, said: JSONDataset) -> tuple[str, ...]:
    """What of a state's annotations is not drawn, in words."""
    found: dict[str, None] = {}
    for group in items(said, _ANNOTATIONS):
        reader = _Reader(state)
        with contextlib.suppress(errors.TooLarge):  # then nothing is drawn, and that is told
            reader.layer(text(group, _LAYER), {}, [group], ())
        found.update(reader.left_out)
    return tuple(found)


def colour(item: JSONDataset, lab: str, level: str | None = None) -> Colour | None:
    """What is recommended on a display of colours, else on a grey one."""
    said = numbers(item, lab)
    if len(said) == 3:
        return cielab.to_rgb([min(max(one, 0.0), 65_535.0) for one in said])
    value = None if level is None else number(item, level)
    if value is None:
        return None
    grey = round(min(max(value, 0.0), 65_535.0) * 255 / 65_535)
    return grey, grey, grey


def _floats(state: Instance, item: JSONDataset, tag: str) -> Sequence[float]:
    if "BulkDataURI" not in item.get(tag, {}):
        return numbers(item, tag)
    content = dataset_values.content(state, item, tag, _LONGEST) or b""
    found = struct.unpack(f"<{len(content) // 4}f", content[: len(content) // 4 * 4])
    return [one for one in found if abs(one) < 1e30]  # neither infinite nor no number


class _Reader:
    """Reads within bounds, and notes what it leaves out."""

    def __init__(self, state: Instance) -> None:
        self._state = state
        self._points = pose.MOST_POINTS
        self._objects = pose.MOST_OBJECTS
        self.left_out: dict[str, None] = {}

    def layer(
        self, name: str, said: JSONDataset, groups: Sequence[JSONDataset], overlays: Sequence[tuple[str, Overlay]]
    ) -> Layer:
        paint = colour(said, _LAB, _GREY) or _WHITE
        here = [group for group in groups if text(group, _LAYER) == name]
        for group in here:
            self._note_compounds(group)
        return Layer(
            colour=paint,
            overlays=tuple(overlay for layer, overlay in overlays if layer == name),
            marks=tuple(mark for group in here for mark in self._marks(group, paint)),
            labels=tuple(label for group in here for label in self._labels(group, paint)),
        )

    def _note_compounds(self, group: JSONDataset) -> None:
        """A compound graphic is also there as simple ones, which are drawn (PS3.3 §C.10.5.1.3.1)."""
        simple = {number(one, _COMPOUND_ID) for tag in (_TEXTS, _GRAPHICS) for one in items(group, tag)}
        if any(number(one, _COMPOUND_ID) not in simple for one in items(group, _COMPOUNDS)):
            self.left_out["compound graphics"] = None

    def _count(self, points: int) -> None:
        self._objects -= 1
        self._points -= points
        if self._objects < 0 or self._points < 0:
            raise errors.TooLarge(f"at most {pose.MOST_OBJECTS} graphics of {pose.MOST_POINTS} points are drawn")

    def _is_display(self, item: JSONDataset, tag: str) -> bool | None:
        units = text(item, tag)
        if units in _UNITS:
            return units == "DISPLAY"
        self.left_out["annotations in the matrix of a slide" if units == "MATRIX" else "annotations of no place"] = None
        return None

    def _marks(self, group: JSONDataset, paint: Colour) -> Iterator[Mark]:
        for item in items(group, _GRAPHICS):
            points, is_display = _floats(self._state, item, "00700022"), self._is_display(item, "00700005")
            kind = text(item, "00700023")
            if kind not in _KINDS:
                self.left_out["graphics of an unknown kind"] = None
            elif is_display is not None:
                self._count(len(points) // 2)
                yield self._mark(item, kind, points, paint, is_display=is_display)

    def _mark(self, item: JSONDataset, kind: str, points: Sequence[float], paint: Colour, *, is_display: bool) -> Mark:
        line, fill = first_item(item, "00700232"), first_item(item, "00700233")
        is_dashed = text(line, "00700254") == "DASHED"
        return Mark(
            kind=kind,
            points=points,
            is_display=is_display,
            colour=colour(line, "00700251") or paint,
            opacity=_opacity(line, "00700284"),
            thickness=number(line, "00700253"),
            dashes=_pattern(line) if is_dashed else None,
            gap=colour(line, "00700252") if is_dashed else None,
            gap_opacity=_opacity(line, "00700285"),
            is_filled=text(item, "00700024") == "Y",
            fill=colour(fill, "00700251"),
            fill_opacity=_opacity(fill, "00700284"),
            fill_ground=colour(fill, "00700252"),
            fill_ground_opacity=_opacity(fill, "00700285"),
            texture=self._texture(fill),
            shadow=_shadow(line),
        )

    def _texture(self, fill: JSONDataset) -> Sequence[int]:
        """32 rows of 32 bits, the first of a byte the highest."""
        if text(fill, "00700257") not in {"STIPPELED", "STIPPLED"}:
            return ()
        content = dataset_values.content(self._state, fill, "00700256", _LONGEST) or b""
        if len(content) < 128:
            self.left_out["fill patterns"] = None
            return ()
        return struct.unpack(">32I", content[:128])

    def _labels(self, group: JSONDataset, paint: Colour) -> Iterator[Label]:
        for item in items(group, _TEXTS):
            label = self._label(item, paint)
            if label is None:
                self.left_out["texts of no place"] = None
            else:
                self._count(2)
                yield label

    def _label(self, item: JSONDataset, paint: Colour) -> Label | None:
        corners = [*numbers(item, "00700010"), *numbers(item, "00700011")]
        point = numbers(item, "00700014")
        is_box_display = self._is_display(item, "00700003") if len(corners) == 4 else None
        is_anchor_display = self._is_display(item, "00700004") if len(point) == 2 else None
        if is_box_display is None and is_anchor_display is None:
            return None
        style = first_item(item, "00700231")
        left, top, right, bottom = corners if is_box_display is not None else (0.0, 0.0, 0.0, 0.0)
        return Label(
            lines=_lines(item),
            box=None if is_box_display is None else (left, top, right, bottom),
            is_box_display=bool(is_box_display),
            anchor=None if is_anchor_display is None else (point[0], point[1]),
            is_anchor_display=bool(is_anchor_display),
            is_anchor_visible=text(item, "00700015") == "Y",
            horizontal=text(style, "00700242") or text(item, "00700012") or "LEFT",
            vertical=text(style, "00700243") or "TOP",
            colour=colour(style, "00700241") or paint,
            is_underlined=text(style, "00700248") == "Y",
            is_bold=text(style, "00700249") == "Y",
            shadow=_shadow(style),
        )


def _lines(item: JSONDataset) -> tuple[str, ...]:
    """The lines of a text, without those that are empty at its end."""
    said = next((one for one in values(item, "00700006") if isinstance(one, str)), "")
    lines = said.rstrip().replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return tuple(line.rstrip() or " " for line in lines[:_MOST_LINES]) if said.strip() else ()


def _opacity(item: JSONDataset, tag: str) -> float:
    said = number(item, tag)
    return 1.0 if said is None else min(max(said, 0.0), 1.0)


def _pattern(line: JSONDataset) -> int | None:
    said = number(line, "00700255")
    return None if said is None else int(said) & 0xFFFFFFFF


def _shadow(style: JSONDataset) -> Shadow | None:
    kind, paint = text(style, "00700244"), colour(style, "00700247")
    if kind not in {"NORMAL", "OUTLINED"} or paint is None:
        return None
    return Shadow(
        offset=(number(style, "00700245") or 0.0, number(style, "00700246") or 0.0),
        colour=paint,
        opacity=_opacity(style, "00700258"),
        is_outline=kind == "OUTLINED",
    )
