"""Asking only for what changed: entity tags, dates, preconditions (RET-10; PS3.18 §8.5, RFC 9110 §8.8, §13).

An entity tag is strong and names one representation of one version. Nothing is opened and nothing made before it is
known that the caller has not got it yet.
"""

from __future__ import annotations

import functools
import hashlib
import time
from email.utils import formatdate, parsedate_to_datetime
from typing import Final

from dicomgate.server import lifetimes
from dicomgate.server.answers import Answer, Header
from dicomgate.server.errors import format_problem
from dicomgate.server.requests import Request

IMMUTABLE: Final = lifetimes.IMMUTABLE
CHANGING: Final = lifetimes.CHANGING
VARY: Final[Header] = (b"vary", b"Accept")
VARY_CODED: Final[Header] = (b"vary", b"Accept, Accept-Encoding")
"""Where the answer may come compressed."""
NO_RANGES: Final[Header] = (b"accept-ranges", b"none")
"""For what is made as it leaves: where its parts begin is not known ahead."""

_KEPT: Final = frozenset({b"etag", b"cache-control", b"vary", b"content-location", b"last-modified"})
_LONGEST_DATE: Final = 100
_SETTLED_SECONDS: Final = 2.0
"""A date tells versions apart only when no other can have come within its second (RFC 9110 §8.8.2.2)."""


def format_tag(version: str, representation: str, *, is_exact: bool = True) -> str:
    """An entity tag for one representation of one version; weak where the bytes differ from answer to answer."""
    digest = hashlib.blake2b(f"{version}\n{representation}".encode(), digest_size=12).hexdigest()
    return f'"{digest}"' if is_exact else f'W/"{digest}"'


def is_known(request: Request, tag: str) -> bool:
    """True when the caller has this already (If-None-Match, by weak comparison)."""
    known = request.header(b"if-none-match")
    return known is not None and _is_among(tag, known)


def not_modified(headers: list[Header]) -> Answer:
    """The answer to a caller who has it already."""
    return Answer(status=304, headers=[header for header in headers if header[0] in _KEPT])


def judge(request: Request, headers: list[Header], tag: str, modified: float = 0.0) -> Answer | None:
    """The answer that the preconditions call for, None where the whole is to be sent (RFC 9110 §13.2.2).

    `modified`: when the bytes came, 0 where that is not known. If-Modified-Since is compared as text with what
    Last-Modified says: the caller says what he was told, or has another version, be it an older one (as nginx does).
    """
    wanted = request.header(b"if-match")
    if wanted is not None:
        is_weak = tag.startswith("W/")  # which matches nothing here: strong comparison
        if wanted.strip() != "*" and (is_weak or tag not in [one.strip() for one in wanted.split(",")]):
            return refuse(request, 412, "this is not the version that the request expects")
    elif modified and _is_before(request.header(b"if-unmodified-since"), int(modified)):
        return refuse(request, 412, "what is stored was changed since")
    known = request.header(b"if-none-match")
    if known is not None:
        return not_modified(headers) if _is_among(tag, known) else None
    since = request.header(b"if-modified-since")
    return not_modified(headers) if since is not None and since == last_modified(modified) else None


def refuse(request: Request, status: int, detail: str, *headers: Header) -> Answer:
    """A refusal that is an answer and no fault: it carries fields of its own."""
    content_type, body = format_problem(status, detail, (), request.accept)
    return Answer(status=status, headers=[(b"content-type", content_type), *headers], chunks=[body], size=len(body))


def last_modified(moment: float) -> str | None:
    """A moment as Last-Modified tells it; None when it is not known, or so near that the second may hold another."""
    return _format_date(int(moment)) if 0 < moment < time.time() - _SETTLED_SECONDS else None


@functools.lru_cache(maxsize=256)
def _format_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def _is_before(date: str | None, moment: int) -> bool:
    """True for a date before the moment; what is no date is not looked at (§13.1.4)."""
    if date is None or len(date) > _LONGEST_DATE:
        return False
    try:
        return parsedate_to_datetime(date).timestamp() < moment
    except (ValueError, OverflowError):
        return False


def _is_among(tag: str, listed: str) -> bool:
    return listed.strip() == "*" or _opaque(tag) in {_opaque(one.strip()) for one in listed.split(",")}


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/")
