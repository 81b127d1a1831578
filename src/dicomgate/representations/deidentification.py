"""A copy of an instance without who the patient is, as a PS3.10 file (PS3.15 §E.1.1, PS3.18 §9.4.2.3; URI-07).

It is made surely or not at all. Pixels are never cleaned here: a copy is made only where they show nothing of the
patient, and they leave uncompressed, for headers of compressed pictures have room for comments of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import orjson

from dicomgate import errors
from dicomgate.dicom import deidentification, encode, part10, pixel_description, recode, syntaxes, visible_identity
from dicomgate.dicom.deidentification import Pseudonyms
from dicomgate.dicom.encode import BulkValue
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import Target
from dicomgate.dicom.values import Element
from dicomgate.dicom.visible_identity import Sight
from dicomgate.origin import Instance, Piece
from dicomgate.representations import changed_attributes, transcoding
from dicomgate.representations.changed_attributes import Encoded
from dicomgate.representations.frame_making import FrameMaker
from dicomgate.representations.maker import Maker

_REASONS: Final = {
    Sight.IDENTITY: "it says that its pixels show who the patient is",
    Sight.UNKNOWN: "objects of this kind often show names in their pixels, and it does not say that it does not "
    "(Burned In Annotation)",
}


@dataclass(frozen=True, slots=True)
class Copy:
    """What is sent in place of an instance. `chunks` may be asked for once."""

    target: Target
    chunks: Iterator[bytes]


def make(maker: Maker, instance: Instance) -> Copy:
    """A de-identified copy in Explicit VR Little Endian.

    Forbidden, with the reason, when it cannot be made surely; NotAcceptable when its pixels cannot be decoded.
    """
    pseudonyms = maker.secret.pseudonyms
    stored: JSONDataset = orjson.loads(instance.metadata())
    _check_pixels(stored, instance.facts.transfer_syntax)
    dataset, pixels = _decoded(maker, instance, stored)
    made = deidentification.deidentify(dataset, pseudonyms)
    _check_values(made)
    chunks = encode.batched(_write(instance, made, pixels))
    return Copy(_target(instance.facts.target, pseudonyms), chunks)


def _decoded(maker: Maker, instance: Instance, dataset: JSONDataset) -> tuple[JSONDataset, Piece | None]:
    """The data set as it is without compression, and its pixels; None where they are stored so."""
    uid = instance.facts.transfer_syntax
    syntax = syntaxes.find(uid)
    if syntax is not None and (not syntax.is_encapsulated or encode.PIXEL_DATA not in dataset):
        return dataset, None
    if syntax is None or syntax.is_video or not syntax.can_decode:
        raise _refusal("its pixels cannot be decoded here, and what they hold besides cannot be seen")
    try:
        description = pixel_description.describe(dataset, uid)
    except (errors.Malformed, errors.TooLarge) as fault:
        raise _refusal(f"its pixels cannot be decoded ({fault.message})") from fault
    making = FrameMaker(
        maker=maker, instance=instance, description=description, transfer_syntax=syntaxes.EXPLICIT_LITTLE
    )
    pixels = transcoding.native_value(making)
    if pixels.size > recode.LONGEST:
        raise _refusal("without compression its pixels are too long for a file")
    (first,) = making.frames([1])
    encoded = Encoded(transfer_syntax=syntaxes.EXPLICIT_LITTLE, description=first.description)
    changes = changed_attributes.describe(dataset, uid, encoded, "")
    told = {**dataset, **{tag: element for tag, element in changes.items() if element is not None}}
    return {tag: element for tag, element in told.items() if changes.get(tag, element) is not None}, pixels


def _check_pixels(dataset: JSONDataset, transfer_syntax: str) -> None:
    sight = visible_identity.look(dataset, transfer_syntax)
    if sight is not Sight.NOTHING:
        raise _refusal(_REASONS[sight])
    if visible_identity.shows_face(dataset):
        raise _refusal("it says that a person can be recognised in it (Recognizable Visual Features)")
    if visible_identity.hides_overlay(dataset):
        raise _refusal("an overlay, which may be text, lies in the bits of its pixels")


def _check_values(made: JSONDataset) -> None:
    """What cannot be written is seen before the first byte leaves."""

    def nothing(path: str, element: Element) -> BulkValue:  # noqa: ARG001 (a FindBulk)
        return BulkValue(0, ())

    try:
        for _ in encode.write_dataset(made, nothing):
            pass
    except errors.Malformed as fault:
        raise _refusal(f"a value of it can not be written again ({fault.message})") from fault


def _write(instance: Instance, made: JSONDataset, pixels: Piece | None) -> Iterator[bytes]:
    def find(path: str, element: Element) -> BulkValue:  # noqa: ARG001 (a FindBulk)
        piece = pixels if pixels is not None and path == encode.PIXEL_DATA else instance.bulk(path)
        return BulkValue(piece.size, piece.chunks)

    yield part10.write_beginning(
        sop_class=_value(made, "00080016"),
        instance=_value(made, "00080018"),
        transfer_syntax=syntaxes.EXPLICIT_LITTLE,
    )
    yield from encode.write_dataset(made, find)


def _value(dataset: JSONDataset, tag: str) -> str | None:
    values = dataset.get(tag, {}).get("Value") or [None]
    return None if values[0] is None else str(values[0])


def _target(target: Target, pseudonyms: Pseudonyms) -> Target:
    assert target.series is not None, "an instance has a series"
    assert target.instance is not None, "a copy is one of an instance"
    return Target(pseudonyms.uid(target.study), pseudonyms.uid(target.series), pseudonyms.uid(target.instance))


def _refusal(reason: str) -> errors.Forbidden:
    return errors.Forbidden(f"no de-identified copy is made: {reason}")
