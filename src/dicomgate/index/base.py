"""The index: what is stored, where its bytes lie, and what is known of it without opening them (PS3.18 §8, §10.6).

Rows never point at a missing blob: the bytes are stored first, then the row. Everything that one call changes is
changed in one transaction, and a call that changes returns when the change is on stable storage.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dicomgate.dicom.matching import AttributePath, Query
from dicomgate.dicom.outcomes import Refused
from dicomgate.dicom.uids import Level, Target

JSONDataset = dict[str, Any]
"""One data set in the DICOM JSON model (PS3.18 Annex F)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One instance as it is offered to the index. Its bytes are already safe under `key`.

    `attributes` and `metadata` are the same data set, as dict and as JSON text. `key` is ordered by arrival: the
    instance with the smallest key of a study (series) gives the study's (series') attributes.
    """

    target: Target  # points at an instance
    sop_class: str
    transfer_syntax: str
    size: int
    digest: str  # SHA-256 of the stored bytes in hex; empty where nobody counted
    original_digest: str = ""  # of the bytes as sent, where they were changed on the way in
    key: str
    received: float  # seconds since 1970
    attributes: JSONDataset
    metadata: bytes
    layout: bytes = b""  # where values and frames lie: opaque here
    frame_chunks: tuple[bytes, ...] = ()  # tables of frame positions, a fixed number of frames each: opaque here
    is_lossy: bool = False
    frame_count: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """What is already stored under an offered SOP Instance UID, perhaps in another study or series."""

    target: Target
    digest: str
    original_digest: str
    key: str
    earlier: frozenset[str] = frozenset()  # digests of its earlier files, as stored and as sent
    attributes: Callable[[], JSONDataset] = field(default=dict, compare=False)  # read when asked for


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is stored around an offered instance, as the transaction that will add it sees it."""

    instance: Known | None  # the same SOP Instance UID
    series_study: str | None  # the study that holds the offered Series Instance UID; the offered study if it does
    study_patient: str | None  # Patient ID of the offered Study Instance UID: "" without one, None if it is new
    study_attributes: Callable[[], JSONDataset] = field(default=dict, compare=False)  # read when asked for


class Verdict(enum.Enum):
    """What to do with an offered instance."""

    INSERT = "insert"  # new
    SAME = "same"  # already here, byte for byte: nothing changes
    REPLACE = "replace"  # takes the place of the stored one, whose key becomes garbage
    KEEP_OLD = "keep-old"  # the stored one stays, nothing changes
    SUPERSEDE = "supersede"  # takes the place of the stored one, which stays as an earlier version
    CORRECT = "correct"  # the same, for the offered one is the stored one corrected
    EARLIER = "earlier"  # the stored one stays, the offered one is an earlier version of it


Judge = Callable[[Surroundings, Entry], Verdict | Refused]
"""Decides inside the transaction. Pure: it may be asked twice for one entry."""


@dataclass(frozen=True, slots=True)
class Added:
    """What became of an offered instance. Unless it `is_kept`, nobody points at the new blob."""

    verdict: Verdict | Refused
    known: Known | None = None  # what was stored under this UID before

    @property
    def is_stored(self) -> bool:
        """True when the offered bytes are now the stored ones."""
        return self.verdict in (Verdict.INSERT, Verdict.REPLACE, Verdict.SUPERSEDE, Verdict.CORRECT)

    @property
    def is_kept(self) -> bool:
        """True when the offered bytes are now the stored ones, or an earlier version of those."""
        return self.is_stored or self.verdict is Verdict.EARLIER


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A stored instance: all that is known without opening it. `number` is the index's own name for the row."""

    number: int
    key: str
    target: Target
    sop_class: str
    transfer_syntax: str
    size: int
    digest: str
    original_digest: str
    received: float
    is_lossy: bool
    frame_count: int


class Superseded(enum.Enum):
    """Why a file is an earlier one of its instance."""

    CORRECTED = "corrected"  # attributes were corrected on request
    REPLACED = "replaced"  # another content was stored under the same UID


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """An earlier file of an instance; numbers count from 1, the oldest first."""

    number: int
    key: str
    digest: str
    original_digest: str
    transfer_syntax: str
    size: int
    received: float
    why: Superseded


@dataclass(frozen=True, slots=True)
class Sent:
    """A stored file that is not what was sent: SHA-256 of both, in hex."""

    digest: str
    original_digest: str


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What became of the corrected files of a study.

    `missing`: keys of instances that the correction does not know; unless there are none, nothing was changed.
    `unused`: keys of corrected files whose instances went meanwhile, so that nobody points at them.
    """

    missing: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of answers.

    `remaining` counts the matches after it; of very many it may say fewer, never none. None: there may be more, but
    nobody looked. Data sets may be read from their text (`dicom.prepared`) whenever they are looked at, and may share
    elements: whoever wants to change one makes it his own.
    """

    datasets: Sequence[JSONDataset]
    remaining: int | None
    total: int | None = None  # of all matches, when asked for and counted in time
    next: str | None = None  # where the page ended, when something follows


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is stored."""

    studies: int
    series: int
    instances: int
    size: int  # bytes of all instances
    versions: int = 0  # earlier files of instances
    versions_size: int = 0  # and their bytes

    @property
    def all_bytes(self) -> int:
        """Of every stored file."""
        return self.size + self.versions_size


class ChangeKind(enum.Enum):
    """What the journal tells of an instance."""

    STORED = "stored"
    REPLACED = "replaced"
    CORRECTED = "corrected"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the journal. `number` grows in order of commit."""

    number: int
    time: float
    kind: ChangeKind
    target: Target


class FileState(enum.Enum):
    """What a file of a folder that is indexed in place turned out to be."""

    INDEXED = "indexed"  # an instance whose key is the file's path
    DUPLICATE = "duplicate"  # its SOP Instance UID is indexed from another file
    FOREIGN = "foreign"  # not DICOM
    UNREADABLE = "unreadable"  # DICOM or not to be opened, with a reason


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """What is remembered of a file, so that only a changed one is read again."""

    path: str  # relative to the folder; the key of its instance
    size: int
    mtime_ns: int
    state: FileState
    reason: str = ""
    instance: str | None = None  # SOP Instance UID, when indexed or duplicate


class ColumnState(enum.Enum):
    """How far something is that can be matched since a later day than the index is from."""

    BUILDING = "building"  # new values are written, the stored ones follow
    READY = "ready"  # every value is there: searches use it
    LEAVING = "leaving"  # nothing is written, the values are being taken away


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """An attribute that is searched quickly because somebody asked for it.

    `creator` is whose the path's private attributes are; their tags have 00 in place of the block.
    """

    path: AttributePath
    creator: str
    level: Level
    state: ColumnState


@dataclass(frozen=True, slots=True)
class Step:
    """A small piece of filling done: how many rows were looked at, and how many of this kind may follow."""

    done: int
    left: int


class Reading(Protocol):
    """Asking. Every answer is of one moment: a change is seen wholly or not at all."""

    def find(self, query: Query) -> Found:
        """One page in a total, repeatable order. TooLarge when it would take too long (PS3.18 §10.6.3.1, 413)."""
        ...

    def locate(self, target: Target) -> Iterator[Row]:
        """The instances of a target by series number, instance number, UID; none if nothing is stored there.

        Which instances is fixed at the first step; one that is removed while the rows are read is left out.
        """
        ...

    def find_row(self, target: Target) -> Row | None:
        """The row of one instance."""
        ...

    def layout(self, row: Row) -> bytes:
        """What the entry brought as layout. NotFound when the row is gone."""
        ...

    def frame_chunk(self, row: Row, number: int) -> bytes:
        """What the entry brought as frame chunk `number`, from 0. NotFound when there is none."""
        ...

    def metadata(self, target: Target) -> tuple[str, Iterator[bytes]]:
        """A version that changes with the answer, and each instance's JSON text in the order of `locate`.

        The version is empty when nothing is stored there.
        """
        ...

    def instance_metadata(self, row: Row) -> bytes:
        """The JSON text that the entry brought. NotFound when the row is gone."""
        ...

    def versions(self, target: Target) -> list[Version]:
        """The earlier files of one instance, the oldest first; none as well when there is no such instance."""
        ...

    def study_attributes(self, study: str) -> JSONDataset | None:
        """The data set that gives the study its attributes; None when nothing of it is stored."""
        ...

    def was_deleted(self, target: Target) -> bool:
        """True when the target was here, was removed on request, and was not stored again since."""
        ...

    def removed(self) -> Iterator[Target]:
        """Every target of which `was_deleted` is true."""
        ...

    def sent(self, keys: Iterable[str]) -> dict[str, Sent]:
        """Of those of these keys whose bytes were changed on the way in, be they of earlier files: what was sent."""
        ...

    def known_keys(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys that a row points at, be it of an instance or of an earlier file."""
        ...

    def keys(self) -> Iterator[tuple[str, str, int]]:
        """Key, digest and size of every stored file, earlier ones too, by key."""
        ...

    def counts(self) -> Counts:
        """How much is stored."""
        ...

    def changed(self, study: str, since: int) -> tuple[int, bool]:
        """The number of the journal's last line (0: none), and whether one after line `since` may be of the study."""
        ...

    @property
    def is_damaged(self) -> bool:
        """True once something was found that cannot be read: what is kept is broken, and stays so."""
        ...

    def is_quiet(self, since: int) -> bool:
        """True when the number of the last change is this one. At once: False where it cannot be asked without waiting.

        May be asked by the event loop, before every answer from memory.
        """
        ...

    def changes(self, after: int = 0, limit: int = 1000) -> list[Change]:
        """The journal's next lines after a number."""
        ...


class Writing(Protocol):
    """Changing. Every call is one transaction, and returns when it is durable.

    OutOfSpace: surely nothing was changed. Any other Unavailable: nothing was acknowledged, but after a crash the
    change may turn out to have been made, so bytes that a new row would point at must be left to the next sweep.
    """

    def require_sound(self) -> None:
        """See that changes can be made durable as far as is known. Unavailable after a failure, until a restart."""
        ...

    def add(self, entry: Entry, judge: Judge) -> Added:
        """Add an instance, as the judge decides inside the transaction."""
        ...

    def add_many(self, entries: Sequence[Entry], judge: Judge) -> list[Added]:
        """Add instances together: each is judged alone, all become durable at once."""
        ...

    def remove(self, target: Target) -> int:
        """Remove all instances of a target from view; their keys become garbage, and those of their earlier files.

        How many instances there were.
        """
        ...

    def remember_removed(self, targets: Iterable[Target]) -> None:
        """`was_deleted` is true of these from now on, but for those that are stored here."""
        ...

    def exchange(
        self, study: str, corrected: Iterable[tuple[str, Entry]], known: Collection[str], *, keep: bool
    ) -> Exchanged:
        """Put corrected files in the place of stored ones: all that are given, in one transaction, or none.

        `corrected`: the key of the stored file and the entry that takes its place; it may be read twice. `known`:
        keys of all that were looked at, corrected or not. `keep`: what was stored stays as an earlier version, else it
        is garbage.
        """
        ...

    def garbage(self, limit: int = 1000) -> list[str]:
        """Keys that no row points at any more and whose bytes may go."""
        ...

    def forget_garbage(self, keys: Iterable[str]) -> None:
        """The bytes under these keys are gone."""
        ...


class FolderBook(Protocol):
    """What a folder that is indexed in place remembers of its files."""

    def known_files(self) -> dict[str, FileRecord]:
        """Every file seen, by path."""
        ...

    def record_files(self, records: Sequence[FileRecord]) -> None:
        """Remember these files, in place of what was remembered of the same paths."""
        ...

    def forget_files(self, paths: Iterable[str]) -> list[str]:
        """Forget these files and the instances indexed from them, without garbage or tombstone.

        Gives back the paths of duplicates of those instances: they are to be read again.
        """
        ...

    def problems(self) -> Iterator[FileRecord]:
        """The files that are not served, whatever the reason, by path."""
        ...

    def file_counts(self) -> dict[FileState, int]:
        """How many files are in each state."""
        ...


class Promoting(Protocol):
    """Attributes of one's own choice that are searched as quickly as those built in. Safe beside any other use."""

    def promoted(self) -> list[Promoted]:
        """Every promoted attribute, in the order in which they were."""
        ...

    def promote(self, path: AttributePath, creator: str = "") -> bool:
        """Write its values from now on; those of what is stored come by `fill`. False when it is indexed already.

        Malformed for an attribute that cannot be promoted: binary ones, sequences, private ones without a creator.
        """
        ...

    def demote(self, path: AttributePath, creator: str = "") -> None:
        """Search it no more with the index; `fill` takes its values away. NotFound when it was not promoted."""
        ...

    def fill(self) -> Iterator[Step]:
        """Bring what is not ready nearer to it, step by step, until nothing is left to do.

        May end at any moment and begin again, in any process. Others' changes go on between two steps.
        """
        ...

    def fill_beside(self) -> None:
        """The same in a thread, until it is done or the index is closed."""
        ...


class Index(Reading, Writing, FolderBook, Promoting, Protocol):
    """All of it."""

    def close(self) -> None:
        """Finish what waits, let go of the files. May be called twice."""
        ...
