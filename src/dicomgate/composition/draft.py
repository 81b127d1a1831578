"""One data set on its way to a PS3.10 file: its bulk data found, its description completed (PS3.18 §10.5.2)."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from dicomgate import errors
from dicomgate.composition import (
    classes,
    description,
    documents,
    metadata,
    originals,
    pictures,
    references,
    texts,
    writing,
)
from dicomgate.composition.collection import Collection, Part
from dicomgate.composition.content import Octets, PixelData, Unfit, Workshop
from dicomgate.composition.metadata import Unreadable
from dicomgate.composition.references import Reference
from dicomgate.composition.writing import Nested, Values
from dicomgate.dicom import outcomes, picture, syntaxes, uids
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.outcomes import Caution, Outcome, Reason, Refused, Stored, most_apt
from dicomgate.dicom.source import Source
from dicomgate.dicom.uids import Target
from dicomgate.dicom.values import TEXTS
from dicomgate.dicomweb import media_types
from dicomgate.spool import Arrival

_SOP_CLASS, _INSTANCE, _STUDY, _SERIES = "00080016", "00080018", "0020000D", "0020000E"
_NAMES: Final = {
    _SOP_CLASS: "SOP Class UID (0008,0016)",
    _INSTANCE: "SOP Instance UID (0008,0018)",
    _STUDY: "Study Instance UID (0020,000D)",
    _SERIES: "Series Instance UID (0020,000E)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one request may become: so many data sets, so many bytes each, and all together.

    One part may serve any number of values, so that what is made can be a thousand times what came (T3).
    """

    data_sets: int
    instance_bytes: int
    bytes_together: int


class _Allowance:
    """The bytes that a request may still become; drafts are made side by side."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._left = bounds.bytes_together
        self._lock = threading.Lock()

    def take(self, size: int, so_far: int) -> None:
        """Let an instance that has grown by `so_far` grow further. Unfit past a bound."""
        if so_far + size > self._bounds.instance_bytes:
            raise Unfit(Reason.LIMIT_PASSED, f"more than {self._bounds.instance_bytes} bytes")
        with self._lock:
            self._left -= size
            if self._left < 0:
                self._left += so_far + size  # of this one nothing stays
                most = self._bounds.bytes_together
                raise Unfit(Reason.LIMIT_PASSED, f"all instances of the request become more than {most} bytes")


def read(
    parts: Iterable[tuple[str, Source] | Refused], collection: Collection, workshop: Workshop, bounds: Bounds
) -> Sequence[Draft | Refused]:
    """A draft for each data set of the metadata, in order. TooLarge when there are too many."""
    drafts: list[Draft | Refused] = []
    allowance = _Allowance(bounds)
    for part in parts:
        drafts += [part] if isinstance(part, Refused) else _read_part(*part, collection, workshop, allowance)
        if len(drafts) > bounds.data_sets:
            raise errors.TooLarge(f"more than {bounds.data_sets} data sets in one request")
    for made in drafts:
        if isinstance(made, Draft):
            made.note()
    return drafts


def _read_part(
    media_type: str, source: Source, collection: Collection, workshop: Workshop, allowance: _Allowance
) -> Sequence[Draft | Refused]:
    try:
        found = metadata.read(source, media_type, workshop.limits)
    except errors.Fault as fault:
        return [_refuse(fault)]
    return [
        _named(_refuse(each.fault), each.names)
        if isinstance(each, Unreadable)
        else Draft(each.attributes, collection, workshop, allowance, is_whole=not each.discarded)
        for each in found
    ]


class Draft:
    """An instance that is still to be made."""

    def __init__(
        self,
        attributes: JSONDataset,
        collection: Collection,
        workshop: Workshop,
        allowance: _Allowance,
        *,
        is_whole: bool,
    ) -> None:
        """`is_whole` is False when something of the metadata was left out because no file has a place for it."""
        self._attributes = attributes
        self._collection = collection
        self._workshop = workshop
        self._allowance = allowance
        self._cautions = set() if is_whole else {Caution.ELEMENTS_DISCARDED}
        self._originals: tuple[JSONDataset, ...] = ()

    def note(self) -> None:
        """Say what will be asked for."""
        self._collection.note(reference.uri for reference in references.find(self._attributes))

    def fill(self, arrival: Arrival) -> Refused | None:
        """Write the file. Unavailable or OutOfSpace when that cannot be done now, OSError when the disk is broken."""
        try:
            with ExitStack() as held:
                for chunk in self._compose(held, arrival):
                    self._allowance.take(len(chunk), arrival.size)
                    arrival.write(chunk)
        except Unfit as verdict:
            return _named(Refused(verdict.reason, verdict.detail), self._attributes)
        except errors.Unavailable:
            raise
        except errors.Fault as fault:
            return _named(_refuse(fault), self._attributes)
        return None

    def conclude(self, outcome: Outcome) -> Outcome:
        """What was changed on the way is said with the outcome."""
        if not isinstance(outcome, Stored):
            return outcome
        return dataclasses.replace(
            outcome,
            warning=most_apt({*self._cautions, outcome.warning}),
            originals=outcome.originals if outcome.again else (*self._originals, *outcome.originals),
        )

    def _compose(self, held: ExitStack, arrival: Arrival) -> Iterator[bytes]:
        attributes = self._attributes
        sop_class, instance, *_ = (self._name(tag) for tag in _NAMES)
        pixels, values = self._find_values(held)
        replaced = description.describe(attributes, pixels) if pixels is not None else {}
        if replaced:
            arrival.original_digest = originals.fingerprint(attributes, replaced, pixels, values)
            self._originals = (originals.record(attributes, replaced, system=self._workshop.system),)
            self._cautions.add(Caution.COERCED)
        if not classes.holds_what_it_must(attributes, sop_class):
            self._cautions.add(Caution.DOES_NOT_MATCH_CLASS)
        return writing.write(attributes, pixels, values, sop_class=sop_class, instance=instance)

    def _name(self, tag: str) -> str:
        """A UID that no file can do without; looked for first, before anything large is read."""
        uid = _uid(self._attributes, tag)
        if uid is None:
            has_value = bool(self._attributes.get(tag, {}).get("Value"))
            raise Unfit(Reason.MALFORMED_UID if has_value else Reason.MISSING_UID, _NAMES[tag])
        return uid

    def _find_values(self, held: ExitStack) -> tuple[PixelData | None, Values]:
        """The pixel data, and every other value that the metadata leaves to parts, by its path."""
        pixels: PixelData | None = None
        values: dict[str, Octets | Nested] = {}
        written: list[Octets] = []
        for reference in list(references.find(self._attributes)):
            parts = self._collection.find(reference.uri)
            if reference.path == writing.PIXEL_DATA:
                pixels = pictures.read(parts, self._collection, self._attributes, self._workshop, held)
            else:
                values[reference.path] = value = self._value(reference, parts)
                if reference.element["vr"] in TEXTS and isinstance(value, Octets):
                    written.append(value)
            reference.element["BulkDataURI"] = ""  # its path says enough from here on
        texts.settle(self._attributes, written)
        return pixels, values

    def _value(self, reference: Reference, parts: Sequence[Part]) -> Octets | Nested:
        if reference.path == documents.DOCUMENT:
            if not documents.describe(self._attributes, parts, self._collection):
                self._cautions.add(Caution.DOES_NOT_MATCH_CLASS)
        else:
            _check_octets(parts)
        octets = Octets((self._collection.source(parts[0]),))
        named = parts[0].transfer_syntax
        syntax = syntaxes.find(named) if named is not None else None
        if syntax is None or not syntax.is_encapsulated:
            return octets
        if not reference.path.endswith("/" + writing.PIXEL_DATA):
            raise Unfit(Reason.SYNTAX_NOT_SUPPORTED, "only pixel data can be compressed")
        if octets.size > picture.LONGEST_FRAGMENT:
            raise Unfit(Reason.LIMIT_PASSED, f"a picture inside a sequence of {octets.size} bytes")
        reference.element["vr"] = "OB"
        return Nested(octets, syntax.uid)


def _check_octets(parts: Sequence[Part]) -> None:
    """One value that is neither pixel data nor a document: its bytes as in Explicit VR Little Endian (MT-11)."""
    if len(parts) > 1:
        raise Unfit(Reason.CANNOT_UNDERSTAND, f"one value that is no pixel data came in {len(parts)} parts")
    part = parts[0]
    if part.media_type != media_types.OCTET_STREAM:
        raise Unfit(Reason.WRONG_PART_TYPE, f"expected {media_types.OCTET_STREAM} for a value that is no pixel data")
    syntax = syntaxes.find(part.transfer_syntax or syntaxes.EXPLICIT_LITTLE)
    if syntax is None or syntax.is_big_endian or syntax.is_deflated:
        raise Unfit(Reason.SYNTAX_NOT_SUPPORTED, "expected a value in little endian, as it is")


def _refuse(fault: errors.Fault) -> Refused:
    return Refused(outcomes.reason_of(fault), fault.message)


def _named(refused: Refused, attributes: JSONDataset) -> Refused:
    """The refusal with the names of the instance, as far as they are there."""
    study, series, instance, sop_class = (_uid(attributes, tag) for tag in (_STUDY, _SERIES, _INSTANCE, _SOP_CLASS))
    target = Target(study or "", series, instance) if instance else None  # a report names class and instance alone
    return dataclasses.replace(refused, target=target, sop_class=sop_class)


def _uid(attributes: JSONDataset, tag: str) -> str | None:
    values = attributes.get(tag, {}).get("Value")
    if values and len(values) == 1 and isinstance(values[0], str) and uids.is_uid(values[0]):
        return values[0]
    return None
