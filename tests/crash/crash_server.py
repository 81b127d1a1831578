"""A real server in a process group of its own, that can be killed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

_ADDRESS = re.compile(r"^DICOMweb +http://127\.0\.0\.1:([0-9]+)/dicomweb", re.MULTILINE)
PATIENCE = 120.0
USUAL = ("-m", "dicomgate")
OFTEN = (str(Path(__file__).with_name("crash_checkpoints.py")),)
"""Programs: dicomgate, and one whose index checkpoints often."""


class Server:
    """`dicomgate serve --data`, or another program that tells its address like it."""

    def __init__(
        self,
        data: Path,
        *options: str,
        workers: int = 1,
        before: Sequence[str] = (),
        program: Sequence[str] = USUAL,
        environment: dict[str, str] | None = None,
        home: Path | None = None,
    ) -> None:
        self.data = data
        self.home = home or data.parent
        self.log = self.home / f"{data.name}.log"
        self.port = 0
        self.cpu_seconds = 0.0
        self._command = [*before, sys.executable, *program, "serve", "--data", str(data), "--port", "0"]
        self._command += ["--allow-delete", "--workers", str(workers), *options]
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._read_from = 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def spawn(self) -> None:
        """Start it; it may not listen yet."""
        self._read_from = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=self._environment, cwd=self.home,
            )  # fmt: skip

    def start(self) -> Self:
        """Start it and wait until it tells that it listens; `cpu_seconds` is what that has cost."""
        began = time.monotonic()
        self.spawn()
        assert self._process is not None
        while (found := _ADDRESS.search(self.said())) is None:
            code = self._process.poll()
            assert code is None, f"the server ended with {code}:\n{self.said()}"
            assert time.monotonic() < began + PATIENCE, f"the server does not start:\n{self.said()}"
            time.sleep(0.005)
        self.port = int(found[1])
        self.cpu_seconds = _cpu_seconds(self.pid)
        return self

    def said(self) -> str:
        """What it wrote since it was started last."""
        with self.log.open("rb") as log:
            log.seek(self._read_from)
            return log.read().decode("utf-8", "replace")

    def bugs(self) -> list[Any]:
        """Faults of ours in all of its log."""
        text = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
        events = [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]
        # What is cut off when the time to stop is over, uvicorn tells as an error of its own.
        found = [event for event in events if event.get("error", "CancelledError") != "CancelledError"]
        return found + ([text] if "Traceback" in text else [])

    def kill(self) -> None:
        """SIGKILL to the whole group, and wait until nobody of it runs."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGSTOP)  # so that none of them sees another die, and tells of it
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        while living(self._process.pid):
            time.sleep(0.001)
        self._process = None

    def signal(self, number: int) -> None:
        """To the first process alone, as a service manager does."""
        os.kill(self.pid, number)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Its exit code."""
        assert self._process is not None
        code = self._process.wait(timeout)
        self._process = None
        return code

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def until(is_so: Callable[[], object], *, seconds: float = PATIENCE) -> None:
    """Wait for what must come, however slow the machine is."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.005)


def _cpu_seconds(pid: int) -> float:
    """What a process has worked so far, whatever else the machine had to do."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def living(group: int) -> list[int]:
    """Processes of a group that run (a dead one that nobody waited for does not)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                state, _, process_group, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(process_group) == group and state not in "ZX":
                found.append(int(entry.name))
    return found


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Another verb of dicomgate, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "dicomgate", *arguments], capture_output=True, text=True, cwd=cwd, check=False
    )
