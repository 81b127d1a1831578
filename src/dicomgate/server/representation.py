"""What a resource is sent as, before it is looked at what of it the caller has or wants (RFC 9110 §3.2, §13, §14).

One that lasts can be answered from again, for another caller and for other parts of it, as long as nothing of its study
changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from dicomgate.origin import Chunk
from dicomgate.server import caching, ranges
from dicomgate.server.answers import Answer, Header
from dicomgate.server.ranges import Read
from dicomgate.server.requests import Request


@dataclass(slots=True, kw_only=True)
class Representation:
    """Its fields, and where its bytes are.

    `modified`: when its bytes came, 0 where that is not told. `size` None: not known ahead. `read` gives any span as
    often as wanted; without it no ranges are offered, and `chunks` give the bytes once. `is_lasting`: its fields are
    the same when it is asked for again; `is_stored`: what `read` gives too, as long as what is stored does not
    change. `is_seekable`: a span costs what is in it, though it is made. `is_direct`: nothing of it is made, it
    consists of bytes at hand and stretches of files. `parts`: how many it has. `find`: the whole body, if somebody
    keeps it ready.
    """

    headers: list[Header]
    tag: str
    modified: float = 0.0
    size: int | None = None
    chunks: Iterable[Chunk] = ()
    read: Read | None = None
    is_lasting: bool = False
    is_stored: bool = False
    is_seekable: bool = False
    is_direct: bool = False
    parts: int = 1
    find: Callable[[], bytes | None] | None = None

    def answer(self, request: Request) -> Answer:
        """What the caller gets of it, asked for the first time."""
        return self.judge(request) or self._send(request, self.chunks)

    def again(self, request: Request) -> Answer | None:
        """The same once more; None where its bytes must be made anew."""
        early = self.judge(request)
        if early is not None:
            return early
        if self.read is not None and self.size is not None:
            return self._send(request, self.read(range(self.size)))
        content = self.find() if self.find is not None else None
        return None if content is None else Answer(headers=self.headers, chunks=[content], size=len(content), of=self)

    def anew(self, request: Request) -> Answer:
        """As `again`, of what can be had again."""
        answer = self.again(request)
        assert answer is not None, "it was had before"
        return answer

    def to_keep(self) -> Representation:
        """The same without what can be had only once."""
        return replace(self, chunks=(), read=self.read if self.is_stored else None)

    def judge(self, request: Request) -> Answer | None:
        """The answer that the preconditions call for, None where the bytes are to be sent."""
        told = caching.last_modified(self.modified)
        early = caching.judge(request, self._headers(told), self.tag, self.modified)
        if early is not None:
            early.of = self
        return early

    def _send(self, request: Request, chunks: Iterable[Chunk]) -> Answer:
        """The whole, or the parts that are asked for."""
        told = caching.last_modified(self.modified)
        headers = self._headers(told)
        if self.read is None or self.size is None:
            return Answer(headers=[*headers, caching.NO_RANGES], chunks=chunks, size=self.size, of=self)
        headers = [*headers, ranges.BYTES]
        is_cheap = self.is_stored or self.is_seekable  # else each begins with the first byte again
        most = ranges.MOST if is_cheap else 1
        cut = ranges.answer(request, headers, self.size, self.tag, modified=told, read=self.read, most=most)
        answer = cut or Answer(headers=headers, chunks=chunks, size=self.size)
        answer.of = self
        return answer

    def _headers(self, told: str | None) -> list[Header]:
        """The date is told when it is no longer too near, so it is no part of what is kept."""
        return self.headers if told is None else [*self.headers, (b"last-modified", told.encode("ascii"))]
