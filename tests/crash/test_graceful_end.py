"""Asked to stop, a server finishes what is in flight, within bounds; workers and servers share one folder."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from crash_check import check_all, check_folder, check_touched
from crash_client import Answer, Client, parse_report
from crash_instances import LARGE, SMALL, Maker, Specimen
from crash_ledger import Ledger
from crash_load import Load, path
from crash_server import PATIENCE, Server, living, until

SOON = {"DICOMGATE__SERVER__STOP_SECONDS": "1", "DICOMGATE__SERVER__STALL_SECONDS": "9999"}
LATE = {"DICOMGATE__SERVER__STOP_SECONDS": "9999", "DICOMGATE__SERVER__STALL_SECONDS": "9999"}
"""What is in flight is cut off at once, or never."""


def upload(specimen: Specimen) -> bytes:
    """A whole request."""
    head = f"POST /dicomweb/studies HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/dicom\r\nContent-Length: {len(specimen.content)}\r\n\r\n"
    return head.encode() + specimen.content


def hear(connection: socket.socket) -> Answer:
    """A whole answer to its end; empty when there was none."""
    data = bytearray()
    while chunk := connection.recv(1 << 16):
        data += chunk
        head, _, body = bytes(data).partition(b"\r\n\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:] if ": " in line)
        if "content-length" in fields and len(body) >= int(fields["content-length"]):
            return Answer(int(head.split()[1]), fields, body)
    return Answer(0, {}, bytes(data))


def connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.settimeout(PATIENCE)
    return connection


def is_refused(port: int) -> bool:
    """True as soon as no new connection is taken; waits for it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with connect(port) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                if not connection.recv(1):
                    return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def _wait_for_upload(server: Server) -> None:
    """More of it has come than the spool keeps in memory."""
    until(lambda: list((server.data / "spool").iterdir()))


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGTERM, 1), (signal.SIGINT, 1), (signal.SIGTERM, 2)])
def test_what_is_in_flight_is_finished(here: Path, chance: Random, number: int, workers: int) -> None:
    maker = Maker(chance)
    kept, coming = (maker.new(maker.uid(), maker.uid(), LARGE) for _ in range(2))
    with Server(here / "data", workers=workers) as server:
        server.start()
        with Client(server.port) as client:
            assert client.store([kept]).status == 200
        request = upload(coming)
        with connect(server.port) as sending, connect(server.port) as reading:
            sending.sendall(request[:-50_000])
            reading.sendall(
                f"GET /dicomweb/{path(kept.target)} HTTP/1.1\r\nHost: localhost\r\nAccept: application/dicom;transfer-syntax=*\r\n\r\n".encode()
            )
            first = reading.recv(1000)
            _wait_for_upload(server)
            server.signal(number)
            assert workers > 1 or is_refused(server.port)
            time.sleep(0.3)
            sending.sendall(request[-50_000:])
            report = parse_report(hear(sending))
            assert (report.status, set(report.stored)) == (200, {coming.uid})
            rest = bytearray(first)
            while chunk := reading.recv(1 << 16):
                rest += chunk
            assert bytes(rest).partition(b"\r\n\r\n")[2] == kept.content
        assert server.wait() == 0
        assert not server.bugs(), server.bugs()
        server.start()
        with Client(server.port) as client:
            assert client.digests(path(coming.target)) == {coming.uid: coming.digest}
        check_folder(server.data)
        assert server.stop() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_what_does_not_end_is_cut_off(here: Path, chance: Random, workers: int) -> None:
    """After `server.stop_seconds`; nothing of it is left."""
    maker = Maker(chance)
    first, never = (maker.new(maker.uid(), maker.uid(), LARGE) for _ in range(2))
    with Server(here / "data", workers=workers, environment=SOON) as server:
        server.start()
        with Client(server.port) as client:
            assert client.store([first]).status == 200
        with connect(server.port) as sending:
            sending.sendall(upload(never)[:5_000_000])
            _wait_for_upload(server)
            server.signal(signal.SIGTERM)
            assert server.wait() == 0
        assert not list((server.data / "spool").iterdir())
        assert check_folder(server.data) == 1
        assert not server.bugs(), server.bugs()


def test_a_second_interrupt_does_not_wait(here: Path, chance: Random) -> None:
    maker = Maker(chance)
    never = maker.new(maker.uid(), maker.uid(), LARGE)
    with Server(here / "data", environment=LATE) as server:
        with connect(server.start().port) as sending:
            sending.sendall(upload(never)[:5_000_000])
            _wait_for_upload(server)
            server.signal(signal.SIGINT)
            assert is_refused(server.port)
            server.signal(signal.SIGINT)
            assert server.wait() in {0, 130}
        server.start()
        assert check_folder(server.data) == 0
        assert server.stop() == 0


def test_a_worker_that_dies_is_replaced_and_nothing_is_lost(here: Path, chance: Random) -> None:
    """Callers of the dead one get no answer; the others go on, and what was left is swept without a restart."""
    ledger = Ledger()
    load = Load(ledger, chance)
    with Server(here / "data", workers=2) as server:
        server.start()
        for _ in range(3):
            with Client(server.port) as client:
                check_touched(client, ledger)
            workers = _wait_for_workers(server)
            load.begin(server.port)
            load.go_on(chance.uniform(0.1, 0.4))
            os.kill(killed := chance.choice(workers), signal.SIGKILL)
            load.go_on(0.3)
            load.end()
            _wait_for_workers(server, killed)
            check_folder(server.data)
        with Client(server.port) as client:
            check_touched(client, ledger)
            check_all(client, ledger)
        assert server.stop() == 0
        assert not server.bugs(), server.bugs()


def _workers(server: Server) -> list[int]:
    """Processes that serve, without the first and without those that only watch over semaphores."""
    return [pid for pid in living(server.pid) if pid != server.pid and b"spawn_main" in _command(pid)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has just ended
        return b""


def _wait_for_workers(server: Server, killed: int | None = None) -> list[int]:
    """Two that serve, none of them the killed one."""
    until(lambda: len(now := _workers(server)) == 2 and killed not in now and _all_serve(server, now))
    return _workers(server)


def _all_serve(server: Server, pids: list[int]) -> bool:
    """Each has the folder's lock file open: it has opened the archive, and swept."""
    lock = str(server.data / "lock")
    return all(lock in _open_files(pid) for pid in pids)


def _open_files(pid: int) -> list[str]:
    found = []
    with contextlib.suppress(OSError):  # it ends
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.append(os.readlink(descriptor))
    return found


def test_workers_end_with_their_supervisor(here: Path) -> None:
    with Server(here / "data", workers=2) as server:
        server.start()
        group = server.pid
        server.signal(signal.SIGKILL)
        server.wait()
        until(lambda: not living(group))


def test_two_servers_share_one_folder(here: Path, chance: Random) -> None:
    """What one has acknowledged, the other answers, at once (D4)."""
    ledger = Ledger()
    load, maker = Load(ledger, chance, callers=2), Maker(chance)
    with Server(here / "data") as one, Server(here / "data") as two:
        two.log = here / "two.log"
        one.start()
        two.start()
        load.begin(one.port)
        with closing(Client(one.port)) as here_, closing(Client(two.port)) as there:
            for _ in range(15):
                specimen = maker.new(maker.uid(), maker.uid(), SMALL)
                assert here_.store([specimen]).status == 200
                assert there.digests(path(specimen.target)) == {specimen.uid: specimen.digest}
                assert there.delete(f"studies/{specimen.target.study}") == 204
                assert here_.status(path(specimen.target)) == 410
        load.end()
        one.kill()
        two.kill()
        with Client(two.start().port) as client:
            check_touched(client, ledger)
        check_folder(two.data)
        assert two.stop() == 0
    for server in (one, two):
        assert not server.bugs(), server.bugs()


def test_a_rebuild_waits_for_nobody_and_disturbs_nobody(here: Path, chance: Random) -> None:
    """While a server runs a rebuild is refused; while a rebuild runs a server is."""
    from dicomgate import assembly, config, errors

    maker = Maker(chance)
    specimens = [maker.new(maker.uid(), maker.uid()) for _ in range(3)]
    with Server(here / "data") as server:
        with Client(server.start().port) as client:
            assert client.store(specimens).status == 200
        with pytest.raises(errors.Unavailable, match="somebody uses"):
            list(assembly.rebuild(server.data, config.Settings(), lambda size: None))
        assert server.stop() == 0
        rebuilding = assembly.rebuild(server.data, config.Settings(), lambda size: server.spawn() or _refused(server))
        assert list(rebuilding) == []
        assert "rebuilt" in server.said()
        with Client(server.start().port) as client:
            for specimen in specimens:
                assert client.digests(path(specimen.target)) == {specimen.uid: specimen.digest}


def _refused(server: Server) -> None:
    assert server.wait() == 1


def test_the_log_of_a_life_has_no_fault(here: Path) -> None:
    """What `Server.bugs` looks for is what a fault looks like."""
    with Server(here / "data") as server:
        server.log.write_text(json.dumps({"event": "error", "error": "KeyError"}) + "\n")
        assert server.bugs()
