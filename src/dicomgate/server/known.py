"""What was worked out once is right again as long as nothing of its study changes (RET-10).

A viewer that comes back asks for every frame whether it has changed, or for the same frames again. Which representation
answers such a request depends on the request and on what is stored, so it is remembered by the one and watched by the
other: while nothing at all has changed no question is asked and no thread visited, else one short question.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dicomgate.dicomweb.resources import Kind, Resource
from dicomgate.origin import Retrieve
from dicomgate.server.answers import Answer
from dicomgate.server.ready import NO_CHANGE
from dicomgate.server.representation import Representation
from dicomgate.server.requests import Request

_KINDS: Final = frozenset({Kind.FRAMES, Kind.INSTANCES, Kind.BULKDATA, Kind.METADATA})
"""Kinds whose answer follows from what is stored of one study, from the address and from the fields in `_key`."""
_READING: Final = ("GET", "HEAD")
_LONGEST: Final = 2000

_Key = tuple[bytes, bytes, str | None, str | None, str]


@dataclass(slots=True)
class _Found:
    """`change`: the last of all changes when it was found right."""

    change: int
    study: str
    kind: str
    representation: Representation


class Known:
    """Representations by what was asked, those last asked for; safe for threads."""

    def __init__(self, most: int = 10_000) -> None:
        """`most`: parts of answers that are remembered, of each about two thousand bytes."""
        self._most = most
        self._found: OrderedDict[_Key, _Found] = OrderedDict()
        self._parts = 0
        self._lock = threading.Lock()

    def at_once(self, request: Request) -> tuple[str, Answer] | None:
        """What was asked for, in the words of the log, and the answer; None where it takes longer to know it.

        For the event loop: nothing is waited for.
        """
        found = self._found.get(_key(request))
        if found is None or not request.door.origin.retrieve.is_quiet(found.change):
            return None
        answer = found.representation.again(request)
        return None if answer is None else (found.kind, answer)

    def answer(self, request: Request, resource: Resource, deed: Callable[[Request, Resource], Answer]) -> Answer:
        """What is known, else what the deed answers."""
        key = _key(request)
        if resource.kind not in _KINDS or request.method not in _READING or _length(key) > _LONGEST:
            return deed(request, resource)
        assert resource.target is not None, "only what is stored has such kinds"
        retrieve = request.door.origin.retrieve
        answer = self._again(request, key, retrieve)
        if answer is not None:
            return answer
        change, _ = retrieve.changed(resource.target.study, NO_CHANGE)
        answer = deed(request, resource)
        if answer.of is not None and answer.of.is_lasting:
            self._keep(key, _Found(change, resource.target.study, resource.words, answer.of.to_keep()))
        return answer

    def _again(self, request: Request, key: _Key, retrieve: Retrieve) -> Answer | None:
        with self._lock:
            found = self._found.get(key)
        if found is None:
            return None
        change, is_changed = retrieve.changed(found.study, found.change)
        if is_changed:
            return None
        self._keep(key, _Found(change, found.study, found.kind, found.representation))
        return found.representation.again(request)

    def _keep(self, key: _Key, found: _Found) -> None:
        with self._lock:
            self._remove(key)
            self._found[key] = found
            self._parts += found.representation.parts
            while self._parts > self._most:
                self._remove(next(iter(self._found)))

    def _remove(self, key: _Key) -> None:
        found = self._found.pop(key, None)
        if found is not None:
            self._parts -= found.representation.parts


def _key(request: Request) -> _Key:
    """All that a representation depends on beside what is stored."""
    coding = request.header(b"accept-encoding")
    return (request.raw_path, request.query_string, request.accept, coding, request.root)


def _length(key: _Key) -> int:
    return sum(len(part or "") for part in key)
