"""The tables of the conformance statement that are about DIMSE, from what associations are served by (PS3.2 §F.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from dicomgate.dicom import names, syntaxes
from dicomgate.dimse import association, contexts, negotiation, statuses
from dicomgate.dimse.command_sets import Kind
from dicomgate.dimse.contexts import Service

_COMPOSITE: Final = frozenset({Kind.STORE, Kind.GET, Kind.FIND, Kind.MOVE, Kind.ECHO})


def format_markdown() -> str:
    """The generated part of docs/conformance.md that is about DIMSE."""
    sections = (
        ("DIMSE services", _services()),
        ("DIMSE extended negotiation", _negotiated()),
        ("DIMSE statuses", _statuses()),
    )
    return "\n\n".join("\n".join((f"## {title}", "", *lines)) for title, lines in sections) + "\n"


def _table(*titles: str, rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (titles, ("---",) * len(titles), *rows):
        yield f"| {' | '.join(row)} |"


def _services() -> Iterator[str]:
    rows = (
        (service.value, _command(kind), _classes(service), _encodings(service))
        for service, kind in association.SERVICES
    )
    return _table("service, as its provider", "request", "SOP classes", "transfer syntaxes", rows=rows)


def _command(kind: Kind) -> str:
    return f"{'C' if kind in _COMPOSITE else 'N'}-{kind.name.replace('_', '-')}"


def _classes(service: Service) -> str:
    if service is Service.STORAGE:
        return "every storage class of the standard, and every UID that it does not know"
    return "<br>".join(f"{names.find_uid(uid)} `{uid}`" for uid in contexts.classes(service))


def _encodings(service: Service) -> str:
    if service is Service.STORAGE:
        return "all of the table above"
    return ", ".join(syntaxes.name(uid) for uid in contexts.taken(service))


def _negotiated() -> Iterator[str]:
    rows = (
        (service.value, str(number + 1), negotiation.MEANINGS[name])
        for service, wishes in negotiation.BYTES.items()
        for number, name in enumerate(wishes)
    )
    return _table("service", "byte", "granted to who asks for it", rows=rows)


def _statuses() -> Iterator[str]:
    rows = (
        (f"`{statuses.format_code(status)}`", statuses.kind(status).value, meaning)
        for status, meaning in statuses.MEANINGS.items()
    )
    return _table("status", "kind", "meaning", rows=rows)
