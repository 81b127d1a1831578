from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dicomgate import assembly, config
from dicomgate.archive.archive import Archive
from dicomgate.dicom.outcomes import Outcome


@pytest.fixture
def settings() -> config.Settings:
    return config.Settings(store=config.Store(allow_delete=True))


@pytest.fixture
def archive(tmp_path: Path, settings: config.Settings) -> Iterator[Archive]:
    with assembly.open_archive(tmp_path / "data", settings) as opened:
        yield opened


@pytest.fixture
def store(archive: Archive) -> Callable[..., Outcome]:
    def store_bytes(content: bytes, study: str | None = None) -> Outcome:
        arrival = archive.spool.arrival()
        try:
            arrival.write(content)
            assert archive.origin.store is not None
            return archive.origin.store.accept(arrival, study)
        finally:
            arrival.discard()

    return store_bytes
