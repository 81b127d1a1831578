"""A study as if every series that can be were converted (PS3.4 C.3.5, LC-07, LC-33): nothing twice, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.dicom.uids import Target
from dicomgate.multiframe import (
    classes,
    classic,
    conversion,
    enhanced,
    identity,
    pixel_module,
    references,
    restoring,
    writing,
)
from dicomgate.multiframe.classic import Classic
from dicomgate.multiframe.conversion import Became, Plan, Product
from dicomgate.multiframe.enhanced import Enhanced
from dicomgate.multiframe.gather import FrameSet
from dicomgate.multiframe.references import Now
from dicomgate.origin import Instance
from dicomgate.views.pictures import Picture
from dicomgate.views.shown import OfPicture, Recipe, Shown, as_it_is, reissued
from dicomgate.views.sources import Held

VIEW = "ENHANCED"
SALT = "view"
"""Objects of a view keep no record of their originals, which are beside them: other bytes, so other UIDs."""


def show(held: Held) -> Iterator[Shown]:
    """Every instance of the view."""
    kept = find_kept(held)
    others = [one for one in held.sources if one.name not in kept]
    converted = dict(_converted(others))
    plan = conversion.plan(
        [one for one in others if one.instance not in converted],
        salt=SALT,
        keeps_originals=False,
        converted=converted,
        view=VIEW,
    )
    shown = kept | converted.keys()
    numbers = {settled.instance: number for number, settled in enumerate(plan.settled)}
    numbers |= {state.instance: number for number, states in enumerate(plan.states) for state in states}
    for product in plan.products():
        shown |= {source.name for source in product.sources}
        yield (
            as_it_is(held.instances[product.instance])
            if product.instance in kept
            else _shown(held, plan, product, numbers)
        )
    for name, instance in held.instances.items():
        if name not in shown:
            yield as_it_is(instance)


def find_kept(held: Held) -> set[str]:
    """What this view made of images that are here, and somebody stored: it counts as long as it would be made again."""
    here = {source.instance for source in held.sources}
    objects = {one.name for one in held.sources if _is_kept(one, here)}
    states = {
        one.name
        for one in held.sources
        if conversion.is_of_overlays(one) and any(uid in objects for uid, _ in references.found(one.attributes))
    }
    return objects | states


def _is_kept(one: Classic, here: set[str]) -> bool:
    if classes.find_enhanced(one.sop_class) is None:
        return False
    origins = restoring.conversion_sources(one.attributes)
    return here.issuperset(origins) and one.instance == identity.derive("enhanced", origins, salt=SALT)


def _converted(sources: list[Classic]) -> Iterator[tuple[str, Now]]:
    """The images whose enhanced object came along with them: that one is shown, and they are not."""
    here = {source.instance for source in sources}
    for one in sources:
        if classes.find_enhanced(one.sop_class) is None:
            continue
        for frame, origin in enumerate(restoring.conversion_sources(one.attributes), 1):
            if origin in here:
                yield (
                    origin,
                    Now(
                        study=one.text("0020000D"),
                        series=one.series,
                        instance=one.instance,
                        sop_class=one.sop_class,
                        frame=frame,
                    ),
                )


def _shown(held: Held, plan: Plan, product: Product, numbers: dict[str, int]) -> Shown:
    first = product.sources[0]
    target = Target(product.study, product.series, product.instance)
    sources = tuple(held.instances[source.name] for source in product.sources)
    match product.became:
        case Became.UNCHANGED:
            return as_it_is(sources[0])
        case Became.REISSUED:
            return reissued(product, plan.renaming[first.instance], plan.renaming, sources[0], VIEW)
        case Became.STATE:
            return Shown(
                target=target,
                sop_class=enhanced.PRESENTATION_STATE,
                transfer_syntax=syntaxes.EXPLICIT_LITTLE,
                recipe=Recipe(),
                sources=sources,
                made=OfPicture(partial(_state, plan, numbers[product.instance], product.instance)),
            )
        case Became.ENHANCED:
            return _object(plan, product, numbers[product.instance], target, sources)
        case Became.JOINED:
            raise AssertionError("a view shows the parts of a concatenation as they are")


def _object(plan: Plan, product: Product, number: int, target: Target, sources: tuple[Instance, ...]) -> Shown:
    settled = plan.settled[number]
    alterations = pixel_module.unite(settled.frame_set).alterations
    frames = tuple((source.series, source.instance, 1) for source in product.sources)
    return Shown(
        target=target,
        sop_class=settled.sop_class,
        transfer_syntax=_syntax(settled.frame_set),
        recipe=Recipe(frames=frames, altered=frozenset(at for at, how in enumerate(alterations, 1) if how is not None)),
        sources=sources,
        made=OfPicture(partial(_picture, plan, number)),
    )


def _syntax(frame_set: FrameSet) -> str:
    return frame_set.sources[0].transfer_syntax if frame_set.is_compressed else syntaxes.EXPLICIT_LITTLE


def _picture(plan: Plan, number: int) -> Picture:
    made = plan.describe(number)
    return Picture(
        attributes=made.attributes,
        transfer_syntax=made.transfer_syntax,
        sizes=_sizes(made),
        read=partial(writing.read_frame, made),
        find=writing.Copying(made).find_bulk,
    )


def _sizes(made: Enhanced) -> list[int]:
    if made.is_compressed:
        return [sum(map(len, writing.spans(source))) for source in made.sources]
    rows, columns, room = (
        int(classic.number(made.attributes, tag) or 0) for tag in ("00280010", "00280011", "00280100")
    )
    return [rows * columns * room // 8] * len(made.sources)


def _state(plan: Plan, number: int, instance: str) -> Picture:
    """The presentation state of one set with this UID."""
    state, dataset = next(one for one in plan.describe_states(number) if one[0].instance == instance)
    return Picture(
        attributes=dataset,
        transfer_syntax=syntaxes.EXPLICIT_LITTLE,
        sizes=(),
        read=no_frame,
        find=partial(conversion.find_state_bulk, state),
    )


def no_frame(number: int) -> bytes:
    """For what has no frames."""
    raise errors.NotFound(f"frame {number} does not exist; the instance has 0")
