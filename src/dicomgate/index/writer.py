"""The one thread of a process that writes the index: all that waits shares one transaction and one sync (group commit).

A request that fails spoils nothing but itself: its group is rolled back, and each of it is done alone.
"""

from __future__ import annotations

import collections
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from dicomgate import errors
from dicomgate.index import connections

T = TypeVar("T")


class Transaction(Protocol):
    """What the deeds of one open transaction do it with."""

    def finish(self) -> object:
        """The last of it, before it is committed."""
        ...


Changes = TypeVar("Changes", bound=Transaction)

_BROKEN = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY})
_PATIENCE = 60.0


@dataclass(slots=True)
class _Request(Generic[Changes]):
    deed: Callable[[Changes], Any]
    weight: int
    answer: Future[Any] = field(default_factory=Future)


class Writer(Generic[Changes]):
    """Does deeds in transactions. Make it after forking. The thread begins with the first deed."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        begin: Callable[[sqlite3.Connection], Changes],
        *,
        most: int = 256,
    ) -> None:
        """`begin` makes what deeds are done with, for each transaction.

        `most`: instances in one transaction, so that nobody waits long for others' commit.
        """
        self._connect = connect
        self._begin = begin
        self._most = most
        self._waiting: collections.deque[_Request[Changes]] = collections.deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._is_closed = False
        self._broken = ""
        self.is_damaged = False

    def do(self, deed: Callable[[Changes], T], *, weight: int = 1) -> T:
        """Return what the deed gives, when it is durable. Raises what the deed raises, OutOfSpace, Unavailable."""
        request = _Request(deed, weight)
        with self._changed:
            if self._is_closed:
                raise errors.Unavailable("the index was closed")
            self._waiting.append(request)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="index writer", daemon=True)
                self._thread.start()
            self._changed.notify()
        answer: T = request.answer.result()
        return answer

    def require_sound(self) -> None:
        """Unavailable, for good, after a failure that leaves unknown what is on the disk."""
        if self._broken:
            raise errors.Unavailable(self._broken)

    def close(self) -> None:
        """Do what waits, then stop. May be called twice."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while group := self._next_group():
            self._do_group(group)
        if self._connection is not None:
            self._connection.close()  # the last one out moves the log into the file
            self._connection = None

    def _next_group(self) -> list[_Request[Changes]]:
        with self._changed:
            while not self._waiting and not self._is_closed:
                self._changed.wait()
            group: list[_Request[Changes]] = []
            weight = 0
            while self._waiting and (not group or weight + self._waiting[0].weight <= self._most):
                group.append(self._waiting.popleft())
                weight += group[-1].weight
            return group

    def _do_group(self, group: list[_Request[Changes]]) -> None:
        try:
            results = self._transact(group)
        except Exception as error:  # noqa: BLE001 (the worker loop's boundary: whatever it is, the callers get it)
            failure = self._judge(error)
            if len(group) > 1 and not isinstance(failure, errors.Unavailable):
                for request in group:
                    self._do_group([request])
            else:
                for request in group:
                    request.answer.set_exception(failure)
        else:
            for request, result in zip(group, results, strict=True):
                request.answer.set_result(result)

    def _transact(self, group: list[_Request[Changes]]) -> list[Any]:
        self.require_sound()
        if self._connection is None:
            self._connection = self._connect()
        connection = self._connection
        _begin(connection)
        try:
            changes = self._begin(connection)
            results = [request.deed(changes) for request in group]
            changes.finish()
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                self._roll_back(connection)
        return results

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error:  # what made the transaction fail is being raised; the next one begins afresh
            connection.close()
            self._connection = None

    def _judge(self, error: Exception) -> Exception:
        if not isinstance(error, sqlite3.Error) or isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError):
            return error
        fault = connections.fault(error)
        self.is_damaged = self.is_damaged or connections.code(error) in connections.DAMAGE
        if connections.code(error) in _BROKEN and not isinstance(fault, errors.OutOfSpace):
            # After a failed sync nobody knows what is on the disk; another try could succeed without being durable.
            self._broken = f"nothing is stored until a restart: {fault.message}"
        fault.__cause__ = error
        return fault


def _begin(connection: sqlite3.Connection) -> None:
    """Wait for other processes in small steps: the busy time-out's steps grow to a tenth of a second."""
    deadline = time.monotonic() + _PATIENCE
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if connections.code(error) not in connections.BUSY or time.monotonic() > deadline:
                    raise
            time.sleep(random.uniform(0.0002, 0.002))  # noqa: S311 (only so that two do not keep step)
    finally:
        connection.execute("PRAGMA busy_timeout = 30000")
