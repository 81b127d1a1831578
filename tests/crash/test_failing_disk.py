"""D3: calls that fail. What failed is not acknowledged, reads go on, and after a failed sync nothing is stored again."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import pytest
from crash_check import check_all, check_folder, verify
from crash_client import Client
from crash_instances import LARGE, SMALL
from crash_ledger import Ledger
from crash_load import Storer, storing
from crash_server import Server, until

PROGRAM = Path(__file__).with_name("crash_faults.py")


@contextmanager
def breakable(here: Path) -> Iterator[tuple[Server, Path]]:
    faults = here / "faults"
    faults.mkdir()
    with Server(here / "data", program=(str(PROGRAM),), environment={"CRASH_FAULTS": str(faults)}) as server:
        yield server, faults
        assert not server.bugs(), server.bugs()


def check_afterwards(server: Server, ledger: Ledger, chance: Random) -> None:
    """A restart, and everything is as the callers know, and works."""
    server.kill()
    server.start()
    with closing(Storer(server.port, ledger, chance)) as storer:
        assert storer.client.ask("GET", "/readyz").status == 200
        check_all(storer.client, ledger)
        check_folder(server.data)
        assert storer.store(SMALL, LARGE).status == 200
        check_all(storer.client, ledger)
    assert server.stop() == 0
    verify(server.data)


HARMLESS = [
    ("fsync blobs", "ENOSPC"),
    ("write blobs", "ENOSPC"),
    ("rename blobs", "EDQUOT"),
    ("write spool", "ENOSPC"),
    ("write spool", "EIO"),
]
"""Nothing can be lost by these, so the next store is taken."""
HARMFUL = [
    ("fsync blobs", "EIO"),
    ("fsync runs", "EIO"),
    ("fsync runs", "ENOSPC"),
    ("write blobs", "EIO"),
    ("rename blobs", "EIO"),
    ("fsync spool", "EIO"),
]
"""After these nothing is stored until a restart."""


def test_calls_that_fail_once(here: Path, chance: Random) -> None:
    ledger = Ledger()
    with breakable(here) as (server, faults):
        server.start()
        for fault, error in HARMLESS:
            with closing(Storer(server.port, ledger, chance)) as storer:
                _meet(storer, faults / fault, error)
                assert storer.store(SMALL).stored, f"nothing is stored after {fault} {error}"
                assert storer.client.ask("GET", "/readyz").status == 200
        for fault, error in HARMFUL:
            with closing(Storer(server.port, ledger, chance)) as storer:
                assert storer.store(SMALL, LARGE).status == 200
                _meet(storer, faults / fault, error)
                assert not storer.store(SMALL).stored, f"stored again after {fault} {error}"
                assert storer.client.ask("GET", "/readyz").status == 503, f"ready after {fault} {error}"
                check_all(storer.client, ledger)
            server.kill()
            server.start()
            with Client(server.port) as client:
                check_all(client, ledger)
            check_folder(server.data)
        check_afterwards(server, ledger, chance)


def _break(fault: Path, how: str) -> None:
    """At once: the server must never read half of it."""
    aside = fault.with_name("." + fault.name)
    aside.write_text(how)
    aside.rename(fault)


def _meet(storer: Storer, fault: Path, error: str) -> None:
    """The fault comes in the middle of a store."""
    _break(fault, f"{error} once")
    report = storer.store(LARGE if "spool" in fault.name else SMALL)
    assert not report.stored, f"acknowledged, though the disk failed: {fault.name} {error}"
    assert not fault.exists(), f"{fault.name} was not met"
    check_all(storer.client, storer.ledger)


@pytest.mark.parametrize("fault", ["fsync blobs", "fsync runs", "write blobs"])
def test_a_disk_that_breaks_under_load(here: Path, chance: Random, fault: str) -> None:
    ledger = Ledger()
    with breakable(here) as (server, faults):
        with storing(server.start().port, ledger, chance):
            until(lambda: ledger.tally["stored"] > 10)
            _break(faults / fault, "EIO once" if "fsync" in fault else "EIO")
            until(lambda: ledger.tally["refused"] > 10)
        with Client(server.port) as client:
            check_all(client, ledger)
        for each in faults.iterdir():
            each.unlink()
        check_afterwards(server, ledger, chance)


def test_an_index_that_cannot_grow(here: Path, chance: Random) -> None:
    """SQLite's writes fail (file size limit): nothing is acknowledged, reads go on."""
    ledger = Ledger()
    with Server(here / "data") as server, closing(Storer(server.start().port, ledger, chance)) as storer:
        log = server.data / "index.sqlite-wal"
        while log.stat().st_size < 200_000:
            assert storer.store(SMALL).status == 200
        limit = log.stat().st_size + 8192
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        with storing(server.port, ledger, chance):
            until(lambda: ledger.tally["refused"] > 10)
        check_all(storer.client, ledger)
        check_afterwards(server, ledger, chance)
        assert not server.bugs(), server.bugs()


@contextmanager
def broken(server: Server, file: str, calls: str, how: str) -> Iterator[None]:
    """These system calls of the server fail on this file, for as long as the block lasts."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(server.pid), "-P", str(server.data / file)]
    with subprocess.Popen(
        [*command, "-e", f"trace={calls}", "-e", f"inject={calls}:{how}"], stderr=subprocess.PIPE
    ) as tracer:
        until(lambda: tracer.poll() is not None or _is_traced(server.pid))
        if tracer.poll() is not None:
            assert tracer.stderr is not None
            pytest.skip(f"strace may not trace here: {tracer.stderr.read().decode()[:200]}")
        try:
            yield
        finally:
            tracer.send_signal(signal.SIGINT)


def _is_traced(pid: int) -> bool:
    """Every thread of it."""
    try:
        states = [(task / "status").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:  # one of them has just ended
        return False
    return all("TracerPid:\t0\n" not in state for state in states)


@pytest.mark.parametrize(
    ("calls", "error", "is_over"),
    [("fdatasync,fsync", "EIO", False), ("pwrite64", "EIO", False), ("pwrite64", "ENOSPC", True)],
)
def test_a_commit_that_fails(here: Path, chance: Random, calls: str, error: str, is_over: bool) -> None:
    """The very calls by which SQLite makes a commit durable."""
    ledger = Ledger()
    with Server(here / "data") as server, closing(Storer(server.start().port, ledger, chance)) as storer:
        for _ in range(3):
            assert storer.store(SMALL, SMALL).status == 200
        first, second, *_ = ledger.studies()
        with broken(server, "index.sqlite-wal", calls, f"error={error}"):
            assert storer.store(SMALL).stored == frozenset(), "acknowledged, though the commit failed"
            assert storer.delete(first) in {503, 507}
            with storing(server.port, ledger, chance):
                refused = ledger.tally["refused"]
                until(lambda: ledger.tally["refused"] > refused + 5)
            _check_reading(storer.client, ledger, second)
        assert bool(storer.store(SMALL).stored) is is_over
        assert storer.client.ask("GET", "/readyz").status == (200 if is_over else 503)
        _check_reading(storer.client, ledger, second)
        check_afterwards(server, ledger, chance)
        assert not server.bugs(), server.bugs()


def _check_reading(client: Client, ledger: Ledger, study: str) -> None:
    items = ledger.of(study)
    assert client.digests(f"studies/{study}") == {uid: item.digest for uid, item in items.items()}
