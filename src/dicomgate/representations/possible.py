"""In which forms an instance can be sent, looked at no closer than what is asked for needs (PS3.18 §8.7.8, MT-09).

Most callers want what is stored or what is native: then the index's facts suffice. How the pixels are described is
read from the metadata when a caller wants them compressed in another way, or when many frames could be too long for one
value.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import orjson

from dicomgate import errors
from dicomgate.dicom import pixel_description, pixel_formats, recode, syntaxes
from dicomgate.dicom.pixel_description import PixelDescription
from dicomgate.dicomweb import negotiation
from dicomgate.dicomweb.negotiation import Wish
from dicomgate.dicomweb.offers import ENCODINGS, Stored
from dicomgate.origin import Instance


def look(instance: Instance, wanted: Sequence[Wish]) -> Stored:
    """What decides how the instance can be sent to somebody who wants this."""
    facts = instance.facts
    wants_made = negotiation.may_want_made(wanted, facts.transfer_syntax)
    return _look(instance, wants_made=wants_made)


def look_closely(instance: Instance) -> Stored:
    """The same with all that could be asked for: for who is told what he could have had."""
    return _look(instance, wants_made=True)


def describe(instance: Instance) -> PixelDescription:
    """How the stored pixels are encoded. NotAcceptable when the data set does not tell."""
    try:
        return pixel_description.describe(orjson.loads(instance.metadata()), instance.facts.transfer_syntax)
    except (errors.Malformed, errors.TooLarge) as fault:
        raise errors.NotAcceptable(
            f"the pixels are not described well enough to be decoded: {fault.message}; ask for transfer-syntax=*"
        ) from fault


def _look(instance: Instance, *, wants_made: bool) -> Stored:
    facts = instance.facts
    encodings: tuple[str, ...] = ()
    fits, is_bare = True, False
    if not facts.frame_count:  # a data set without pixel data is encoded alike in all of them (PS3.5 §A.4)
        encodings = ENCODINGS if wants_made else ()
    elif wants_made or _may_be_too_long(facts.transfer_syntax, facts.frame_count):
        description = _find_description(instance)
        if description is not None:
            encodings = _encodings(description) if wants_made else ()
            is_whole = description.frame_bits % 16 == 0  # else a fragment holds a byte more than its frame
            is_bare = facts.transfer_syntax == syntaxes.ENCAPSULATED_LITTLE and is_whole
            fits = facts.frame_count * description.frame_bits <= 8 * recode.LONGEST
    return Stored(
        transfer_syntax=facts.transfer_syntax,
        is_lossy=facts.is_lossy,
        has_frames=facts.frame_count > 0,
        is_sound=instance.is_sound,
        fits=fits,
        is_bare=is_bare,
        encodings=encodings,
    )


@functools.lru_cache(maxsize=1024)
def _encodings(description: PixelDescription) -> tuple[str, ...]:
    """Images of one series are mostly described alike."""
    return tuple(uid for uid in ENCODINGS if pixel_formats.can_hold(description, uid))


def _may_be_too_long(transfer_syntax: str, frame_count: int) -> bool:
    """Compressed frames: of one alone, limits have seen to it; native ones have a length already."""
    syntax = syntaxes.find(transfer_syntax)
    return frame_count > 1 and syntax is not None and syntax.is_encapsulated and syntax.can_decode


def _find_description(instance: Instance) -> PixelDescription | None:
    try:
        return describe(instance)
    except errors.NotAcceptable:
        return None
