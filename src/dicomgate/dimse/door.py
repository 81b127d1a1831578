"""The DIMSE door: takes connections from a listening socket, each association in a thread of its own (T20).

Connections that have not asked for an association yet are bounded apart from those that have: half-open ones do not
keep others out, for the oldest of them goes when there are too many.

A door opens onto any origin: whoever has one makes a `House` of it and says, in a thread or a process of its own,

    listening = door.listen("127.0.0.1", 11112)
    with door.opened(House(origin=origin, spool=spool, settings=DoorSettings(title="ME"), log=log), listening):
        ...
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from dicomgate import errors
from dicomgate.dimse import association, encryption
from dicomgate.dimse.session import House

_BACKLOG: Final = 512
_STEP_BACK: Final = 0.001
_MOST_STEPS: Final = 20
_WITHOUT_DESCRIPTORS: Final = 0.1


@dataclass(slots=True, eq=False)
class _Visit:
    """One connection."""

    sock: socket.socket
    address: str
    stands: bool = False
    is_cut: bool = False


@dataclass(slots=True, eq=False)
class Door:
    """Serves associations over one origin until it is told to stop. `run_on` is called once.

    `is_shared`: other processes take from the same socket; who has less to do comes first.
    """

    house: House
    is_shared: bool = False
    _visits: OrderedDict[_Visit, threading.Thread] = field(default_factory=OrderedDict)
    _standing: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _bell: tuple[int, int] = field(default_factory=os.pipe)

    def run_on(self, listening: socket.socket) -> None:
        """Take connections until `stop`; then end each association, once it has said what it was saying.

        What is being sent to us is left: it was not acknowledged. Nobody is waited for beyond `stop_seconds`.
        """
        listening.setblocking(False)
        while self._has_caller(listening):
            try:
                sock, address = listening.accept()
            except (BlockingIOError, ConnectionError):
                continue  # another process took it, or it has gone
            except OSError:
                self.house.stopping.wait(_WITHOUT_DESCRIPTORS)  # no descriptor is left
                continue
            self._welcome(_Visit(sock, address[0]))
        self._end_all()
        for end in self._bell:
            os.close(end)

    def stop(self) -> None:
        """No more connections; from any thread or a signal's handler."""
        if not self.house.stopping.is_set():
            self.house.stopping.set()
            os.write(self._bell[1], b"!")

    def _has_caller(self, listening: socket.socket) -> bool:
        """Waits; False when the door is to be closed."""
        heard = select.poll()
        heard.register(self._bell[0], select.POLLIN)
        heard.register(listening, select.POLLIN)
        heard.poll()
        if self.is_shared and self._visits:
            self.house.stopping.wait(_STEP_BACK * min(len(self._visits), _MOST_STEPS))
        return not self.house.stopping.is_set()

    def _welcome(self, visit: _Visit) -> None:
        visit.sock.settimeout(self.house.settings.pauses.opening)
        thread = threading.Thread(target=self._live, args=(visit,), name="association", daemon=True)
        with self._lock:
            half_open = [each for each in self._visits if not each.stands and not each.is_cut]
            if len(half_open) >= self.house.settings.half_open:
                half_open[0].is_cut = True  # its thread may take a while to see it
                _cut(half_open[0])
            self._visits[visit] = thread
        thread.start()

    def _live(self, visit: _Visit) -> None:
        try:
            settings = self.house.settings
            if settings.encryption is not None:
                self._encrypt(visit, settings.encryption.accepting())
            association.serve(self.house, visit.sock, visit.address, lambda: self._admit(visit))
        except (OSError, ssl.SSLError):
            visit.sock.close()  # no TLS came of it
        finally:
            self._forget(visit)

    def _encrypt(self, visit: _Visit, context: ssl.SSLContext) -> None:
        """Its socket becomes another one, which then is the one to be cut."""
        with self._lock:
            encrypted = context.wrap_socket(visit.sock, server_side=True, do_handshake_on_connect=False)
            visit.sock = encrypted
        encryption.shake_hands(encrypted, self.house.settings.pauses.opening)

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
        deadline = time.monotonic() + self.house.settings.stop_seconds
        with self._lock:
            visits = list(self._visits.items())
        for visit, _ in visits:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(visit.sock, socket.SHUT_RD)  # what is being answered may still be said
        for visit, thread in visits:
            thread.join(max(deadline - time.monotonic(), 0))
            if thread.is_alive():
                _cut(visit)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket for `Door.run_on`; port 0 takes a free one. Raises Unavailable."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as fault:
        raise errors.Unavailable(f"cannot listen on {host}: {fault.strerror}") from fault
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as fault:
        listening.close()
        raise errors.Unavailable(f"cannot listen on {host}, port {port}: {fault.strerror}") from fault
    return listening


@contextlib.contextmanager
def opened(house: House, listening: socket.socket) -> Iterator[None]:
    """While inside, a door onto a house serves whoever connects, in threads of this process; closes the socket."""
    door = Door(house)
    thread = threading.Thread(target=door.run_on, args=(listening,), name="DIMSE door")
    with listening:
        thread.start()
        try:
            yield
        finally:
            door.stop()
            thread.join()


def _cut(visit: _Visit) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(visit.sock, socket.SHUT_RDWR)
