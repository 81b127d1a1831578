"""From the wire into the cache: instances are received while those before them are judged and put away.

The queue between the two is short: a PACS that sends faster than a disk writes is held up, and no memory grows.
"""

from __future__ import annotations

import queue
import threading
from types import TracebackType
from typing import Final, Self

from dicomgate import errors
from dicomgate.dicom import part10, uids
from dicomgate.dicom.outcomes import Outcome, Reason, Refused
from dicomgate.dicom.uids import Target
from dicomgate.dimse.associations import Incoming
from dicomgate.dimse.pacs_coming import Coming
from dicomgate.dimse.statuses import Status
from dicomgate.origin import Store
from dicomgate.spool import Arrival, Spool

_WAITING: Final = 8
"""Arrivals between the two; each has at most a few MiB in memory."""


class Intake:
    """The way in of one retrieval, while inside; afterwards all that was taken is in the cache or refused."""

    def __init__(self, coming: Coming, *, store: Store, spool: Spool, largest: int) -> None:
        """`largest`: most bytes of one instance."""
        self._coming = coming
        self._series = Target(coming.target.study, coming.target.series)
        self._store = store
        self._spool = spool
        self._largest = largest
        self._queue: queue.Queue[Arrival | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._keep_all, name="gateway intake", daemon=True)
        self.refused = 0
        self.refusal: Refused | None = None
        self.is_full = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.put(None)
        self._thread.join()

    def take(self, incoming: Incoming) -> int:
        """Receive one instance; the status to answer. What it is worth is seen later, beside the next."""
        arrival = self._spool.arrival()
        try:
            status = self._receive(incoming, arrival)
        except BaseException:
            arrival.discard()
            raise
        if status == Status.SUCCESS:
            self._queue.put(arrival)
        else:
            arrival.discard()
        return status

    def _receive(self, incoming: Incoming, arrival: Arrival) -> int:
        is_named = uids.is_uid(incoming.instance) and uids.is_uid(incoming.sop_class)
        status: int = Status.SUCCESS if is_named else Status.CANNOT_UNDERSTAND
        if is_named:
            arrival.write(
                part10.write_beginning(
                    sop_class=incoming.sop_class,
                    instance=incoming.instance,
                    transfer_syntax=incoming.transfer_syntax,
                )
            )
        for fragment in incoming.fragments:  # to the end, for the next message lies behind it
            if status != Status.SUCCESS:
                continue
            if arrival.size + len(fragment) > self._largest:
                status = Status.OUT_OF_RESOURCES
                continue
            try:
                arrival.write(bytes(fragment))
            except OSError as fault:
                status = Status.OUT_OF_RESOURCES
                self._refuse(Refused(Reason.OUT_OF_RESOURCES, fault.strerror or "", is_full=True))
        return status

    def _keep_all(self) -> None:
        try:
            while (arrival := self._queue.get()) is not None:
                self._keep(arrival)
        except BaseException:
            while (arrival := self._queue.get()) is not None:  # whoever receives must not wait for a queue of the dead
                arrival.discard()
            raise

    def _keep(self, arrival: Arrival) -> None:
        outcome: Outcome
        try:
            outcome = self._store.accept(arrival)
        except (errors.Fault, OSError) as fault:
            why = fault.message if isinstance(fault, errors.Fault) else fault.strerror or ""
            outcome = Refused(Reason.OUT_OF_RESOURCES, why, is_full=not isinstance(fault, errors.Fault))
        finally:
            arrival.discard()
        if isinstance(outcome, Refused):
            self._refuse(outcome)
        elif Target(outcome.target.study, outcome.target.series) == self._series:
            self._coming.add(outcome.target.instance or "")

    def _refuse(self, outcome: Refused) -> None:
        self.refused += 1
        self.refusal = outcome
        self.is_full = self.is_full or outcome.is_full
