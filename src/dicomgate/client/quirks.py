"""What servers that are in use do otherwise than the standard says, in one table (PS3.18 §8, §10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

PAGE: Final = 1000
"""Results that are asked for at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """A kind of server, told by the end of its host's name.

    `page`: the most results that it gives at once, 400 beyond. `wado_uri`: its URI service, as seen from the root.
    """

    name: str
    hosts: tuple[str, ...]
    page: int = PAGE
    wado_uri: str = "wado"


TABLE: Final = (Quirk(name="Azure Health Data Services", hosts=(".dicom.azurehealthcareapis.com",), page=200),)
_SMALLER: Final = (PAGE, 200, 100)
"""Tried in this order with a server that answers 400: some have a bound and say no more than that."""


def find(root: str) -> Quirk | None:
    """What is known of the server at an address."""
    host = urlsplit(root).hostname or ""
    return next((one for one in TABLE if host.endswith(one.hosts)), None)


def wado_uri(root: str) -> str:
    """The address of the URI service (PS3.18 §9): beside the services' root, unless it is known otherwise."""
    known = find(root)
    return urljoin(root, "wado" if known is None else known.wado_uri)


def pages(root: str) -> list[int]:
    """How many results to ask for at once, and what to try after a 400."""
    known = find(root)
    return [size for size in _SMALLER if known is None or size <= known.page]
