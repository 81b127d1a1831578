"""`dicomgate relay`: C-STORE in, STOW-RS out, real processes and sockets (issue 7; D1)."""

from __future__ import annotations

from pathlib import Path

import pytest
import relay_started as started

from dicomgate.testing import processes


@pytest.mark.slow
def test_what_is_stored_into_a_relay_arrives_as_it_was(tmp_path: Path) -> None:
    files = started.make(5)
    with processes.running(data=tmp_path / "data", log=tmp_path / "server.log") as server:
        settings = started.write_settings(tmp_path / "s.toml", held=tmp_path / "held", hub={"to": server.root})
        with started.running(settings, tmp_path / "relay.log") as relay:
            assert set(started.send(relay.dimse, files).values()) == {0}
            started.ends(server, files)
            for file in files.values():
                assert started.fetched(server, file).endswith(started.dataset_of(file))
            started.wait_until(lambda: started.queue(settings)[0]["waiting"] == 0)
            told = started.queue(settings)
            assert (told[0]["destination"], told[0]["state"], told[0]["delivered"]) == ("hub", "idle", 5)
        assert started.queue(settings)[0]["state"] == "stopped"
