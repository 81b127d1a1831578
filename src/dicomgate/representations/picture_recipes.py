"""The recipe of a picture, and the bytes that it needs: what the object says, and a presentation state (REN-02)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from dicomgate.dicom import applied_state, displayed_area
from dicomgate.dicom.applied_state import Shown
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.pixel_description import PixelDescription
from dicomgate.dicom.presentation import Presentation, Profile
from dicomgate.origin import Instance
from dicomgate.pixels import recipe
from dicomgate.pixels.pieces import Span
from dicomgate.pixels.recipe import Grey, LookupTable, Recipe, Subtraction
from dicomgate.representations import (
    annotation_text,
    dataset_values,
    overlay_planes,
    picture_size,
    shown_values,
    state_mask,
)
from dicomgate.representations.picture_size import Extent
from dicomgate.representations.retold import RetoldInstance
from dicomgate.representations.shown_values import Fetch, FrameAttributes
from dicomgate.representations.state_pose import Posing, State

_LONGEST: Final = 8 << 20
"""Bytes of one table, overlay or profile that are taken."""
_PROFILE, _OPTICAL_PATHS = "00282000", "00480105"


@dataclass(slots=True)
class Pieces:
    """Bytes that a recipe needs, one after the other."""

    held: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, chunks: Iterable[bytes]) -> Span:
        """Put bytes behind the others; where they lie."""
        first = self.size
        for chunk in chunks:
            self.held.append(chunk)
            self.size += len(chunk)
        return first, self.size - first


@dataclass(slots=True)
class RecipeWork:
    """A recipe being written. `shown`: what a presentation state says of the values, where one is applied."""

    instance: Instance
    frame: FrameAttributes
    description: PixelDescription
    wanted: Presentation
    pieces: Pieces = field(default_factory=Pieces)
    shown: Shown | None = None

    def retold(self, shown: Shown, state: State) -> RecipeWork:
        """The same under a presentation state."""
        facts = self.instance.facts
        told = RetoldInstance(self.instance, shown.dataset, facts.version, state.instance, shown.of_state)
        profile = self.wanted.profile or (Profile.YES if shown.has_profile else None)
        kind = dataset_values.text(shown.dataset, "00280004") or self.description.photometric_interpretation
        return RecipeWork(
            told,
            FrameAttributes(shown.dataset, self.frame.number),
            replace(self.description, photometric_interpretation=kind),
            replace(self.wanted, profile=profile),
            self.pieces,
            shown,
        )

    def recipe(
        self, extent: picture_size.Extent, media_type: str, limits: tuple[float, float] | None, *, with_overlays: bool
    ) -> Recipe:
        """The whole of it."""
        dataset, number = self.frame.dataset, self.frame.number
        piece = self.instance.frame(number)
        description = replace(self.description, transfer_syntax=piece.transfer_syntax)
        frame = self.pieces.add(piece.chunks)  # first, so that it can be mapped
        grey = self._grey(limits)
        palette = self._palette()
        annotations = self.wanted.annotations
        return Recipe(
            description=description,
            frame=frame,
            grey=grey,
            box=extent.box,
            size=extent.size,
            palette=palette,
            is_supplemental=palette is not None and shown_values.is_supplemental(self.frame),
            is_pseudo_colour=self.shown is not None and self.shown.is_pseudo_colour,
            overlays=overlay_planes.read(dataset, number, description, self.fetch) if with_overlays else (),
            flips=extent.flips,
            texts=annotation_text.write(dataset, number, description.frame_count, annotations, grey)
            if annotations
            else (),
            media_type=media_type,
            quality=self.wanted.quality,
            profile=self.wanted.profile,
            own_profile=self._profile(media_type),
        )

    def _grey(self, limits: tuple[float, float] | None) -> Grey:
        if self.description.is_colour:
            return Grey()
        found = shown_values.read_grey(self.frame, self.description, self.wanted, self.fetch)
        if self.shown is not None:
            return shown_values.under_state(found, self.frame.dataset, self.description, self.fetch)
        return found if limits is None or found.limits else replace(found, limits=limits)

    def _palette(self) -> tuple[LookupTable, LookupTable, LookupTable] | None:
        labels = shown_values.segment_colours(self.frame.dataset)
        if self.shown is not None and self.shown.is_pseudo_colour:
            return shown_values.read_palette_tables(self.frame.dataset, self.fetch)
        if labels is None:
            return shown_values.read_palette(self.frame, self.description, self.fetch)
        red, green, blue = (LookupTable(len(plane), 0, 8, self.pieces.add([plane])) for plane in labels)
        return red, green, blue

    def _profile(self, media_type: str) -> Span | None:
        if self.wanted.profile is Profile.NO or media_type not in recipe.WITH_PROFILE:
            return None
        dataset = self.frame.dataset
        path = dataset_values.first_item(dataset, _OPTICAL_PATHS)
        return self.fetch(path, _PROFILE) or self.fetch(dataset, _PROFILE)

    def fetch(self, dataset: JSONDataset, tag: str) -> Span | None:
        """The bytes of a value, put behind the others; None without any."""
        return self.fetch_from(self.instance)(dataset, tag)

    def fetch_from(self, instance: Instance) -> Fetch:
        """What does so with values of another instance."""

        def fetch(dataset: JSONDataset, tag: str) -> Span | None:
            content = dataset_values.content(instance, dataset, tag, _LONGEST)
            return self.pieces.add([content]) if content else None

        return fetch


def pose(work: RecipeWork, state: State, media_type: str) -> Recipe:
    """The recipe of a frame under a state: its values, its place, and what is drawn on it."""
    image, number = work.frame.dataset, work.frame.number
    shown = applied_state.apply(image, state.dataset, number)
    area = displayed_area.read(image, state.dataset, number, shown_values.pixel_size(work.frame))
    measured = area.measure(work.wanted.viewport, work.wanted.region)
    told = work.retold(shown, state)
    made = told.recipe(Extent(area.inside(image), (False, False), measured.size), media_type, None, with_overlays=False)
    posing = Posing(
        state=state,
        image=image,
        frame=number,
        description=work.description,
        area=area,
        fetch_image=work.fetch,
        fetch_state=work.fetch_from(state.instance),
        add=lambda content: work.pieces.add([content]),
    )
    made = replace(made, pose=posing.pose(measured))
    subtraction = state_mask.find(state.dataset, image, number)
    if subtraction is None or made.description.is_colour or (made.palette and not made.is_pseudo_colour):
        return made
    return _subtracting(made, work, subtraction)


def _subtracting(made: Recipe, work: RecipeWork, wanted: state_mask.Subtraction) -> Recipe:
    """The recipe with frames from which others are taken; what comes of it goes through VOI and what follows."""
    spans = {number: work.pieces.add(work.instance.frame(number).chunks) for number in {*wanted.contrast, *wanted.mask}}
    tone = made.grey
    after = replace(tone, slope=1.0, intercept=0.0, modality_table=None, padding=None, limits=None)
    if tone.window is None and tone.voi_table is None:
        low, high = tone.ends or _after_rescale(tone)
        after = replace(after, ends=(low - high, high - low))
    taken = tuple(spans[number] for number in wanted.contrast), tuple(spans[number] for number in wanted.mask)
    return replace(made, grey=after, modality=tone, subtraction=Subtraction(*taken, wanted.shift))


def _after_rescale(tone: Grey) -> tuple[float, float]:
    ends = sorted(end * tone.slope + tone.intercept for end in tone.limits or (0.0, 1.0))
    return ends[0], ends[1]
