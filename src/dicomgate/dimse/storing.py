"""C-STORE: one instance from the connection into the spool and to the origin, as it came (PS3.4 §B, PS3.7 §9.1.1).

Success means what the origin says by it: the instance is on stable storage (D1). Nothing is decoded on the way.
"""

from __future__ import annotations

from typing import Final

from dicomgate import errors, spool
from dicomgate.dicom import part10
from dicomgate.dicom.outcomes import Outcome, Reason, Refused
from dicomgate.dimse import statuses
from dicomgate.dimse.command_sets import Field
from dicomgate.dimse.connection import Message
from dicomgate.dimse.session import Session
from dicomgate.spool import Arrival

_LARGE: Final = 16 << 10
"""Views of so many bytes are kept as they are; smaller ones would hold on to all that was received with them."""


def store(session: Session, message: Message) -> None:
    """Take one instance in, and say what became of it."""
    outcome = _take(session, message)
    status = statuses.of_outcome(outcome)
    comment = outcome.message if isinstance(outcome, Refused) else ""
    session.answer(message, status, comment=comment)
    if isinstance(outcome, Refused):
        session.house.log.event("refused", service="C-STORE", status=statuses.format_code(status), peer=session.calling)


def _take(session: Session, message: Message) -> Outcome | Refused:
    house, command = session.house, message.command
    if house.origin.store is None or house.spool is None:
        return _leave(session, message, Reason.READ_ONLY)
    sop_class, instance = command.text(Field.AFFECTED_CLASS), command.text(Field.AFFECTED_INSTANCE)
    agreed = session.contexts[message.context]
    if not (sop_class and instance):
        return _leave(session, message, Reason.MISSING_UID)
    if sop_class != agreed.abstract_syntax:
        return _leave(session, message, Reason.DOES_NOT_MATCH_CLASS)
    try:
        house.origin.store.require_room()
    except errors.Unavailable as fault:
        return _leave(session, message, Reason.OUT_OF_RESOURCES, fault.message)
    arrival = house.spool.arrival()
    arrival.caller = session.calling
    try:
        beginning = part10.write_beginning(
            sop_class=sop_class, instance=instance, transfer_syntax=agreed.transfer_syntax
        )
        refused = _fill(session, message, arrival, beginning)
        if refused is not None:
            return refused
        return _check(arrival, sop_class, instance) or house.origin.store.accept(arrival)
    finally:
        arrival.discard()


def _fill(session: Session, message: Message, arrival: Arrival, beginning: bytes) -> Refused | None:
    """All bytes of the data set; after a fault the rest is read and let go, so that the association goes on."""
    most = session.house.settings.instance_bytes
    refused: Refused | None = None
    arrival.write(beginning)

    def take(content: memoryview) -> None:
        nonlocal refused
        if refused is not None:
            return
        if arrival.size + len(content) > most:
            refused = Refused(Reason.LIMIT_PASSED, f"longer than {most} bytes")
            return
        try:
            arrival.write(content if len(content) >= _LARGE else bytes(content))
        except OSError as error:
            refused = _full(error)

    session.connection.read_content(message, take)
    if refused is None:
        try:
            arrival.finish()
        except OSError as error:
            refused = _full(error)
    return refused


def _full(error: OSError) -> Refused:
    fault = spool.fault(error, "the instance cannot be kept aside")
    return Refused(Reason.OUT_OF_RESOURCES, fault.message, is_full=isinstance(fault, errors.OutOfSpace))


def _check(arrival: Arrival, sop_class: str, instance: str) -> Refused | None:
    """The data set has to be what the command says it is. What cannot be read, the origin refuses in its words."""
    try:
        seen = arrival.header()
    except (errors.Malformed, errors.TooLarge):
        return None
    target = seen.target
    if seen.sop_class is not None and seen.sop_class != sop_class:
        return Refused(Reason.DOES_NOT_MATCH_CLASS, "the command names another SOP class", target, sop_class)
    if target is not None and target.instance != instance:
        return Refused(Reason.DOES_NOT_MATCH_CLASS, "the command names another SOP instance", target, sop_class)
    return None


def _leave(session: Session, message: Message, reason: Reason, detail: str = "") -> Refused:
    """Refused before it was read: its bytes are let go."""
    session.connection.read_content(message, len)
    return Refused(reason, detail)
