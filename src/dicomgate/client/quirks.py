"""What servers that are in use do otherwise than the standard says, in one table (PS3.18 §8, §10).

Each row says where that is written. Of servers only what is not the usual stands in it: the URI services of dcm4chee
and Orthanc, for example, are where they are looked for anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

PAGE: Final = 1000
"""Results that are asked for at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """A kind of server, told by how its host's name begins and ends. `source`: where what follows is written.

    `page`: the most results that it gives at once, 400 beyond. `most`: the most in all, however often it is asked.
    `sends_series`: whether a whole study or series comes in one answer. `lacks`: services that it has not: `wado-uri`,
    `thumbnail`, `capabilities`.
    """

    name: str
    begins: str = ""
    ends: str
    source: str
    page: int = PAGE
    most: int | None = None
    sends_series: bool = True
    lacks: frozenset[str] = frozenset()


TABLE: Final = (
    Quirk(
        name="Azure Health Data Services",
        ends=".dicom.azurehealthcareapis.com",
        source="DICOM Conformance Statement v2: supported search parameters; retrieve (WADO-RS)",
        page=200,
        lacks=frozenset({"wado-uri", "thumbnail"}),
    ),
    Quirk(
        name="Google Cloud Healthcare API",
        ends="healthcare.googleapis.com",
        source="DICOM conformance statement: introduction; retrieve transaction",
        lacks=frozenset({"wado-uri", "thumbnail", "capabilities"}),
    ),
    Quirk(
        name="AWS HealthImaging",
        begins="dicom-medical-imaging.",
        ends=".amazonaws.com",
        source="Developer Guide: searching DICOM data; retrieving DICOM data (of a series only its metadata)",
        most=10_000,
        sends_series=False,
        lacks=frozenset({"wado-uri", "thumbnail"}),
    ),
)
_SMALLER: Final = (PAGE, 200, 100)
"""Tried in this order with a server that answers 400: some have a bound and say no more than that."""


def find(root: str) -> Quirk | None:
    """What is known of the server at an address."""
    host = urlsplit(root).hostname or ""
    return next((one for one in TABLE if host.startswith(one.begins) and host.endswith(one.ends)), None)


def has(root: str, service: str) -> bool:
    """False of a service that servers of this kind are known to lack."""
    known = find(root)
    return known is None or service not in known.lacks


def sends_series(root: str) -> bool:
    """Whether a whole study or series may be asked for in one request."""
    known = find(root)
    return known is None or known.sends_series


def most(root: str) -> int | None:
    """The most results that a search gives, however many there are; None where nothing is known."""
    known = find(root)
    return None if known is None else known.most


def wado_uri(root: str) -> str:
    """The address of the URI service (PS3.18 §9): beside the services' root."""
    return urljoin(root, "wado")


def pages(root: str) -> list[int]:
    """How many results to ask for at once, and what to try after a 400."""
    known = find(root)
    return [size for size in _SMALLER if known is None or size <= known.page]
