"""Presentation contexts: which classes are spoken of in which transfer syntaxes, offered and chosen (PS3.8 §7.1.1.13).

What can be stored and how it can be encoded stands in `dicom.sop_classes` and `dicom.syntaxes`; this is what an
association makes of it. One association has at most 128 contexts, with the odd numbers from 1 to 255.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dicomgate.dicom import sop_classes, syntaxes

MOST: Final = 128
"""Contexts of one association (PS3.8 §9.3.2.2)."""

APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"
VERIFICATION: Final = "1.2.840.10008.1.1"
STORAGE_COMMITMENT: Final = "1.2.840.10008.1.20.1"
STORAGE_COMMITMENT_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
_QUERY: Final = "1.2.840.10008.5.1.4.1.2"


class Root(enum.Enum):
    """The information models of query and retrieve (PS3.4 §C.3)."""

    PATIENT = 1
    STUDY = 2
    PATIENT_STUDY_ONLY = 3  # retired

    @property
    def find(self) -> str:
        """The class of C-FIND."""
        return f"{_QUERY}.{self.value}.1"

    @property
    def move(self) -> str:
        """The class of C-MOVE."""
        return f"{_QUERY}.{self.value}.2"

    @property
    def get(self) -> str:
        """The class of C-GET."""
        return f"{_QUERY}.{self.value}.3"


class Service(enum.Enum):
    """What a presentation context is for."""

    VERIFICATION = "Verification"
    STORAGE = "Storage"
    FIND = "Query"
    MOVE = "Retrieve (C-MOVE)"
    GET = "Retrieve (C-GET)"
    COMMITMENT = "Storage Commitment"


_SERVICES: Final[dict[str, Service]] = {
    VERIFICATION: Service.VERIFICATION,
    STORAGE_COMMITMENT: Service.COMMITMENT,
    **{root.find: Service.FIND for root in Root},
    **{root.move: Service.MOVE for root in Root},
    **{root.get: Service.GET for root in Root},
}
ROOTS: Final[dict[str, Root]] = {uid: root for root in Root for uid in (root.find, root.move, root.get)}
"""The information model of a class of query and retrieve."""

MESSAGE_SYNTAXES: Final = (syntaxes.EXPLICIT_LITTLE, syntaxes.IMPLICIT_LITTLE)
"""Those of data sets that are spoken, not stored: identifiers, actions, events."""

STORED_SYNTAXES: Final = tuple(uid for uid, syntax in syntaxes.TABLE.items() if not syntax.is_referenced) + tuple(
    uid for uid, syntax in syntaxes.TABLE.items() if syntax.is_referenced
)
"""Those in which instances are taken as they come."""

PLAIN_SYNTAXES: Final = (syntaxes.EXPLICIT_LITTLE, syntaxes.IMPLICIT_LITTLE)
"""Those that everybody reads, and that are made of others where a peer takes no other."""


def find_service(abstract_syntax: str) -> Service | None:
    """What a class is for; None where the standard has another use for it. Unknown and private ones are stored."""
    service = _SERVICES.get(abstract_syntax)
    if service is None and sop_classes.is_storable(abstract_syntax):
        return Service.STORAGE
    return service


def classes(service: Service) -> tuple[str, ...]:
    """The classes of a service; none for storage, whose classes are all others."""
    return tuple(uid for uid, found in _SERVICES.items() if found is service)


def taken(service: Service) -> Sequence[str]:
    """The transfer syntaxes that we take for a service."""
    return STORED_SYNTAXES if service is Service.STORAGE else MESSAGE_SYNTAXES


@dataclass(frozen=True, slots=True)
class Context:
    """A presentation context as it is offered; `number` is odd."""

    number: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """What we offer, before it has a number: a class, and how it may be encoded."""

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]
    is_received: bool = False
    """We take the other's part: instances come to us in it, as in a C-GET (PS3.7 §D.3.3.4)."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """A presentation context that both sides have agreed on. `we_send`: we may send C-STORE requests in it."""

    number: int
    abstract_syntax: str
    transfer_syntax: str
    we_send: bool = True


class Answer(enum.IntEnum):
    """Result of one context (PS3.8 Table 9-18)."""

    ACCEPTED = 0
    REJECTED_BY_USER = 1
    NO_REASON = 2
    ABSTRACT_SYNTAX = 3
    TRANSFER_SYNTAXES = 4


def choose(
    context: Context, *, sends: bool = False, services: frozenset[Service] = frozenset(Service)
) -> Agreed | Answer:
    """What we, who were asked, say to a context: the first transfer syntax that we take, in the order of who asks.

    `sends`: it is we who are going to send instances in it, as in C-GET. Then one that can be made of nearly anything
    comes first, for nothing is known yet of how those instances are encoded.
    """
    service = find_service(context.abstract_syntax)
    if service is None or service not in services:
        return Answer.ABSTRACT_SYNTAX
    known = [uid for uid in context.transfer_syntaxes if uid in taken(service)]
    if not known:
        return Answer.TRANSFER_SYNTAXES
    if sends:
        known = [uid for uid in PLAIN_SYNTAXES if uid in known] or known
    return Agreed(context.number, context.abstract_syntax, known[0], we_send=sends)


def number_contexts(offers: Iterable[Offer]) -> list[Context]:
    """What is offered as contexts of one association; there must not be more than MOST."""
    found = [Context(2 * place + 1, one.abstract_syntax, one.transfer_syntaxes) for place, one in enumerate(offers)]
    assert len(found) <= MOST, "who offers more divides it"
    return found


def plan(
    instances: Iterable[tuple[str, str]],
    *,
    most: int = MOST,
    fallbacks: tuple[str, ...] = PLAIN_SYNTAXES,
) -> list[list[Offer]]:
    """What to offer for sending instances of given class and transfer syntax: a list for each association it takes.

    Each pair has a context of its own, so that the peer's choice among several never takes a syntax away; each class
    has one more, with those of `fallbacks` that are not among its own.
    """
    wanted: dict[str, dict[str, None]] = {}
    for sop_class, transfer_syntax in instances:
        wanted.setdefault(sop_class, {})[transfer_syntax] = None
    return list(_grouped(_offers(wanted, fallbacks), most))


def _offers(wanted: dict[str, dict[str, None]], fallbacks: tuple[str, ...]) -> Iterator[list[Offer]]:
    for sop_class, found in wanted.items():
        others = tuple(uid for uid in fallbacks if uid not in found)
        yield [*(Offer(sop_class, (uid,)) for uid in found), *([Offer(sop_class, others)] if others else [])]


def _grouped(classes: Iterable[list[Offer]], most: int) -> Iterator[list[Offer]]:
    group: list[Offer] = []
    for offers in classes:
        for start in range(0, len(offers), most):
            part = offers[start : start + most]
            if len(group) + len(part) > most:
                yield group
                group = []
            group = group + part
    if group:
        yield group


def find_for(
    agreed: Iterable[Agreed], sop_class: str, transfer_syntax: str, *, made: Sequence[str] = PLAIN_SYNTAXES
) -> Agreed | None:
    """The context to send an instance in: as it is stored, else in one of the syntaxes that can be `made` of it."""
    here = [each for each in agreed if each.abstract_syntax == sop_class and each.we_send]
    for wanted in (transfer_syntax, *made):
        for each in here:
            if each.transfer_syntax == wanted:
                return each
    return None
