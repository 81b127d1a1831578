"""DIMSE over TLS: our certificate, and whose certificates we believe (PS3.15 §B.9, §B.12)."""

from __future__ import annotations

import select
import ssl
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dicomgate import errors

_LOOK_SECONDS: Final = 1.0
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"


class WrongCertificate(errors.Unavailable):
    """The certificate, its key or the authorities cannot be used."""


@dataclass(slots=True, kw_only=True)
class Encryption:
    """Files in PEM. `authorities`: a peer has to show a certificate that one of these vouches for.

    A renewed certificate is used for connections from then on; while a renewal is half done the last pair goes on.
    """

    chain: Path
    key: Path
    authorities: Path | None = None
    _current: ssl.SSLContext | None = field(default=None, repr=False)
    _stamp: tuple[int, ...] = ()
    _looked: float = 0.0

    def __getstate__(self) -> dict[str, Path | None]:
        return {"chain": self.chain, "key": self.key, "authorities": self.authorities}

    def __setstate__(self, state: dict[str, Path | None]) -> None:
        for name, value in {**state, "_current": None, "_stamp": (), "_looked": 0.0}.items():
            setattr(self, name, value)

    def accepting(self) -> ssl.SSLContext:
        """For connections that come to us. Raises WrongCertificate where there never was a pair that fits."""
        now = time.monotonic()
        if self._current is None or now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            self._renew()
        assert self._current is not None, "else it was said above"
        return self._current

    def calling(self) -> ssl.SSLContext:
        """For connections that we make: the peer's certificate has to be vouched for, its host is not compared."""
        context = self._made(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # AE titles are configured by address as often as by name
        context.verify_mode = ssl.CERT_REQUIRED
        if self.authorities is None:
            context.load_default_certs()
        return context

    def _renew(self) -> None:
        with _LOCK:
            try:
                stamp = self._found_stamp()
                if stamp != self._stamp or self._current is None:
                    self._current, self._stamp = self._accepting(), stamp
            except (OSError, WrongCertificate) as fault:
                if self._current is None:
                    raise WrongCertificate(f"the TLS certificate {self.chain}: {fault}") from fault

    def _found_stamp(self) -> tuple[int, ...]:
        files = [path for path in (self.chain, self.key, self.authorities) if path is not None]
        return tuple(number for path in files for number in (path.stat().st_mtime_ns, path.stat().st_ino))

    def _accepting(self) -> ssl.SSLContext:
        context = self._made(ssl.PROTOCOL_TLS_SERVER)
        if self.authorities is not None:
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _made(self, protocol: ssl._SSLMethod) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.options |= ssl.OP_NO_RENEGOTIATION
        try:
            context.load_cert_chain(self.chain, self.key, password=_refuse_password)
            if self.authorities is not None:
                context.load_verify_locations(self.authorities)
        except (OSError, ValueError) as fault:
            why = getattr(fault, "strerror", None) or getattr(fault, "reason", None) or str(fault)
            raise WrongCertificate(f"the TLS certificate {self.chain} with the key {self.key}: {why}") from fault
        return context


_LOCK: Final = threading.Lock()


def shake_hands(sock: ssl.SSLSocket, seconds: float) -> None:
    """The TLS handshake, all of it within so many seconds, however often a byte comes. OSError when it fails."""
    deadline = time.monotonic() + seconds
    sock.setblocking(False)
    while True:
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            _wait(sock, select.POLLIN, deadline)
        except ssl.SSLWantWriteError:
            _wait(sock, select.POLLOUT, deadline)
        else:
            return


def _wait(sock: ssl.SSLSocket, event: int, deadline: float) -> None:
    left = deadline - time.monotonic()
    waiting = select.poll()
    waiting.register(sock, event)
    if left <= 0 or not waiting.poll(left * 1000):
        raise TimeoutError("no TLS came about in time")


def _refuse_password() -> str:
    raise ValueError("the key is protected by a password, which nobody could type here")
