"""How long caches may keep answers without asking, and whose caches: by kind of answer and by settings (RFC 9111).

What a UID names may be deleted or replaced, where the archive allows it. Then nothing is used without asking, which
costs a 304 and no bytes; where nothing can change, frames and values are used without asking for a set time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dicomgate.server.answers import Header

IMMUTABLE: Final[Header] = (b"cache-control", b"private, no-cache, immutable")
"""The kind of bytes under a UID that never come otherwise: frames and values."""
CHANGING: Final[Header] = (b"cache-control", b"private, no-cache")
"""The kind of collections, and of all that says who the patient is: keep, but ask whether it changed (RET-09)."""

_ASK_ALWAYS: Final[Header] = (b"x-accel-expires", b"@1")
"""nginx keeps nothing that says no-cache, unless it is told a moment until which it may be used: one long past."""


class Lifetimes:
    """What an answer says of being kept. `seconds` 0: everything may change."""

    def __init__(self, *, seconds: int, shared: bool) -> None:
        own = _fields("private", seconds)
        self._own = own
        self._shared = _fields("public", seconds) if shared else own

    def settle(self, headers: Sequence[Header], *, is_personal: bool) -> list[Header]:
        """The fields with the kind of answer replaced by what it means here.

        `is_personal`: the caller said who he is, so nobody else is shown the answer, whatever the settings say.
        """
        chosen = self._own if is_personal else self._shared
        settled: list[Header] = []
        for header in headers:
            found = chosen.get(header[1]) if header[0] == b"cache-control" else None
            if found is None:
                settled.append(header)
            else:
                settled += found
        return settled


def _fields(whose: str, seconds: int) -> dict[bytes, tuple[Header, ...]]:
    ask = (b"cache-control", f"{whose}, no-cache".encode("ascii"))
    asking = (_ASK_ALWAYS, ask) if whose == "public" else (ask,)  # nginx takes the first of the two that comes
    keep = (b"cache-control", f"{whose}, max-age={seconds}, immutable".encode("ascii"))
    return {CHANGING[1]: asking, IMMUTABLE[1]: (keep,) if seconds else asking}
