"""A plan as a picture: each object a row, each frame a dot at its place in the stack and its point in time.

What one sees is what grouping decided (PS3.4 C.3.5, PS3.3 C.7.6.16.2.2.4): what shares an object, in what order, where
slices are missing, and what is left over. An SVG without scripts, of bounded size, the same bytes for the same plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final

from dicomgate.dicom.geometry import Stack
from dicomgate.multiframe.conversion import Plan
from dicomgate.multiframe.enhanced import Settled

_WIDTH, _LEFT, _RIGHT, _LINE = 760, 20, 20, 18
_COLOURS: Final = ("#1f6fb2", "#b2571f", "#2e8540", "#8a3fa0", "#a02c4a", "#4a6b73")
MOST_DRAWN: Final = 40
"""Objects that are drawn; of more, the rest is counted."""
_MOST_TIMES: Final = 24
"""Rows of dots; of more points in time each stands for several."""
_MOST_PLACES: Final = 360
"""Dots of a row; of more slices each stands for several."""
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#222}.s{font-weight:600}.l{font-size:11px;fill:#555}"
    ".a{stroke:#bbb;stroke-width:1}.m{fill:none;stroke:#c33;stroke-width:1}"
)


@dataclass(slots=True)
class Drawing:
    """The pictures of several plans, one below the other."""

    _parts: list[str] = field(default_factory=list)
    _at: int = 8
    _series: int = 0
    _drawn: int = 0

    def add(self, plan: Plan) -> None:
        """What becomes of one patient's instances."""
        facts = [one for one in plan.explain()["objects"] if "parts" not in one]
        of_series = Counter(one["SeriesInstanceUID"] for one in facts)
        before, drawn = "", self._drawn
        for settled, told in zip(plan.settled, facts[: MOST_DRAWN - self._drawn], strict=False):
            if told["SeriesInstanceUID"] != before:
                before = told["SeriesInstanceUID"]
                self._series += 1
                images = sum(one["frames"] for one in facts if one["SeriesInstanceUID"] == before)
                self._at += 4
                self._say(_heading(self._series, told, images, of_series[before]), "s")
            row, self._at = _row(settled, told, self._at, _COLOURS[self._drawn % len(_COLOURS)])
            self._parts += row
            self._drawn += 1
        for line in _rest(plan, len(facts) - (self._drawn - drawn)):
            self._say(line, "")

    def _say(self, line: str, kind: str) -> None:
        self._at += _LINE
        self._parts.append(_text(self._at, line, kind))

    def svg(self) -> str:
        """The picture as a document."""
        return _page(self._parts, self._at + 16)


def draw(plan: Plan) -> str:
    """The picture of one plan: numbers, and what images say of their geometry; no names and no texts of patients."""
    drawing = Drawing()
    drawing.add(plan)
    return drawing.svg()


def _page(parts: list[str], height: int) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    return "\n".join(
        [
            f'{head} role="img">',
            f"<style>{_STYLE}</style>",
            f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _text(y: float, words: str, kind: str, x: float = _LEFT) -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{escape(words)}</text>'


def _several(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _heading(number: int, told: dict[str, Any], images: int, objects: int) -> str:
    return f"Series {number}, {told['modality']}: {_several(images, 'image')} in {_several(objects, 'object')}"


def _row(settled: Settled, told: dict[str, Any], at: int, colour: str) -> tuple[list[str], int]:
    """One object's lines, and where the next begins."""
    at += _LINE + 2
    words = f"{told['becomes']}, {_several(told['frames'], 'frame')}{_spacing(told)}"
    parts = [_text(at, words, "", _LEFT + 14), f'<rect x="{_LEFT}" y="{at - 9}" width="9" height="9" fill="{colour}"/>']
    for line in _details(told):
        at += 15
        parts.append(_text(at, line, "l", _LEFT + 14))
    dots, height = _dots(settled, at + 12, colour)
    return [*parts, *dots], at + 12 + height


def _spacing(told: dict[str, Any]) -> str:
    return "" if told["spacing"] is None else f", every {told['spacing']:.4g} mm"


def _details(told: dict[str, Any]) -> Iterator[str]:
    if told["apart_by"]:
        yield "apart by " + "; ".join(f"{name} {value}" for name, value in told["apart_by"].items())[:110]
    odd = [one for one in told["irregularities"] if one != "several slices at one position"]  # one sees that
    if odd:
        yield ", ".join(odd)


def _dots(settled: Settled, top: int, colour: str) -> tuple[list[str], int]:
    """A dot for each frame: across by its distance along the normal, down by its point in time."""
    frames = settled.frame_set
    stack, times = frames.stack, max(frames.times)
    rows = min(times, _MOST_TIMES)
    pitch = 9 if rows <= 8 else 6
    left, width = _LEFT + 18, _WIDTH - _LEFT - _RIGHT - 28
    columns = min(len(stack.distances), _MOST_PLACES)
    size = max(1.2, min(3.2, width / columns / 2.6))
    grain = width / _MOST_PLACES if columns == _MOST_PLACES else 0.1

    def across(distance: float) -> str:
        return f"{left + round(distance / (stack.distances[-1] or 1.0) * width / grain) * grain:.4g}"

    seen = {
        ((time - 1) * rows // times, float(across(frames.distances[place - 1])))
        for place, time in zip(frames.places, frames.times, strict=True)
    }
    path = "".join(f"M{x:g} {top + y * pitch:g}h0" for y, x in sorted(seen))
    low = top + (rows - 1) * pitch
    ends = (f"0 to {stack.distances[-1]:.4g} mm" if stack.step is not None else "one position") + (
        f"; {times} points in time" if times > 1 else ""
    )
    drawn = [
        f'<path class="a" d="M{left - 6} {low + 7}H{left + width + 6}"/>',
        f'<path d="{path}" stroke="{colour}" stroke-width="{2 * size:.3g}" stroke-linecap="round" fill="none"/>',
        _text(low + 20, ends, "l", left - 6),
    ]
    return [*_holes(stack, across, top, size), *drawn], (rows - 1) * pitch + 26


def _holes(stack: Stack, across: Callable[[float], str], y: int, size: float) -> Iterator[str]:
    """A ring for each slice that is missing from an even stack."""
    if not stack.is_even or stack.step is None or stack.count > _MOST_PLACES:
        return
    for number in sorted(set(range(stack.count)) - set(stack.numbers)):
        yield f'<circle class="m" cx="{across(number * stack.step)}" cy="{y}" r="{size:.3g}"/>'


def _rest(plan: Plan, not_drawn: int) -> Iterator[str]:
    if not_drawn:
        yield f"and {_several(not_drawn, 'object')} more"
    for joined in plan.joining.joined:
        yield f"{_several(len(joined.parts), 'part')} of a concatenation, joined into one object"
    for reason, count in sorted(Counter(reason.value for _, reason in plan.failures).items()):
        yield (
            f"{_several(count, 'image')} as it is: {reason}"
            if count == 1
            else f"{count:,} images as they are: {reason}"
        )
