"""Who a caller is: a bearer token, a name with a password, a certificate, leave asked for (RFC 6749 §4.4)."""

from __future__ import annotations

import netrc
import ssl
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

import httpx2

from dicomgate import errors
from dicomgate.client import tokens

_LONGEST_SECRET: Final = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Where everything lies that says who we are; empty where it is not used."""

    token_file: str = ""
    user: str = ""
    password_file: str = ""
    token_url: str = ""
    client_id: str = ""
    client_secret_file: str = ""
    scope: str = ""
    certificate: str = ""
    key: str = ""
    authorities: str = ""
    netrc: str = ""

    @classmethod
    def of(cls, remote: object) -> Self:
        """As the settings of a remote say it, whose fields have the same names; of a netrc file they say nothing."""
        return cls(**{field.name: getattr(remote, field.name) for field in fields(cls) if field.name != "netrc"})

    def arguments(self) -> dict[str, Any]:
        """What the HTTP library is told. Malformed when a file cannot be read or holds something else."""
        found: dict[str, Any] = {}
        if self.token_url:
            secret = read_secret(self.client_secret_file) if self.client_secret_file else ""
            found["auth"] = tokens.ClientCredentials(self.token_url, self.client_id, secret, self.scope)
        elif self.token_file:
            found["auth"] = tokens.Bearer(read_token(self.token_file))
        elif self.user:
            found["auth"] = httpx2.BasicAuth(self.user, read_secret(self.password_file) if self.password_file else "")
        elif self.netrc:
            found["auth"] = _netrc(self.netrc)
        if self.certificate or self.authorities:
            found["verify"] = self._trust()
        return found

    def _trust(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=_path(self.authorities) if self.authorities else None)
            if self.certificate:
                context.load_cert_chain(_path(self.certificate), _path(self.key) if self.key else None)
        except (OSError, ssl.SSLError) as fault:
            raise errors.Malformed(f"a certificate or key cannot be used: {fault.strerror or 'not PEM'}") from fault
        return context


def _netrc(path: str) -> httpx2.Auth:
    try:
        return httpx2.NetRCAuth(_path(path))
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        raise errors.Malformed(f"{path}: expected a readable netrc file") from None  # its fault cites what it read


def read_secret(path: str) -> str:
    """The one line of a file. Malformed when it cannot be read, or holds more or less than that."""
    try:
        with Path(_path(path)).open("rb") as file:
            content = file.read(_LONGEST_SECRET + 1)
        text = content.decode("utf-8").strip() if len(content) <= _LONGEST_SECRET else ""
    except (OSError, UnicodeDecodeError) as fault:
        raise errors.Malformed(f"{path}: the secret cannot be read") from fault
    if not text or not text.isprintable():
        raise errors.Malformed(f"{path}: expected one secret and nothing else")
    return text


def read_token(path: str) -> str:
    """A token as it goes into a header (RFC 6750 §2.1). Malformed as `read_secret` says, and for several words."""
    token = read_secret(path)
    if not token.isascii() or " " in token:
        raise errors.Malformed(f"{path}: expected one token and nothing else")
    return token


def _path(text: str) -> str:
    return str(Path(text).expanduser())
