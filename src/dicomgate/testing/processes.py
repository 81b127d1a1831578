"""Real server processes, for tests in which sockets, signals, memory and what lies on disk must be true."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dicomgate.testing.serving import Line, Reply, format_request

PATIENCE: Final = 100.0
"""Seconds for a server to start, to answer, or to stop, on a machine that has much else to do."""
_ANNOUNCED: Final = re.compile(r"^DICOMweb +(https?://\S+:(\d+))/dicomweb$", re.MULTILINE)

_ANNOUNCED_DIMSE: Final = re.compile(r"^DIMSE +\S{1,16}@\S+:(\d+)$", re.MULTILINE)


class DidNotStart(Exception):  # noqa: N818 - reads as what happened
    """The server ended, or was not ready in time; the message is its log."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers. `log` is everything it has said."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    data: Path

    scheme: str = "http"

    @property
    def url(self) -> str:
        """The address of its top."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def root(self) -> str:
        """The address of its DICOMweb services."""
        return f"{self.url}/dicomweb"

    @property
    def dimse(self) -> int:
        """The port of its DIMSE door."""
        return int(_ANNOUNCED_DIMSE.findall(self.log.read_text(errors="replace"))[-1])

    @property
    def is_alive(self) -> bool:
        """True until the process has ended."""
        return self.process.poll() is None

    def line(self, *, receive_buffer: int | None = None) -> Line:
        """A new connection."""
        return Line(self.port, receive_buffer=receive_buffer)

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Reply:
        """One request on a connection of its own; the path is that on the host."""
        with self.line() as line:
            line.say(format_request(method, path, headers, body))
            return line.hear(method)

    def pids(self) -> list[int]:
        """The process and all it has started, where the system tells (Linux)."""
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            try:
                tasks = [task / "children" for task in Path(f"/proc/{pid}/task").iterdir()]
                waiting += [int(child) for task in tasks for child in task.read_text().split()]
            except OSError:
                continue
        return found

    def memory(self, *, at_most: bool = False) -> int:
        """Resident bytes of all its processes; `at_most`: the sum of the most that each ever had (Linux)."""
        field = "VmHWM" if at_most else "VmRSS"
        return sum(_status(pid, field) for pid in self.pids()) << 10

    def forget_most(self) -> None:
        """Let `memory(at_most=True)` count from now on (Linux)."""
        for pid in self.pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def cpu(self) -> float:
        """CPU seconds of all its processes so far (Linux)."""
        ticks = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self) -> int:
        """Ask it to stop as an operator would; its exit code."""
        if self.is_alive:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End it as a crash would, with all it has started."""
        for pid in reversed(self.pids()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(PATIENCE)


def start(
    *arguments: str,
    data: Path,
    log: Path,
    is_folder: bool = False,
    is_gateway: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Running:
    """Start `dicomgate serve` on a free port and wait until it answers. DidNotStart when it does not.

    `data` is a data folder, or a folder of files in place when `is_folder`, or the file with the settings of a gateway
    when `is_gateway`. Settings of the caller's own environment and working directory are not heard.
    """
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("DICOMGATE__")}
    what = ["serve", str(data)] if is_folder else ["serve", "--data", str(data)]
    if is_gateway:
        what = ["gateway", "run", "--config", str(data)]
    command = [sys.executable, "-m", "dicomgate", *what, "--port", "0", *arguments]
    with log.open("ab") as said:
        begins = said.tell()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd=log.parent,
            env={**surroundings, **(environment or {})},
        )
    port = _wait_for_port(process, log, begins)
    return Running(process, port, log, data, "https" if "--tls-cert" in arguments else "http")


@contextmanager
def running(
    *arguments: str,
    data: Path,
    log: Path,
    is_folder: bool = False,
    is_gateway: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """A server for as long as the block lasts. AssertionError when it does not end well afterwards."""
    server = start(*arguments, data=data, log=log, is_folder=is_folder, is_gateway=is_gateway, environment=environment)
    try:
        yield server
    except BaseException:
        server.kill()
        raise
    was_alive = server.is_alive
    try:
        code = server.stop()
    except subprocess.TimeoutExpired:
        server.kill()
        raise
    assert (was_alive, code) == (True, 0), f"the server ended with {code}:\n{_tail(log)}"
    assert b"Traceback" not in log.read_bytes(), _tail(log)


def _wait_for_port(process: subprocess.Popen[bytes], log: Path, begins: int) -> int:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        has_ended = process.poll() is not None
        announced = _ANNOUNCED.search(log.read_bytes()[begins:].decode(errors="replace"))
        if announced:
            return int(announced[2])
        if has_ended:
            break
        time.sleep(0.02)
    if process.poll() is None:
        process.kill()
        process.wait()
    raise DidNotStart(f"exit code {process.returncode}:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-4000:]


def _status(pid: int, field: str) -> int:
    """A figure of /proc/<pid>/status in KiB; 0 for a process that has just ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(field + ":")), 0)
