"""Orthanc with its DICOMweb plugin, on loopback, with an empty store, as other tests of this folder need it."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
NEEDED = pytest.mark.skipif(not (shutil.which("Orthanc") and PLUGIN.exists()), reason="Orthanc is not installed")


@contextmanager
def running(folder: Path, *, log: Path | None = None) -> Iterator[str]:
    """Its address. `log` has a line for every request that it is asked."""
    port = _free_port()
    settings = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "HttpPort": port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomServerEnabled": False,
        "Plugins": [str(PLUGIN)],
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    words = [] if log is None else ["--verbose", "--trace-http", f"--logfile={log}"]
    process = subprocess.Popen(
        ["Orthanc", *words, str(folder / "orthanc.json")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield _when_ready(process, f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(100)


def _free_port() -> int:
    """One that nobody is given by chance: those begin at 32768."""
    for port in random.SystemRandom().sample(range(12_000, 32_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    pytest.fail("no port is free")


def _when_ready(process: subprocess.Popen[bytes], address: str) -> str:
    for _ in range(600):
        assert process.poll() is None, "Orthanc has ended"
        try:
            urllib.request.urlopen(f"{address}/system", timeout=5).close()
            return address
        except OSError:
            time.sleep(0.1)
    pytest.fail("Orthanc does not answer")
