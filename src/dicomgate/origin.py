"""The joint: what an origin of DICOM objects can do.

Doors speak to any origin through this, so a server, a gateway and a relay are pairings, not three programs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from dicomgate import errors
from dicomgate.dicom.matching import AttributePath, Query
from dicomgate.dicom.outcomes import Outcome
from dicomgate.dicom.uids import Target
from dicomgate.spool import Arrival

JSONDataset = dict[str, Any]
"""One data set in the DICOM JSON model (PS3.18 Annex F)."""

ROOT_PLACEHOLDER = b'"BulkDataURI":"/'
"""In stored metadata every BulkDataURI is relative to the service root and starts with a slash. These exact bytes
cannot occur inside a JSON string (its quotes would be escaped), so a door makes the links absolute with one replace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of answers; `remaining` counts the matches after it (None: not known).

    Data sets whose text is ready are a `dicom.prepared.Prepared`: a door may send them on unread. `total` counts all
    matches, if that was asked for and could be done; `next` names the place where the page ended, for the next one's
    `after` (None: nothing follows, or the origin has no such places). `unmatched` are matching keys that could not be
    compared, so that the answers may be more than was asked for.
    """

    datasets: Iterable[JSONDataset]
    remaining: int | None
    total: int | None = None
    next: str | None = None
    unmatched: tuple[AttributePath, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a stored instance without opening it."""

    target: Target
    sop_class: str
    transfer_syntax: str
    size: int
    digest: str  # SHA-256 in hex; empty where nobody counted (a folder indexed in place)
    version: str  # changes whenever the bytes do: what a strong ETag is made from
    is_lossy: bool
    frame_count: int  # 0: no pixel data
    modified: float = 0.0  # when the bytes came, seconds since 1970; 0: not known


class File(Protocol):
    """A file that is open for reading, until nobody holds it."""

    @property
    def size(self) -> int:
        """How many bytes."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes from an offset; fewer only at the end."""
        ...

    def fileno(self) -> int:
        """A descriptor for the kernel to read from."""
        ...


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes that lie in a file just as they are to leave: a door may have the kernel send them unread."""

    open: Callable[[], File]
    span: range

    def __len__(self) -> int:
        return len(self.span)

    def read(self) -> Iterator[bytes]:
        """The bytes. Unavailable when the file is shorter than it was."""
        file = self.open()
        for offset in range(self.span.start, self.span.stop, STEP):
            length = min(STEP, self.span.stop - offset)
            chunk = file.read_at(offset, length)
            if len(chunk) < length:
                raise errors.Unavailable(SHORT)
            yield chunk


Chunk = bytes | Stretch
"""Bytes on their way out, read or not."""


class Pause(bytes):
    """A chunk without bytes: what follows has to be waited for, so what there is should leave now."""


PAUSE: Final = Pause()
_LOOK_SECONDS: Final = 0.25
"""So often a door may see whether its caller is still there while nothing comes (T21)."""

STEP = 1 << 19
SHORT = "the stored file is shorter than it was when it was stored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Bytes ready to leave: a value, a frame. `chunks` may be asked for once.

    `stretches`: where the same bytes lie, one after the other, if they lie in files as they are.
    """

    transfer_syntax: str
    vr: str
    size: int
    chunks: Iterator[bytes]
    stretches: tuple[Stretch, ...] = ()

    def cut(self, span: range) -> Iterator[Chunk]:
        """A span of the bytes, as often as wanted, where it is known where they lie."""
        assert self.stretches, "only then"
        before = 0
        for stretch in self.stretches:
            part = stretch.span[max(span.start - before, 0) : max(span.stop - before, 0)]
            before += len(stretch)
            if part:
                yield Stretch(stretch.open, part)


class Instance(Protocol):
    """One stored instance, not yet read."""

    @property
    def target(self) -> Target:
        """Which one: known before all else."""
        ...

    @property
    def facts(self) -> Facts:
        """What is known without opening it."""
        ...

    @property
    def is_sound(self) -> bool:
        """True when the stored file begins as PS3.10 §7.1 says, and says truly how it is encoded."""
        ...

    def metadata(self) -> bytes:
        """The DICOM JSON text of its data set, one object, with every BulkDataURI relative (see ROOT_PLACEHOLDER)."""
        ...

    def file(self, span: range | None = None) -> Iterator[bytes]:
        """The PS3.10 file as stored, or a span of its bytes, in chunks."""
        ...

    def frame(self, number: int, *, span: range | None = None) -> Piece:
        """A frame, from 1, in the stored encoding; little endian, its codestream alone. NotFound past the last."""
        ...

    def bulk(self, path: str, *, span: range | None = None) -> Piece:
        """A value that metadata names by BulkDataURI, or a span of its bytes. NotFound for any other."""
        ...

    def bulk_paths(self) -> Sequence[str]:
        """Every value that metadata names by BulkDataURI, in the order of the data set."""
        ...


T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Underway(Generic[T_co]):
    """Instances, or their metadata, of which some may still have to come from elsewhere.

    `is_coming`: whoever wants to see all before the first leaves waits for the last. `lacking`: how many are known to
    be there and could not be had (PS3.18 §10.4.3: the answer is in part).
    """

    def __init__(
        self,
        things: Iterator[T_co],
        *,
        is_coming: bool = True,
        lacking: int = 0,
        wait: Callable[[float], bool] = lambda _: True,
    ) -> None:
        """`wait`: see the method."""
        self._things = things
        self._wait = wait
        self.is_coming = is_coming
        self.lacking = lacking

    def __iter__(self) -> Iterator[T_co]:
        return self

    def __next__(self) -> T_co:
        return next(self._things)

    def wait(self, seconds: float) -> bool:
        """True when the next can be had without waiting, or there is none; False after so long."""
        return self._wait(seconds)

    def close(self) -> None:
        """Nobody wants the rest."""
        close = getattr(self._things, "close", None)
        if close is not None:
            close()


def with_pauses(things: Iterator[T]) -> Iterator[T | Pause]:
    """The same, with a pause where the next has still to come, and again each while that it has not."""
    if not isinstance(things, Underway):
        yield from things
        return
    while True:
        if not things.wait(0):
            yield PAUSE
            while not things.wait(_LOOK_SECONDS):
                yield PAUSE
        try:
            yield next(things)
        except StopIteration:
            return


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One of the files of an instance, in order of their coming; `why` it is no longer served, empty for the last."""

    number: int
    why: str
    transfer_syntax: str
    size: int
    digest: str
    received: float  # seconds since 1970


class Versions(Protocol):
    """Gives back what an instance was before it was corrected or superseded."""

    def versions(self, target: Target) -> Sequence[Version]:
        """Every file of one instance, the oldest first; the last is the one that is served. NotFound, Gone."""
        ...

    def version(self, target: Target, number: int) -> Instance:
        """One of them. NotFound when there is none of this number."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """A study whose attributes were corrected: how many of its instances were, and how many needed it not."""

    study: str
    corrected: int
    unchanged: int


class Update(Protocol):
    """Puts attributes of patients and studies right."""

    def update(self, study: str, wanted: JSONDataset) -> Updated:
        """Set attributes of the patient and the study in every instance; those given without a value are emptied.

        Malformed for other attributes, NotFound and Gone without the study, Unavailable (OutOfSpace) when it cannot be
        done now. Search, metadata and instances agree at once; when this raises, nothing has changed.
        """
        ...


class Search(Protocol):
    """Finds what is stored."""

    def search(self, query: Query) -> Found:
        """One page of data sets that match, in a stable total order."""
        ...


class Retrieve(Protocol):
    """Gives back what is stored."""

    def retrieve(self, target: Target) -> AbstractContextManager[Iterator[Instance]]:
        """The instances of a target in a stable order. NotFound when there is none, Gone when it was deleted."""
        ...

    def metadata(self, target: Target) -> tuple[str, Iterator[bytes]]:
        """A version that changes with the answer, and the DICOM JSON text of each instance (links relative).

        An empty version: nothing may be kept of the answer, whose texts are an `Underway`.
        """
        ...

    def changed(self, study: str, since: int) -> tuple[int, bool]:
        """The number of the last change of all, and whether one of the study may be among those after `since`."""
        ...

    def is_quiet(self, since: int) -> bool:
        """True when there was no change at all after `since`. At once: False where that cannot be told in no time."""
        ...


class Store(Protocol):
    """Keeps what it is given."""

    def require_room(self) -> None:
        """Cheap, before a body is read. Unavailable (OutOfSpace when the disk is full) while nothing can be stored."""
        ...

    def accept(self, arrival: Arrival, study: str | None = None) -> Outcome:
        """Judge one arrival, and keep it or say why not. Never raises for what the sender did wrong."""
        ...


class Delete(Protocol):
    """Forgets on request."""

    def delete(self, target: Target) -> int:
        """How many instances were removed. NotFound when there was none, Gone when they were deleted before."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What one origin can do; None where it cannot, and the door offers no such route."""

    search: Search
    retrieve: Retrieve
    store: Store | None = None
    delete: Delete | None = None
    versions: Versions | None = None
    update: Update | None = None
