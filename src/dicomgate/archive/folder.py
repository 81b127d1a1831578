"""A folder of files indexed where it lies: files stay untouched, nothing is written beside them, new ones appear."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dicomgate import errors
from dicomgate.archive import describe, policy
from dicomgate.archive.retrieve import Retriever
from dicomgate.blobs import folder
from dicomgate.blobs.folder import FolderBlobs
from dicomgate.dicom import header
from dicomgate.dicom.header import Header
from dicomgate.dicom.matching import Query
from dicomgate.dicom.source import Source
from dicomgate.index.base import Counts, Entry, FileRecord, FileState, Index, Verdict
from dicomgate.origin import Found, Origin

_BATCH = 64
_DIRECTORY_RECORD = "1.2.840.10008.1.3.10"
_MAGIC_END = 132


@dataclass(frozen=True, slots=True)
class Seen:
    """One file as the last walk found it."""

    path: str  # the blob's key: relative to the folder, with slashes
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class _Difference:
    """What a walk found, against what the index knows."""

    found: dict[str, Seen]  # by path
    known: dict[str, FileRecord]
    vanished: list[str]
    changed: list[Seen]  # new ones too


@dataclass(slots=True)
class Progress:
    """How far a scan is."""

    files: int = 0  # on disk
    waiting: int = 0  # new or changed
    read: int = 0
    finished: bool = False
    trouble: str = ""  # why the index cannot be brought up to date for now


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """An origin over a folder. It cannot store: somebody else owns the files.

    `forget` is told when files that were known are gone or were changed.
    """

    root: Path
    blobs: FolderBlobs
    index: Index
    limits: header.Limits = header.DEFAULT
    forget: Callable[[], None] = lambda: None

    @property
    def origin(self) -> Origin:
        """What a door may ask of it."""
        return Origin(search=self, retrieve=Retriever(blobs=self.blobs, index=self.index, limits=self.limits))

    def search(self, query: Query) -> Found:
        """One page of data sets that match."""
        found = self.index.find(query)
        return Found(datasets=found.datasets, remaining=found.remaining, total=found.total, next=found.next)

    def check_ready(self) -> None:
        """Unavailable while the index cannot be asked."""
        self.index.changes(limit=1)

    def counts(self) -> Counts:
        """How many studies, series, instances there are."""
        return self.index.counts()

    def problems(self) -> Iterator[FileRecord]:
        """Files that are not served, and why."""
        return self.index.problems()

    def scan(self, report: Callable[[Progress], None]) -> bool:
        """Bring the index up to date with the folder; True when something changed. Reads only new and changed files."""
        return self._catch_up(self._compare(), report)

    def _compare(self) -> _Difference:
        found = {seen.path: seen for seen in self._walk()}
        known = self.index.known_files()
        return _Difference(
            found=found,
            known=known,
            vanished=[path for path in known if path not in found],
            changed=[
                seen for seen in found.values() if seen.path not in known or not _is_as_known(seen, known[seen.path])
            ],
        )

    def _catch_up(self, difference: _Difference, report: Callable[[Progress], None]) -> bool:
        found, known, vanished, changed = difference.found, difference.known, difference.vanished, difference.changed
        waiting = {seen.path for seen in changed}
        if vanished:
            waiting.update(path for path in self.index.forget_files(vanished) if path in found)
            self.forget()
        progress = Progress(files=len(found), waiting=len(waiting))
        queue = deque(sorted(waiting))  # of two files of one instance the first by name counts on any file system
        while queue:
            report(progress)
            batch = [queue.popleft() for _ in range(min(_BATCH, len(queue)))]
            again = [path for path in self._take([found[path] for path in batch], known) if path in found]
            new = [path for path in again if path not in waiting or path in batch]
            waiting.update(new)
            queue.extend(new)
            progress.waiting += len(new)
            progress.read += len(batch)
        if any(seen.path in known for seen in changed):
            self.forget()
        progress.finished = True
        report(progress)
        return bool(vanished or changed)

    def follow(
        self, is_wanted: Callable[[], bool], report: Callable[[Progress], None], *, interval: float = 2.0
    ) -> None:
        """Scan again and again until no longer wanted; a folder that takes long to walk is walked less often."""
        while is_wanted():
            began = time.monotonic()
            walked = 0.0
            try:
                difference = self._compare()
                walked = time.monotonic() - began  # without the reading: after a long one new files are seen as soon
                self._catch_up(difference, report)
            except errors.Unavailable as fault:  # a full disk, a locked index: what was read is kept, the rest waits
                report(Progress(trouble=fault.message))
            pause = max(interval, 20 * walked if interval else 0.0)
            until = time.monotonic() + min(pause, 60.0)
            while is_wanted() and time.monotonic() < until:
                time.sleep(0.2)

    def _walk(self) -> Iterator[Seen]:
        waiting = [self.root]
        while waiting:
            try:
                with os.scandir(waiting.pop()) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(Path(entry.path))
                        elif (seen := self._see(entry)) is not None:
                            yield seen
            except OSError:
                continue  # gone or closed to us since its parent was read; the next walk looks again

    def _see(self, entry: os.DirEntry[str]) -> Seen | None:
        """None for what is no file, is gone by now or points at itself: its neighbours are seen all the same."""
        try:
            if not entry.is_file():
                return None
            found = entry.stat()
        except OSError:
            return None
        path = Path(entry.path).relative_to(self.root).as_posix()
        return Seen(folder.format_key(path), found.st_size, found.st_mtime_ns)

    def _take(self, batch: list[Seen], known: dict[str, FileRecord]) -> list[str]:
        """Read some files into the index; the paths of others that are to be read again because of them."""
        read = [(seen, self._read(seen)) for seen in batch]
        gone = [seen.path for seen, what in read if _holds_another(what, known.get(seen.path))]
        again = self.index.forget_files(gone) if gone else []
        entries = [(seen, what) for seen, what in read if isinstance(what, Entry)]
        added = self.index.add_many([entry for _, entry in entries], policy.judge_in_place)
        records = [what for _, what in read if isinstance(what, FileRecord)]
        for (seen, entry), result in zip(entries, added, strict=True):
            is_second = result.verdict is Verdict.KEEP_OLD
            state = FileState.DUPLICATE if is_second else FileState.INDEXED
            reason = "another file holds the same SOP Instance UID" if is_second else ""
            records.append(_record(seen, state, reason, entry.target.instance or ""))
        self.index.record_files(records)
        return again

    def _read(self, seen: Seen) -> Entry | FileRecord:
        try:
            with self.blobs.open(seen.path) as source:
                return self._describe(seen, source)
        except (errors.NotFound, OSError):
            return _record(seen, FileState.UNREADABLE, "the file could not be opened")

    def _describe(self, seen: Seen, source: Source) -> Entry | FileRecord:
        try:
            read = header.read(source, self.limits)
        except errors.Fault as fault:
            is_dicom = source.read_at(_MAGIC_END - 4, 4) == b"DICM"
            state = FileState.UNREADABLE if is_dicom else FileState.FOREIGN
            return _record(seen, state, fault.message if is_dicom else "not a DICOM file")
        if _is_directory(read):
            return _record(seen, FileState.FOREIGN, "a DICOMDIR: it lists files and is none of them")
        refused = policy.examine(read, None)
        if refused is not None:
            return _record(seen, FileState.UNREADABLE, refused.message)
        return describe.describe(
            read,
            key=seen.path,
            size=seen.size,
            digest="",
            checksum="",
            received=seen.mtime_ns / 1e9,
        )


def _holds_another(read: Entry | FileRecord, known: FileRecord | None) -> bool:
    """True when the file was indexed and is no longer that instance."""
    if known is None or known.state is not FileState.INDEXED:
        return False
    return isinstance(read, FileRecord) or read.target.instance != known.instance


def _is_as_known(seen: Seen, known: FileRecord) -> bool:
    return (known.size, known.mtime_ns) == (seen.size, seen.mtime_ns)


def _is_directory(read: Header) -> bool:
    return policy.value(read.meta, "00020002") == _DIRECTORY_RECORD


def _record(seen: Seen, state: FileState, reason: str, instance: str = "") -> FileRecord:
    return FileRecord(
        path=seen.path, size=seen.size, mtime_ns=seen.mtime_ns, state=state, reason=reason, instance=instance or None
    )
