"""A relay of its own process for tests, who stores into it, and who counts what has arrived."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import orjson

from dicomgate.dicom import header, syntaxes
from dicomgate.dicom.part10 import read_beginning
from dicomgate.dicom.source import BytesSource
from dicomgate.dicom.uids import Target
from dicomgate.dimse import associations
from dicomgate.dimse.associations import Peer
from dicomgate.dimse.contexts import Offer
from dicomgate.testing import instances
from dicomgate.testing.instances import SECONDARY_CAPTURE
from dicomgate.testing.processes import PATIENCE, Running

QUICK = {"pause_seconds": 0.05, "longest_pause_seconds": 0.1}
"""Destinations of tests are tried again soon."""


def write_settings(path: Path, *, held: Path, **destinations: Mapping[str, object]) -> Path:
    """The settings of a relay, one process for its door."""
    lines = ["[relay]", f"folder = {json.dumps(str(held))}", "[dimse]", 'title = "RELAY"', "port = 0", "processes = 1"]
    for name, said in destinations.items():
        lines += [
            f"[destinations.{name}]",
            *(f"{key} = {json.dumps(value)}" for key, value in {**QUICK, **said}.items()),
        ]
    path.write_text("\n".join(lines) + "\n")
    return path


def start(settings: Path, log: Path, *arguments: str) -> Running:
    """Start `dicomgate relay` and wait until it takes in."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("DICOMGATE__")}
    command = [sys.executable, "-m", "dicomgate", "relay", "--config", str(settings), *arguments]
    with log.open("ab") as said:
        begins = said.tell()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=log.parent, env=surroundings
        )
    wait_until(lambda: b"Held in" in log.read_bytes()[begins:] or process.poll() is not None)
    assert process.poll() is None, log.read_text()
    return Running(process, 0, log, settings)


@contextmanager
def running(settings: Path, log: Path, *arguments: str) -> Iterator[Running]:
    """A relay for as long as the block lasts, which has to end well."""
    relay = start(settings, log, *arguments)
    try:
        yield relay
    except BaseException:
        relay.kill()
        raise
    assert relay.stop() == 0, log.read_text()[-4000:]
    assert b"Traceback" not in log.read_bytes(), log.read_text()[-4000:]


def wait_until(happens: Callable[[], bool]) -> None:
    """Look until it has happened; AssertionError when it has not for very long."""
    deadline = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.03)


def make(count: int, first: Target | None = None, **attributes: object) -> dict[str, bytes]:
    """Files of one series, by instance."""
    first = first or instances.new_target()
    targets = [instances.new_target(first.study, first.series) for _ in range(count)]
    return {target.instance or "": instances.make(target, **attributes) for target in targets}  # type: ignore[arg-type]


def dataset_of(file: bytes) -> bytes:
    """What follows the file meta information."""
    return file[read_beginning(BytesSource(file)).dataset_offset :]


def send(port: int, files: Mapping[str, bytes], *, title: str = "TEST") -> dict[str, int]:
    """Statuses of C-STORE, over one association."""
    peer = Peer(title="RELAY", host="127.0.0.1", port=port, own_title=title)
    with associations.opened(peer, [Offer(SECONDARY_CAPTURE, (syntaxes.EXPLICIT_LITTLE,))]) as called:
        return {
            instance: called.store(SECONDARY_CAPTURE, instance, syntaxes.EXPLICIT_LITTLE, [dataset_of(file)])
            for instance, file in files.items()
        }


def stored(server: Running) -> list[str]:
    """Every instance that a server knows of."""
    found: list[str] = []
    while True:
        reply = server.ask("GET", f"/dicomweb/instances?limit=1000&offset={len(found)}")
        page = orjson.loads(reply.body) if reply.status == 200 and reply.body else []
        if not page:
            return found
        found += [each["00080018"]["Value"][0] for each in page]


def ends(server: Running, wanted: Iterable[str]) -> None:
    """Wait until all have arrived, each once, and nothing else."""
    expected = sorted(wanted)
    wait_until(lambda: len(stored(server)) >= len(expected))
    assert sorted(stored(server)) == expected


def fetched(server: Running, file: bytes, syntax: str = "*") -> bytes:
    """The same instance from a server, as it is stored there or in another transfer syntax."""
    target = header.read(BytesSource(file)).target
    assert target is not None
    path = f"/dicomweb/studies/{target.study}/series/{target.series}/instances/{target.instance}"
    reply = server.ask("GET", path, {"Accept": f"application/dicom; transfer-syntax={syntax}"})
    assert reply.status == 200
    return reply.body
