"""D1, D2, D4, D5, D7, D8: a real server is killed at random points under load; nothing that it answered is untrue."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from crash_check import check_all, check_folder, check_touched, verify
from crash_client import Client
from crash_ledger import Ledger
from crash_load import Load
from crash_server import OFTEN, USUAL, Server, until


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("workers", "rounds", "program", "duplicates"),
    [(1, 40, USUAL, "refuse"), (1, 40, OFTEN, "replace"), (2, 30, USUAL, "refuse")],
    ids=["one worker", "one worker that checkpoints often and replaces", "two workers"],
)
def test_nothing_acknowledged_is_lost_by_kills_under_load(
    here: Path, chance: Random, workers: int, rounds: int, program: Sequence[str], duplicates: str
) -> None:
    data, ledger = here / "data", Ledger(replaces=duplicates == "replace")
    load = Load(ledger, chance)
    with Server(data, "--duplicates", duplicates, workers=workers, program=program) as server:
        for number in range(rounds):
            if number % 6 == 5:  # killed while it starts, and sweeps
                server.spawn()
                time.sleep(chance.uniform(0.1, 1.0))
                server.kill()
            server.start()
            with Client(server.port) as client:
                check_touched(client, ledger, _some(ledger, chance))
            check_folder(data)
            until(lambda: len(os.listdir(data / "blobs" / "open")) <= workers)  # markers of the dead do not pile up
            load.begin(server.port)
            load.go_on(chance.uniform(0.01, 0.6))
            server.kill()
            load.end(by_itself=True)
        server.start()
        with Client(server.port) as client:
            check_touched(client, ledger)
            check_all(client, ledger)
        kept = check_folder(data)
        assert server.stop() == 0
    verify(data)
    assert not server.bugs()
    print(f"{rounds} kills, {workers} workers: {dict(ledger.tally)}; {kept} kept")
    assert ledger.tally["stored"] > rounds
    assert ledger.tally["no answer"] > rounds // 2, "the kills hit nothing under way"
    full, empty = _start_seconds(data), _start_seconds(here / "empty")
    assert full < 2 * empty + 0.5, f"starting takes work that grows with the archive: {full:.2f} s, not {empty:.2f} s"


def _start_seconds(data: Path) -> float:
    """CPU time of the quickest of some starts after kills."""
    seconds = []
    for _ in range(3):
        with Server(data) as server:
            seconds.append(server.start().cpu_seconds)
    return min(seconds)


def _some(ledger: Ledger, chance: Random) -> list[str]:
    studies = ledger.studies()
    return chance.sample(studies, min(3, len(studies)))
