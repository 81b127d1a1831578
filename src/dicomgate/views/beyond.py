"""What a study refers to in other studies, so that its references follow what these become (PS3.4 C.3.5, LC-06)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from dicomgate import errors
from dicomgate.dicom import uids
from dicomgate.dicom.limits import Limits
from dicomgate.dicom.matching import Match, OneOf, Query
from dicomgate.dicom.uids import Level
from dicomgate.multiframe import classic, references
from dicomgate.multiframe.classic import Classic
from dicomgate.origin import Origin, Search
from dicomgate.views import sources
from dicomgate.views.sources import Held

MOST: Final = 8
"""Studies that are looked at for one."""
_MOST_ASKED: Final = 2000
_CHUNK: Final = 200
_STUDY, _INSTANCE = "0020000D", ("00080018",)


def join(origin: Origin, held: Held, study: str, limits: Limits, *, most: int) -> tuple[Held, tuple[str, ...]]:
    """A study together with those that it refers to, and these to in turn; which those are.

    Together they have no more than `most` instances. Of what cannot be had now nothing follows.
    """
    instances, every = dict(held.instances), list(held.sources)
    joined: list[str] = []
    waiting = held.sources
    while waiting and len(joined) < MOST:
        found = [one for one in _studies(origin.search, waiting, instances.keys()) if one not in {study, *joined}]
        waiting = []
        for one in found[: MOST - len(joined)]:
            with contextlib.suppress(errors.NotFound, errors.Gone):
                more = sources.read(origin.retrieve, one, limits, most=max(most - len(instances), 0))
                joined.append(one)
                if more.sources:
                    instances |= more.instances
                    every += more.sources
                    waiting += more.sources
    return Held(instances, every), tuple(sorted(joined))


def _studies(search: Search, waiting: Iterable[Classic], here: Iterable[str]) -> list[str]:
    """Where that is which instances refer to and is not here."""
    named = {uid for one in waiting for uid, _ in references.found(one.attributes)}
    wanted = islice(sorted(uid for uid in named - set(here) if uids.is_uid(uid)), _MOST_ASKED)
    found: dict[str, None] = {}
    for chunk in _chunks(wanted):
        asked = Query(level=Level.INSTANCE, matches=(Match(_INSTANCE, OneOf(chunk)),), relational=True, limit=_CHUNK)
        found |= dict.fromkeys(classic.text(one, _STUDY) for one in search.search(asked).datasets)
    return [one for one in found if one]


def _chunks(wanted: Iterator[str]) -> Iterator[tuple[str, ...]]:
    while chunk := tuple(islice(wanted, _CHUNK)):
        yield chunk
