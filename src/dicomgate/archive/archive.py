"""The archive: blobs and an index, put together as an origin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from dicomgate.archive import policy, reindex, verify
from dicomgate.archive.accept import Acceptor
from dicomgate.archive.amending import Amender
from dicomgate.archive.aside import Aside
from dicomgate.archive.coercion import Coercion
from dicomgate.archive.correct import Corrector
from dicomgate.archive.delete import Deleter
from dicomgate.archive.intents import Intents
from dicomgate.archive.replaced import Replaced
from dicomgate.archive.retrieve import Retriever
from dicomgate.archive.room import Room
from dicomgate.archive.verify import Damage
from dicomgate.blobs.base import BlobStore
from dicomgate.dicom import header
from dicomgate.dicom.matching import Query
from dicomgate.dicom.uids import Target
from dicomgate.index.base import Counts, Index, Judge
from dicomgate.origin import Found, Origin
from dicomgate.spool import Spool


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Keeps what it is given. `allow_delete` decides whether the origin offers deletion at all.

    `forget` is told of what was deleted or has other bytes now, when that is in view.
    """

    blobs: BlobStore
    index: Index
    spool: Spool
    aside: Aside
    room: Room
    amender: Amender
    intents: Intents
    coercion: Coercion
    replaced: Replaced
    duplicates: policy.Duplicates = policy.Duplicates.REFUSE
    limits: header.Limits = header.DEFAULT
    allow_delete: bool = False
    allow_update: bool = False
    keeps_originals: bool = True
    forget: Callable[[Target], None] = lambda _: None
    judge: Judge | None = None
    """In place of what `duplicates` says."""

    @property
    def origin(self) -> Origin:
        """What a door may ask of it."""
        judge = self.judge or policy.judge_by(self.duplicates, by_name=self.coercion.takes_patient)
        retriever = Retriever(blobs=self.blobs, index=self.index, limits=self.limits)
        return Origin(
            search=self,
            retrieve=retriever,
            versions=retriever,
            store=Acceptor(
                blobs=self.blobs,
                index=self.index,
                judge=judge,
                aside=self.aside,
                replaced=self.replaced,
                room=self.room,
                amender=self.amender,
                coercion=self.coercion,
                forget=self.forget,
                limits=self.limits,
            ),
            delete=self.deleter if self.allow_delete else None,
            update=self.corrector if self.allow_update else None,
        )

    def search(self, query: Query) -> Found:
        """One page of data sets that match."""
        found = self.index.find(query)
        return Found(datasets=found.datasets, remaining=found.remaining, total=found.total, next=found.next)

    def sweep(self) -> int:
        """Clear what dead processes have left: spool files, blobs that no row knows, rows' old blobs (D5)."""
        with self.intents.swept() as notes:
            swept = notes + self.spool.sweep() + self.blobs.sweep(self.index.known_keys)
        return swept + self.deleter.clear_garbage()

    def verify(self, progress: Callable[[int], None]) -> Iterator[Damage]:
        """Read and compare every stored file."""
        return verify.verify(self.blobs, self.index, progress)

    def reindex(self, into: Index, progress: Callable[[int], None], before: Index | None = None) -> Iterator[Damage]:
        """Fill a fresh index from the blobs; the one before, if it can be read, tells what no blob does."""
        return reindex.reindex(
            self.blobs,
            into,
            before=before,
            limits=self.limits,
            duplicates=self.duplicates,
            left_out=self.intents.keys(),
            progress=progress,
        )

    def check_ready(self) -> None:
        """Unavailable while the index cannot be asked, and when this process stores nothing until a restart (D3).

        A full disk and a used-up quota pass: reads go on, and a delete makes room.
        """
        self.index.changes(limit=1)
        self.index.require_sound()
        self.blobs.require_sound()

    def counts(self) -> Counts:
        """How many studies, series, instances there are."""
        return self.index.counts()

    def notes(self) -> Iterator[dict[str, Any]]:
        """What was refused and kept aside, oldest first."""
        return self.aside.notes()

    @property
    def corrector(self) -> Corrector:
        """Puts attributes of patients and studies right, whether a door offers that or not."""
        return Corrector(
            blobs=self.blobs,
            index=self.index,
            room=self.room,
            amender=self.amender,
            intents=self.intents,
            deleter=self.deleter,
            keeps_originals=self.keeps_originals,
            limits=self.limits,
        )

    @property
    def deleter(self) -> Deleter:
        """Takes what is stored away, whether a door offers that or not."""
        return Deleter(blobs=self.blobs, index=self.index, room=self.room, forget=self.forget)
