"""Connections to the index's SQLite file: how they are opened, lent and judged when they fail."""

from __future__ import annotations

import itertools
import math
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from dicomgate import errors

T = TypeVar("T")

DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
_WAIT_SECONDS = 30.0
_STEPS = 20_000
"""Between two looks at the clock: under a millisecond of work."""


def code(error: sqlite3.Error) -> int:
    """SQLite's own number for what went wrong, without its refinement; -1 if it has none."""
    number = getattr(error, "sqlite_errorcode", None)
    return number & 0xFF if isinstance(number, int) else -1


def fault(error: sqlite3.Error) -> errors.Unavailable:
    """What an error of SQLite means for the caller."""
    if getattr(error, "sqlite_errorcode", None) in _FULL or code(error) == sqlite3.SQLITE_FULL:
        return errors.OutOfSpace("no room left on the disk for the index")
    if code(error) in BUSY:
        return errors.Unavailable("the index is busy")
    kind = errors.Damaged if code(error) in DAMAGE else errors.Unavailable
    return kind(f"the index failed ({getattr(error, 'sqlite_errorname', type(error).__name__)})")


def connect(path: Path, *, durable: bool) -> sqlite3.Connection:
    """A connection that writes, in WAL mode; with `durable` a commit returns when it is on stable storage (D1)."""
    connection = _open(path)
    try:
        _use_wal(connection)
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        connection.execute("PRAGMA fullfsync = ON")  # only macOS knows it: there fsync stops at the drive's cache
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        connection.execute("PRAGMA cache_size = -65536")
    except sqlite3.Error as error:
        connection.close()
        raise fault(error) from error
    return connection


def watch(path: Path) -> sqlite3.Connection:
    """A connection that reads and never waits for others."""
    connection = _open(path, wait=0)
    connection.execute("PRAGMA cache_size = -64")
    connection.execute("PRAGMA query_only = ON")
    return connection


def _open(path: Path, *, wait: float = _WAIT_SECONDS) -> _Connection:
    try:
        return sqlite3.connect(path, timeout=wait, isolation_level=None, check_same_thread=False, factory=_Connection)
    except sqlite3.Error as error:
        raise fault(error) from error


def _use_wal(connection: sqlite3.Connection) -> None:
    """Two processes that open a new file at once get in each other's way here, past the busy time-out."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if code(error) not in BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


class _Connection(sqlite3.Connection):
    """A connection that knows until when it may work."""

    deadline = math.inf

    def work_until(self, deadline: float) -> None:
        """Statements are interrupted after this moment."""
        self.deadline = deadline
        if deadline == math.inf:
            self.set_progress_handler(None, 0)
        else:
            self.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)


def hurry(connection: sqlite3.Connection, seconds: float, deed: Callable[[], T]) -> T | None:
    """What the deed finds, or None when it takes longer; the transaction goes on, with the time it had."""
    assert isinstance(connection, _Connection), "only readers are hurried"
    before, deadline = connection.deadline, time.monotonic() + seconds
    connection.work_until(min(before, deadline))
    return _do(connection, before, deed)


def within(connection: sqlite3.Connection, steps: int, deed: Callable[[], T]) -> T | None:
    """What the deed finds, or None when a statement of it needs more steps, the same on every machine at any load."""
    assert isinstance(connection, _Connection), "only readers are hurried"
    looks = itertools.count(1)
    connection.set_progress_handler(lambda: next(looks) * _STEPS > steps, _STEPS)
    return _do(connection, connection.deadline, deed)


def _do(connection: _Connection, deadline: float, deed: Callable[[], T]) -> T | None:
    try:
        return deed()
    except sqlite3.OperationalError as error:
        if code(error) != sqlite3.SQLITE_INTERRUPT or time.monotonic() > deadline:
            raise
        return None
    finally:
        connection.work_until(deadline)


class Lent:
    """A connection in the hands of one thread, for a while. Faults of SQLite leave as the caller's or the world's.

    A class, for every question is asked inside one: a generator takes three times as long.
    """

    __slots__ = ("_connection", "_is_snapshot", "_readers", "_seconds")

    def __init__(self, readers: Readers, seconds: float, *, is_snapshot: bool) -> None:
        self._readers = readers
        self._seconds = seconds
        self._is_snapshot = is_snapshot

    def __enter__(self) -> sqlite3.Connection:
        self._connection = connection = self._readers.take()
        connection.work_until(time.monotonic() + self._seconds)
        if self._is_snapshot:
            connection.execute("BEGIN")
        return connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._readers.give_back(self._connection)
        if not isinstance(error, sqlite3.Error):
            return
        if code(error) in DAMAGE:
            self._readers.is_damaged = True
        if code(error) == sqlite3.SQLITE_INTERRUPT:
            raise errors.TooLarge("the search takes too long: narrow it, by a date range for example") from error
        raise fault(error) from error


class Readers:
    """Connections that only read, lent to one thread at a time."""

    def __init__(self, path: Path, *, seconds: float) -> None:
        self._path = path
        self._seconds = seconds
        self.is_damaged = False
        self._idle: list[_Connection] = []
        self._lock = threading.Lock()
        self._is_closed = False

    def snapshot(self, seconds: float | None = None) -> Lent:
        """A connection on which everything is read from one moment of the index.

        Raises TooLarge when a statement runs past its time, Unavailable when the file cannot be read.
        """
        return Lent(self, seconds or self._seconds, is_snapshot=True)

    def _lent(self) -> Lent:
        return Lent(self, self._seconds, is_snapshot=False)

    def rows(self, sql: str, parameters: tuple[Any, ...] | dict[str, Any] = ()) -> list[Any]:
        """All rows of one statement, which is a moment by itself."""
        with self._lent() as connection:
            return connection.execute(sql, parameters).fetchall()

    def close(self) -> None:
        """Close the idle ones now, those lent when they come back."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def take(self) -> _Connection:
        """A connection for one thread, until it is given back."""
        with self._lock:
            if self._is_closed:
                raise errors.Unavailable("the index was closed")
            if self._idle:
                return self._idle.pop()
        connection = _open(self._path)
        try:
            connection.execute("PRAGMA cache_size = -8192")  # the upper pages of the trees of a million instances
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA automatic_index = OFF")  # it would read a table for an index it throws away
        except sqlite3.Error as error:
            connection.close()
            raise fault(error) from error
        return connection

    def give_back(self, connection: _Connection) -> None:
        """Lets go of what it was reading."""
        try:
            connection.work_until(math.inf)
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            connection.close()
            return
        with self._lock:
            if not self._is_closed:
                self._idle.append(connection)
                return
        connection.close()
