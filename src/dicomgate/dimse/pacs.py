"""A PACS as an origin, put together: questions, retrieval through a cache, storage (docs/how-to/gateway.md)."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from dicomgate.dicom.limits import DEFAULT, Limits
from dicomgate.dicom.uids import Target
from dicomgate.dimse.associations import Peer
from dicomgate.dimse.pacs_coming import Aside
from dicomgate.dimse.pacs_counts import Counting
from dicomgate.dimse.pacs_fetch import Fetcher, Way
from dicomgate.dimse.pacs_intake import Intake
from dicomgate.dimse.pacs_library import Library, Tell
from dicomgate.dimse.pacs_memory import Memory
from dicomgate.dimse.pacs_questions import Questions
from dicomgate.dimse.pacs_retrieve import PacsRetriever
from dicomgate.dimse.pacs_search import PacsSearch
from dicomgate.dimse.pacs_shelf import Shelf
from dicomgate.dimse.pacs_store import PacsStore
from dicomgate.dimse.pacs_whole import WholeStudies
from dicomgate.dimse.pool import Pool
from dicomgate.dimse.receiver import Receiver, Reception
from dicomgate.origin import Origin
from dicomgate.spool import Spool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a PACS is spoken with and what is kept of it; the settings of the same names say what each means."""

    peer: Peer
    receiver: Reception | None
    way: Way = "auto"
    associations: int = 8
    wait_seconds: float = 30.0
    keep_seconds: float = 20.0
    character_set: str = ""
    answers: int = 2000
    fan_out: int = 200
    cache_bytes: int = 20 << 30
    check_seconds: float = 60.0
    metadata_seconds: float = 2.0
    largest: int = 16 << 30
    limits: Limits = field(default=DEFAULT)


class Pacs:
    """A PACS that can be asked. `close` ends every association."""

    def __init__(
        self, plan: Plan, *, cache: Origin, spool: Spool, shelf: Path, tell: Tell, aside: Aside = nullcontext
    ) -> None:
        """`cache`: the archive that keeps instances, `shelf`: the folder of the book about them.

        Whoever waits for the PACS does so `aside`.

        Unavailable when the port for C-MOVE cannot be listened on.
        """
        assert cache.store is not None, "a cache keeps"
        store = cache.store
        self.pool = Pool(
            plan.peer, most=plan.associations, wait_seconds=plan.wait_seconds, keep_seconds=plan.keep_seconds
        )
        self.receiver = None if plan.receiver is None else Receiver(plan.receiver)
        self.questions = Questions(self.pool, charset=plan.character_set, aside=aside)
        self.shelf = Shelf(shelf, cache, most_bytes=plan.cache_bytes)
        self.holdings = Library(
            cache=cache,
            shelf=self.shelf,
            questions=self.questions,
            fetcher=Fetcher(self.pool, self.receiver, way=plan.way),
            intake=lambda coming: Intake(coming, store=store, spool=spool, largest=plan.largest),
            check_seconds=plan.check_seconds,
            tell=tell,
            aside=aside,
        )
        self.whole = WholeStudies(self.holdings, self.questions, cache, check_seconds=plan.check_seconds)
        memory = Memory()
        self.origin = Origin(
            search=PacsSearch(
                self.questions,
                most=plan.answers,
                fan_out=plan.fan_out,
                counting=Counting(self.questions),
                memory=memory,
                heard=self.holdings.heard,
            ),
            retrieve=PacsRetriever(self.holdings, self.questions, cache, patience=plan.metadata_seconds),
            store=PacsStore(self.pool, limits=plan.limits, changed=_forgetter(self.shelf, memory), aside=aside),
        )

    def check_ready(self) -> None:
        """Raises what is known to stand between us and the PACS."""
        self.pool.require()

    def close(self) -> None:
        """Let nobody wait, end what is open."""
        self.holdings.close()
        self.pool.close()
        if self.receiver is not None:
            self.receiver.close()


def _forgetter(shelf: Shelf, memory: Memory) -> Callable[[Target], None]:
    def forget(target: Target) -> None:
        shelf.doubt(target.study)
        memory.forget()

    return forget


def senders(host: str, title: str, networks: tuple[str, ...]) -> Callable[[str, str], bool]:
    """Who may send to us: the PACS, from its own addresses, and whoever is in the networks (T20)."""
    allowed = [ipaddress.ip_network(one, strict=False) for one in networks]

    def is_allowed(address: str, calling: str) -> bool:
        where = ipaddress.ip_address(address.partition("%")[0])
        plain = getattr(where, "ipv4_mapped", None) or where
        if any(plain.version == one.version and plain in one for one in allowed):
            return True
        return calling == title and str(plain) in _addresses(host)

    return is_allowed


def _addresses(host: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    except OSError:
        return set()
