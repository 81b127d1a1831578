"""One arrival in: judge it, put its bytes on stable storage, add its row, and only then say "stored" (D1, D2)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from dicomgate import errors
from dicomgate.archive import describe, policy
from dicomgate.archive.amending import Amender
from dicomgate.archive.aside import Aside
from dicomgate.archive.coercion import Coercion
from dicomgate.archive.replaced import Replaced
from dicomgate.archive.room import Room
from dicomgate.blobs.base import BlobStore
from dicomgate.dicom import header, original_attributes, outcomes, part10
from dicomgate.dicom.header import Header, Limits
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.original_attributes import Changes
from dicomgate.dicom.original_attributes import Reason as Why
from dicomgate.dicom.outcomes import Caution, Outcome, Reason, Refused, Stored
from dicomgate.dicom.uids import Target
from dicomgate.index.base import Added, Entry, Index, Judge, Verdict
from dicomgate.spool import Arrival

_CONTRADICTIONS = {Reason.OTHER_CONTENT, Reason.OTHER_PARENT, Reason.OTHER_PATIENT}
_TRIES = 5
"""So often is an instance brought into line with its study, which others may correct at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """What is to be kept: as it came, or coerced. `sent`: the digest of what came, if that is something else."""

    arrival: Arrival
    header: Header
    sent: str
    originals: tuple[JSONDataset, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptor:
    """The way in."""

    blobs: BlobStore
    index: Index
    judge: Judge
    aside: Aside
    replaced: Replaced
    room: Room
    amender: Amender
    coercion: Coercion
    forget: Callable[[Target], None]
    limits: Limits = header.DEFAULT

    def require_room(self) -> None:
        """Unavailable while nothing can be stored."""
        self.index.require_sound()
        self.blobs.require_sound()
        self.room.require()

    def accept(self, arrival: Arrival, study: str | None = None) -> Outcome:
        """Keep one arrival or say why not; its bytes may be moved away. Blocks until the answer is durable."""
        arrival.finish()
        seen = self._read(arrival, study)
        if isinstance(seen, Refused):
            return seen
        try:
            outcome = self._keep(arrival, seen)
        except errors.Unavailable as fault:
            is_full = isinstance(fault, errors.OutOfSpace)
            return Refused(Reason.OUT_OF_RESOURCES, fault.message, seen.target, seen.sop_class, is_full=is_full)
        if isinstance(outcome, Refused) and outcome.reason in _CONTRADICTIONS:
            self.aside.keep(arrival, outcome)
        return outcome

    def _read(self, arrival: Arrival, study: str | None) -> Header | Refused:
        try:
            seen = arrival.header(self.limits)
        except (errors.Malformed, errors.TooLarge) as fault:
            return Refused(outcomes.reason_of(fault), fault.message)
        return policy.examine(seen, study) or seen

    def _keep(self, arrival: Arrival, seen: Header) -> Outcome:
        assert seen.target is not None, "it was examined"
        again = self._find_again(arrival, seen, seen.target)
        if again is not None:
            return again
        outcome = self._store_new(arrival, seen, seen.target)
        if isinstance(outcome, Refused) and outcome.reason is Reason.OTHER_CONTENT:
            return self._find_again(arrival, seen, seen.target) or outcome  # it came at the same time
        return outcome

    def _store_new(self, arrival: Arrival, seen: Header, target: Target) -> Outcome:
        if self.coercion.is_off:
            return self._store(_Offer(arrival=arrival, header=seen, sent=arrival.original_digest))
        outcome: Outcome | None = None
        for _ in range(_TRIES):
            outcome = self._store_coerced(arrival, seen, target.study)
            if not isinstance(outcome, Refused) or outcome.reason is not Reason.OTHER_PATIENT:
                break
        assert outcome is not None, "it was tried"
        return outcome

    def _find_again(self, arrival: Arrival, seen: Header, target: Target) -> Stored | None:
        """What to say when the very bytes came before: a sender that repeats itself costs no disk (T10, STOW-18).

        Or the same data set behind other file meta information, as of one that came by DIMSE as well.
        """
        row, sop_class = self.index.find_row(target), seen.sop_class or ""
        if row is None:
            return None
        came, earlier = {arrival.digest, arrival.original_digest} - {""}, self.index.versions(target)
        known = {
            row.digest,
            row.original_digest,
            *(digest for one in earlier for digest in (one.digest, one.original_digest)),
        }
        if came & known:
            return _again(target, sop_class, arrival, row.digest)
        if row.sop_class != sop_class:
            return None
        if self._is_stored(arrival, row.key):
            return Stored(target, sop_class, again=True)
        kept = [(row.key, row.original_digest), *((one.key, one.original_digest) for one in earlier)]
        is_known = any(self._is_stored(arrival, one.key) for one in earlier) or any(
            self._is_stored_coerced(arrival, seen, target.study, key) for key, original in kept if original
        )
        return Stored(target, sop_class, again=True, warning=Caution.COERCED) if is_known else None

    def _is_stored(self, arrival: Arrival, key: str) -> bool:
        try:
            with self.blobs.open(key) as blob:
                return part10.has_same_data_set(arrival.source(), blob)
        except errors.Fault:
            return False

    def _is_stored_coerced(self, arrival: Arrival, seen: Header, study: str, key: str) -> bool:
        """True when what came, coerced at the moment at which what is stored was, is what is stored."""
        changes = self._changes(seen, study)
        if not changes:
            return False
        try:
            with self.blobs.open(key) as blob:
                moment = original_attributes.last_moment(header.read(blob, self.limits).attributes)
                if moment is None:
                    return False
                with self.amender.amended(arrival.source(), seen, changes, Why.COERCE, moment=moment) as made:
                    return part10.has_same_data_set(made.arrival.source(), blob)
        except errors.Fault:
            return False

    def _changes(self, seen: Header, study: str) -> Changes:
        stored = self.index.study_attributes(study) if self.coercion.takes_patient else None
        return self.coercion.changes(seen.attributes, stored)

    def _store_coerced(self, arrival: Arrival, seen: Header, study: str) -> Outcome:
        changes = self._changes(seen, study)
        if not changes:
            return self._store(_Offer(arrival=arrival, header=seen, sent=arrival.original_digest))
        try:
            with self.amender.amended(arrival.source(), seen, changes, Why.COERCE) as made:
                offer = _Offer(
                    arrival=made.arrival,
                    header=made.arrival.header(self.limits),
                    sent=arrival.original_digest or arrival.digest,
                    originals=(made.record,),
                )
                return self._store(offer)
        except (errors.Malformed, errors.TooLarge) as fault:
            return Refused(Reason.CANNOT_COERCE, fault.message, seen.target, seen.sop_class)

    def _store(self, offer: _Offer) -> Outcome:
        arrival = offer.arrival
        entry = describe.describe(
            offer.header,
            key=self.blobs.new_key(),
            size=arrival.size,
            digest=arrival.digest,
            checksum=arrival.checksum,
            original_digest=offer.sent,
        )
        with self.room.claim(entry.size):
            self.blobs.put(entry.key, arrival.content())
            added = self._add(entry)
        if isinstance(added.verdict, Refused):
            return added.verdict
        is_coerced = bool(offer.originals) and (added.is_kept or added.verdict is Verdict.SAME)
        return Stored(
            entry.target,
            entry.sop_class,
            again=not added.is_kept,
            warning=Caution.COERCED if is_coerced else None,
            originals=offer.originals if added.is_kept else (),
        )

    def _add(self, entry: Entry) -> Added:
        try:
            added = self.index.add(entry, self.judge)
        except errors.OutOfSpace:
            self.blobs.delete(entry.key)
            raise
        # After any other fault the row may yet prove to be on disk: the blob stays, unsettled, and the sweep of the
        # next start decides.
        if added.is_kept:
            self.blobs.settle(entry.key)
        else:
            self.blobs.delete(entry.key)
        if added.verdict in {Verdict.REPLACE, Verdict.SUPERSEDE}:
            self.forget(entry.target)
        if added.verdict is Verdict.REPLACE and added.known is not None:
            self.replaced.add(added.known.key)
        self._clear_replaced()
        return added

    def _clear_replaced(self) -> None:
        keys = self.replaced.due()
        if keys:
            with suppress(errors.Unavailable):  # what cannot go now, the sweep of the next start lets go
                self.blobs.delete(*keys)
                self.index.forget_garbage(keys)


def _again(target: Target, sop_class: str, arrival: Arrival, stored: str) -> Stored:
    """Success again; with a warning when what is stored has other attributes by now than what came."""
    warning = None if stored == arrival.digest else Caution.COERCED
    return Stored(target, sop_class, again=True, warning=warning)
