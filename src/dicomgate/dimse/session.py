"""One association that stands: with whom, what was agreed on, and what its deeds need (PS3.8 §7)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from dicomgate.dimse.command_sets import Command, Kind
from dicomgate.dimse.connection import Connection, Message
from dicomgate.dimse.contexts import Agreed, Service
from dicomgate.dimse.negotiation import NONE, Wishes
from dicomgate.dimse.settings import DoorSettings
from dicomgate.origin import Origin
from dicomgate.representations.maker import Maker
from dicomgate.spool import Spool

_MOST_REPORTS: Final = 8
"""Storage commitments that are on their way to peers at a time."""


class Log(Protocol):
    """Where events go; values are numbers and words of our own (T18)."""

    def event(self, event: str, **facts: str | float | list[str]) -> None:
        """Something worth a line."""
        ...

    def bug(self, error: BaseException, *, kind: str) -> None:
        """A fault of ours."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What a DIMSE door opens onto, shared by its associations: an origin of any kind, and what serving it takes.

    C-FIND asks `origin.search`, C-GET and C-MOVE `origin.retrieve`, and C-STORE gives `origin.store.accept` one
    whole `Arrival` after the other: its thread waits for the outcome, and the answer goes out afterwards, so that an
    outcome that is returned has to be durable (D1). An `errors.Fault` raised by any of them becomes a status of its
    own (`statuses.of_fault`). All are called by several threads at once.

    `spool` makes the arrivals; None, or `origin.store` None: C-STORE is refused. `maker` None: instances are sent as
    they are stored, or not at all. `views`: origins by the word of Query/Retrieve View, CLASSIC and ENHANCED (LC-33).
    `services`: those that are offered at all; contexts of others are refused.
    """

    origin: Origin
    settings: DoorSettings
    log: Log
    spool: Spool | None = None
    services: frozenset[Service] = frozenset(Service)
    maker: Maker | None = None
    views: Mapping[str, Origin] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)
    reports: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_MOST_REPORTS))


@dataclass(slots=True, kw_only=True)
class Session:
    """One association and its owner, the thread that runs it."""

    house: House
    connection: Connection
    calling: str
    address: str
    contexts: Mapping[int, Agreed]
    wishes: Mapping[str, Wishes]
    message_id: int = 0
    reported: set[int] = field(default_factory=set)
    """Events that we told over this association, and that are not answered yet."""

    def wishes_of(self, message: Message) -> Wishes:
        """What was agreed on for the class that a message is of."""
        agreed = self.contexts[message.context]
        return self.wishes.get(agreed.abstract_syntax, NONE)

    def next_id(self) -> int:
        """A number for a request of ours."""
        self.message_id = self.message_id % 0xFFFF + 1
        return self.message_id

    def answer(self, message: Message, status: int, *, comment: str = "") -> None:
        """Answer a request without a data set."""
        self.connection.write_message(message.context, message.command.answer(status, comment=comment))

    def is_cancelled(self, message: Message) -> bool:
        """Whether the peer has said by now that it does not want the rest."""
        came = self.connection.came()
        if came is None:
            return False
        if is_cancel(came.command, message.command):
            return True
        self.connection.put_back(came)
        return False


def is_cancel(came: Command, request: Command) -> bool:
    """True for a C-CANCEL of that request."""
    return came.kind is Kind.CANCEL and came.number == request.number
