"""Servers with archives of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from views_service import Service

from dicomgate import assembly, config
from dicomgate.testing.serving import serving


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for the tests of a module: each stores studies of its own."""
    settings = config.Settings(store=config.Store(allow_delete=True))
    data: Path = tmp_path_factory.mktemp("data")
    with serving(assembly.application(settings, data=data)) as served:
        yield Service(served)
