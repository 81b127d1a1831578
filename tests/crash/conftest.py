from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.crash)


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Chance that can be had again: DICOMGATE_CRASH_SEED=... repeats a run as far as threads allow."""
    seed = os.environ.get("DICOMGATE_CRASH_SEED") or str(random.SystemRandom().getrandbits(32))
    print(f"seed {seed}")
    return random.Random(f"{seed} {request.node.name}")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of our own, without settings of the machine's."""
    for name in list(os.environ):
        if name.startswith("DICOMGATE__"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path
