"""How far a long run is, on standard error: a bar for a person, JSON Lines for a program."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from dicomgate.cli import output

_PAUSE: Final = 0.5
"""Seconds between two `progress` events, at least."""


class Teller:
    """Counts series, instances and bytes, and tells of them. Any number of threads may use it at once."""

    def __init__(self, *, is_json: bool) -> None:
        self.is_json = is_json
        self.series = self.series_done = self.instances = self.there = self.failed = self.bytes = 0
        self._began = self._told = time.monotonic()
        self._lock = threading.Lock()
        self._bars: Progress | None = None
        self._task = TaskID(0)

    @contextmanager
    def shown(self, what: str, series: int) -> Iterator[None]:
        """While inside, a bar if standard error is a terminal, or the first and last events."""
        self.series = series
        if self.is_json:
            self._say("start", series=series)
            yield
            return
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("series "),
            TextColumn("{task.fields[size]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
            self._bars, self._task = bars, bars.add_task(what, total=series, size="")
            yield
            self._bars = None

    def add_bytes(self, count: int) -> None:
        """So many more bytes came."""
        with self._lock:
            self.bytes += count
            now = time.monotonic()
            if now - self._told < _PAUSE:
                return
            self._told = now
        self._progress()

    def add_series(self, facts: dict[str, Any], *, there: int, fetched: int, failed: int) -> None:
        """A series is done; the facts name it."""
        self.series_done += 1
        self.there += there
        self.instances += fetched
        self.failed += failed
        if self.is_json:
            self._say("series", **facts, there=there, fetched=fetched, failed=failed)
        self._progress()

    def warn(self, text: str) -> None:
        """A server warns of something."""
        if self.is_json:
            self._say("warning", text=text)
        else:
            output.message(f"the server says: {text}")

    def end(self, code: int) -> None:
        """All is done, with this exit code."""
        if self.is_json:
            self._say("end", **self._counts(), code=code)

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def _progress(self) -> None:
        if self.is_json:
            self._say("progress", **self._counts())
        elif self._bars is not None:
            size = f"{format_bytes(self.bytes)}  {format_bytes(self.bytes / max(self.seconds, 0.001))}/s"
            self._bars.update(self._task, completed=self.series_done, size=size)

    def _counts(self) -> dict[str, Any]:
        return {
            "series": self.series,
            "series_done": self.series_done,
            "there": self.there,
            "fetched": self.instances,
            "failed": self.failed,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
        }

    def _say(self, event: str, **facts: Any) -> None:
        with self._lock:
            output.event(event, **facts)


def format_bytes(count: float) -> str:
    """A size to read."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
