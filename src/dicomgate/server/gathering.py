"""Metadata and bulk data on their way in: kept together until the body is whole, then composed (PS3.18 §10.5.1.4).

Nothing of a body that breaks off is stored: which bulk data belongs to an instance is known only at the end. The parts
lie in one pile (memory, then one file); of the metadata, which is read into memory, the size is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from dicomgate import errors
from dicomgate.composition import collection, draft
from dicomgate.composition.collection import Collection, Part
from dicomgate.composition.content import Workshop
from dicomgate.composition.draft import Draft
from dicomgate.dicom.outcomes import Reason, Refused
from dicomgate.server.bodies import METADATA
from dicomgate.server.budget import Arriving, Budget
from dicomgate.server.intake import Intake
from dicomgate.server.settings import Settings
from dicomgate.server.threads import Threads
from dicomgate.server.writing import MOST_HELD, Piece, Writing, write_all
from dicomgate.spool import Pile

_READ: Final = 24
"""About how many times as large metadata is in memory while it is read; some has far less text than structure."""

_KEPT: Final = ("content-type", "content-location")
"""Header fields of a part that are kept until the body is whole."""


class Gathering:
    """The parts of one request."""

    def __init__(
        self,
        pile: Pile,
        threads: Threads,
        arriving: Arriving,
        settings: Settings,
        workshop: Workshop,
        *,
        root_type: str,
        base: str,
    ) -> None:
        """`root_type`: what a part is that does not say; `base`: the address that relative locations start from."""
        self._pile = pile
        self._threads = threads
        self._settings = settings
        self._workshop = workshop
        self._root_type = root_type
        self._writing = Writing(pile, threads, arriving)
        self._size = 0
        self._part: Part | None = None
        self._metadata: list[Part] = []
        self._metadata_size = 0
        self._bulk = Collection(pile, base)
        self._drafting: asyncio.Future[Sequence[Draft | Refused]] | None = None
        self._intake: Intake | None = None

    def begin(self, headers: dict[str, str]) -> None:
        """A part starts. TooLarge when too much is said of the parts, which is kept in memory as metadata is."""
        part = collection.describe(headers, root_type=self._root_type)
        self._part = replace(part, span=range(self._size, self._size))
        self._count_metadata(sum(len(headers.get(name, "")) for name in _KEPT))

    async def write(self, data: bytes | memoryview) -> None:
        """The next bytes of the part. TooLarge when there is too much metadata, OutOfSpace when the disk is full."""
        part = self._part
        assert part is not None, "a part has begun"
        if part.refusal is not None:
            return
        if _is_metadata(part):
            self._count_metadata(len(data))
        span = range(part.span.start, self._size + len(data))
        if len(span) > self._settings.instance_bytes:
            refusal = Refused(Reason.LIMIT_PASSED, f"a part of more than {self._settings.instance_bytes} bytes")
            self._part = replace(part, refusal=refusal)
            return
        try:
            await self._writing.write(data)
        except OSError as fault:
            raise _out_of_space() from fault
        self._size += len(data)
        self._part = replace(part, span=span)

    def _count_metadata(self, size: int) -> None:
        self._metadata_size += size
        if self._metadata_size > self._settings.metadata_bytes:
            raise errors.TooLarge(f"metadata of more than {self._settings.metadata_bytes} bytes")

    async def end(self) -> None:
        """The part is complete."""
        part, self._part = self._part, None
        assert part is not None, "a part has begun"
        if _is_metadata(part) or (part.refusal is not None and part.location is None):
            self._metadata.append(part)  # one that is refused is reported in its place
        else:
            self._bulk.add(part)

    async def compose(self, intake: Intake, budget: Budget) -> Sequence[str]:
        """Make the instances and let them be judged; what is to be said beside that. Malformed without metadata."""
        if not any(_is_metadata(part) for part in self._metadata):
            raise errors.Malformed(f"the request holds no part of type {' or '.join(sorted(METADATA))}")
        cost = _READ * self._metadata_size + min(self._size, self._settings.store_window * MOST_HELD)
        await budget.take(cost)
        self._writing.release()
        self._intake = intake
        try:
            self._drafting = self._threads.do(self._draft, await self._rest())
            for made in await asyncio.shield(self._drafting):
                await intake.add(made)
            await intake.outcomes()
        finally:
            await self._finish()
            budget.give_back(cost)
        unasked = self._bulk.unasked
        return [f"bulk data parts that no metadata names: {unasked}"] if unasked else []

    async def abandon(self) -> None:
        """Leave nothing behind."""
        await self._writing.abandon()
        await self._finish()
        self._pile.discard()

    async def _finish(self) -> None:
        """Wait for every thread that reads from the pile, also when the request was cancelled: its file is theirs."""
        if self._drafting is not None:
            await asyncio.wait([self._drafting])
        if self._intake is not None:
            await self._intake.outcomes()

    async def _rest(self) -> list[Piece]:
        try:
            return await self._writing.rest()
        except OSError as fault:
            raise _out_of_space() from fault

    def _draft(self, rest: list[Piece]) -> Sequence[Draft | Refused]:
        """Read all metadata; in a thread."""
        try:
            write_all(self._pile, rest)
            self._pile.finish()
        except OSError as fault:
            raise _out_of_space() from fault
        sources = [part.refusal or (part.media_type, self._pile.source(part.span)) for part in self._metadata]
        bounds = draft.Bounds(
            data_sets=self._settings.parts,
            instance_bytes=self._settings.instance_bytes,
            bytes_together=self._settings.body_bytes,
        )
        return draft.read(sources, self._bulk, self._workshop, bounds)


def _is_metadata(part: Part) -> bool:
    return part.media_type in METADATA


def _out_of_space() -> errors.OutOfSpace:
    return errors.OutOfSpace("there is no room for the parts of the request")
