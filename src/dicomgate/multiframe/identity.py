"""UIDs of what conversion makes: always the same for the same sources, never made of a foreign UID's text (LC-02)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from typing import Final

ALGORITHM: Final = 1
"""Goes into every UID: what is made in another way has another UID."""


def derive(kind: str, sources: Iterable[str], *, salt: str = "") -> str:
    """A UID under 2.25 (PS3.5 B.2) for what is made of these sources. `salt`: a site's own, against guessing."""
    text = "\n".join((str(ALGORITHM), salt, kind, *sorted(sources)))
    digest = hashlib.sha256(text.encode()).digest()[:16]
    return f"2.25.{uuid.UUID(bytes=digest, version=5).int}"
