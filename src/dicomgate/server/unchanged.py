"""What was found unchanged is found so again by one short question, while nothing of its study changes (RET-10).

A viewer that looks again asks for every frame whether it has changed. The first answer to such a question is worked out
in full; it stays right until the origin tells of a change of that study.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dicomgate.dicomweb.resources import Kind, Resource
from dicomgate.server import caching
from dicomgate.server.answers import Answer, Header
from dicomgate.server.ready import NO_CHANGE
from dicomgate.server.requests import Request

_KINDS: Final = frozenset({Kind.FRAMES, Kind.INSTANCES, Kind.BULKDATA, Kind.METADATA})
"""Kinds whose tag follows from what is stored of one study, from the address and from the fields in `_key`."""
_LONGEST: Final = 2000
_OTHERWISE: Final = (b"if-match", b"if-unmodified-since")

_Key = tuple[bytes, bytes, str | None, str | None, str]


@dataclass(frozen=True, slots=True)
class _Found:
    change: int
    tag: str
    headers: list[Header]


class Unchanged:
    """The tags of what was asked for again; safe for threads."""

    def __init__(self, most: int = 10_000) -> None:
        """At most so many, those last asked for."""
        self._most = most
        self._found: OrderedDict[_Key, _Found] = OrderedDict()
        self._lock = threading.Lock()

    def answer(self, request: Request, resource: Resource, deed: Callable[[Request, Resource], Answer]) -> Answer:
        """304 where that is known, else what the deed answers."""
        key = _key(request, resource)
        if key is None:
            return deed(request, resource)
        assert resource.target is not None, "only what is stored has such kinds"
        retrieve = request.door.origin.retrieve
        found = self._find(key)
        if found is not None and caching.is_known(request, found.tag):
            change, is_changed = retrieve.changed(resource.target.study, found.change)
            if not is_changed:
                self._keep(key, _Found(change, found.tag, found.headers))
                return caching.not_modified(found.headers)
        change, _ = retrieve.changed(resource.target.study, NO_CHANGE)
        answer = deed(request, resource)
        tag = dict(answer.headers).get(b"etag")
        if answer.status == 304 and tag is not None:
            self._keep(key, _Found(change, tag.decode("ascii"), list(answer.headers)))
        return answer

    def _find(self, key: _Key) -> _Found | None:
        with self._lock:
            return self._found.get(key)

    def _keep(self, key: _Key, found: _Found) -> None:
        with self._lock:
            self._found[key] = found
            self._found.move_to_end(key)
            if len(self._found) > self._most:
                self._found.popitem(last=False)


def _key(request: Request, resource: Resource) -> _Key | None:
    """All that the answer depends on beside what is stored; None for what is not asked so."""
    if resource.kind not in _KINDS or request.header(b"if-none-match") is None:
        return None
    if any(request.header(name) is not None for name in _OTHERWISE):
        return None
    coding = request.header(b"accept-encoding")
    key = (request.raw_path, request.query_string, request.accept, coding, request.root)
    return key if sum(len(part or "") for part in key) <= _LONGEST else None
