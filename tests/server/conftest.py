from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from made_origin import Made, Switch

from dicomgate.composition.content import Workshop
from dicomgate.pixels.pictures import Decoder
from dicomgate.pixels.processes import Workers
from dicomgate.server.app import Application
from dicomgate.server.logs import Log
from dicomgate.server.settings import Settings
from dicomgate.spool import Spool
from dicomgate.testing.serving import Served, serving


class Servers:
    """A server for each choice of settings, started when first needed and kept for all tests."""

    def __init__(self, spool: Spool, stack: ExitStack) -> None:
        self.spool = spool
        self.workshop = Workshop(decoder=Decoder(stack.enter_context(Workers())), scratch=spool.scratch)
        self.lines: list[bytes] = []
        self._stack = stack
        self._running: dict[str, tuple[Switch, Served]] = {}

    def serve(self, made: Made, **settings: Any) -> Served:
        key = repr(sorted(settings.items()))
        if key not in self._running:
            switch = Switch()
            application = Application(
                switch.origin, self.spool, self.workshop, Settings(**settings), log=Log(self.lines.append)
            )
            self._running[key] = (switch, self._stack.enter_context(serving(application)))
        switch, served = self._running[key]
        switch.current = made
        return served


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(Spool(tmp_path_factory.mktemp("spool"), in_memory=1 << 20), stack)


@pytest.fixture
def serve_made(servers: Servers) -> Callable[..., Served]:
    """Serves a made origin over real sockets."""
    return servers.serve


@pytest.fixture
def spool_folder(servers: Servers) -> Path:
    return servers.spool.directory


@pytest.fixture
def lines(servers: Servers) -> list[bytes]:
    """What is logged from now on."""
    servers.lines.clear()
    return servers.lines
