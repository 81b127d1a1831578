"""C-FIND: a question in, its matches out one by one, until they end or are cancelled (PS3.4 §C.4.1, PS3.7 §9.1.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from dicomgate import errors
from dicomgate.dicom import elements
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.matching import Match, OneOf, Query
from dicomgate.dicom.uids import Level
from dicomgate.dimse import contexts, datasets, identifiers, statuses
from dicomgate.dimse.connection import Message
from dicomgate.dimse.identifiers import ISSUER, PATIENT_COUNTS, PATIENT_ID, VIEW, Question
from dicomgate.dimse.session import House, Session
from dicomgate.dimse.statuses import Status
from dicomgate.origin import Origin, Search

_PAGE: Final = 200
_OF_STUDIES: Final = ("00201206", "00201208")
"""Number of Study Related Series, Instances: what those of a patient are counted from."""
_VIEWS: Final = frozenset({"CLASSIC", "ENHANCED"})


class _Cancelled(Exception):  # noqa: N818 - no error: the peer has what it wants
    """The peer does not want the rest."""


def find(session: Session, message: Message) -> None:
    """Answer a C-FIND: each match by a pending response, then how it ended."""
    raw = session.connection.read_bytes(message, datasets.LONGEST)
    agreed = session.contexts[message.context]
    try:
        asked = datasets.read_dataset(raw, agreed.transfer_syntax)
        root = contexts.ROOTS[agreed.abstract_syntax]
        question = identifiers.parse_question(asked, root, session.wishes_of(message))
        origin = origin_of(session.house, identifiers.read_text(asked, VIEW), agreed=session.wishes_of(message).views)
        status, comment = _send_all(session, message, question, origin), ""
    except _Cancelled:
        status, comment = Status.CANCELLED, ""
    except errors.Fault as fault:
        if session.connection.is_closed:
            raise
        status, comment = statuses.of_fault(fault), fault.message
    session.answer(message, status, comment=comment)


def origin_of(house: House, view: str, *, agreed: bool) -> Origin:
    """The origin whose objects a view shows; without one they are as they were received (LC-33).

    Malformed for a view that was not agreed on, or is none.
    """
    if not view:
        return house.origin
    if not agreed or view not in _VIEWS:
        raise errors.Malformed("Query/Retrieve View: expected CLASSIC or ENHANCED, after it was agreed on")
    return house.views.get(view, house.origin)


def _send_all(session: Session, message: Message, question: Question, origin: Origin) -> Status:
    house = session.house
    charset = identifiers.read_text(question.asked, identifiers.CHARSET)
    syntax = session.contexts[message.context].transfer_syntax
    pending = Status.PENDING_KEYS_IGNORED if question.ignored else Status.PENDING
    found = _patients(origin.search, question) if question.is_of_patients else pages(origin.search, question.query)
    for number, match in enumerate(found):
        if session.is_cancelled(message):
            raise _Cancelled
        if number == house.settings.matches:
            raise errors.TooLarge(f"more than {number} matches; ask for fewer")
        answer = identifiers.format_answer(match, question, ae_title=house.settings.title)
        content = datasets.write_dataset(answer, syntax, charset=charset)
        session.connection.write_message(message.context, message.command.answer(pending, has_dataset=True), [content])
    return Status.SUCCESS


def pages(search: Search, query: Query) -> Iterator[JSONDataset]:
    """Every match, a page at a time."""
    query = replace(query, limit=_PAGE)
    while True:
        found = search.search(query)
        count = 0
        for dataset in found.datasets:
            count += 1
            yield dataset
        if found.next is not None:
            query = replace(query, after=found.next, offset=0)
        elif found.remaining == 0 or not count or (found.remaining is None and count < _PAGE):
            return
        else:
            query = replace(query, offset=query.offset + count)


# Patients: each is what its studies say of it.


@dataclass(slots=True)
class _Counts:
    studies: int = 0
    series: int = 0
    instances: int = 0


def _patients(search: Search, question: Question) -> Iterator[JSONDataset]:
    seen: set[tuple[str, str]] = set()
    wants_counts = bool(set(PATIENT_COUNTS) & set(question.asked))
    for study in pages(search, replace(question.query, include=(*question.query.include, (ISSUER,)))):
        who = _who(study)
        if who in seen:
            continue
        seen.add(who)
        yield {**study, **_counts(search, who)} if wants_counts else study


def _who(study: JSONDataset) -> tuple[str, str]:
    return identifiers.read_text(study, PATIENT_ID), identifiers.read_text(study, ISSUER)


def _counts(search: Search, who: tuple[str, str]) -> JSONDataset:
    """How many studies, series and instances a patient has; nothing of one without an ID."""
    if not who[0]:
        return {}
    counts = _Counts()
    query = Query(level=Level.STUDY, matches=(Match((PATIENT_ID,), OneOf((who[0],))),), include=((ISSUER,),))
    for study in pages(search, query):
        if _who(study) == who:
            series, instances = (sum(map(int, elements.numbers(study.get(tag, {})))) for tag in _OF_STUDIES)
            counts.studies += 1
            counts.series += series
            counts.instances += instances
    numbers = (counts.studies, counts.series, counts.instances)
    return {tag: {"vr": "IS", "Value": [number]} for tag, number in zip(PATIENT_COUNTS, numbers, strict=True)}
