"""QIDO-RS: what is stored, as a page of matches, and how to go on (PS3.18 §10.6, §8.3.4)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import quote, urlencode

from dicomgate.dicom import attributes
from dicomgate.dicom.matching import Query
from dicomgate.dicomweb import cursors, matches, negotiation, offers, query, resources, warning
from dicomgate.dicomweb.resources import Resource
from dicomgate.origin import Found, JSONDataset
from dicomgate.server import caching, whole
from dicomgate.server.answers import Answer, Header
from dicomgate.server.exchange import field
from dicomgate.server.requests import Request
from dicomgate.server.walks import END, Walker

_LONGEST_LINK: Final = 8000
"""Many clients take no longer header field."""
_CALLER: Final = (b"authorization", b"forwarded", b"x-forwarded-for", b"user-agent")
"""What tells callers from each other, beside their address."""


def search(request: Request, resource: Resource) -> Answer:
    """One page of matches; 204 when there is none (QIDO-16)."""
    offer = negotiation.choose(request.wishes(), offers.SEARCH)
    settings = request.door.settings
    asked = query.parse(
        resource, request.pairs, strict=settings.strict, default_limit=settings.most, most=settings.most
    )
    found, page = _find(request, asked.query)
    headers = [caching.CHANGING]
    headers += (_warning(request, text) for text in (*asked.warnings, *_shortfalls(asked.query, found)))
    headers += _counted(found)
    if not page:
        return Answer(status=204, headers=[*headers, caching.VARY_CODED], size=0)
    headers += _next(request, resource, asked.query, found)
    content_type, chunks = matches.write(page, resource, request.root, offer)
    return whole.answer(request, [field("content-type", content_type), *headers], chunks)


def _find(request: Request, asked: Query) -> tuple[Found, Sequence[JSONDataset]]:
    """The answer and its page, from where the caller's page before it ended if that is known (see `walks`)."""
    walks, walker = request.door.walks, _walker(request, asked)
    place = walks.find(walker, asked.offset) if asked.offset and asked.limit else None
    if place == END:
        total = request.door.origin.search.search(replace(asked, offset=0, limit=0)).total if asked.is_counted else None
        return Found(datasets=(), remaining=0, total=total), ()
    actual = replace(asked, offset=0, after=place) if place else asked
    found = request.door.origin.search.search(actual)
    page = found.datasets if isinstance(found.datasets, Sequence) else list(found.datasets)
    end = asked.offset + len(page)
    if page and (found.next or found.remaining == 0):
        walks.note(walker, end, found.next or END)
    elif page:
        walks.forget(walker, end)
    return found, page


def _walker(request: Request, asked: Query) -> Walker:
    digest = hashlib.blake2b(cursors.question(asked), digest_size=16)
    for text in (asked.after, request.peer, *map(request.header, _CALLER)):
        digest.update(b"\0" if text is None else b"\1" + text.encode() + b"\0")
    return Walker(digest.digest(), request.connection)


def _warning(request: Request, text: str) -> Header:
    return field("warning", warning.format_warning(request.root, text))


def _shortfalls(asked: Query, found: Found) -> Iterator[str]:
    if found.unmatched:
        yield f"Not compared, where this is kept: {', '.join(map(attributes.format_path, found.unmatched))}"
    if found.remaining:
        yield warning.remaining_results(found.remaining)
    if asked.is_counted and found.total is None:
        yield warning.NOT_COUNTED


def _counted(found: Found) -> Sequence[Header]:
    return [] if found.total is None else [field("x-total-count", str(found.total))]


def _next(request: Request, resource: Resource, asked: Query, found: Found) -> Sequence[Header]:
    """The address of the next page: the caller's own with the place where this one ended (RFC 8288)."""
    if found.next is None:
        return []
    kept = [pair for pair in request.pairs if pair[0] not in ("offset", "cursor")]
    pairs = [*kept, ("cursor", cursors.format_cursor(asked, found.next))]
    address = f"{resources.format_resource(request.root, resource)}?{urlencode(pairs, quote_via=quote)}"
    return [field("link", f'<{address}>; rel="next"')] if len(address) <= _LONGEST_LINK else []
