"""One association from its first byte to its last: asked for, judged, served, ended (PS3.8 §7, §9.2).

Whatever a stranger sends ends at most his own association; what he sent is never repeated in the log (T18, T20).
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Final

from dicomgate import errors
from dicomgate.dimse import committing, contexts, finding, negotiation, peers, retrieving, storing, upper_layer
from dicomgate.dimse.command_sets import Kind
from dicomgate.dimse.connection import LONGEST, Broken, Closed, Connection, Message, Released
from dicomgate.dimse.contexts import Service
from dicomgate.dimse.session import House, Session
from dicomgate.dimse.statuses import Status
from dicomgate.dimse.upper_layer import AbortReason, Rejection, Request

Serve = Callable[[Session, Message], None]


def _echo(opened: Session, message: Message) -> None:
    opened.answer(message, Status.SUCCESS)


SERVICES: Final[Mapping[tuple[Service, Kind], Serve]] = {
    (Service.VERIFICATION, Kind.ECHO): _echo,
    (Service.STORAGE, Kind.STORE): storing.store,
    (Service.FIND, Kind.FIND): finding.find,
    (Service.GET, Kind.GET): retrieving.get,
    (Service.MOVE, Kind.MOVE): retrieving.move,
    (Service.COMMITMENT, Kind.ACTION): committing.act,
}
"""What is done with which request; the conformance statement is made from it."""


def serve(house: House, sock: socket.socket, address: str, admit: Callable[[], bool]) -> None:
    """The whole life of a connection. `admit` tells whether one more association may stand."""
    connection = Connection(sock, house.settings.pauses)
    try:
        opened = _open(house, connection, address, admit)
        if opened is not None:
            _serve_all(opened)
    except Released:
        pass
    except Broken as fault:
        house.log.event("association broken off", why=fault.message, peer=address)
        connection.abort(AbortReason.NOT_GIVEN)
    except Closed as fault:
        house.log.event("association ended", why=fault.message, peer=address)
    except Exception as bug:  # noqa: BLE001 - the association boundary: a fault of ours ends one association only
        house.log.bug(bug, kind="association")
        connection.abort(AbortReason.NOT_GIVEN)
    finally:
        connection.close()


def _open(house: House, connection: Connection, address: str, admit: Callable[[], bool]) -> Session | None:
    event = connection.read_opening((upper_layer.REQUEST,))
    try:
        request = upper_layer.read_request(event.body)
    except (errors.Malformed, errors.TooLarge) as fault:
        raise Broken(fault.message) from fault
    rejection = _judge(house, request, address) or (None if admit() else Rejection.LIMIT)
    if rejection is not None:
        house.log.event("association rejected", why=upper_layer.REJECTIONS[rejection], peer=address)
        connection.send(upper_layer.write_rejection(rejection))
        return None
    connection.longest = request.said.longest
    agreed, acceptance = negotiation.accept(request, LONGEST, services=house.services)
    connection.send(upper_layer.write_acceptance(acceptance, called=request.called, calling=request.calling))
    return Session(
        house=house,
        connection=connection,
        calling=request.calling,
        address=address,
        contexts=agreed,
        wishes=negotiation.wishes(request),
    )


def _judge(house: House, request: Request, address: str) -> Rejection | None:
    settings = house.settings
    if not request.is_spoken:
        return Rejection.APPLICATION_CONTEXT
    if request.called != settings.title and not settings.any_title:
        return Rejection.CALLED_TITLE
    if not peers.may_call(settings.callers, request.calling, address):
        return Rejection.CALLING_TITLE
    return Rejection.CONGESTION if house.stopping.is_set() else None


def _serve_all(opened: Session) -> None:
    """One request after the other, until the peer ends it."""
    while True:
        message = opened.connection.read_message()
        agreed = opened.contexts.get(message.context)
        if agreed is None:
            raise Broken("a message in a context that was not agreed on")
        if message.command.kind is Kind.CANCEL:
            continue  # it came when the last answer was under way
        if message.command.is_response:
            if _is_of_report(opened, message):
                continue
            raise Broken("an answer to nothing that was asked")
        service = contexts.find_service(agreed.abstract_syntax)
        handler = SERVICES.get((service, message.command.kind)) if service is not None else None
        if handler is None or message.command.has_dataset == (message.command.kind is Kind.ECHO):
            if message.command.has_dataset:
                opened.connection.read_content(message, len)
            opened.answer(message, Status.UNRECOGNIZED_OPERATION)
            continue
        handler(opened, message)


def _is_of_report(opened: Session, message: Message) -> bool:
    """True for the answer to an event that we told; it changes nothing."""
    command = message.command
    if command.kind is not Kind.EVENT_REPORT or command.number not in opened.reported:
        return False
    opened.reported.discard(command.number)
    if command.has_dataset:
        opened.connection.read_content(message, len)
    return True
