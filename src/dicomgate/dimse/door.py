"""The DIMSE door: takes connections from a listening socket, each association in a thread of its own (T20).

Connections that have not asked for an association yet are bounded apart from those that have: half-open ones do not
keep others out, for the oldest of them goes when there are too many.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Final

from dicomgate.dimse import association
from dicomgate.dimse.session import House

_LOOK_SECONDS: Final = 0.5


@dataclass(slots=True, eq=False)
class _Visit:
    """One connection."""

    sock: socket.socket
    address: str
    stands: bool = False


@dataclass(slots=True, eq=False)
class Door:
    """Serves associations over one origin until it is told to stop. `run_on` is called once."""

    house: House
    _visits: OrderedDict[_Visit, threading.Thread] = field(default_factory=OrderedDict)
    _standing: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run_on(self, listening: socket.socket) -> None:
        """Take connections until `stop`; then wait until each association has answered what it was asked."""
        listening.settimeout(_LOOK_SECONDS)
        while not self.house.stopping.is_set():
            try:
                sock, address = listening.accept()
            except TimeoutError:
                continue
            except OSError:
                if self.house.stopping.wait(_LOOK_SECONDS):  # no descriptor is left, or the socket is closed
                    break
                continue
            self._welcome(_Visit(sock, address[0]))
        self._end_all()

    def stop(self) -> None:
        """No more connections; from any thread."""
        self.house.stopping.set()

    def _welcome(self, visit: _Visit) -> None:
        visit.sock.settimeout(self.house.settings.pauses.opening)
        thread = threading.Thread(target=self._live, args=(visit,), name="association", daemon=True)
        with self._lock:
            half_open = [each for each in self._visits if not each.stands]
            if len(half_open) >= self.house.settings.half_open:
                _cut(half_open[0])
            self._visits[visit] = thread
        thread.start()

    def _live(self, visit: _Visit) -> None:
        try:
            encryption = self.house.settings.encryption
            sock = visit.sock
            if encryption is not None:
                sock = encryption.accepting().wrap_socket(sock, server_side=True)
            association.serve(self.house, sock, visit.address, lambda: self._admit(visit))
        except (OSError, ssl.SSLError):
            visit.sock.close()  # no TLS came of it
        finally:
            self._forget(visit)

    def _admit(self, visit: _Visit) -> bool:
        settings = self.house.settings
        with self._lock:
            if self._standing.total() >= settings.associations:
                return False
            if self._standing[visit.address] >= settings.associations_per_address:
                return False
            self._standing[visit.address] += 1
            visit.stands = True
        return True

    def _forget(self, visit: _Visit) -> None:
        with self._lock:
            self._visits.pop(visit, None)
            if visit.stands:
                self._standing[visit.address] -= 1
                self._standing += Counter()

    def _end_all(self) -> None:
        with self._lock:
            visits = list(self._visits.items())
        for visit, _ in visits:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(visit.sock, socket.SHUT_RD)  # what is being answered may still be said
        for _, thread in visits:
            thread.join(self.house.settings.pauses.stall)


def _cut(visit: _Visit) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(visit.sock, socket.SHUT_RDWR)
