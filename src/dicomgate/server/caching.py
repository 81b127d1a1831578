"""Asking only for what changed, or for a part of it: ETag, If-None-Match, Range (RET-10, V13; RFC 9110 §13, §14)."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from dicomgate.server.answers import Answer, Header
from dicomgate.server.requests import Request

IMMUTABLE: Final[Header] = (b"cache-control", b"private, max-age=3600")
"""For frames and values, which nearly always stay; an hour, for they may be deleted or replaced all the same."""
CHANGING: Final[Header] = (b"cache-control", b"private, no-cache")
"""For collections, and for all that says who the patient is: keep, but ask whether it changed (RET-09)."""
VARY: Final[Header] = (b"vary", b"Accept")

_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def format_tag(version: str, representation: str, *, is_exact: bool = True) -> str:
    """An entity tag for one representation of one version; weak where the bytes differ from answer to answer."""
    digest = hashlib.blake2b(f"{version}\n{representation}".encode(), digest_size=12).hexdigest()
    return f'"{digest}"' if is_exact else f'W/"{digest}"'


def is_known(request: Request, tag: str) -> bool:
    """True when the caller has this already (If-None-Match, by weak comparison)."""
    known = request.header(b"if-none-match")
    if known is None:
        return False
    return known.strip() == "*" or _opaque(tag) in {_opaque(one.strip()) for one in known.split(",")}


def not_modified(headers: list[Header]) -> Answer:
    """The answer to a caller who has it already."""
    kept = {b"etag", b"cache-control", b"vary", b"content-location"}
    return Answer(status=304, headers=[header for header in headers if header[0] in kept])


def wanted_range(request: Request, size: int, tag: str) -> range | None:
    """The one span of bytes asked for; None when the whole is wanted or the field is not one we follow.

    An empty range means that it cannot be satisfied. Several ranges, and one conditional on another version, are
    answered with the whole, as RFC 9110 §14.2 and §13.1.5 allow and want.
    """
    asked = request.header(b"range")
    condition = request.header(b"if-range")
    if asked is None or (condition is not None and condition != tag):
        return None
    match = _RANGE.fullmatch(asked.strip())
    if match is None or match.group() == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size - int(last)), size)
    start, stop = int(first), min(int(last) + 1, size) if last else size
    if last and int(last) < start:
        return None
    return range(start, max(start, stop)) if start < size else range(0)


def range_header(span: range, size: int) -> Header:
    """Content-Range for a span of a whole of that size."""
    return b"content-range", b"bytes %d-%d/%d" % (span.start, span.stop - 1, size)


def not_satisfiable(size: int) -> Answer:
    """The answer to a range past the end."""
    return Answer(status=416, headers=[(b"content-range", b"bytes */%d" % size)], size=0)


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/")
