"""The DIMSE door against DCMTK's storescp, then the gateway against getscu: rates and CPU per instance, in one run.

python -m bench.dimse [INSTANCES]

storescp writes what comes to files; the door says success only when bytes and index are on stable storage.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.data import get_testdata_file

from dicomgate.dicom import syntaxes, uids
from dicomgate.testing import instances, processes

SIDE = 512
ASSOCIATIONS = 4
PATIENCE = 600


@dataclass(frozen=True)
class Receiver:
    """Who is sent to; `cpu` tells its seconds so far."""

    name: str
    title: str
    port: int
    cpu: Callable[[], float]


def main() -> None:
    """Print one line for each way."""
    missing = [name for name in ("storescp", "storescu", "dcmqrscp", "getscu") if shutil.which(name) is None]
    if missing:
        sys.exit(f"not here: {', '.join(missing)}")
    os.environ["TCP_NODELAY"] = "1"  # without it DCMTK waits 40 ms for every instance, and is what is measured
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        batches = [_made(here / f"batch-{number}", count) for number in range(ASSOCIATIONS + 1)]
        with _storescp(here / "theirs") as theirs, _door(here) as ours:
            for receiver in (theirs, ours):
                _warm(receiver, _made(here / f"warm-{receiver.title}", 8))
            spent = [_one(receiver, batches[0]) for receiver in (theirs, ours)]
            print(f"CPU of the door       {spent[1] / spent[0]:7.2f} times that of storescp")
            _several(ours, batches[1:])
    subprocess.run([sys.executable, "-m", "bench.gateway", str(count // 2)], check=True)


def _made(here: Path, count: int) -> list[Path]:
    """A series of images of CT, with the header of a real one."""
    here.mkdir()
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    dataset.Rows = dataset.Columns = SIDE
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uids.mint(), uids.mint()
    paths = []
    for number in range(count):
        dataset.SOPInstanceUID, dataset.InstanceNumber = uids.mint(), number + 1
        dataset.PixelData = os.urandom(SIDE * SIDE * 2)
        paths.append(here / f"{number}.dcm")
        paths[-1].write_bytes(instances.write(dataset, syntaxes.EXPLICIT_LITTLE))
    return paths


def _storescu(receiver: Receiver, paths: Sequence[Path]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["storescu", "-aec", receiver.title, "-pdu", "131072", "127.0.0.1", str(receiver.port), *map(str, paths)]
    )


def _warm(receiver: Receiver, paths: Sequence[Path]) -> None:
    """Each process has done it before."""
    senders = [_storescu(receiver, [path]) for path in paths]
    assert not any(sender.wait(PATIENCE) for sender in senders), receiver.name


def _one(receiver: Receiver, paths: Sequence[Path]) -> float:
    """All over one association; the CPU seconds of one instance."""
    before, began = receiver.cpu(), time.perf_counter()
    assert _storescu(receiver, paths).wait(PATIENCE) == 0, receiver.name
    seconds, spent = time.perf_counter() - began, (receiver.cpu() - before) / len(paths)
    _print(f"{receiver.name}, one", len(paths), seconds, spent)
    return spent


def _several(receiver: Receiver, batches: Sequence[Sequence[Path]]) -> None:
    """Several associations at once."""
    before, began = receiver.cpu(), time.perf_counter()
    senders = [_storescu(receiver, paths) for paths in batches]
    assert [sender.wait(PATIENCE) for sender in senders] == [0] * len(senders), receiver.name
    seconds, count = time.perf_counter() - began, sum(map(len, batches))
    _print(f"{receiver.name}, {len(batches)} at once", count, seconds, (receiver.cpu() - before) / count)


def _print(what: str, count: int, seconds: float, spent: float) -> None:
    size = count * SIDE * SIDE * 2 / 1e6
    rates = f"{size / seconds:7.1f} MB/s  {count / seconds:7.1f} instances/s"
    print(f"{what:<22}{rates}  {spent * 1000:6.2f} ms CPU an instance", flush=True)


@contextmanager
def _storescp(here: Path) -> Iterator[Receiver]:
    here.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["storescp", "-pdu", "131072", "-uf", "-od", str(here), str(port)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait(port)
            yield Receiver("storescp", "ANY-SCP", port, lambda: _cpu(process.pid))
        finally:
            process.kill()


def _wait(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _door(here: Path) -> Iterator[Receiver]:
    with processes.running("--dimse", "0", data=here / "data", log=here / "log") as server:
        yield Receiver("the door", "DICOMGATE", server.dimse, server.cpu)


if __name__ == "__main__":
    main()
