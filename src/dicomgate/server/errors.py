"""The one table from faults to HTTP statuses, and the one error body (PS3.18 §8.5, RFC 9457; T15, T18)."""

from __future__ import annotations

import html
from http import HTTPStatus
from typing import Final

import orjson

from dicomgate import errors, extras

STATUSES: Final[dict[type[errors.Fault], int]] = {
    errors.Malformed: 400,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.NotAllowed: 405,
    errors.NotAcceptable: 406,
    errors.Conflict: 409,
    errors.Gone: 410,
    errors.TooLarge: 413,
    errors.UnsupportedMedia: 415,
    errors.UnsupportedCoding: 415,
    extras.NotInstalled: 501,
    errors.UpstreamFailed: 502,
    errors.Unavailable: 503,
    errors.Changed: 503,
    errors.Damaged: 503,
    errors.UpstreamSilent: 504,
    errors.OutOfSpace: 507,
}

RETRY_AFTER: Final = {503: b"5", 507: b"60"}
"""Seconds after which it may be worth another try (V18)."""

_JSON: Final = "application/problem+json"
_TEXT: Final = "text/plain"
_HTML: Final = "text/html"
_ASKED_BY: Final = {
    _TEXT: _TEXT,
    "text/*": _TEXT,
    _HTML: _HTML,
    _JSON: _JSON,
    "application/json": _JSON,
    "application/dicom+json": _JSON,
}

Header = tuple[bytes, bytes]


def status_of(fault: errors.Fault) -> int:
    """The status of a fault, or of its nearest ancestor in the table."""
    for kind in type(fault).__mro__:
        if kind in STATUSES:
            return STATUSES[kind]
    return 500


def headers_of(fault: errors.Fault, status: int) -> list[Header]:
    """What a status obliges us to say beside the body: Allow, Retry-After, what would be taken (GEN-10, V18)."""
    headers: list[Header] = []
    if isinstance(fault, errors.UnsupportedMedia) and fault.see:  # RFC 9110 §15.5.16
        name = b"accept-encoding" if isinstance(fault, errors.UnsupportedCoding) else b"accept"
        headers.append((name, ", ".join(fault.see).encode("ascii")))
    if isinstance(fault, errors.NotAllowed):
        headers.append((b"allow", ", ".join(fault.see).encode("ascii")))
    if status in RETRY_AFTER:
        headers.append((b"retry-after", RETRY_AFTER[status]))
    return headers


def format_problem(status: int, detail: str, see: tuple[str, ...], accept: str | None) -> tuple[bytes, bytes]:
    """Content type and body of an error: problem+json unless text or a page comes first in what is accepted."""
    title = HTTPStatus(status).phrase
    match _wanted(accept):
        case "text/plain":
            return b"text/plain; charset=utf-8", _plain(status, title, detail, see).encode()
        case "text/html":
            return b"text/html; charset=utf-8", _page(status, title, detail, see).encode()
        case _:
            problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
            return _JSON.encode(), orjson.dumps({**problem, "see": see} if see else problem)


def _wanted(accept: str | None) -> str:
    for choice in (accept or "").split(","):
        kind = _ASKED_BY.get(choice.partition(";")[0].strip().lower())
        if kind:
            return kind
    return _JSON


def _plain(status: int, title: str, detail: str, see: tuple[str, ...]) -> str:
    lines = [f"{status} {title}", detail, *(f"  {one}" for one in see)]
    return "\n".join(lines) + "\n"


def _page(status: int, title: str, detail: str, see: tuple[str, ...]) -> str:
    head = html.escape(f"{status} {title}")
    items = "".join(f"<li>{html.escape(one)}</li>" for one in see)
    hints = f"<ul>{items}</ul>" if items else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{head}</title>'
        f"<h1>{head}</h1><p>{html.escape(detail)}</p>{hints}</html>"
    )
