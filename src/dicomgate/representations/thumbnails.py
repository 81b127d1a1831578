"""One small picture that stands for a study, a series, an instance or a frame (PS3.18 §10.4.3.3.4, THM-01 to 03).

It shows nothing of who the patient is: nothing is written on it, no overlay is drawn, what says that its pixels show an
identity is replaced by an icon, and what does not say is so small that no text in it can be read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Final

from dicomgate import errors
from dicomgate.dicom import syntaxes, visible_identity
from dicomgate.dicom.presentation import Presentation, Profile, Viewport
from dicomgate.dicom.visible_identity import Sight
from dicomgate.origin import Facts, Instance
from dicomgate.pixels import memory_files
from dicomgate.representations import dataset_values, pictures
from dicomgate.representations.maker import Maker
from dicomgate.representations.pictures import Picture

USUAL: Final = Viewport(200, 200)
"""The size where none is asked for."""
LARGEST: Final = 1024
"""Pixels of a side; a larger viewport gets a thumbnail of this size."""
_UNREADABLE: Final = 4
"""Pixels of the source that become one where text may be among them, so that no letter can be read."""
_MOST_TRIED: Final = 4
_QUALITY: Final = 80
_ROOT: Final = "1.2.840.10008.5.1.4.1.1."
_WORDS: Final = (
    # What begins so is called so; the longest beginnings first.
    ("104.1", "PDF"),
    ("104.2", "CDA"),
    ("104.3", "3D"),
    ("104.", "Document"),
    ("481.3", "RT Struct"),
    ("481.5", "RT Plan"),
    ("481.", "RT"),
    ("88.59", "Key"),
    ("88.", "SR"),
    ("11.", "State"),
    ("9.1", "ECG"),
    ("9.", "Wave"),
    ("66", "Data"),
    ("4.2", "Spectrum"),
)


def of_frame(maker: Maker, instance: Instance, frame: int, viewport: Viewport | None, media_type: str) -> Picture:
    """A frame, from 1. NotFound past the last, Unavailable when no process is free."""
    count = max(instance.facts.frame_count, 1)
    if not 1 <= frame <= count:
        raise errors.NotFound(f"frame {frame} does not exist; the instance has {count}")
    return _make(maker, instance, frame, viewport or USUAL, media_type)


def of_instance(maker: Maker, instance: Instance, viewport: Viewport | None, media_type: str) -> Picture:
    """The frame in its middle."""
    return of_frame(maker, instance, middle_frame(instance.facts), viewport, media_type)


def of_several(maker: Maker, found: Iterable[Instance], viewport: Viewport | None, media_type: str) -> Picture:
    """The middle of the first series that has pictures to show; without any, an icon of what there is."""
    candidates = representatives(list(found))
    shown = next((one for one in candidates[:_MOST_TRIED] if _can_show(one)), candidates[0])
    return of_instance(maker, shown, viewport, media_type)


def middle_frame(facts: Facts) -> int:
    """The number of the frame that stands for an instance."""
    return max(facts.frame_count, 1) // 2 + facts.frame_count % 2 if facts.frame_count > 1 else 1


def representatives(found: Sequence[Instance]) -> list[Instance]:
    """The middle one of each series, those with pictures first; series and instances in the order of the origin."""
    series: dict[str | None, list[Instance]] = {}
    for instance in found:
        series.setdefault(instance.facts.target.series, []).append(instance)
    shown = [[one for one in members if one.facts.frame_count > 0] or members for members in series.values()]
    middles = [members[len(members) // 2] for members in shown]
    return sorted(middles, key=lambda instance: instance.facts.frame_count == 0)


def _can_show(instance: Instance) -> bool:
    syntax = syntaxes.find(instance.facts.transfer_syntax)
    if instance.facts.frame_count == 0 or syntax is None or not syntax.can_decode:
        return False
    dataset = pictures.read_dataset(instance)
    return visible_identity.look(dataset, instance.facts.transfer_syntax) is not Sight.IDENTITY


def _make(maker: Maker, instance: Instance, frame: int, viewport: Viewport, media_type: str) -> Picture:
    size = Viewport(min(viewport.width, LARGEST), min(viewport.height, LARGEST))
    if not _can_show(instance):
        return _icon(maker, instance, size, media_type)
    dataset = pictures.read_dataset(instance)
    if visible_identity.look(dataset, instance.facts.transfer_syntax) is Sight.UNKNOWN:
        size = _unreadable(dataset_values.whole(dataset, "00280011"), dataset_values.whole(dataset, "00280010"), size)
    wanted = Presentation(viewport=size, quality=_QUALITY, profile=Profile.NO)
    try:
        return pictures.render(maker, instance, frame, wanted, media_type, with_overlays=False)
    except errors.NotAcceptable:
        return _icon(maker, instance, size, media_type)


def _unreadable(columns: int, rows: int, size: Viewport) -> Viewport:
    """So small that a letter is a few specks."""
    return Viewport(max(min(size.width, columns // _UNREADABLE), 1), max(min(size.height, rows // _UNREADABLE), 1))


def _word(instance: Instance) -> str:
    """What stands on the icon: a word for the kind of object, from a table, never from the object."""
    facts = instance.facts
    syntax = syntaxes.find(facts.transfer_syntax)
    if facts.frame_count:
        return "Video" if syntax is not None and syntax.is_video else "Image"
    kind = facts.sop_class.removeprefix(_ROOT)
    return next((word for beginning, word in _WORDS if kind.startswith(beginning)), "Object")


def _icon(maker: Maker, instance: Instance, size: Viewport, media_type: str) -> Picture:
    side = {"word": _word(instance), "size": [size.width, size.height], "media_type": media_type}

    def make() -> tuple[bytes, bytes]:
        with memory_files.opened() as result:
            maker.workers.run("icon", side, (result,))
            return b"", memory_files.read(result, 0, os.fstat(result).st_size)

    _, content = maker.kept.get(instance.facts, f"icon {side} {maker.edition}", make)
    return Picture(content=content, media_type=media_type, width=size.width, height=size.height)
