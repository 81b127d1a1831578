"""The report on Orthanc that the documentation shows is what `dicomgate check` says of it, probe by probe."""

from __future__ import annotations

import contextlib
import json
import random
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomgate.client import check
from dicomgate.client.probing import Asker, Verdict
from dicomgate.samples import check_files

PAGE = Path(__file__).parents[2] / "docs/examples/check-of-orthanc.md"
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("Orthanc") and PLUGIN.exists()), reason="Orthanc is not installed"),
]


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address, on loopback, with an empty store."""
    folder = tmp_path_factory.mktemp("orthanc")
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
    process = subprocess.Popen(
        ["Orthanc", str(folder / "orthanc.json")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
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


def test_the_report_in_the_documentation_is_what_is_seen(orthanc: str) -> None:
    told = re.findall(r"^\| ([A-Z0-9-]+) \| \w+ \| ([\w ]+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    with Asker(f"{orthanc}/dicom-web", seconds=100) as asker:
        subject = check.store(asker, check_files.make("orthanc"))
        subject.wado = f"{orthanc}/wado"
        found = [(finding.probe.item, finding.verdict.value) for finding in check.run(subject, check.PROBES)]
        left = check.delete(subject)
    assert len(found) == len(check.PROBES)
    assert left, "this version deletes nothing over DICOMweb, and that is said"
    if _version(orthanc) == "1.10.1":
        assert found == told
    assert (sum(verdict == Verdict.PASSED for _, verdict in found)) > 90


def _version(address: str) -> str:
    with urllib.request.urlopen(f"{address}/system", timeout=100) as answer:
        return str(json.load(answer)["Version"])
