"""A relay in a process that can be started again in no time, so that it can be killed often: a fork of one that is ready."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from dicomgate import assembly, config
from dicomgate.assembly import relays
from dicomgate.dimse import door

_FORKS = get_context("forkserver")


@dataclass(frozen=True)
class Victim:
    process: ForkServerProcess
    port: int

    def kill(self) -> None:
        """SIGKILL, of the only process that it has."""
        pid = self.process.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self.process.join(100)
        assert self.process.exitcode == -signal.SIGKILL


def start(settings: Path) -> Victim:
    """A relay that takes in and forwards."""
    _FORKS.set_forkserver_preload(["dicomgate.assembly.relays", "httpx2", "pydicom"])
    ours, theirs = _FORKS.Pipe()
    process = _FORKS.Process(target=_relay, args=(settings, theirs), daemon=True)
    process.start()
    theirs.close()
    return Victim(process, ours.recv())


def _relay(file: Path, told: Connection) -> None:
    """The parts of `assembly.serve_relay`, with the door in the same process."""
    settings = config.read(file=file, environment={})
    named = dict(settings.destinations)
    with assembly.open_relay(settings, named) as relay, relays.open_intake(settings, named) as house:
        relay.sweep()
        listening = door.listen("127.0.0.1", 0)
        with relay.forwarding(), door.opened(house, listening):
            told.send(listening.getsockname()[1])
            signal.pause()
