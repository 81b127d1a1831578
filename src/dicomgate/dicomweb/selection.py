"""Studies that are meant by matching keys, all of them: for deeds, where a search may show a part (PS3.18 §8.3.4)."""

from __future__ import annotations

from typing import Final

from dicomgate import errors
from dicomgate.dicom.matching import AnyOf, Condition, Query, Universal
from dicomgate.dicomweb import query, resources
from dicomgate.dicomweb.parameters import Pairs

_PARTIAL: Final = frozenset({"limit", "offset", "cursor"})


def parse(pairs: Pairs, *, most: int) -> Query:
    """The search for the studies that are meant, for at most one more than `most`.

    Malformed for unknown keys, for what would give a part, and when no key says anything: never is everything meant.
    """
    if any(name in _PARTIAL for name, _ in pairs):
        raise errors.Malformed("all studies that match are meant: limit, offset and cursor are not taken")
    asked = query.parse(resources.parse("/studies"), pairs, strict=True, default_limit=most + 1).query
    if not any(_says_something(match.condition) for match in asked.matches):
        raise errors.Malformed("expected a matching key with a value, such as PatientID")
    return asked


def _says_something(condition: Condition) -> bool:
    if isinstance(condition, AnyOf):
        return all(map(_says_something, condition.conditions))
    return not isinstance(condition, Universal)
