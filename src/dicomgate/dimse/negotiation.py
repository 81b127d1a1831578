"""What we, who were asked for an association, make of it: contexts, roles, and extended negotiation (PS3.7 §D.3.3).

SOP Class Extended Negotiation of query and retrieve tells which further behaviours two sides agree on (PS3.4 §C.5).
The Service Class Application Information is one byte for each behaviour, 1 to ask for it or to grant it; bytes that are
missing are zero.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from dicomgate.dimse import contexts
from dicomgate.dimse.contexts import Agreed, Answer, Service
from dicomgate.dimse.upper_layer import Acceptance, Request, Role, Said

_QUERY: Final = (
    "relational",
    "combined_moments",
    "fuzzy",
    "timezone",
    "views",
    "empty_value",
    "multiple_value",
)
"""What the bytes of C-FIND classes stand for, in their order (§C.5.1.1)."""
_RETRIEVE: Final = ("relational", "views")
"""What the bytes of C-MOVE and C-GET classes stand for (§C.5.2.1, §C.5.3.1)."""
BYTES: Final = {Service.FIND: _QUERY, Service.MOVE: _RETRIEVE, Service.GET: _RETRIEVE}
"""Behaviours by the byte that stands for each, in their order."""
MEANINGS: Final = {
    "relational": "relational queries and retrievals: unique keys of upper levels may be missing",
    "combined_moments": "a range of dates and one of times are one range",
    "fuzzy": "fuzzy semantic matching of person names",
    "timezone": "Timezone Offset From UTC is that of the question",
    "views": "Query/Retrieve View: CLASSIC or ENHANCED",
    "empty_value": "empty value matching",
    "multiple_value": "multiple value matching",
}
"""What each is, to a person."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """Behaviours of query and retrieve, wanted or agreed on.

    `relational`: unique keys of upper levels may be missing. `combined_moments`: a range of dates and one of times are
    one range. `fuzzy`: names by their words. `timezone`: Timezone Offset From UTC is that of the question. `views`:
    Query/Retrieve View chooses between objects as received and converted ones. `empty_value`: `""` asks for what has
    no value. `multiple_value`: several values must all be there.
    """

    relational: bool = False
    combined_moments: bool = False
    fuzzy: bool = False
    timezone: bool = False
    views: bool = False
    empty_value: bool = False
    multiple_value: bool = False

    def __and__(self, other: Wishes) -> Wishes:
        """What both sides want."""
        return Wishes(*(getattr(self, each.name) and getattr(other, each.name) for each in fields(self)))


NONE: Final = Wishes()
"""What two sides have who agreed on nothing."""


def parse_wishes(service: Service, information: bytes) -> Wishes:
    """What a peer's bytes say for a class of the service; bytes beyond those that are known say nothing."""
    names = BYTES.get(service, ())
    return Wishes(**{name: byte == 1 for name, byte in zip(names, information, strict=False)})


def format_wishes(service: Service, wishes: Wishes, length: int | None = None) -> bytes:
    """The bytes for a class of the service: all that are known, or as many as a peer sent."""
    information = bytes(int(getattr(wishes, name)) for name in BYTES.get(service, ()))
    return information if length is None else information[:length].ljust(length, b"\0")


def accept(
    request: Request, longest: int, *, services: frozenset[Service] = frozenset(Service)
) -> tuple[dict[int, Agreed], Acceptance]:
    """What becomes of each context: instances may come in any, and go out where the peer said that it takes them.

    `longest`: bytes of a P-DATA PDU that we take. Other services than these are refused.
    """
    agreed: dict[int, Agreed] = {}
    answers: dict[int, str | Answer] = {}
    for context in request.contexts:
        role = request.said.roles.get(context.abstract_syntax)
        sends = role is not None and role.scp and contexts.find_service(context.abstract_syntax) is Service.STORAGE
        chosen = contexts.choose(context, sends=sends, services=services)
        if isinstance(chosen, Agreed):
            agreed[context.number] = chosen
            answers[context.number] = chosen.transfer_syntax
        else:
            answers[context.number] = chosen
    said = Said(longest=longest, roles=_roles(request), wishes=_granted(request))
    return agreed, Acceptance(answers=answers, said=said)


def _roles(request: Request) -> dict[str, Role]:
    offered = {context.abstract_syntax for context in request.contexts}
    return {
        uid: Role(role.scu, role.scp)
        for uid, role in request.said.roles.items()
        if uid in offered and contexts.find_service(uid) is Service.STORAGE
    }


def _granted(request: Request) -> dict[str, bytes]:
    found = {}
    for uid, raw in request.said.wishes.items():
        service = contexts.find_service(uid)
        if uid in contexts.ROOTS and service is not None:
            found[uid] = format_wishes(service, parse_wishes(service, raw), len(raw))
    return found


def wishes(request: Request) -> dict[str, Wishes]:
    """What was agreed on for each class of query and retrieve: all that was asked for, as we know every behaviour."""
    found = {}
    for uid, raw in request.said.wishes.items():
        service = contexts.find_service(uid)
        if uid in contexts.ROOTS and service is not None:
            found[uid] = parse_wishes(service, raw)
    return found
