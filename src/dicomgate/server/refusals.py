"""What is answered before the application hears of a request (RFC 9110 §15.5; T13, T15, V15)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import orjson

from dicomgate.server.answers import Header
from dicomgate.server.exchange import API_HEADERS

LONGEST_URL: Final = 32 << 10


class Refusal(Exception):  # noqa: N818 - a signal through parsers, not an error of ours
    """A request that no application sees; `sentence` repeats nothing of it."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


def make(status: int, sentence: str, cross_origin: tuple[Header, ...]) -> tuple[list[Header], bytes]:
    """Fields and body of an answer that a page from elsewhere can read like any other (V15)."""
    phrase = HTTPStatus(status).phrase
    body = orjson.dumps({"type": "about:blank", "title": phrase, "status": status, "detail": sentence})
    fields: list[Header] = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *API_HEADERS,
        *cross_origin,
    ]
    if status in {429, 503}:
        fields.append((b"retry-after", b"5"))
    return fields, body
