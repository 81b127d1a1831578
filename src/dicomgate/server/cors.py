"""Cross-origin headers on every answer, errors first of all (V15, CAP-05; WHATWG Fetch).

Credentials are never allowed with them, and an origin is named only because the settings allow it (T16).
"""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

Header = tuple[bytes, bytes]

ALLOWED_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
ALLOWED_HEADERS: Final = b"Authorization, Accept, Content-Type, Range, If-None-Match, Content-Security-Policy"
EXPOSED_HEADERS: Final = (
    b"Content-Type, Content-Length, Content-Range, Content-Location, "
    b"ETag, Link, Location, Retry-After, Warning, WWW-Authenticate, X-Total-Count"
)
MAX_AGE: Final = b"7200"

_EXPOSE: Final = (b"access-control-expose-headers", EXPOSED_HEADERS)
_ANYONE: Final[tuple[Header, ...]] = ((b"access-control-allow-origin", b"*"), _EXPOSE)
VARY: Final[Header] = (b"vary", b"Origin")
PREFLIGHT: Final[tuple[Header, ...]] = (
    (b"access-control-allow-methods", ALLOWED_METHODS),
    (b"access-control-allow-headers", ALLOWED_HEADERS),
    (b"access-control-max-age", MAX_AGE),
)
"""What the answer to a preflight carries besides."""


class Policy:
    """Which web origins may read answers: named ones, `loopback` (any page from this machine) or `*`."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._is_open = "*" in origins
        self._loopback = "loopback" in origins
        self._named = frozenset(origin.rstrip("/").lower() for origin in origins)

    def headers(self, origin: str | None) -> tuple[Header, ...]:
        """What an answer to a page of this origin carries."""
        if self._is_open:
            return _ANYONE
        if origin is None or not self._may_read(origin):
            return (VARY,)
        return ((b"access-control-allow-origin", origin.encode("ascii")), _EXPOSE, VARY)

    def _may_read(self, origin: str) -> bool:
        return origin.lower() in self._named or (self._loopback and is_loopback(origin))


def is_loopback(origin: str) -> bool:
    """True for an http(s) origin whose page was served from this machine."""
    if not origin.isascii():
        return False
    try:
        parts = urlsplit(origin)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    is_origin = parts.scheme in {"http", "https"} and f"{parts.scheme}://{parts.netloc}" == origin
    if not is_origin or host is None or "@" in parts.netloc:
        return False
    return host == "localhost" or host.endswith(".localhost") or _is_loopback_address(host)


def _is_loopback_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
