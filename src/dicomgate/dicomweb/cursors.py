"""Cursors: the place where a page of a search ended, as text that a caller hands back (beside PS3.18 §8.3.4.4).

A cursor belongs to its question. It holds no secret and gives no right: it only says where to go on.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from dicomgate import errors
from dicomgate.dicom.matching import Query

LONGEST = 12_288
"""Characters: as much as the longest place needs that an index gives, of four long names."""
_DIGEST = 9


def question(query: Query) -> bytes:
    """What is asked and in which order it is answered, in short; not how many, from where and with what else."""
    asked = (
        int(query.level),
        query.scope,
        query.matches,
        query.order,
        query.timezone,
        query.creators,
        query.relational,
    )
    return hashlib.blake2b(repr(asked).encode("utf-8", "backslashreplace"), digest_size=_DIGEST).digest()


def format_cursor(query: Query, place: str) -> str:
    """The cursor for a place in the answers to a query."""
    return base64.urlsafe_b64encode(question(query) + place.encode()).rstrip(b"=").decode("ascii")


def parse_cursor(query: Query, text: str) -> str:
    """The place that a cursor names. Malformed when it was not given for this question."""
    try:
        raw = base64.b64decode(text[:LONGEST] + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        place = raw[_DIGEST:].decode()
    except (binascii.Error, ValueError):  # ValueError: not ASCII, not UTF-8
        raise _foreign() from None
    if len(text) > LONGEST or not place or raw[:_DIGEST] != question(query):
        raise _foreign()
    return place


def _foreign() -> errors.Malformed:
    return errors.Malformed("parameter cursor: expected what an earlier answer to the same question gave")
