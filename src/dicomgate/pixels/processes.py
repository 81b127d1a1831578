"""Worker processes seen from outside: started when needed, used again, killed and replaced when they misbehave (T5)."""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import Any, Self

from dicomgate import errors, extras
from dicomgate.pixels.limits import DEFAULT, Bounds, Limits

LONGEST_ANSWER = 8 << 20
_FAULTS = {
    name: getattr(errors, name) for name in ("Malformed", "TooLarge", "UnsupportedMedia", "NotAcceptable", "OutOfSpace")
}
_BROKEN = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP})
"""Ends that the content of a task brings about; any other signal came from outside."""


class Workers:
    """Up to so many worker processes, shared by any number of threads. None runs before the first task."""

    def __init__(
        self, limits: Limits = DEFAULT, aside: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> None:
        """`aside`: what a thread enters while it waits for a process or for its answer."""
        self.limits = limits
        self._aside = aside
        self._asking = 0
        self._places = threading.BoundedSemaphore(limits.processes)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._is_closed = False

    def run(self, task: str, arguments: dict[str, Any], files: Sequence[int] = (), bounds: Bounds | None = None) -> Any:
        """What a task of `worker.TASKS` answers; it gets the open files first, then the arguments by name.

        `bounds`: tighter ones than those of all tasks, as they follow from what the task is about.
        The task's own faults; Malformed when its content breaks the process, TooLarge when it takes too long or too
        much memory, Unavailable when no process is free in time, none can be started or one was killed, NotInstalled
        without the extra "pixels".
        """
        extras.require("pixels")
        with self._among_others(), self._aside():
            if not self._places.acquire(timeout=self.limits.waiting):
                raise errors.Unavailable("all processes for pictures are at work")
            try:
                return self._run(task, arguments, files, self.limits.within(bounds))
            finally:
                self._places.release()

    def close(self) -> None:
        """End the processes that are free now, the others after their tasks; later tasks are refused."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def _among_others(self) -> Iterator[None]:
        """Counts who asks. Unavailable when so many wait that one more would wait for nothing."""
        with self._lock:
            if self._asking >= self.limits.queue + self.limits.processes:
                raise errors.Unavailable("too many pictures wait to be made")
            self._asking += 1
        try:
            yield
        finally:
            with self._lock:
                self._asking -= 1

    def _run(self, task: str, arguments: dict[str, Any], files: Sequence[int], bounds: Bounds) -> Any:
        worker = self._take()
        is_sound = False
        try:
            answer = worker.ask(task, arguments, files, bounds)
            is_sound = "bug" not in answer
        finally:
            self._put_back(worker, is_sound=is_sound)
        return _checked(answer)

    def _take(self) -> _Worker:
        with self._lock:
            if self._is_closed:
                raise errors.Unavailable("the processes for pictures have ended")
            idle = [worker for worker in self._idle if worker.is_running()]
            ended = [worker for worker in self._idle if worker not in idle]
            taken = idle.pop() if idle else None
            self._idle = idle
        for worker in ended:
            worker.end()
        return taken or _Worker()

    def _put_back(self, worker: _Worker, *, is_sound: bool) -> None:
        with self._lock:
            if is_sound and not self._is_closed:
                self._idle.append(worker)
                return
        worker.end()


class _Worker:
    """One process, its line, and the pipe whose closing ends it."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair()
        life, self._life = os.pipe()
        numbers = (theirs.fileno(), life)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, numbers as arguments
                [sys.executable, "-P", "-m", "dicomgate.pixels.worker", *map(str, numbers)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), life),
                env=_environment(),
                start_new_session=True,  # an interrupt at the terminal is the parent's to deal with
            )
        except OSError as error:
            self._line.close()
            os.close(self._life)
            raise errors.Unavailable("a process for pictures could not be started") from error
        finally:
            theirs.close()
            os.close(life)

    def is_running(self) -> bool:
        """Whether it can take a task."""
        return self._process.poll() is None

    def ask(self, task: str, arguments: dict[str, Any], files: Sequence[int], bounds: Bounds) -> dict[str, Any]:
        """One task and its answer, within its bounds."""
        seconds = bounds.seconds
        numbers = (bounds.memory, bounds.output, math.ceil(seconds))
        question = json.dumps({"task": task, "arguments": arguments, "bounds": numbers}).encode() + b"\n"
        deadline = time.monotonic() + seconds
        try:
            self._line.settimeout(seconds)
            taken = socket.send_fds(self._line, [question], list(files))
            self._line.sendall(question[taken:])
            return self._read_answer(deadline)
        except TimeoutError:
            raise errors.TooLarge(f"the picture took more than {seconds:g} seconds") from None
        except OSError:
            raise self._ended() from None

    def _read_answer(self, deadline: float) -> dict[str, Any]:
        content = bytearray()
        while not content.endswith(b"\n"):
            self._line.settimeout(max(deadline - time.monotonic(), 0.001))
            chunk = self._line.recv(1 << 16)
            if not chunk or len(content) > LONGEST_ANSWER:
                raise self._ended()
            content += chunk
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            raise self._ended() from None
        return answer if isinstance(answer, dict) else {}

    def _ended(self) -> errors.Fault:
        """Why it gave no answer."""
        self._process.kill()  # nothing, if it has ended: its own end is then what is told
        code = self._process.wait()
        if -code in _BROKEN:
            return errors.Malformed("the picture's bytes broke its decoder")
        return errors.Unavailable("the process for the picture was ended")

    def end(self) -> None:
        """Kill it, if it still runs, and let go of everything."""
        self._process.kill()
        self._process.wait()
        self._line.close()
        if self._life >= 0:
            os.close(self._life)
            self._life = -1


def _environment() -> dict[str, str]:
    """What a worker sees of the environment: where the program's modules are, and one thread for arithmetic."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # Memory that a task gave back stays for the next one: to get it anew costs as much as showing a picture.
        "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
        "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
    }


def _checked(answer: dict[str, Any]) -> Any:
    if "result" in answer:
        return answer["result"]
    if answer.get("fault") in _FAULTS:
        raise _FAULTS[answer["fault"]](str(answer.get("message"))[:500])
    raise RuntimeError(f"a task failed in its process:\n{answer.get('bug')}")
