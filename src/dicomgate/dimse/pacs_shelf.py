"""Which series are kept of a PACS, how whole each is, and which go when there are too many bytes (docs/decisions/0014).

The instances lie in an archive of their own; here is one small file a series beside it, written when the series has
come. What a crash left half has no such file and is forgotten at the next start.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import orjson

from dicomgate import errors
from dicomgate.dicom.uids import Target
from dicomgate.origin import Origin

_SUFFIX: Final = ".json"
_TOUCH_SECONDS: Final = 60.0
"""A file's time tells when its series was last used, this exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is kept of a series. `said`: how many instances the PACS told of when it came (None: it does not count).

    `held`: how many came; `lacking`: how many of those it listed did not, and were asked for more than once.
    `checked`: when the PACS last said that nothing has changed, in seconds since 1970.
    """

    study: str
    series: str
    said: int | None
    held: int
    lacking: int
    size: int
    checked: float

    @property
    def target(self) -> Target:
        """The series."""
        return Target(self.study, self.series)


class Shelf:
    """The book of what is kept. Safe for threads; one process has it alone."""

    def __init__(
        self,
        directory: Path,
        cache: Origin,
        *,
        most_bytes: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`cache` keeps the instances, and can delete."""
        assert cache.delete is not None, "a cache forgets"
        self._directory = directory
        self._delete = cache.delete
        self._most = most_bytes
        self._clock = clock
        self._lock = threading.RLock()
        self._records: dict[str, Record] = {}  # by series, the one that was used longest ago first
        self._touched: dict[str, float] = {}
        self._pins: Counter[str] = Counter()
        directory.mkdir(parents=True, exist_ok=True)
        self._read()

    def find(self, series: str) -> Record | None:
        """What is known of a series that has come."""
        with self._lock:
            return self._records.get(series)

    def of_study(self, study: str) -> list[Record]:
        """Every series of a study that has come."""
        with self._lock:
            return [one for one in self._records.values() if one.study == study]

    def note(self, record: Record) -> None:
        """A series has come, or was looked at again; others may have to go for it."""
        with self._lock:
            self._records.pop(record.series, None)
            self._records[record.series] = record
            self._write(record)
        self._make_room(self._most)

    def checked(self, series: str) -> None:
        """The PACS says that nothing has changed."""
        with self._lock:
            record = self._records.get(series)
            if record is not None:
                self._records[series] = replace(record, checked=self._clock())
                self._write(self._records[series])

    def doubt(self, study: str) -> None:
        """Something of the study may have changed: ask before it is used again."""
        with self._lock:
            for record in self.of_study(study):
                self._records[record.series] = replace(record, checked=0.0)

    def forget(self, record: Record) -> None:
        """The series is gone at the PACS, or has to go here."""
        with self._lock:
            self._records.pop(record.series, None)
            self._touched.pop(record.series, None)
            self._path(record.series).unlink(missing_ok=True)
        with contextlib.suppress(errors.NotFound):
            self._delete.delete(record.target)

    @contextlib.contextmanager
    def pinned(self, series: str) -> Iterator[None]:
        """While inside, the series stays."""
        with self._lock:
            self._pins[series] += 1
            self.touch(series)
        try:
            yield
        finally:
            with self._lock:
                self._pins[series] -= 1
                if not self._pins[series]:
                    del self._pins[series]

    def touch(self, series: str) -> None:
        """The series is used now."""
        with self._lock:
            record = self._records.pop(series, None)
            if record is None:
                return
            self._records[series] = record
            now = self._clock()
            if now - self._touched.get(series, 0.0) >= _TOUCH_SECONDS:
                self._touched[series] = now
                with contextlib.suppress(OSError):
                    os.utime(self._path(series), (now, now))

    @property
    def size(self) -> int:
        """Bytes of all that is kept."""
        with self._lock:
            return sum(record.size for record in self._records.values())

    def known(self) -> list[Record]:
        """All series, the one that was used longest ago first."""
        with self._lock:
            return list(self._records.values())

    def halve(self) -> None:
        """The disk is full though there are not too many bytes here: half of them go."""
        self._make_room(self.size // 2)

    def _make_room(self, most: int) -> None:
        """What was used longest ago goes first; what is in use stays."""
        while True:
            with self._lock:
                over = self.size > most
                oldest = next((one for one in self._records.values() if not self._pins[one.series]), None)
                self._pins += Counter()  # looking made entries without a count
            if not over or oldest is None:
                return
            self.forget(oldest)

    def _read(self) -> None:
        found: list[tuple[float, Record]] = []
        for path in self._directory.glob(f"*{_SUFFIX}"):
            record = _parse(path)
            if record is None:
                path.unlink(missing_ok=True)
            else:
                found.append((path.stat().st_mtime, record))
        for used, record in sorted(found, key=lambda pair: pair[0]):
            self._records[record.series] = record
            self._touched[record.series] = used

    def _write(self, record: Record) -> None:
        """On a full disk it is known here alone: better no page after a restart than an old one."""
        path = self._path(record.series)
        aside = path.with_suffix(".new")
        try:
            aside.write_bytes(orjson.dumps(asdict(record)))
            aside.replace(path)
        except OSError:
            aside.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        self._touched[record.series] = self._clock()

    def _path(self, series: str) -> Path:
        return self._directory / (hashlib.sha256(series.encode()).hexdigest()[:32] + _SUFFIX)


def _parse(path: Path) -> Record | None:
    """None for what a power cut left without its content."""
    try:
        told = orjson.loads(path.read_bytes())
        return Record(**told)
    except (OSError, orjson.JSONDecodeError, TypeError):
        return None
