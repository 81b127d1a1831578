"""Who a caller is: a bearer token, a name with a password, a certificate, leave asked for (RFC 6749 §4.4)."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

import httpx2

from dicomgate import errors

_EARLY: Final = 30.0
"""Seconds before its end when a token is asked for anew."""
_LIFETIME: Final = 300.0
"""Seconds that a token is used of which it is not said how long it is good."""
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

    @classmethod
    def of(cls, remote: object) -> Self:
        """As the settings of a remote say it, whose fields have the same names."""
        return cls(**{field.name: getattr(remote, field.name) for field in fields(cls)})

    def arguments(self) -> dict[str, Any]:
        """What the HTTP library is told. Malformed when a file cannot be read or holds something else."""
        found: dict[str, Any] = {}
        if self.token_url:
            secret = read_secret(self.client_secret_file) if self.client_secret_file else ""
            found["auth"] = _Leave(self.token_url, self.client_id, secret, self.scope)
        elif self.token_file:
            found["auth"] = _Bearer(read_secret(self.token_file))
        elif self.user:
            found["auth"] = httpx2.BasicAuth(self.user, read_secret(self.password_file) if self.password_file else "")
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


def read_secret(path: str) -> str:
    """The one line of a file. Malformed when it cannot be read, or holds more or less than that."""
    try:
        with Path(_path(path)).open("rb") as file:
            text = file.read(_LONGEST_SECRET).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise errors.Malformed(f"{path}: the secret cannot be read") from fault
    if not text or not text.isprintable():
        raise errors.Malformed(f"{path}: expected one secret and nothing else")
    return text


def _path(text: str) -> str:
    return str(Path(text).expanduser())


class _Bearer(httpx2.Auth):
    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """The token with every request."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


class _Leave(httpx2.Auth):
    """Client credentials (RFC 6749 §4.4): a token is asked for, used while it is good, asked for anew after a 401."""

    requires_response_body = True

    def __init__(self, url: str, client: str, secret: str, scope: str) -> None:
        self._url, self._client, self._secret, self._scope = url, client, secret, scope
        self._lock = threading.Lock()
        self._token = ""
        self._until = 0.0

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """A token with every request; a fresh one when the server takes the old one no longer."""
        if not self._is_good():
            self._take((yield self._asking()))
        request.headers["Authorization"] = f"Bearer {self._token}"
        answer = yield request
        if answer.status_code == 401:
            self._take((yield self._asking()))
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _is_good(self) -> bool:
        with self._lock:
            return time.monotonic() < self._until

    def _asking(self) -> httpx2.Request:
        fields = {"grant_type": "client_credentials", **({"scope": self._scope} if self._scope else {})}
        request = httpx2.Request("POST", self._url, data=fields, headers={"Accept": "application/json"})
        return next(httpx2.BasicAuth(self._client, self._secret).auth_flow(request))

    def _take(self, answer: httpx2.Response) -> None:
        try:
            said = answer.json() if answer.status_code == 200 else {}
        except ValueError:
            said = {}
        token = said.get("access_token") if isinstance(said, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise errors.Forbidden(f"no access token was given ({answer.status_code}): see token_url and client_id")
        lifetime = said.get("expires_in")
        seconds = float(lifetime) if isinstance(lifetime, int | float) else _LIFETIME
        with self._lock:
            self._token, self._until = token, time.monotonic() + max(0.0, seconds - _EARLY)
