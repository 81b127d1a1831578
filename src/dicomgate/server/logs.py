"""The log: one JSON object a line to standard error; no patient data, no query string, no injected lines (T18)."""

from __future__ import annotations

import logging
import os
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import orjson

_LONGEST_LINE: Final = 4000  # below PIPE_BUF, so that lines of several processes never mix
_STANDARD_ERROR: Final = 2
_KNOWN_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


def write_line(line: bytes) -> None:
    """Put one line to standard error in one system call; a log that cannot be written is not worth a failed request."""
    try:
        os.write(_STANDARD_ERROR, line)
    except OSError:
        return


class Log:
    """Writes events as JSON lines. Values are numbers and words of our own; whatever a caller sent stays out."""

    def __init__(self, write: Callable[[bytes], None] = write_line, *, access: bool = True) -> None:
        self._write = write
        self._access = access

    def access(self, *, method: str, kind: str, status: int, began: float, sent: int, peer: str) -> None:
        """One request answered; `kind` is the name of the route, never the address asked for."""
        if self._access:
            self.event(
                "access",
                method=method if method in _KNOWN_METHODS else "other",
                route=kind,
                status=status,
                ms=round((time.perf_counter() - began) * 1000, 2),
                bytes=sent,
                peer=peer,
            )

    def event(self, event: str, **facts: str | float | list[str]) -> None:
        """Something worth a line."""
        self._line({"time": _now(), "event": event, **facts})

    def bug(self, error: BaseException, *, kind: str) -> None:
        """A fault of ours: its type and where it came from. Not its message: it may repeat a value of a data set."""
        self.event("error", route=kind, error=type(error).__name__, at=places(error.__traceback__))

    def _line(self, facts: dict[str, Any]) -> None:
        line = orjson.dumps(facts)
        if len(line) > _LONGEST_LINE:
            line = orjson.dumps({key: value for key, value in facts.items() if not isinstance(value, list)})
        self._write(line[:_LONGEST_LINE] + b"\n")


def places(trace: TracebackType | None) -> list[str]:
    """`file:line function` of the innermost frames, without any value."""
    frames = traceback.extract_tb(trace)[-12:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]


class LineHandler(logging.Handler):
    """Takes what libraries say through `logging` and writes it as a line of ours: logger and level, no arguments."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record. Its template is kept, its arguments are not: they may hold anything."""
        facts: dict[str, Any] = {
            "logger": record.name,
            "level": record.levelname,
            "message": str(record.msg)[:200].strip(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            facts |= {"error": type(record.exc_info[1]).__name__, "at": places(record.exc_info[2])}
        self._log.event("library", **facts)


def take_over_library_logs(log: Log) -> None:
    """Let warnings of the HTTP server's library and of asyncio come out as lines of ours, once."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name == "uvicorn.error"
        logger.setLevel(logging.WARNING)
    for name in ("uvicorn", "asyncio"):
        logging.getLogger(name).addHandler(LineHandler(log))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
