"""An origin whose one instance is made while it is read: as large, as slow and as broken as a test needs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.dicom.matching import Query
from dicomgate.dicom.outcomes import Outcome, Stored
from dicomgate.dicom.uids import Target
from dicomgate.origin import Facts, Found, Origin, Piece
from dicomgate.spool import Arrival

TARGET = Target("1.2.3", "1.2.3.4", "1.2.3.4.5")
INSTANCE = "/dicomweb/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.5"
SERIES = "/dicomweb/studies/1.2.3/series/1.2.3.4"
CHUNK = 1 << 20


class Made:
    """One instance of `size` bytes; `breaks_at` raises there. Counts what was made, what was opened and closed."""

    def __init__(self, size: int = 1000, *, breaks_at: int | None = None) -> None:
        self.size = size
        self.breaks_at = breaks_at
        self.made = 0
        self.opened = 0
        self.closed = 0
        self.retrieving: list[contextlib.AbstractContextManager[Iterator[Made]]] = []
        self.stopped = threading.Event()
        self.hold = threading.Event()
        self.hold.set()
        self.accepted: list[bytes] = []
        self.no_room: Exception | None = None
        self.judge: Callable[[bytes], Outcome] = lambda content: Stored(TARGET, "1.2")
        self.deleted: list[Target] = []

    @property
    def origin(self) -> Origin:
        return Origin(search=self, retrieve=self, store=self, delete=self)

    @property
    def target(self) -> Target:
        return TARGET

    @property
    def facts(self) -> Facts:
        return Facts(
            target=TARGET,
            sop_class="1.2",
            transfer_syntax=syntaxes.EXPLICIT_LITTLE,
            size=self.size,
            digest="",
            version=str(self.size),
            is_lossy=False,
            frame_count=1,
        )

    @property
    def is_sound(self) -> bool:
        return True

    def file(self, span: range | None = None) -> Iterator[bytes]:
        wanted = range(self.size) if span is None else span
        position = wanted.start
        try:
            while position < wanted.stop:
                self.hold.wait(100)
                if self.breaks_at is not None and position >= self.breaks_at:
                    raise errors.Unavailable("the stored bytes are damaged")
                length = min(CHUNK, wanted.stop - position)
                self.made += length
                yield bytes([position // CHUNK % 251]) * length
                position += length
        finally:
            self.stopped.set()

    def frame(self, number: int, *, span: range | None = None) -> Piece:
        if number != 1:
            raise errors.NotFound("there is one frame")
        size = self.size if span is None else len(span)
        return Piece(transfer_syntax=syntaxes.EXPLICIT_LITTLE, vr="OW", size=size, chunks=self.file(span))

    def bulk(self, path: str, *, span: range | None = None) -> Piece:
        return self.frame(1, span=span)

    def bulk_paths(self) -> list[str]:
        return ["7FE00010"]

    def retrieve(self, target: Target) -> contextlib.AbstractContextManager[Iterator[Made]]:
        if target.study != TARGET.study:
            raise errors.NotFound("no such thing here")
        self.retrieving.append(self._retrieve())  # kept: only a true exit closes it, not the garbage collector
        return self.retrieving[-1]

    @contextlib.contextmanager
    def _retrieve(self) -> Iterator[Iterator[Made]]:
        self.opened += 1
        try:
            yield iter([self])
        finally:
            self.closed += 1

    def is_quiet(self, since: int) -> bool:
        return False

    def metadata(self, target: Target | None = None) -> bytes | tuple[str, Iterator[bytes]]:
        text = b'{"00080018":{"vr":"UI"}}'
        return text if target is None else ("1", iter([text] * 3))

    def changed(self, study: str, since: int) -> tuple[int, bool]:
        return 0, study != "" and since != 0

    def search(self, query: Query) -> Found:
        if query.level == 3:
            raise ZeroDivisionError("DOE^JOHN is no number")
        return Found(datasets=[], remaining=0)

    def require_room(self) -> None:
        if self.no_room is not None:
            raise self.no_room

    def accept(self, arrival: Arrival, study: str | None = None) -> Outcome:
        self.hold.wait(100)
        arrival.finish()
        source = arrival.source()
        content = source.read_at(0, source.size)
        self.accepted.append(content)
        return self.judge(content)

    def delete(self, target: Target) -> int:
        self.deleted.append(target)
        return 1


class Switch:
    """The origin that is being tested now; so that one server can serve many tests."""

    def __init__(self) -> None:
        self.current = Made()

    @property
    def origin(self) -> Origin:
        return Origin(search=self, retrieve=self, store=self, delete=self)

    def retrieve(self, target: Target) -> contextlib.AbstractContextManager[Iterator[Made]]:
        return self.current.retrieve(target)

    def metadata(self, target: Target) -> tuple[str, Iterator[bytes]]:
        return self.current.metadata(target)

    def changed(self, study: str, since: int) -> tuple[int, bool]:
        return 0, True  # so that each request is answered from the beginning, and counts

    def is_quiet(self, since: int) -> bool:
        return False

    def search(self, query: Query) -> Found:
        return self.current.search(query)

    def require_room(self) -> None:
        self.current.require_room()

    def accept(self, arrival: Arrival, study: str | None = None) -> Outcome:
        return self.current.accept(arrival, study)

    def delete(self, target: Target) -> int:
        return self.current.delete(target)
