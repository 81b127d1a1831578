"""What one transaction changes in a relay's queue. An instance goes when its last errand is done, and not before."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Sequence
from typing import Final

from dicomgate.index.errands import Held, Trial

_INSERT: Final = "INSERT INTO held VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ERRAND: Final = """
INSERT INTO errand (destination, held) SELECT :destination, :held
WHERE NOT EXISTS (SELECT 1 FROM errand WHERE destination = :destination AND held = :held)
"""
_DELIVER: Final = """
INSERT INTO progress (destination, delivered, delivered_bytes, last_delivered) VALUES (?, ?, ?, ?)
ON CONFLICT (destination) DO UPDATE SET
  delivered = delivered + excluded.delivered,
  delivered_bytes = delivered_bytes + excluded.delivered_bytes,
  last_delivered = excluded.last_delivered, failing_since = NULL, next_try = NULL, why = ''
"""
_FAIL: Final = """
INSERT INTO progress (destination, failing_since, next_try, why) VALUES (:destination, :now, :next, :why)
ON CONFLICT (destination) DO UPDATE SET
  failing_since = coalesce(failing_since, :now), next_try = :next, why = :why
"""
_TRY: Final = """
UPDATE errand SET tries = tries + 1, due = :due, why = :why, code = :code, is_shelved = :shelve,
  doubts = doubts + :doubt, doubted = CASE WHEN doubted = 0 AND :doubt THEN :began ELSE doubted END
WHERE destination = :destination AND held = :number AND is_shelved = 0
"""
_AGAIN: Final = """
UPDATE errand SET is_shelved = 0, due = 0, doubts = 0, doubted = 0
WHERE destination = ? AND held = ? AND is_shelved = ?
"""
_DISCARD: Final = """
INSERT INTO discarded
SELECT h.number, e.destination, h.study, h.series, h.instance, h.size, h.digest, e.why, ?, ?
FROM errand e JOIN held h ON h.number = e.held WHERE e.destination = ? AND e.held = ?
"""


class ErrandChanges:
    """The deeds of one open transaction. Nothing here outlives it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._execute = connection.execute

    def finish(self) -> None:
        """Nothing is left for the end."""

    def add(self, held: Held, destinations: Collection[str]) -> bool:
        """Hold an instance for these; False when the same bytes of it are held already, for which nothing is new."""
        target = held.target
        known = self._execute(
            "SELECT number FROM held WHERE instance = ? AND series = ? AND study = ? AND digest = ?",
            (target.instance, target.series, target.study, held.digest),
        ).fetchone()
        number = known[0] if known else self._insert(held)
        for destination in destinations:
            self._execute(_ERRAND, {"destination": destination, "held": number})
        return known is None

    def _insert(self, held: Held) -> int:
        target = held.target
        uids = (target.study, target.series, target.instance)
        seen = (held.sop_class, held.transfer_syntax, held.size, held.digest, held.checksum, held.caller)
        number = self._execute(_INSERT, (held.key, *uids, *seen, held.received)).lastrowid
        assert number is not None, "a row was inserted"
        return number

    def deliver(self, destination: str, done: Sequence[Held]) -> list[str]:
        """These have arrived. Keys whose bytes nobody waits for any more."""
        numbers = [(destination, held.number) for held in done]
        self._connection.executemany("DELETE FROM errand WHERE destination = ? AND held = ?", numbers)
        size = sum(held.size for held in done)
        self._execute(_DELIVER, (destination, len(done), size, time.time()))
        return self._release([held.number for held in done])

    def note(self, destination: str, trials: Collection[Trial], next_try: float | None, why: str) -> None:
        """These were tried in vain; with `next_try`, the whole destination is to be left alone until then."""
        now = time.time()
        for trial in trials:
            said = {"destination": destination, "number": trial.number, "due": trial.due, "began": trial.began}
            how = {"why": trial.why, "code": trial.code, "shelve": trial.shelve, "doubt": trial.is_doubt}
            self._execute(_TRY, said | how)
        if next_try is not None:
            self._execute(_FAIL, {"destination": destination, "now": now, "next": next_try, "why": why})

    def again(self, errands: Collection[tuple[str, int]]) -> int:
        """Try these anew, at once: from the shelf, or before they are due. How many there were."""
        changed = 0
        for destination, number in errands:
            for state in (0, 1):
                changed += self._execute(_AGAIN, (destination, number, state)).rowcount
            self._execute("UPDATE progress SET next_try = NULL WHERE destination = ?", (destination,))
        return changed

    def discard(self, errands: Collection[tuple[str, int]], reason: str) -> int:
        """Give these up, and keep who, what and why. How many there were."""
        gone = 0
        for destination, number in errands:
            self._execute(_DISCARD, (reason, time.time(), destination, number))
            deleted = self._execute("DELETE FROM errand WHERE destination = ? AND held = ?", (destination, number))
            gone += deleted.rowcount
        self._release([number for _, number in errands])
        return gone

    def forget_garbage(self, keys: Collection[str]) -> None:
        """Their bytes are gone."""
        self._connection.executemany("DELETE FROM garbage WHERE key = ?", [(key,) for key in keys])

    def _release(self, numbers: Collection[int]) -> list[str]:
        """Let go of those that nobody waits for."""
        keys: list[str] = []
        for number in numbers:
            if self._execute("SELECT 1 FROM errand WHERE held = ?", (number,)).fetchone() is None:
                keys += [key for (key,) in self._execute("SELECT key FROM held WHERE number = ?", (number,))]
                self._execute("DELETE FROM held WHERE number = ?", (number,))
        self._connection.executemany("INSERT OR IGNORE INTO garbage VALUES (?)", [(key,) for key in keys])
        return keys
