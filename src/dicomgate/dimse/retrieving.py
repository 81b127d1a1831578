"""C-GET and C-MOVE: instances to who asks, or to a peer, one sub-operation each (PS3.4 §C.4.2, §C.4.3).

Every sub-operation is told by a pending response; at the end it is told which instances were not stored.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Final, Self

from dicomgate import errors
from dicomgate.dicom.uids import Level, Target
from dicomgate.dimse import (
    associations,
    contexts,
    datasets,
    finding,
    identifiers,
    retrievals,
    sending,
    session,
    statuses,
)
from dicomgate.dimse.associations import Association
from dicomgate.dimse.command_sets import Field, Kind
from dicomgate.dimse.connection import Closed, Connection, Message
from dicomgate.dimse.contexts import Agreed, Offer
from dicomgate.dimse.identifiers import SERIES_UID, STUDY_UID, UNIQUE_KEYS
from dicomgate.dimse.peers import Entity
from dicomgate.dimse.retrievals import Wanted
from dicomgate.dimse.session import Session
from dicomgate.dimse.statuses import Kind as Meaning
from dicomgate.dimse.statuses import Status
from dicomgate.origin import Instance, Origin

_FAILED_LIST: Final = "00080058"
_MOST: Final = 0xFFFF
_MOST_LISTED: Final = 10_000
_AT_ONCE: Final = 16


@dataclass(slots=True)
class Tally:
    """How the sub-operations of one retrieval stand."""

    remaining: int = 0
    completed: int = 0
    warned: int = 0
    failed: list[str] = field(default_factory=list)
    failures: int = 0

    def note(self, instance: Instance, status: int | None) -> None:
        """One more is done; None: it could not be tried, or the peer has gone."""
        self.remaining -= 1
        meaning = Meaning.FAILURE if status is None else statuses.kind(status)
        if meaning is Meaning.SUCCESS:
            self.completed += 1
        elif meaning is Meaning.WARNING:
            self.warned += 1
        else:
            self.fail(instance.target.instance or "")

    def fail(self, instance: str) -> None:
        """One was not stored."""
        self.failures += 1
        if len(self.failed) < _MOST_LISTED:
            self.failed.append(instance)

    def fields(self, *, with_remaining: bool) -> dict[Field, Any]:
        """The counts as a response has them."""
        counts = {Field.COMPLETED: self.completed, Field.FAILED: self.failures, Field.WARNED: self.warned}
        if with_remaining:
            counts[Field.REMAINING] = self.remaining
        return {name: min(count, _MOST) for name, count in counts.items()}

    @property
    def status(self) -> Status:
        """How a retrieval ended that was not cancelled."""
        if not self.failures and not self.warned:
            return Status.SUCCESS
        return Status.SOME_FAILED if self.completed or self.warned else Status.CANNOT_PERFORM


@dataclass(slots=True)
class _Retrieval:
    """One C-GET or C-MOVE while it goes on."""

    session: Session
    message: Message
    tally: Tally = field(default_factory=Tally)
    is_cancelled: bool = False

    def overhear(self, came: Message) -> bool:
        """A C-CANCEL may come at any time."""
        if not session.is_cancel(came.command, self.message.command):
            return False
        self.is_cancelled = True
        return True

    def look(self) -> bool:
        """True when the peer, or whoever stops the door, wants no more."""
        if not self.is_cancelled:
            self.is_cancelled = self.session.is_cancelled(self.message)
        return self.is_cancelled

    def tell(self) -> None:
        """A pending response."""
        further = self.tally.fields(with_remaining=True)
        self._answer(Status.PENDING, further)

    def end(self) -> None:
        """The last response, with the list of what was not stored."""
        status = Status.CANCELLED if self.is_cancelled else self.tally.status
        further = self.tally.fields(with_remaining=self.is_cancelled)
        self._answer(status, further, self.tally.failed)

    def _answer(self, status: Status, further: dict[Field, Any], failed: Collection[str] = ()) -> None:
        message = self.message
        syntax = self.session.contexts[message.context].transfer_syntax
        content = None
        if failed:
            listed = {_FAILED_LIST: {"vr": "UI", "Value": list(failed)}}
            content = [datasets.write_dataset(listed, syntax)]
        command = message.command.answer(status, has_dataset=content is not None, further=further)
        self.session.connection.write_message(message.context, command, content)


def get(opened: Session, message: Message) -> None:
    """Answer a C-GET: the instances come over the same association."""
    _retrieve(opened, message, _get_all)


def move(opened: Session, message: Message) -> None:
    """Answer a C-MOVE: the instances go to a peer that the settings name, and to no other (T14)."""
    peer = opened.house.settings.find_peer(message.command.text(Field.DESTINATION))
    if peer is None:
        opened.connection.read_bytes(message, datasets.LONGEST)
        opened.answer(message, Status.DESTINATION_UNKNOWN, comment="the move destination is not among our peers")
        return

    def move_all(retrieval: _Retrieval, instances: list[Instance]) -> None:
        _move_all(retrieval, instances, peer)

    _retrieve(opened, message, move_all)


def _retrieve(opened: Session, message: Message, send_all: Callable[[_Retrieval, list[Instance]], None]) -> None:
    connection = opened.connection
    raw = connection.read_bytes(message, datasets.LONGEST)
    agreed = opened.contexts[message.context]
    try:
        asked = datasets.read_dataset(raw, agreed.transfer_syntax)
        wishes = opened.wishes_of(message)
        wanted = retrievals.parse_wanted(asked, contexts.ROOTS[agreed.abstract_syntax], wishes)
        origin = finding.origin_of(opened.house, wanted.view, agreed=wishes.views)
        retrieval = _Retrieval(opened, message)
        with ExitStack() as stack:
            instances = list(_instances(origin, wanted, stack))
            retrieval.tally.remaining = len(instances)
            send_all(retrieval, instances)
    except errors.Fault as fault:
        if connection.is_closed:
            raise
        opened.answer(message, statuses.of_fault(fault), comment=fault.message)
        return
    retrieval.end()


def _instances(origin: Origin, wanted: Wanted, stack: ExitStack) -> Iterator[Instance]:
    for target in _targets(origin, wanted):
        try:
            yield from stack.enter_context(origin.retrieve.retrieve(target))
        except errors.NotFound:
            continue  # what does not match is no failure (§C.4.2.3.1)


def _targets(origin: Origin, wanted: Wanted) -> Iterator[Target]:
    if wanted.target is not None:
        yield wanted.target
        return
    query = replace(wanted.query, include=((STUDY_UID,), (SERIES_UID,)) if wanted.level > Level.STUDY else ())
    for match in finding.pages(origin.search, query):
        found = [identifiers.read_text(match, UNIQUE_KEYS[upper]) for upper in Level if upper <= wanted.level]
        scope = query.scope
        if scope is not None:
            found[0] = scope.study
            if scope.series is not None and len(found) > 1:
                found[1] = scope.series
        yield Target(*found)


def _get_all(retrieval: _Retrieval, instances: list[Instance]) -> None:
    """Over the association of who asks."""
    opened = retrieval.session
    agreed = [each for each in opened.contexts.values() if each.we_send]
    for instance in instances:
        if retrieval.look():
            return
        status = _send(retrieval, opened.connection, agreed, instance, opened.next_id())
        retrieval.tally.note(instance, status)
        retrieval.tell()


def _move_all(retrieval: _Retrieval, instances: list[Instance], peer: Entity) -> None:
    """Over associations with a peer: as many as the contexts take, one after the other.

    It is looked at a few instances at a time what they are: those of another server have to come for that.
    """
    with _Calls(retrieval, peer) as calls:
        for start in range(0, len(instances), _AT_ONCE):
            calls.send(instances[start : start + _AT_ONCE])
            if retrieval.is_cancelled:
                return


class _Calls:
    """The associations of one C-MOVE: the one that stands is used as long as what comes fits its contexts."""

    def __init__(self, retrieval: _Retrieval, peer: Entity) -> None:
        self._retrieval = retrieval
        self._peer = peer
        self._stack = ExitStack()
        self._called: Association | None = None
        self._is_lost = False
        self._planned: dict[tuple[str, str], None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def send(self, instances: list[Instance]) -> None:
        """Each once; what could not be sent is noted, and so is all that follows a fault of the peer."""
        if self._is_lost:
            self._note(instances)
            return
        pairs = [(each.facts.sop_class, each.facts.transfer_syntax) for each in instances]
        if self._called is not None and self._called.is_open and all(pair in self._planned for pair in pairs):
            self._send_group(instances, self._called)
            return
        known = dict.fromkeys((*self._planned, *pairs))
        plans = contexts.plan(known)
        if len(plans) > 1:
            known = dict.fromkeys(pairs)
            plans = contexts.plan(known)
        for number, group in groupby(_by_plan(pairs, plans), key=lambda each: each[0]):
            self._begin(plans[number], [instances[place] for _, place in group])
        self._planned = known if len(plans) == 1 else {}

    def _begin(self, plan: list[Offer], chosen: list[Instance]) -> None:
        self._stack.close()
        self._called = None
        with self._noting(chosen):
            if self._is_lost:
                raise Closed("the move destination failed before")
            self._called = self._stack.enter_context(
                associations.opened(self._retrieval.session.house.settings.calling(self._peer), plan)
            )
        if self._called is not None:
            self._send_group(chosen, self._called)

    def _send_group(self, chosen: list[Instance], called: Association) -> None:
        left = list(chosen)
        with self._noting(left):
            _move_group(self._retrieval, left, called)

    @contextmanager
    def _noting(self, left: list[Instance]) -> Iterator[None]:
        """What is left after a fault of the peer was not sent."""
        retrieval = self._retrieval
        try:
            yield
        except errors.Fault as fault:
            if retrieval.session.connection.is_closed:
                raise
            if not self._is_lost:
                retrieval.session.house.log.event("move failed", peer=self._peer.title, why=fault.message)
            self._is_lost = True
            self._note(left)

    def _note(self, left: list[Instance]) -> None:
        for instance in left:
            self._retrieval.tally.note(instance, None)


def _by_plan(pairs: list[tuple[str, str]], plans: list[list[Offer]]) -> list[tuple[int, int]]:
    """In which association each goes, and its place."""
    where = {
        (offer.abstract_syntax, syntax): number
        for number, plan in reversed(list(enumerate(plans)))
        for offer in plan
        for syntax in offer.transfer_syntaxes
    }
    return sorted((where[pair], place) for place, pair in enumerate(pairs))


def _move_group(retrieval: _Retrieval, chosen: list[Instance], called: Association) -> None:
    """What is done leaves the list: the rest of it was not sent."""
    number = 0
    while chosen:
        if retrieval.look():
            return
        number += 1
        instance = chosen[0]
        status = _send(retrieval, called.connection, called.contexts.values(), instance, number)
        if called.connection.is_closed:
            raise Closed("the move destination has gone")
        chosen.pop(0)
        retrieval.tally.note(instance, status)
        retrieval.tell()


def _send(
    retrieval: _Retrieval, connection: Connection, agreed: Collection[Agreed], instance: Instance, number: int
) -> int | None:
    """The status of one sub-operation; None when it could not be tried."""
    house, command = retrieval.session.house, retrieval.message.command
    is_move = command.kind is Kind.MOVE
    request = sending.request_for(
        instance,
        number,
        originator=retrieval.session.calling if is_move else "",
        originator_id=command.number,
        priority=command.number_of(Field.PRIORITY),
    )
    try:
        return sending.send(
            connection,
            agreed,
            instance,
            request,
            maker=house.maker,
            scratch=None if house.spool is None else house.spool.directory,
            overhear=(lambda _: False) if is_move else retrieval.overhear,
        )
    except errors.Fault as fault:
        if retrieval.session.connection.is_closed:
            raise
        house.log.event("not sent", service=f"C-{command.kind.name}", why=fault.message, peer=retrieval.session.calling)
        return None
