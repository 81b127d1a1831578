"""Storage commitment: which of the instances that a peer names are on stable storage (PS3.4 §J.3, PS3.7 §10.1, D1).

What is found in the archive is there durably, so that the answer is known at once. It goes to a peer of the settings
over an association of its own, as most expect it, and else over the one that asked.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dicomgate import errors
from dicomgate.dicom import uids
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.matching import Match, OneOf, Query
from dicomgate.dicom.uids import Level
from dicomgate.dimse import associations, contexts, datasets, finding, identifiers, sending, statuses
from dicomgate.dimse.command_sets import Command, Field, Kind
from dicomgate.dimse.connection import Message
from dicomgate.dimse.contexts import Offer
from dicomgate.dimse.peers import Entity
from dicomgate.dimse.session import House, Session
from dicomgate.dimse.statuses import Status
from dicomgate.origin import Search

_TRANSACTION, _REFERENCED, _FAILED, _REASON = "00081195", "00081199", "00081198", "00081197"
_CLASS, _INSTANCE = "00081150", "00081155"
_OWN_CLASS, _OWN_INSTANCE = "00080016", "00080018"
_REQUEST_COMMITMENT: Final = 1
_ALL_COMMITTED, _SOME_FAILED = 1, 2
_AT_ONCE: Final = 200
_PAUSES: Final = (0.0, 5.0, 30.0, 120.0)


@dataclass(frozen=True, slots=True)
class _Asked:
    transaction: str
    references: tuple[tuple[str, str], ...]
    """Class and instance."""


def act(session: Session, message: Message) -> None:
    """Answer an N-ACTION, then report which instances are committed."""
    raw = session.connection.read_bytes(message, datasets.LONGEST)
    house, command = session.house, message.command
    if house.origin.store is None:
        session.answer(message, Status.NOT_AUTHORIZED, comment="nothing is stored here, so nothing is committed")
        return
    if command.number_of(Field.ACTION_TYPE) != _REQUEST_COMMITMENT:
        session.answer(message, Status.NO_SUCH_ACTION_TYPE)
        return
    peer = house.settings.find_peer(session.calling)
    if peer is not None and not house.reports.acquire(blocking=False):
        session.answer(message, Status.RESOURCE_LIMITATION, comment="as many commitments as we report at a time")
        return
    try:
        asked = _parse(datasets.read_dataset(raw, session.contexts[message.context].transfer_syntax))
        report = _report(house.origin.search, asked, house.settings.title)
    except errors.Fault as fault:
        if peer is not None:
            house.reports.release()
        session.answer(message, _status(fault), comment=fault.message)
        return
    if peer is not None:
        threading.Thread(target=_deliver, args=(house, peer, report), name="commitment", daemon=True).start()
    session.answer(message, Status.SUCCESS)
    if peer is None:
        _say_here(session, message, report)


def _status(fault: errors.Fault) -> Status:
    return Status.INVALID_ARGUMENT_VALUE if isinstance(fault, errors.Malformed) else Status.PROCESSING_FAILURE


def _parse(asked: JSONDataset) -> _Asked:
    transaction = identifiers.read_text(asked, _TRANSACTION)
    items = asked.get(_REFERENCED, {}).get("Value") or []
    references = tuple(
        (identifiers.read_text(item, _CLASS), identifiers.read_text(item, _INSTANCE)) for item in items if item
    )
    if not (transaction and references):
        raise errors.Malformed("expected a Transaction UID and a Referenced SOP Sequence")
    if not all(uids.is_uid(text) for text in (transaction, *(uid for reference in references for uid in reference))):
        raise errors.Malformed("a Transaction UID, SOP Class UID or SOP Instance UID that is none")
    return _Asked(transaction, references)


def _report(search: Search, asked: _Asked, title: str) -> JSONDataset:
    """The event's information: what is committed, what is not, and why."""
    stored = dict(_stored(search, [instance for _, instance in asked.references]))
    committed, failed = [], []
    for sop_class, instance in asked.references:
        item = {_CLASS: {"vr": "UI", "Value": [sop_class]}, _INSTANCE: {"vr": "UI", "Value": [instance]}}
        reason = _reason(stored, sop_class, instance)
        if reason is None:
            committed.append(item)
        else:
            failed.append({**item, _REASON: {"vr": "US", "Value": [int(reason)]}})
    report: JSONDataset = {
        "00080054": {"vr": "AE", "Value": [title]},
        _TRANSACTION: {"vr": "UI", "Value": [asked.transaction]},
    }
    if failed:
        report[_FAILED] = {"vr": "SQ", "Value": failed}
    if committed:
        report[_REFERENCED] = {"vr": "SQ", "Value": committed}
    return {tag: report[tag] for tag in sorted(report)}


def _reason(stored: Mapping[str, str], sop_class: str, instance: str) -> Status | None:
    if instance not in stored:
        return Status.NO_SUCH_INSTANCE
    return None if stored[instance] == sop_class else Status.CLASS_INSTANCE_CONFLICT


def _stored(search: Search, instances: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Instances that are there, with their classes."""
    wanted = list(dict.fromkeys(instances))
    for start in range(0, len(wanted), _AT_ONCE):
        some = OneOf(tuple(wanted[start : start + _AT_ONCE]))
        query = Query(level=Level.INSTANCE, matches=(Match((_OWN_INSTANCE,), some),), include=((_OWN_CLASS,),))
        for match in finding.pages(search, query):
            yield identifiers.read_text(match, _OWN_INSTANCE), identifiers.read_text(match, _OWN_CLASS)


# The report on its way.


def _event(number: int, report: JSONDataset) -> Command:
    fields = {
        Field.MESSAGE_ID: number,
        Field.AFFECTED_CLASS: contexts.STORAGE_COMMITMENT,
        Field.AFFECTED_INSTANCE: contexts.STORAGE_COMMITMENT_INSTANCE,
        Field.EVENT_TYPE: _SOME_FAILED if _FAILED in report else _ALL_COMMITTED,
    }
    return Command(Kind.EVENT_REPORT, fields, has_dataset=True)


def _say_here(session: Session, message: Message, report: JSONDataset) -> None:
    """Over the association that asked; the answer is heard as it comes."""
    event = _event(session.next_id(), report)
    session.reported.add(event.number)
    syntax = session.contexts[message.context].transfer_syntax
    session.connection.write_message(message.context, event, [datasets.write_dataset(report, syntax)])


def _deliver(house: House, peer: Entity, report: JSONDataset) -> None:
    """Over an association of its own, tried a few times: then the peer asks again (§J.3.3)."""
    try:
        for pause in _PAUSES:
            if house.stopping.wait(pause):
                break
            try:
                status = _say(house, peer, report)
            except errors.Fault as fault:
                house.log.event("commitment not reported yet", peer=peer.title, why=fault.message)
                continue
            if status != Status.SUCCESS:
                house.log.event("commitment refused", peer=peer.title, status=statuses.format_code(status))
            return
        house.log.event("commitment not reported", peer=peer.title)
    finally:
        house.reports.release()


def _say(house: House, peer: Entity, report: JSONDataset) -> int:
    """The status that the peer answers with."""
    offers = [Offer(contexts.STORAGE_COMMITMENT, contexts.MESSAGE_SYNTAXES, is_received=True)]
    with associations.opened(house.settings.calling(peer), offers) as called:
        agreed = called.context(contexts.STORAGE_COMMITMENT)
        event = _event(1, report)
        content = [datasets.write_dataset(report, agreed.transfer_syntax)]
        called.connection.write_message(agreed.number, event, content)
        return sending.wait_for(called.connection, event).command.status
