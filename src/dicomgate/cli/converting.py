"""What conversion makes, brought to a folder, a data folder or a server, and what is told of it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dicomgate import errors
from dicomgate.cli import output, telling
from dicomgate.dicom import uids
from dicomgate.dicom.uids import Target

if TYPE_CHECKING:
    from dicomgate.cli.output import Step
    from dicomgate.cli.syncing import Destination

REPORT: Final = "dicomgate-report.jsonl"
_PAUSE: Final = 0.5
"""Seconds between two `progress` events, at least."""
_TOGETHER: Final = 64
_LARGE: Final = 64 << 20
"""So many instances, or so many bytes, are passed on to a data folder or server at once."""


class Converted(NamedTuple):
    """One instance that is to be written."""

    study: str
    series: str
    instance: str
    became: str
    sources: int
    write: Callable[[], Iterator[bytes]]
    name: str = ""
    """What its source is called, where it is a copy of it."""
    why: str = ""
    """Why it is only a copy, where it could have been more."""
    is_fixed: bool = True
    """The same UID always has the same content, so that what is there need not be written again."""


class Teller:
    """Counts what is read and written, and tells of it: a bar for a person, JSON Lines for a program."""

    def __init__(self, *, is_json: bool) -> None:
        self.is_json = is_json
        self.read = self.written = self.there = self.bytes = self.failed = 0
        self._began = self._told = time.monotonic()
        self._step: Step | None = None

    @contextmanager
    def shown(self, what: str, total: int | None) -> Iterator[None]:
        """While inside, the bar of one part of the work."""
        if self.is_json:
            output.event("start", what=what.lower(), total=total)
            yield
            return
        with output.progress(what, total) as step:
            self._step = step
            yield
            self._step = None

    def add_read(self) -> None:
        """One more instance was looked at."""
        self.read += 1
        self._move()

    def add_bytes(self, count: int) -> None:
        """So many more bytes came or went."""
        self.bytes += count
        self._move(0)

    def add_written(self, sources: int) -> None:
        """One more instance stands where it shall, made of so many."""
        self.written += 1
        self._move(sources)

    def end(self, code: int) -> None:
        """All is done, with this exit code."""
        if self.is_json:
            output.event("end", **self._counts(), code=code)

    def _move(self, by: int = 1) -> None:
        if self._step is not None and by:
            self._step(by)
        now = time.monotonic()
        if self.is_json and now - self._told >= _PAUSE:
            self._told = now
            output.event("progress", **self._counts())

    def _counts(self) -> dict[str, Any]:
        return {
            "read": self.read,
            "written": self.written,
            "there": self.there,
            "failed": self.failed,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
        }

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began


class Report:
    """What could not be converted, read or written: on standard error, and in a file where one is wanted."""

    def __init__(self, path: Path | None, teller: Teller) -> None:
        self.path = path
        self._teller = teller
        self._lines: list[str] = []

    def add(self, name: str, why: str) -> None:
        """One more."""
        self._teller.failed += 1
        self._lines.append(json.dumps({"name": name, "why": why}, ensure_ascii=False))
        if not self._teller.is_json:
            output.message(output.plain(f"{name}: {why}"))

    @property
    def is_empty(self) -> bool:
        """Nothing was left."""
        return not self._lines

    def finish(self) -> None:
        """Write the file; none where nothing is to be said. OSError when it cannot be written."""
        if self.path is None:
            return
        if not self._lines:
            self.path.unlink(missing_ok=True)
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        aside = self.path.with_name(f".{self.path.name}")
        aside.write_text("".join(f"{line}\n" for line in self._lines), "utf-8")
        aside.replace(self.path)


class Writer:
    """Brings instances to where they shall be, and says what became of each once it stands there."""

    def __init__(self, to: Destination, teller: Teller, report: Report, *, again: bool) -> None:
        self._to = to
        self._teller = teller
        self._report = report
        self._again = again
        self._counts: Counter[str] = Counter()
        self._waiting: list[tuple[Target, Converted]] = []
        self._waiting_bytes = 0
        self._there: tuple[Target | None, set[str]] = (None, set())

    def add(self, one: Converted) -> None:
        """Write an instance, unless it is there. OSError when the disk does not take it; the faults of a server."""
        if not all(map(uids.is_uid, one[:3])):
            self._report.add(one.name or one.instance, "study, series or instance UID is missing or malformed")
            return
        target = Target(one.study, one.series, one.instance)
        if self._is_there(target, is_fixed=one.is_fixed):
            self._teller.there += 1
            self._settle(target, one, is_there=True)
            return
        try:
            size = self._write(target, one)
        except errors.Malformed as fault:
            self._report.add(one.instance, fault.message)
            return
        if self._to.keep is None:
            self._settle(target, one)
            return
        self._waiting.append((target, one))
        self._waiting_bytes += size
        if len(self._waiting) >= _TOGETHER or self._waiting_bytes >= _LARGE:
            self.flush()

    def _is_there(self, target: Target, *, is_fixed: bool) -> bool:
        if self._to.keep is None:
            return is_fixed and not self._again and self._to.staged.path(target).exists()
        if self._again:
            return False
        series = Target(target.study, target.series)
        if self._there[0] != series:
            self._there = series, self._to.instances(series)
        return target.instance in self._there[1]

    def _write(self, target: Target, one: Converted) -> int:
        partial = self._to.staged.begin()
        try:
            for chunk in one.write():
                partial.write(chunk)
                self._teller.add_bytes(len(chunk))
            self._to.staged.land(partial, self._to.staged.path(target))
        finally:
            partial.discard()
        return partial.size

    def flush(self) -> None:
        """Pass on what waits."""
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        by_series: dict[Target, dict[str, Converted]] = {}
        for target, one in waiting:
            by_series.setdefault(Target(target.study, target.series), {})[one.instance] = one
        for series, ones in by_series.items():
            failures = {failure.target.instance: failure.why for failure in self._to.pass_on(series, set(ones))}
            for uid, one in ones.items():
                if uid in failures:
                    self._report.add(uid, failures[uid])
                else:
                    self._settle(Target(series.study, series.series, uid), one)

    def _settle(self, target: Target, one: Converted, *, is_there: bool = False) -> None:
        self._counts[one.became] += 1
        self._teller.add_written(one.sources)
        if output.is_terminal():
            return
        facts: dict[str, Any] = {"became": one.became, "sources": one.sources}
        if self._to.keep is None:
            facts = {"file": str(self._to.staged.path(target)), **facts}
        facts |= {
            "StudyInstanceUID": target.study,
            "SeriesInstanceUID": target.series,
            "SOPInstanceUID": target.instance,
        }
        output.line({**facts, **({"there": True} if is_there else {}), **({"why": one.why} if one.why else {})})

    def finish(self) -> None:
        """Pass on the rest, and say how much was made."""
        self.flush()
        told = [f"{count:,} {became}" for became, count in self._counts.items()]
        if self._teller.there:
            told.append(f"{self._teller.there:,} of them there before")
        if self._teller.failed:
            told.append(f"{self._teller.failed:,} not{f' (why: {self._report.path})' if self._report.path else ''}")
        if not self._teller.is_json:
            size = telling.format_bytes(self._teller.bytes)
            output.message(f"{', '.join(told) or 'nothing written'}; {size} in {self._teller.seconds:.1f} s")
