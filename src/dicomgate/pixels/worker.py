"""The inside of a worker process: it does one named task after the other, within bounds, and ends with its parent (T5).

Tasks come as lines of JSON with open files beside them, answers go back the same way. Nothing is unpickled: a decoder
taken over by what it decodes can say no more than a line that the parent checks.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import traceback
from typing import Any

from dicomgate import errors

TASKS: dict[str, tuple[str, str]] = {
    # What can be asked for, and where it is done: imported when it is first asked for.
    "decode": ("dicomgate.pixels.decode", "decode"),
    "icon": ("dicomgate.pixels.icons", "draw"),
    "render": ("dicomgate.pixels.rendering", "render"),
    "transcode": ("dicomgate.pixels.transcode", "transcode"),
}
LONGEST_TASK = 1 << 20
MOST_FILES = 4
_PROGRAM = 256 << 20
"""Address space of the interpreter with numpy and all codecs."""
_GRACE = 5
"""Seconds of processor time past the parent's patience, after which the system ends a worker without a parent."""


def main(arguments: list[str]) -> int:
    """Work until the parent goes away. 0 when it closed the line."""
    link, life = (int(argument) for argument in arguments)
    _end_with(life)
    _bound(resource.RLIMIT_CORE, 0)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write past the bound then fails as one on a full disk does
    with socket.socket(fileno=link) as line:
        while task := _receive(line):
            memory, output, seconds = task[0]["bounds"]
            _bound(resource.RLIMIT_FSIZE, output)
            _bound(resource.RLIMIT_AS, memory + _PROGRAM)
            _bound_time(seconds)
            line.sendall(_answer(*task))
    return 0


def _end_with(life: int) -> None:
    """Have the system kill this process when the parent's end of the pipe closes, whatever the process is doing.

    Where a system does not do this, the closed line ends the worker after its task, and the bound on time within it.
    """
    fcntl.fcntl(life, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | fcntl.FASYNC | os.O_NONBLOCK)
    if select.select([life], [], [], 0)[0]:
        os._exit(0)


def _bound(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with contextlib.suppress(ValueError, OSError):  # some systems know no bound on address space
        resource.setrlimit(what, (most, hard))


def _bound_time(seconds: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _bound(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + seconds + _GRACE)


def _receive(line: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next task and its files; None when the parent has closed the line."""
    content, files, _, _ = socket.recv_fds(line, LONGEST_TASK, MOST_FILES)
    while content and not content.endswith(b"\n"):
        chunk = line.recv(LONGEST_TASK)
        content = content + chunk if chunk else b""
    return (json.loads(content), files) if content else None


def _answer(task: dict[str, Any], files: list[int]) -> bytes:
    try:
        answer = {"result": _do(task, files)}
    except errors.Fault as fault:
        kind = next(kind for kind in type(fault).__mro__ if kind.__module__ == errors.__name__)
        answer = {"fault": kind.__name__, "message": fault.message}
    except MemoryError:
        answer = {"fault": "TooLarge", "message": "the picture needs more memory than a picture may have"}
    except Exception:  # noqa: BLE001 - the worker loop: the parent raises it as the bug it is
        answer = {"bug": traceback.format_exc()}
    finally:
        for file in files:
            os.close(file)
    return json.dumps(answer).encode() + b"\n"


def _do(task: dict[str, Any], files: list[int]) -> Any:
    module, function = TASKS[task["task"]]
    return getattr(importlib.import_module(module), function)(*files, **task["arguments"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
