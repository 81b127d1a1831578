"""The way in: bytes on stable storage, then the row that says who waits for them, and only then "stored" (D1)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dicomgate import errors
from dicomgate.archive import policy
from dicomgate.archive.room import Room
from dicomgate.blobs.base import BlobStore
from dicomgate.dicom import header, outcomes
from dicomgate.dicom.header import Header, Limits
from dicomgate.dicom.outcomes import Outcome, Reason, Refused, Stored
from dicomgate.index.errands import Held
from dicomgate.index.waiting import Waiting
from dicomgate.relay.destination import Destination
from dicomgate.spool import Arrival


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What a door of either kind stores into. Safe for threads. `told` is called when something new waits."""

    blobs: BlobStore
    waiting: Waiting
    room: Room
    destinations: Sequence[Destination]
    limits: Limits = header.DEFAULT
    told: Callable[[], None] = lambda: None

    def require_room(self) -> None:
        """Unavailable while nothing can be held; OutOfSpace when the disk is full (D3)."""
        self.waiting.require_sound()
        self.blobs.require_sound()
        self.room.require()

    def accept(self, arrival: Arrival, study: str | None = None) -> Outcome:
        """Hold one arrival for who wants it, or say why not. Blocks until the answer is durable.

        What nobody wants is refused: its sender still has it, and hears so. The same bytes again are held once.
        """
        arrival.finish()
        seen = self._read(arrival, study)
        if isinstance(seen, Refused):
            return seen
        assert seen.target is not None, "it was examined"
        wanted = [each.name for each in self.destinations if each.rule.wants(arrival.caller, seen.attributes)]
        if not wanted:
            return Refused(Reason.READ_ONLY, "no destination takes it", seen.target, seen.sop_class)
        try:
            is_new = self._hold(arrival, seen, wanted)
        except errors.Unavailable as fault:
            is_full = isinstance(fault, errors.OutOfSpace)
            return Refused(Reason.OUT_OF_RESOURCES, fault.message, seen.target, seen.sop_class, is_full=is_full)
        self.told()
        return Stored(seen.target, seen.sop_class or "", again=not is_new)

    def _read(self, arrival: Arrival, study: str | None) -> Header | Refused:
        try:
            seen = arrival.header(self.limits)
        except (errors.Malformed, errors.TooLarge) as fault:
            return Refused(outcomes.reason_of(fault), fault.message)
        return policy.examine(seen, study) or seen

    def _hold(self, arrival: Arrival, seen: Header, wanted: list[str]) -> bool:
        assert seen.target is not None, "it was examined"
        held = Held(
            key=self.blobs.new_key(),
            target=seen.target,
            sop_class=seen.sop_class or "",
            transfer_syntax=seen.transfer_syntax,
            size=arrival.size,
            digest=arrival.digest,
            checksum=arrival.checksum,
            caller=arrival.caller,
            received=time.time(),
        )
        with self.room.claim(held.size):
            self.blobs.put(held.key, arrival.content())
            try:
                is_new = self.waiting.add(held, wanted)
            except errors.OutOfSpace:
                self.blobs.delete(held.key)
                raise
            # After any other fault the row may yet prove to be on disk: the sweep of the next start decides.
        if is_new:
            self.blobs.settle(held.key)
        else:
            self.blobs.delete(held.key)
        return is_new
