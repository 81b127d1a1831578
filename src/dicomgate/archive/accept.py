"""One arrival in: judge it, put its bytes on stable storage, add its row, and only then say "stored" (D1, D2)."""

from __future__ import annotations

from dataclasses import dataclass

from dicomgate import errors
from dicomgate.archive import describe, policy
from dicomgate.archive.aside import Aside
from dicomgate.archive.room import Room
from dicomgate.blobs.base import BlobStore
from dicomgate.dicom import header
from dicomgate.dicom.header import Header, Limits, Truncated
from dicomgate.dicom.outcomes import Outcome, Reason, Refused, Stored
from dicomgate.index.base import Added, Entry, Index, Judge
from dicomgate.spool import Arrival

_FAULTS: tuple[tuple[type[errors.Fault], Reason], ...] = (
    (Truncated, Reason.TRUNCATED),
    (errors.TooLarge, Reason.LIMIT_PASSED),
    (errors.Malformed, Reason.CANNOT_UNDERSTAND),
)
_KEPT = {Reason.OTHER_CONTENT, Reason.OTHER_PARENT, Reason.OTHER_PATIENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptor:
    """The way in."""

    blobs: BlobStore
    index: Index
    judge: Judge
    aside: Aside
    room: Room
    limits: Limits = header.DEFAULT

    def require_room(self) -> None:
        """Unavailable while nothing can be stored."""
        self.room.require()

    def accept(self, arrival: Arrival, study: str | None = None) -> Outcome:
        """Keep one arrival or say why not; its bytes may be moved away. Blocks until the answer is durable."""
        try:
            arrival.finish()
            seen = self._read(arrival, study)
            return seen if isinstance(seen, Refused) else self._keep(arrival, seen)
        except errors.Unavailable as fault:
            return Refused(Reason.OUT_OF_RESOURCES, fault.message, is_full=isinstance(fault, errors.OutOfSpace))

    def _read(self, arrival: Arrival, study: str | None) -> Header | Refused:
        try:
            seen = arrival.header(self.limits)
        except errors.Fault as fault:
            for kind, reason in _FAULTS:
                if isinstance(fault, kind):
                    return Refused(reason, fault.message)
            raise
        return policy.examine(seen, study) or seen

    def _keep(self, arrival: Arrival, seen: Header) -> Outcome:
        key = self.blobs.new_key()
        entry = describe.describe(
            seen,
            key=key,
            size=arrival.size,
            digest=arrival.digest,
            checksum=arrival.checksum,
            original_digest=arrival.original_digest,
        )
        if self._is_known(entry):
            return Stored(entry.target, entry.sop_class, again=True)
        with self.room.claim(entry.size):
            self.blobs.put(key, arrival.content())
            added = self._add(entry)
        if isinstance(added.verdict, Refused):
            if added.verdict.reason in _KEPT:
                self.aside.keep(entry, added.verdict, arrival.source())
            return added.verdict
        return Stored(entry.target, entry.sop_class, again=not added.is_stored)

    def _is_known(self, entry: Entry) -> bool:
        """True when the very bytes are stored already: a sender that repeats itself costs no disk."""
        row = self.index.find_row(entry.target)
        return row is not None and row.digest == entry.digest

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
        return added
