"""D6: `verify` runs beside servers that store and delete, and takes nothing of that for damage."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

from crash_ledger import Ledger
from crash_load import Load
from crash_server import PATIENCE, Server

from dicomgate import assembly, config


def test_verify_beside_a_server_under_load(here: Path, chance: Random) -> None:
    load = Load(Ledger(replaces=True), chance)
    runs = 0
    with Server(here / "data", "--duplicates", "replace") as server:
        load.begin(server.start().port)
        enough = time.monotonic() + 3
        with assembly.open_archive(server.data, config.Settings(), create=False) as archive:
            while time.monotonic() < enough or not (load.ledger.tally["deleted"] and load.ledger.tally["replaced"]):
                assert time.monotonic() < enough + PATIENCE, dict(load.ledger.tally)
                load.look()
                damages = list(archive.verify(lambda size: None))
                assert not damages, damages
                runs += 1
        load.end()
        assert server.stop() == 0
    assert runs > 0
