"""HTTPS by ourselves: a certificate and its key, read again when they are renewed (PS3.18 §8.1.1; PS3.15 B.9, B.12)."""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dicomgate import errors

ALPN: Final = ("http/1.1",)
"""What is spoken where nothing else is switched on."""

_LOOK_SECONDS: Final = 1.0


class WrongCertificate(errors.Unavailable):
    """The certificate or its key cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Files in PEM: the certificate with those that vouch for it, and its private key, which has no password."""

    chain: Path
    key: Path

    def context(self, protocols: Sequence[str] = ALPN) -> ssl.SSLContext:
        """For connections from now on, which speak one of the protocols. Raises WrongCertificate.

        TLS 1.2 and later with forward secrecy alone, as PS3.15's profile after BCP 195 has it.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM")
        context.options |= ssl.OP_NO_RENEGOTIATION  # RFC 9113 §9.2.1
        context.set_alpn_protocols(list(protocols))
        try:
            context.load_cert_chain(self.chain, self.key, password=_refuse_password)
        except (OSError, ValueError) as fault:
            why = getattr(fault, "strerror", None) or getattr(fault, "reason", None) or str(fault)
            raise WrongCertificate(f"the TLS certificate {self.chain} with the key {self.key}: {why}") from fault
        return context

    def stamp(self) -> tuple[tuple[int, int, int], ...]:
        """Changes when one of the files does."""
        found = (path.stat() for path in (self.chain, self.key))
        return tuple((one.st_mtime_ns, one.st_size, one.st_ino) for one in found)


def renewing_context(certificate: Certificate, protocols: Sequence[str] = ALPN) -> ssl.SSLContext:
    """A context that looks at each handshake, at most once a second, whether the files were renewed.

    While a renewal is half done (one of the two files, or neither, fits), the last pair that fitted goes on.
    """
    outer = certificate.context(protocols)
    current, stamp, looked = outer, certificate.stamp(), time.monotonic()

    def choose(handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        nonlocal current, stamp, looked
        now = time.monotonic()
        if now - looked >= _LOOK_SECONDS:
            looked = now
            try:
                if (seen := certificate.stamp()) != stamp:
                    current, stamp = certificate.context(protocols), seen
            except (OSError, WrongCertificate):
                pass
        if current is not outer:
            handshake.context = current

    outer.sni_callback = choose
    return outer


def _refuse_password() -> str:
    raise ValueError("the key is protected by a password, which nobody could type here")
