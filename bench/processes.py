"""The servers that are measured, each in processes of its own, and what the kernel says they cost."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_PATIENCE: Final = 60.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_MB: Final = 1e6


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where it listens, and its processes."""

    process: int
    host: str
    port: int
    root: str = ""

    def cpu(self) -> float:
        """Seconds on a processor so far, of the process and its children."""
        return sum(_cpu(process) for process in _family(self.process))

    def memory(self) -> float:
        """Resident now, in MB."""
        return self._status("VmRSS")

    def most_memory(self) -> float:
        """The most that was ever resident, in MB, since `forget_most_memory`."""
        return self._status("VmHWM")

    def forget_most_memory(self) -> None:
        """Let the kernel count the peak anew."""
        for process in _family(self.process):
            Path(f"/proc/{process}/clear_refs").write_text("5")

    def _status(self, field: str) -> float:
        return sum(_memory(process, field) for process in _family(self.process))


def _family(process: int) -> list[int]:
    """The process and all that descend from it."""
    children: list[int] = []
    with suppress(FileNotFoundError):
        for task in Path(f"/proc/{process}/task").iterdir():
            children += [int(child) for child in (task / "children").read_text().split()]
    return [process, *(one for child in children for one in _family(child))]


def _cpu(process: int) -> float:
    """The process's own clock (to the nanosecond) where the kernel lends it, else what /proc counts in ticks."""
    with suppress(OSError):
        return time.clock_gettime((~process << 3) | 2)
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _memory(process: int, field: str) -> float:
    found = re.search(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 / _MB if found else 0.0


@contextmanager
def dicomgate(data: Path) -> Iterator[Server]:
    """Our server on a data folder, as a user starts it."""
    with _ours(["--data", str(data)], data.with_suffix(".log")) as server:
        yield server


@contextmanager
def dicomgate_folder(folder: Path) -> Iterator[Server]:
    """Our server on files where they lie; its index is kept beside the folder, for it goes with the measurement."""
    home = {"XDG_CACHE_HOME": str(folder.with_name(f"{folder.name}-index"))}
    with _ours([str(folder)], folder.with_suffix(".log"), home) as server:
        yield server


@contextmanager
def _ours(what: list[str], log: Path, environment: dict[str, str] | None = None) -> Iterator[Server]:
    command = [sys.executable, "-m", "dicomgate", "serve", *what, "--port", "0"]
    with _started(command, log, environment) as (process, log):
        address = _wait_for_line(process, log, re.compile(r"DICOMweb\s+(http://\S+)"))
        parts = urlsplit(address)
        assert parts.hostname is not None
        assert parts.port is not None
        yield Server(process.pid, parts.hostname, parts.port, parts.path)


BARE = """
import os, sys, uvicorn
STEP = 256 << 10
async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    descriptor = os.open(sys.argv[1] + scope["path"], os.O_RDONLY)
    try:
        size = os.fstat(descriptor).st_size
        length = (b"content-length", b"%d" % size)
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        for offset in range(0, size, STEP):
            piece = os.pread(descriptor, STEP, offset)
            await send({"type": "http.response.body", "body": piece, "more_body": offset + STEP < size})
    finally:
        os.close(descriptor)
uvicorn.run(application, port=0, loop="uvloop", http="httptools", lifespan="off", access_log=False, log_level="info")
"""


@contextmanager
def bare_uvicorn(scratch: Path, files: Path) -> Iterator[Server]:
    """The HTTP server's library with nothing behind it but files, read in its event loop."""
    with _started([sys.executable, "-c", BARE, str(files)], scratch / "uvicorn.log") as (process, log):
        address = _wait_for_line(process, log, re.compile(r"running on (http://[0-9.:]+)"))
        parts = urlsplit(address)
        assert parts.hostname is not None
        assert parts.port is not None
        yield Server(process.pid, parts.hostname, parts.port)


NGINX_SETTINGS = """
{user}
worker_processes 1;
daemon off;
error_log {folder}/error.log warn;
pid {folder}/pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    default_type application/octet-stream;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""


def find_nginx() -> str | None:
    """Where nginx is; Debian keeps it where only root looks."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def nginx(scratch: Path) -> Iterator[Server]:
    """One worker of nginx that serves the files in `scratch/nginx/files`, by settings of our own."""
    program = find_nginx()
    assert program is not None, "asked for only where it is"
    folder = scratch / "nginx"
    (folder / "files").mkdir(parents=True, exist_ok=True)
    port = _free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX_SETTINGS.format(folder=folder, port=port, user=user))
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    with _started(command, scratch / "nginx.log") as (process, _):
        _wait_for_port(process, port)
        yield Server(process.pid, "127.0.0.1", port)


@contextmanager
def _started(
    command: list[str], log: Path, environment: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A process that ends with the block; what it says goes into a file."""
    around = {**os.environ, **(environment or {})}
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output, env=around) as process:
        try:
            yield process, log
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for_line(process: subprocess.Popen[bytes], log: Path, wanted: re.Pattern[str]) -> str:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and process.poll() is None:
        found = wanted.search(log.read_text(errors="replace"))
        if found:
            return found[1]
        time.sleep(0.02)
    raise SystemExit(f"a server did not start; it said:\n{log.read_text(errors='replace')}")


def _wait_for_port(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise SystemExit("nginx did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
