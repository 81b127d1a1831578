"""A video larger than any memory that is spent on it becomes a file in bounded memory (T4, STOW-05)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomgate.testing import instances, processes
from dicomgate.testing.processes import Running
from dicomgate.testing.serving import format_request

MIB = 1 << 20
SIZE = 600 * MIB
ENOUGH = 3 * SIZE + (2 << 30)
PATTERN = bytes(range(256)) * (MIB // 256)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with processes.running(data=tmp_path / "data", log=tmp_path / "log") as running:
        yield running
    shutil.rmtree(tmp_path / "data")


def describe(target) -> bytes:
    uids = {"00080016": "1.2.840.10008.5.1.4.1.1.77.1.4.1", "00080018": target.instance}
    uids |= {"0020000D": target.study, "0020000E": target.series}
    numbers = {"00280002": 3, "00280010": 1080, "00280011": 1920, "00280100": 8, "00280101": 8, "00280102": 7}
    dataset = {tag: {"vr": "UI", "Value": [uid]} for tag, uid in uids.items()}
    dataset |= {tag: {"vr": "US", "Value": [number]} for tag, number in (numbers | {"00280103": 0}).items()}
    dataset |= {"00280004": {"vr": "CS", "Value": ["YBR_PARTIAL_420"]}, "00280008": {"vr": "IS", "Value": [9000]}}
    return json.dumps([dataset | {"7FE00010": {"vr": "OB", "BulkDataURI": "video"}}]).encode()


def test_large_video_in_little_memory_T4(server: Running, tmp_path: Path) -> None:
    if shutil.disk_usage(tmp_path).free < ENOUGH:
        pytest.skip("not enough room on the disk")
    target = instances.new_target()
    octets = "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.102"
    head = b"--b\r\nContent-Type: application/dicom+json\r\n\r\n" + describe(target) + b"\r\n"
    head += f"--b\r\nContent-Type: {octets}\r\nContent-Location: video\r\n\r\n".encode()
    tail = b"\r\n--b--\r\n"
    before = server.memory()
    with server.line() as line:
        line.socket.settimeout(500)
        fields = {
            "Content-Type": 'multipart/related; type="application/dicom+json"; boundary=b',
            "Content-Length": str(len(head) + SIZE + len(tail)),
        }
        line.say(format_request("POST", "/dicomweb/studies", fields) + head)
        for _ in range(SIZE // MIB):
            line.say(PATTERN)
        line.say(tail)
        assert line.hear().status == 200
    assert server.memory(at_most=True) - before < 100 * MIB
    path = f"/dicomweb/studies/{target.study}/series/{target.series}/instances/{target.instance}/bulkdata/7FE00010"
    with server.line() as line:
        line.say(format_request("HEAD", path, {"Accept": octets}))
        reply = line.hear("HEAD")
    assert (reply.status, reply.headers["content-length"]) == (200, str(SIZE))
    assert list((tmp_path / "data" / "spool").iterdir()) == []
