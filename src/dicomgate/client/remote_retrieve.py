"""Another DICOMweb server as an origin that gives back: instances are listed, and fetched one by one, a few ahead.

What has come lies in files of the spool's folder until it was taken; memory and disk are bounded by a window, not by
the study. Nothing is kept: who asks again gets what the server has then.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from dicomgate import errors, spool
from dicomgate.client import fetch
from dicomgate.client.caller import Caller
from dicomgate.client.remote_search import RemoteSearch
from dicomgate.dicom import elements
from dicomgate.dicom.matching import Query
from dicomgate.dicom.uids import Level, Target
from dicomgate.origin import Facts, Instance, Piece, Underway

_AHEAD: Final = 6
KEPT: Final = 32
"""So many of the instances taken last can be read again without being fetched again."""
_MOST_KNOWN: Final = 10_000
_CLASS: Final = "00080016"

Read = Callable[[Path], Instance]
"""Opens the instance in a file. Malformed, TooLarge when there is none that could be handed on."""


class Known:
    """Instances that a search has just found, with their classes: they need not be looked for again. For threads."""

    def __init__(self) -> None:
        self._classes: dict[Target, str] = {}
        self._lock = threading.Lock()

    def hear(self, target: Target, sop_class: str) -> None:
        """One more; those heard of first are forgotten first."""
        with self._lock:
            self._classes[target] = sop_class
            if len(self._classes) > _MOST_KNOWN:
                del self._classes[next(iter(self._classes))]

    def find(self, target: Target) -> str | None:
        """Its class; None where it is not known to be there."""
        with self._lock:
            return self._classes.get(target)


class RemoteRetrieve:
    """The Retrieve of another server. Safe for threads, each retrieval being one thread's."""

    def __init__(self, caller: Caller, search: RemoteSearch, known: Known, folder: Path, read: Read) -> None:
        """`folder`: where files lie meanwhile; what a process that died has left there is another's to sweep."""
        self._caller = caller
        self._search = search
        self._known = known
        self._folder = folder
        self._read = read

    @contextmanager
    def retrieve(self, target: Target) -> Iterator[Iterator[Instance]]:
        """The instances in the order of the server's answers; each is fetched when it is looked into.

        NotFound when there is none. One that cannot be had says so when it is read; its facts tell what was listed.
        """
        listed = list(self._list(target))
        if not listed:
            raise errors.NotFound("no such study, series or instance at the server")
        window = _Window(listed, self._fetch)
        try:
            yield (_Remote(window, number) for number in range(len(listed)))
        finally:
            window.close()

    def metadata(self, target: Target) -> tuple[str, Iterator[bytes]]:
        """The DICOM JSON text of each instance, read from its file. Nothing may be kept of it."""
        return "", Underway(self._texts(target))

    def _texts(self, target: Target) -> Iterator[bytes]:
        with self.retrieve(target) as instances:
            for instance in instances:
                yield instance.metadata()

    def changed(self, study: str, since: int) -> tuple[int, bool]:  # noqa: ARG002 - the joint's signature
        """Nobody tells us: anything may have changed."""
        return since, True

    def is_quiet(self, since: int) -> bool:  # noqa: ARG002 - the joint's signature
        """Never known."""
        return False

    def _list(self, target: Target) -> Iterator[tuple[Target, str]]:
        known = self._known.find(target)
        if known is not None:
            yield target, known
            return
        for series in self._series(target):
            query = Query(level=Level.INSTANCE, scope=series)
            for dataset in self._search.search(query).datasets:
                uid, sop_class = (next(iter(elements.texts(dataset.get(tag, {}))), "") for tag in ("00080018", _CLASS))
                if target.instance in (None, uid):
                    yield replace(series, instance=uid), sop_class

    def _series(self, target: Target) -> Iterator[Target]:
        if target.series is not None:
            yield Target(target.study, target.series)
            return
        for dataset in self._search.search(Query(level=Level.SERIES, scope=target)).datasets:
            uid = next(iter(elements.texts(dataset.get("0020000E", {}))), "")
            if uid:
                yield Target(target.study, uid)

    def _fetch(self, target: Target) -> _Come:
        """One file, whole and read."""
        files: list[_File] = []

        def begin() -> _File:
            files.append(_File(self._folder))
            return files[-1]

        try:
            count = fetch.fetch(self._caller, target, fetch.ANY, begin)
            return _Come(self._open(files, count, target), files[0].let_go)
        except BaseException:
            for file in files:
                file.let_go()
            raise

    def _open(self, files: Sequence[_File], count: int, target: Target) -> Instance:
        """What came, where it is what was asked for. UpstreamFailed."""
        if count != 1:
            raise errors.UpstreamFailed(f"the server answers with {count} files where one was asked for")
        try:
            instance = self._read(files[0].path)
        except (errors.Malformed, errors.TooLarge) as fault:
            raise errors.UpstreamFailed(f"what the server sent is no instance: {fault.message}") from fault
        if instance.target != target:
            raise errors.UpstreamFailed("the server sent another instance than was asked for")
        return instance


class _File:
    """A file of the spool's folder that one instance is written to."""

    def __init__(self, folder: Path) -> None:
        try:
            self.path, self._file = spool.make_locked(folder)
        except OSError as error:
            raise spool.fault(error, "what comes cannot be kept meanwhile") from error
        self._is_open = True

    def write(self, data: bytes | memoryview) -> None:
        """The next bytes. OutOfSpace, Unavailable."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            raise spool.fault(error, "what comes cannot be kept meanwhile") from error

    def finish(self) -> None:
        """It is whole."""

    def discard(self) -> None:
        """It may be whole: who began it lets go of it."""

    def let_go(self) -> None:
        """Nobody reads it any more. May be called again."""
        if self._is_open:
            self._is_open = False
            with suppress(FileNotFoundError):
                self.path.unlink()
            os.close(self._file)


@dataclass(frozen=True, slots=True)
class _Come:
    instance: Instance
    let_go: Callable[[], None]


class _Window:
    """The instances of one retrieval: who takes one has those after it fetched; those long taken are let go."""

    def __init__(self, listed: Sequence[tuple[Target, str]], fetch_one: Callable[[Target], _Come]) -> None:
        self.listed = listed
        self._fetch = fetch_one
        self._threads: ThreadPoolExecutor | None = None
        self._held: dict[int, Future[_Come]] = {}

    def get(self, number: int) -> Instance:
        """An instance that is here. The faults of fetching it."""
        for ahead in range(number, min(number + _AHEAD, len(self.listed))):
            if ahead not in self._held:
                self._held[ahead] = self._begin(ahead)
        found = self._held[number]
        for old in sorted(each for each in self._held if each < number)[: max(0, len(self._held) - KEPT)]:
            self._let_go(old)
        return found.result().instance

    def _begin(self, number: int) -> Future[_Come]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_AHEAD, thread_name_prefix="remote instances")
        return self._threads.submit(self._fetch, self.listed[number][0])

    def _let_go(self, number: int) -> None:
        future = self._held.pop(number)
        if not future.cancel():
            future.add_done_callback(_end)

    def close(self) -> None:
        """Let go of everything; what is being fetched is let go of when it has come."""
        for number in list(self._held):
            self._let_go(number)
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)


def _end(future: Future[_Come]) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().let_go()


class _Remote:
    """One instance of another server."""

    def __init__(self, window: _Window, number: int) -> None:
        self._window = window
        self._number = number
        self._facts: Facts | None = None

    @property
    def _here(self) -> Instance:
        return self._window.get(self._number)

    @property
    def target(self) -> Target:
        """Which one, as it was listed."""
        return self._window.listed[self._number][0]

    @property
    def facts(self) -> Facts:
        """What is known of it when it has come; of one that does not come what was listed, in no transfer syntax."""
        if self._facts is None:
            try:
                self._facts = self._here.facts
            except errors.Fault:
                target, sop_class = self._window.listed[self._number]
                self._facts = Facts(
                    target=target,
                    sop_class=sop_class,
                    transfer_syntax="",
                    size=0,
                    digest="",
                    version="",
                    is_lossy=False,
                    frame_count=0,
                )
        return self._facts

    @property
    def is_sound(self) -> bool:
        """True when the file begins as PS3.10 says, and truly."""
        return self._here.is_sound

    def metadata(self) -> bytes:
        """The DICOM JSON text of its data set."""
        return self._here.metadata()

    def file(self, span: range | None = None) -> Iterator[bytes]:
        """The file as the server sent it."""
        return self._here.file(span)

    def frame(self, number: int, *, span: range | None = None) -> Piece:
        """A frame, from 1."""
        return self._here.frame(number, span=span)

    def bulk(self, path: str, *, span: range | None = None) -> Piece:
        """A value that metadata names."""
        return self._here.bulk(path, span=span)

    def bulk_paths(self) -> Sequence[str]:
        """Every value that metadata names."""
        return self._here.bulk_paths()
