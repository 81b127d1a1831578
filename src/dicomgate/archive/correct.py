"""Patient and study attributes put right: every file of a study written anew, then all in view at once (RET-09).

The order is that of storing: new files on stable storage first, then one transaction that switches every row of the
study. Killed before it, the new files are swept; after it, the old ones are earlier versions, or garbage (D8).
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Final, NoReturn

from dicomgate import errors
from dicomgate.archive import describe, retrieve
from dicomgate.archive.amending import Amender
from dicomgate.archive.delete import Deleter
from dicomgate.archive.intents import Intents, Note
from dicomgate.archive.room import Room
from dicomgate.archive.staged import Staged
from dicomgate.blobs.base import Blob, BlobStore
from dicomgate.dicom import assignments, header, original_attributes
from dicomgate.dicom.header import Limits
from dicomgate.dicom.original_attributes import Reason
from dicomgate.dicom.uids import Target
from dicomgate.index.base import Entry, Exchanged, Index, Row
from dicomgate.origin import JSONDataset, Updated

_STEP: Final = 1 << 20
_ROUNDS: Final = 50
"""So often is looked for instances that were stored while the others were corrected."""


@dataclass(slots=True)
class _Work:
    """A study that is being corrected."""

    known: set[str] = field(default_factory=set)  # keys of its instances, as far as they were looked at
    staged: list[Staged] = field(default_factory=list)  # what takes the place of some of them
    written: list[str] = field(default_factory=list)  # keys of the new files
    notes: list[Note] = field(default_factory=list)
    is_unsure: bool = False  # the rows were switched, or nobody can say: the new files are not to be taken away

    def __iter__(self) -> Iterator[tuple[str, Entry]]:
        return itertools.chain.from_iterable(self.staged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrector:
    """Corrects studies. `keeps_originals`: what was stored stays as an earlier version of each instance."""

    blobs: BlobStore
    index: Index
    room: Room
    amender: Amender
    intents: Intents
    deleter: Deleter
    keeps_originals: bool = True
    limits: Limits = header.DEFAULT

    def update(self, study: str, wanted: JSONDataset) -> Updated:
        """Set patient and study attributes of every instance; those given without a value are emptied.

        Malformed for attributes that cannot be corrected, NotFound and Gone when nothing of the study is stored,
        OutOfSpace or Unavailable when it cannot be done now. When this raises, nothing has changed.
        """
        assignments.check_study_level(wanted)
        work = _Work()
        with ExitStack() as stack:
            try:
                return self._update(study, wanted, work, stack)
            except BaseException:
                self._abandon(work)
                raise
            finally:
                for staged in work.staged:
                    staged.discard()

    def _update(self, study: str, wanted: JSONDataset, work: _Work, stack: ExitStack) -> Updated:
        for _ in range(_ROUNDS):
            self._write(study, wanted, work, stack)
            exchanged = self._exchange(study, work)
            if not exchanged.missing:
                self.deleter.forget(Target(study))
                self._settle(work, exchanged)
                if not exchanged.count and exchanged.unused:
                    raise errors.Gone("the study was deleted while it was corrected")
                return Updated(study=study, corrected=exchanged.count, unchanged=len(work.known) - exchanged.count)
        raise errors.Unavailable("instances come faster than the study can be corrected; try again later")

    # Writing.

    def _write(self, study: str, wanted: JSONDataset, work: _Work, stack: ExitStack) -> None:
        """New files for those instances that were not looked at yet, in the order of their coming."""
        rows = sorted(
            (row for row in self.index.locate(Target(study)) if row.key not in work.known), key=lambda row: row.key
        )
        if not rows and not work.known:
            self._miss(study)
        concerned = [row for row in rows if self._differs(row, wanted)]
        size = sum(row.size for row in concerned)
        self.room.require_whole(size)
        stack.enter_context(self.room.claim(size))
        keys = [self.blobs.new_key(after=row.key) for row in concerned]  # a rebuild goes by them
        work.notes.append(stack.enter_context(self.intents.noted(keys)))
        staged = Staged(self.amender.spool)
        work.staged.append(staged)
        for row, key in zip(concerned, keys, strict=True):
            with suppress(errors.NotFound):  # deleted meanwhile
                staged.add(row.key, self._write_file(row, key, wanted, work))
        staged.finish()
        work.known.update(row.key for row in rows)

    def _differs(self, row: Row, wanted: JSONDataset) -> bool:
        with suppress(errors.NotFound), self.blobs.open(row.key) as blob:
            return bool(original_attributes.changed(self._read(blob).attributes, wanted))
        return False

    def _write_file(self, row: Row, key: str, wanted: JSONDataset, work: _Work) -> Entry:
        with self.blobs.open(row.key) as blob:
            _check_whole(row, blob)
            seen = self._read(blob)
            changes = original_attributes.changed(seen.attributes, wanted)
            with self.amender.amended(blob, seen, changes, Reason.CORRECT) as made:
                work.written.append(key)
                self.blobs.put(key, made.arrival.content())
                return describe.describe(
                    made.arrival.header(self.limits),
                    key=key,
                    size=made.arrival.size,
                    digest=made.arrival.digest,
                    checksum=made.arrival.checksum,
                    original_digest=row.original_digest or row.digest,
                )

    def _read(self, blob: Blob) -> header.Header:
        try:
            return header.read(blob, self.limits)
        except (errors.Malformed, errors.TooLarge) as fault:
            raise errors.Unavailable(f"a stored file cannot be read again: {fault.message}") from fault

    # Switching.

    def _exchange(self, study: str, work: _Work) -> Exchanged:
        work.is_unsure = True  # whatever ends the waiting, an interrupt too, does not end the index's own thread
        try:
            exchanged = self.index.exchange(study, work, work.known, keep=self.keeps_originals)
        except errors.OutOfSpace:
            work.is_unsure = False
            raise
        if exchanged.missing:
            work.is_unsure = False
        return exchanged

    def _settle(self, work: _Work, exchanged: Exchanged) -> None:
        """The index points at the new files: they count, also without it, before the first of the old ones goes."""
        for note in work.notes:
            note.close()
        written, work.written = work.written, []
        for key in written:
            self.blobs.settle(key)
        with suppress(errors.Unavailable):  # what cannot go now, a sweep lets go
            self.blobs.delete(*exchanged.unused)
            if not self.keeps_originals:
                self.deleter.clear_garbage()
        self.room.count_again()

    def _abandon(self, work: _Work) -> None:
        """Leave nothing of the new files; those of which nobody knows what they are, a sweep judges."""
        try:
            if not work.is_unsure:
                self.blobs.delete(*work.written)
                return
        except errors.Unavailable:
            pass
        for note in work.notes:
            note.keep()

    def _miss(self, study: str) -> NoReturn:
        if self.index.was_deleted(Target(study)):
            raise errors.Gone("the study was deleted")
        raise errors.NotFound("no such study here")


def _check_whole(row: Row, blob: Blob) -> None:
    """Whole and as it was stored: damage must not become good bytes (D6). Raises Unavailable."""
    chunks = (blob.read_at(offset, _STEP) for offset in range(0, blob.size, _STEP))
    for _ in retrieve.checked(chunks, hashlib.sha256(), row.digest):
        pass
