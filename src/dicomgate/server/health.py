"""Whether the process lives, and whether it can serve, for those who watch it; not a DICOM service."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from dicomgate import errors
from dicomgate.server.answers import Answer, Header

_HEADERS: list[Header] = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]


def is_alive() -> Answer:
    """`/healthz`: the process answers."""
    return _answer({"status": "ok"})


def is_ready(check: Callable[[], None]) -> Answer:
    """`/readyz`: the origin can be asked, and stores if it ever does; `check` raises Fault when it cannot."""
    try:
        check()
    except errors.Fault as fault:
        return _answer({"status": "unavailable", "detail": fault.message}, status=503)
    return _answer({"status": "ok"})


def _answer(said: dict[str, str], status: int = 200) -> Answer:
    body = orjson.dumps(said)
    return Answer(status=status, headers=list(_HEADERS), chunks=[body], size=len(body))
