"""Answers that are made at once: their tag is that of their content, and they leave compressed where it is taken."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import xxhash

from dicomgate.server import caching, codings
from dicomgate.server.answers import Answer, Header
from dicomgate.server.exchange import field
from dicomgate.server.requests import Request

_WORTH_IT: Final = 1000
"""Bytes below which compressing gains nothing: they fit one packet."""


def answer(request: Request, headers: list[Header], chunks: Iterable[bytes]) -> Answer:
    """The content, unless the caller has it (RET-09)."""
    content = b"".join(chunks)
    coding = codings.choose(request.header(b"accept-encoding")) if len(content) > _WORTH_IT else codings.NONE
    tag = caching.format_tag(xxhash.xxh3_128_hexdigest(content), coding)
    fields = [*headers, field("etag", tag), caching.VARY_CODED, *codings.headers(coding)]
    early = caching.judge(request, fields, tag)
    if early is not None:
        return early
    body = b"".join(codings.compress([content], coding)) if coding else content
    return Answer(headers=fields, chunks=[body], size=len(body))
