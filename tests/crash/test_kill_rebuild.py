"""D6, D8: `dicomgate admin reindex`, killed at random, leaves an archive that answers; done, it answers the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from crash_check import answers, check_folder, check_touched, verify
from crash_client import Client
from crash_instances import Maker
from crash_ledger import Ledger
from crash_load import Load
from crash_server import Server, run, until

from dicomgate import assembly, config
from dicomgate.testing.serving import serving


def test_a_rebuild_killed_at_random_and_then_done(here: Path, chance: Random) -> None:
    ledger = Ledger()
    load, maker = Load(ledger, chance), Maker(chance)
    with Server(here / "data") as server:
        for _ in range(2):
            server.start()
            with Client(server.port) as client:
                check_touched(client, ledger)
            load.begin(server.port)
            stored = ledger.tally["stored"]
            until(lambda stored=stored: ledger.tally["stored"] > stored + 20)
            server.kill()
            load.end(by_itself=True)
        server.start()
        with Client(server.port) as client:
            check_touched(client, ledger)
            for _ in range(8):  # so that a rebuild has something to do
                study, series = maker.uid(), maker.uid()
                assert client.store([maker.new(study, series) for _ in range(60)]).status == 200
            expected = answers(client)
        server.kill()
    assert len(expected) > 50
    data, reached = here / "data", 0
    for seconds in (0, 0, 0, *(chance.uniform(0, 0.2) for _ in range(4))):
        reached += _killed_rebuild(here, seconds)
        assert _ask(data) == expected, "a rebuild that was killed changed what is answered"
    done = run("admin", "reindex", str(data), cwd=here)
    assert (done.returncode, done.stdout) == (0, ""), done
    assert _ask(data) == expected, "the rebuilt index answers differently"
    check_folder(data)
    verify(data)
    assert run("admin", "verify", str(data), cwd=here).returncode == 0
    assert reached > 0
    print(f"{len(expected)} answers, {reached} of 7 rebuilds killed at work")


def _command(here: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dicomgate", "admin", "reindex", str(here / "data")]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True, cwd=here)


def _killed_rebuild(here: Path, seconds: float) -> bool:
    """True if it was at work when it was killed."""
    fresh = here / "data" / "index.rebuilt.sqlite"
    with _command(here) as process:
        while process.poll() is None and not fresh.exists():
            time.sleep(0.001)
        time.sleep(seconds)
        is_at_work = fresh.exists()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return is_at_work


def _ask(data: Path) -> dict[str, Any]:
    with (
        serving(assembly.application(config.Settings(), data=data)) as served,
        Client(served.port) as client,
    ):
        return answers(client)
