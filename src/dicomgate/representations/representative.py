"""Which picture stands for a study, series or instance, and what of it everybody may see (PS3.18 §10.4.3.3.4, THM).

The middle frame of the middle image of the first series that has images; without overlays, which may be text. What says
that it shows who the patient is, is not shown; what does not say that it does not, only so small that no letter is
readable. Whatever has no picture is a drawing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from dicomgate.dicom import visible_identity
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.presentation import Viewport
from dicomgate.dicom.visible_identity import Sight
from dicomgate.dicomweb import rendered_offers
from dicomgate.dicomweb.rendered_offers import Category
from dicomgate.origin import Instance
from dicomgate.representations.icons import Icon, IconInstance
from dicomgate.representations.retold import RetoldInstance

USUAL: Final = Viewport(128, 128)
LARGEST: Final = 1024
"""Pixels of a side of a thumbnail; more is a picture."""
_LARGEST_UNKNOWN: Final = 128
_SHRUNK: Final = 4
_PICTURES: Final = frozenset({Category.IMAGE, Category.MULTI_FRAME})
_ICONS: Final = {Category.TEXT: Icon.TEXT, Category.VIDEO: Icon.VIDEO}


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture that stands for something: an instance to be rendered, a frame of it, and its largest size."""

    instance: Instance
    frame: int
    viewport: Viewport


def choose(found: Iterable[Instance]) -> Instance:
    """The instance that stands for several, of which there is one at least."""
    images: list[Instance] = []
    first: Instance | None = None
    for instance in found:
        first = first or instance
        if _category(instance) in _PICTURES:
            if images and instance.facts.target.series != images[0].facts.target.series:
                break
            images.append(instance)
    assert first is not None, "what is found has instances"
    return images[(len(images) - 1) // 2] if images else first


def sample(instance: Instance, wanted: Viewport | None, frame: int | None = None) -> Sample:
    """What to show of an instance, or of one frame of it, in at most the wanted size."""
    size = wanted or USUAL
    size = Viewport(min(size.width, LARGEST), min(size.height, LARGEST))
    kind = _category(instance)
    if kind not in _PICTURES:
        return Sample(IconInstance(_ICONS.get(kind, Icon.OTHER)), 1, size)
    dataset: JSONDataset = orjson.loads(instance.metadata())
    match visible_identity.look(dataset, instance.facts.transfer_syntax):
        case Sight.IDENTITY:
            return Sample(IconInstance(Icon.HIDDEN), 1, size)
        case Sight.UNKNOWN:
            size = _shrunk(dataset, size)
        case Sight.NOTHING:
            pass
    middle = (instance.facts.frame_count + 1) // 2
    return Sample(RetoldInstance(instance, _bare(dataset)), frame or middle, size)


def _category(instance: Instance) -> Category:
    facts = instance.facts
    return rendered_offers.category(facts.sop_class, facts.transfer_syntax, facts.frame_count)


def _shrunk(dataset: JSONDataset, size: Viewport) -> Viewport:
    """So small that letters of twelve pixels have three."""
    rows, columns = _number(dataset, "00280010"), _number(dataset, "00280011")
    width, height = (max(1, min(_LARGEST_UNKNOWN, side // _SHRUNK)) for side in (columns, rows))
    return Viewport(min(size.width, width), min(size.height, height))


def _number(dataset: JSONDataset, tag: str) -> int:
    value: Any = next(iter(dataset.get(tag, {}).get("Value") or ()), 0)
    return value if isinstance(value, int) else 0


def _bare(dataset: JSONDataset) -> JSONDataset:
    return {tag: element for tag, element in dataset.items() if tag[:2] not in {"50", "60"}}
