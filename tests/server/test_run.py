"""Starting, several workers, and stopping without cutting anything off: with real processes and signals."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from waiting import PATIENCE, is_running, until

from dicomgate.server import run
from dicomgate.testing.serving import Reply, Served, format_request

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("served_program.py")


class Program:
    def __init__(self, workers: int, seconds: float, maker: str, release: Path) -> None:
        command = [sys.executable, str(PROGRAM), str(workers), str(seconds), maker]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "SERVED_PROGRAM_RELEASE": str(release)},
        )
        self.served = Served(0)
        self._release = release

    def wait_until_ready(self) -> Served:
        line = self.process.stdout.readline()
        assert line.startswith("ready 127.0.0.1 "), line
        self.served = Served(int(line.split()[2]))
        return self.served

    def wait_until_begun(self) -> None:
        """A request is in the application's hands."""
        line = self.process.stdout.readline()
        assert line == "begun\n", line

    def release(self) -> None:
        """Let what is slow end."""
        self._release.touch()

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out, err


@contextmanager
def program(workers: int, *, seconds: float = PATIENCE, maker: str = "make") -> Iterator[Program]:
    with TemporaryDirectory() as folder:
        running = Program(workers, seconds, maker, Path(folder) / "release")
        try:
            yield running
        finally:
            if running.process.poll() is None:
                os.killpg(running.process.pid, signal.SIGKILL)
            running.process.communicate()


def ask_slowly(running: Program, into: list[Reply]) -> threading.Thread:
    """In flight until `release`."""
    thread = threading.Thread(target=lambda: into.append(running.served.ask("GET", "/slow")))
    thread.start()
    running.wait_until_begun()
    return thread


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_flight_is_finished(workers: int, number: signal.Signals) -> None:
    with program(workers) as running:
        running.wait_until_ready()
        replies: list[Reply] = []
        thread = ask_slowly(running, replies)
        os.killpg(running.process.pid, number)  # as a terminal does: to the whole group
        time.sleep(0.2)
        running.release()
        thread.join()
        code, out, _ = running.end()
        assert [reply.status for reply in replies] == [200]
        assert code == 0
        assert out.count("closed") == workers
        assert "returned" in out


def test_a_stop_while_workers_start_ends_quietly() -> None:
    with program(2, maker="late") as running:
        assert running.process.stdout.readline() == "starting\n"
        os.killpg(running.process.pid, signal.SIGINT)
        code, _, err = running.end()
        assert (code, err) == (0, "")


def test_upload_in_flight_is_finished() -> None:
    with program(2) as running:
        served = running.wait_until_ready()
        with served.line() as line:
            line.say(format_request("POST", "/count", {"Content-Length": "300000"}) + bytes(100_000))
            running.wait_until_begun()
            running.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            line.say(bytes(200_000))
            assert line.hear().body == b"300000"
            assert line.is_closed()
        assert running.end()[0] == 0


def test_what_never_ends_is_cut_off_after_a_time() -> None:
    with program(1, seconds=0.5) as running:
        served = running.wait_until_ready()
        with served.line() as line:
            line.say(format_request("GET", "/hang"))
            running.wait_until_begun()
            running.process.send_signal(signal.SIGTERM)
            assert running.end()[0] == 0


def test_new_callers_are_not_let_in_while_stopping() -> None:
    with program(1) as running:
        running.wait_until_ready()
        replies: list[Reply] = []
        thread = ask_slowly(running, replies)
        running.process.send_signal(signal.SIGTERM)
        assert until(lambda: is_refused(running.served))
        assert not replies, "and what is in flight goes on"
        running.release()
        thread.join()
        assert [reply.status for reply in replies] == [200]


def is_refused(served: Served) -> bool:
    try:
        served.ask("GET", "/")
    except (OSError, http.client.HTTPException):
        return True
    return False


def test_workers_share_one_socket_and_the_dead_are_replaced() -> None:
    with program(2) as running:
        served = running.wait_until_ready()
        first = {served.ask("GET", "/").body for _ in range(20)}
        with served.line() as line:
            line.say(format_request("GET", "/die"))
            assert line.is_closed()
        assert served.ask("GET", "/").status == 200
        seen: set[bytes] = set()
        assert until(lambda: seen.add(served.ask("GET", "/").body) or (seen - first and len(seen) == 2))
        running.process.send_signal(signal.SIGTERM)
        code, _, err = running.end()
        assert code == 0
        assert '"event":"worker died"' in err


def test_workers_that_cannot_start_are_not_started_for_ever() -> None:
    with program(2, maker="broken") as running:
        code, _, err = running.end()
        assert code == 1
        assert "WorkersFailed" in err


def test_workers_end_when_their_parent_is_killed() -> None:
    with program(2) as running:
        served = running.wait_until_ready()
        workers = {int(served.ask("GET", "/").body) for _ in range(20)}
        os.kill(running.process.pid, signal.SIGKILL)
        assert until(lambda: not any(is_running(worker) for worker in workers)), "orphans go on serving"


def test_address_in_use_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(run.CannotListen, match=str(port)):
            run.listen("127.0.0.1", port)


def test_address_that_is_none_is_told() -> None:
    with pytest.raises(run.CannotListen):
        run.listen("256.0.0.1", 0)
