"""Under whose name an answer is kept in the cache: nobody is shown what another one asked for (RFC 9111 §4.1)."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import astuple
from pathlib import Path
from typing import Final

from dicomgate.client.identity import Identity, read_secret
from dicomgate.client.tokens import ClientCredentials

_LONGEST: Final = 64 << 10


def name_of(given: object, identity: Identity | None, user: str) -> str:
    """The same for the same one who asks, of another process too. A token itself is not in it.

    Who asks by a callback or by leave of a person is not known before: what such a caller keeps, it alone uses.
    """
    if given is None and identity is None:
        return f"user {user}" if user else ""
    certificate = _digest(_content(identity.certificate)) if identity is not None and identity.certificate else ""
    return f"{_said(given, identity, user)} {certificate}"


def _said(given: object, identity: Identity | None, user: str) -> str:
    if isinstance(given, str):
        return f"token {_digest(given.encode())}"
    if isinstance(given, ClientCredentials):
        return f"client {given.client}"
    if given is not None:
        return f"once {secrets.token_hex(16)}"
    assert identity is not None, "one of them is given"
    if identity.token_file and not identity.token_url:
        return f"token {_digest(read_secret(identity.token_file).encode())}"
    if identity.netrc and not (identity.token_url or identity.user):
        return f"netrc {_digest(_content(identity.netrc))}"
    said = astuple(identity)
    return f"settings {_digest(repr(said).encode())}" if any(said) else f"user {user}" * bool(user)


def _content(path: str) -> bytes:
    try:
        with Path(path).expanduser().open("rb") as file:
            return file.read(_LONGEST)
    except OSError:
        return b""  # said when it is used


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
