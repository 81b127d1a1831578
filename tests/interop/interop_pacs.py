"""PACSs of others for the tests of the gateway, on loopback: DCMTK's dcmqrscp and Orthanc, with a series each."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from dicomgate.cli import main

ORTHANC = shutil.which("Orthanc", path=os.environ.get("PATH", "") + ":/usr/sbin")
DATA = Path(__file__).parents[3] / "shared" / "data" / "series"
LACKING = [name for name in ("dcmqrscp", "storescu", "echoscu") if shutil.which(name) is None]
NEEDED = pytest.mark.skipif(bool(LACKING) or not DATA.is_dir(), reason=f"not here: {LACKING or DATA}")
CONFIGURATION = """
NetworkTCPPort = {port}
MaxPDUSize = 131072
MaxAssociations = 16
HostTable BEGIN
gateway = (GATEWAY, localhost, {move})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
PACS {here}/db RW (100, 1024mb) ANY
AETable END
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def dcmqrscp(here: Path, *options: str, files: Sequence[Path] | None = None) -> Iterator[tuple[int, int]]:
    """A PACS with a series, or with these files; its port, and the one that it moves to. `here/log` is its log."""
    port, move = free_port(), free_port()
    (here / "db").mkdir()
    (here / "pacs.cfg").write_text(CONFIGURATION.format(port=port, move=move, here=here))
    quick = {**os.environ, "TCP_NODELAY": "1"}
    words = ["dcmqrscp", *options, "-c", str(here / "pacs.cfg")]
    with (
        (here / "log").open("wb") as log,
        subprocess.Popen(words, stdout=log, stderr=log, env=quick, start_new_session=True) as process,
    ):
        try:
            _fill(here, port, _series() if files is None else files)
            yield port, move
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def _series() -> list[Path]:
    return sorted((DATA / "mr-head-100").iterdir())[:20]


def _fill(here: Path, port: int, files: Sequence[Path]) -> None:
    deadline = time.monotonic() + 60
    while subprocess.run(["echoscu", "-aec", "PACS", "localhost", str(port)], check=False).returncode:
        assert time.monotonic() < deadline, (here / "log").read_text()
        time.sleep(0.1)
    quick = {**os.environ, "TCP_NODELAY": "1"}
    words = ["storescu", "-aec", "PACS", "localhost", str(port), *map(str, files)]
    if files:
        subprocess.run(words, check=True, env=quick)


def _wait(here: Path, port: int) -> None:
    """Until somebody listens."""
    deadline = time.monotonic() + 60
    while True:
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < deadline, (here / "log").read_text()
        time.sleep(0.1)


def written(here: Path, port: int, move: int, *options: str, name: str = "gateway.toml") -> Path:
    """The file that `gateway init` writes."""
    file = here / name
    peers = ("--pacs", f"PACS@127.0.0.1:{port}", "--me", f"GATEWAY@127.0.0.1:{move}", *options)
    assert main.run(["gateway", "init", *peers, "--cache", str(here / "kept"), "--config", str(file)]) == 0
    return file


@contextmanager
def orthanc(
    here: Path, *, files: Sequence[Path] | None = None, further: Mapping[str, object] | None = None
) -> Iterator[tuple[int, int]]:
    """Orthanc as a PACS with a series or these files; its port, and the one that it moves to. `further`: settings."""
    port, move = free_port(), free_port()
    said = dict(further or {})
    said |= {
        "StorageDirectory": str(here / "orthanc"),
        "IndexDirectory": str(here / "orthanc"),
        "HttpServerEnabled": False,
        "DicomPort": port,
        "DicomAet": "PACS",
        "DicomCheckCalledAet": True,
        **{f"DicomAlwaysAllow{what}": True for what in ("Get", "Find", "Move", "Store")},
        "DicomModalities": {
            "gateway": {"AET": "GATEWAY", "Host": "127.0.0.1", "Port": move, "UseDicomTls": "DicomTlsEnabled" in said}
        },
    }
    (here / "orthanc.json").write_text(json.dumps(said))
    with (here / "log").open("wb") as log:
        words = [str(ORTHANC), str(here / "orthanc.json")]
        with subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True) as process:
            try:
                if said.get("DicomTlsEnabled"):
                    _wait(here, port)
                else:
                    _fill(here, port, _series() if files is None else files)
                yield port, move
            finally:
                os.killpg(process.pid, signal.SIGKILL)
