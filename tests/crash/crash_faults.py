"""`dicomgate` on a disk that can be broken from outside; a program of its own.

    CRASH_FAULTS=<folder> python crash_faults.py serve --data ...

A file `<call> <place>` in the folder breaks that call there: call is write, fsync or rename, place is blobs, runs (the
directories in it) or spool. The file holds the name of the error, and `once` if it happens one time only.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

FAULTS = Path(os.environ["CRASH_FAULTS"])


def break_calls() -> None:
    for name in ("write", "fsync", "rename"):
        setattr(os, name, _breakable(name, getattr(os, name)))


def _breakable(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def breakable(what: Any, *others: Any, **named: Any) -> Any:
        for place in _places(what) if any(FAULTS.glob(f"{name} *")) else ():
            _break(FAULTS / f"{name} {place}")
        return call(what, *others, **named)

    return breakable


def _places(what: Any) -> list[str]:
    if not isinstance(what, int):
        return [part for part in ("blobs", "spool") if f"/{part}/" in os.fspath(what)]
    path = os.readlink(f"/proc/self/fd/{what}")
    if stat.S_ISDIR(os.fstat(what).st_mode):
        return ["runs"] if "/blobs" in path else []
    return [part for part in ("blobs", "spool") if f"/{part}/" in path]


def _break(fault: Path) -> None:
    try:
        said = fault.read_text().split()
        if "once" in said:
            fault.unlink()  # of several threads one is the first
    except FileNotFoundError:
        return
    raise OSError(getattr(errno, said[0]), os.strerror(getattr(errno, said[0])))


if __name__ == "__main__":
    break_calls()
    from dicomgate.cli import main

    main.main()
