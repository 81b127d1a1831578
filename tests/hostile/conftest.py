from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from hostile_victim import Victim, assert_clean_log

from dicomgate.testing import processes
from dicomgate.testing.processes import Running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/hostile/" in item.path.as_posix():
            item.add_marker("slow")
            if sys.platform != "linux":
                item.add_marker(pytest.mark.skip(reason="looks at memory and open files the Linux way"))


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all of it, which nothing may bring down."""
    home = tmp_path_factory.mktemp("hostile")
    with processes.running("--log-requests", data=home / "data", log=home / "log", environment=SETTINGS) as server:
        yield server
        most = server.memory(at_most=True) >> 20
        assert most < MOST_MEMORY, f"{most} MiB at most, after all that"
    assert_clean_log((home / "log").read_text())


MOST_MEMORY = 256  # MiB; seen: 151
SETTINGS = {
    "DICOMGATE__SERVER__HEADER_SECONDS": "4",
    "DICOMGATE__SERVER__STALL_SECONDS": "6",
    "DICOMGATE__STORE__PARTS": "500",
    "DICOMGATE__STORE__INSTANCE_BYTES": str(64 << 20),
    "DICOMGATE__STORE__BODY_BYTES": str(256 << 20),
    "DICOMGATE__SEARCH__MOST": "5000",
}


@pytest.fixture
def victim(running: Running) -> Iterator[Victim]:
    """The server, which must be sound after every test."""
    victim = Victim(running, running.log.stat().st_size)
    yield victim
    victim.assert_sound()
