"""The place where a page ended: what its last row was sorted by, so that the next page begins strictly behind it.

The row itself may be gone by then, and others may have come: what is there during a whole walk is found once. The keys
may be a patient's name, and addresses are written into logs, so they are sealed: no one without the index can read or
make them. A place holds for the level, the scope and the order it was made in, whatever the conditions.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import sqlite3
from dataclasses import dataclass

import orjson

from dicomgate import errors
from dicomgate.dicom.matching import Query
from dicomgate.index.order import Key

_VERSION = b"\x02"
_TAG = 16
_STATE = 8
LONGEST = 8192
"""Characters of a place; four names of 256 characters fit."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the last row was sorted by.

    `remaining`: how many matches followed it, or at least how many; of the question and in the state of the index that
    `state` stands for.
    """

    keys: tuple[Key, ...]
    remaining: int
    is_exact: bool
    state: bytes


def state(connection: sqlite3.Connection, query: Query) -> bytes:
    """The same as long as nothing is stored or removed, for the same conditions."""
    (last,) = connection.execute("SELECT max(number) FROM journal").fetchone()
    asked = (last, query.matches, query.scope, query.timezone, query.creators, query.relational)
    return hashlib.blake2b(repr(asked).encode("utf-8", "backslashreplace"), digest_size=_STATE).digest()


def seal(secret: bytes, query: Query, place: Place) -> str:
    """The place as text for an address."""
    plain = orjson.dumps([place.state.hex(), place.remaining, place.is_exact, *place.keys])
    tag = _tag(secret, query, plain)
    sealed = _VERSION + tag + _hide(secret, tag, plain)
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def unseal(secret: bytes, query: Query, text: str) -> Place:
    """The place that a text names. Malformed when this index gave no such place for this kind of question."""
    sealed = _decoded(text)
    if sealed[:1] != _VERSION or len(sealed) <= 1 + _TAG:
        raise _unknown()
    tag = sealed[1 : 1 + _TAG]
    plain = _hide(secret, tag, sealed[1 + _TAG :])
    if not hmac.compare_digest(tag, _tag(secret, query, plain)):
        raise _unknown()
    state, remaining, is_exact, *keys = orjson.loads(plain)
    return Place(tuple(keys), remaining, is_exact, bytes.fromhex(state))


def _decoded(text: str) -> bytes:
    if len(text) > LONGEST or not text.isascii():
        raise _unknown()
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise _unknown() from error


def _unknown() -> errors.Malformed:
    return errors.Malformed("the place to go on from: expected one that an answer to this kind of question named")


def _tag(secret: bytes, query: Query, plain: bytes) -> bytes:
    """Proves that the place is ours and belongs to the question."""
    scope = query.scope.level if query.scope else 0
    asked = [int(query.level), int(scope), [[order.path, order.descending] for order in query.order]]
    bound = orjson.dumps(asked) + b"\0" + plain
    return hashlib.blake2b(bound, key=secret, digest_size=_TAG, person=b"place").digest()


def _hide(secret: bytes, tag: bytes, content: bytes) -> bytes:
    """The content under a stream of bytes that the tag and the secret make; the same again shows it."""
    stream = hashlib.shake_256(b"place" + secret + tag).digest(len(content))
    shown = int.from_bytes(content, "big") ^ int.from_bytes(stream, "big")
    return shown.to_bytes(len(content), "big")
