"""Instances larger than the memory that may be spent on them, and readers who do not read (T4, T21)."""

from __future__ import annotations

import shutil
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import hostile_files as made
import pytest
from hostile_victim import BYTES, STORED, STUDIES, path_of, read_report, wait_until

from dicomgate.dicom.uids import Target
from dicomgate.testing import processes
from dicomgate.testing.processes import Running
from dicomgate.testing.serving import Line, format_request

MIB = 1 << 20
FRAME = MIB
FRAMES = 5 * 1024
ENOUGH = 15 << 30
UNCOMPRESSED_FRAMES = "1.2.840.10008.1.2.1.98"
PATTERN = bytes(range(256)) * (FRAME // 256)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    """With its data gone at the end: other tests' folders are kept for a while, these would fill the disk."""
    with processes.running(data=tmp_path / "data", log=tmp_path / "log") as running:
        yield running
    shutil.rmtree(tmp_path / "data")


def frame(number: int) -> bytes:
    """Each is another: its number, and a pattern turned by it."""
    return struct.pack("<Q", number) + PATTERN[8:]


def head(target: Target, frames: int) -> bytes:
    """A multi-frame file up to its first fragment, with an extended offset table: a basic one ends at 4 GB."""
    item = FRAME + 8
    group = made.pixels(512, 1024, b"", frames=str(frames).encode(), vr="OB", length=made.UNDEFINED)
    group = group[: -len(made.element(0x7FE00010, "OB", b"", length=made.UNDEFINED))]
    offsets = b"".join(struct.pack("<Q", item * number) for number in range(frames))
    lengths = struct.pack("<Q", FRAME) * frames
    tables = made.element(0x7FE00001, "OV", offsets) + made.element(0x7FE00002, "OV", lengths)
    start = made.element(0x7FE00010, "OB", b"", length=made.UNDEFINED) + made.item(b"")
    return made.make(target, syntax=UNCOMPRESSED_FRAMES, after=group + tables + start)


def send_in_chunks(line: Line, pieces: Iterator[bytes]) -> int:
    """As a body whose length nobody told."""
    sent = 0
    for piece in pieces:
        line.say(b"%x\r\n" % len(piece) + piece + b"\r\n")
        sent += len(piece)
    line.say(b"0\r\n\r\n")
    return sent


def body(target: Target, frames: int) -> Iterator[bytes]:
    yield b"--b\r\nContent-Type: application/dicom\r\n\r\n" + head(target, frames)
    start = made.item(b"", length=FRAME)
    for number in range(frames):
        yield start + frame(number)
    yield made.END_SEQUENCE + b"\r\n--b--\r\n"


def test_five_gigabytes_go_through_less_than_300_megabytes(server: Running) -> None:
    if shutil.disk_usage(server.data).free < ENOUGH:
        pytest.skip(f"less than {ENOUGH >> 30} GiB are free")
    target = made.new_target()
    kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b', "Transfer-Encoding": "chunked"}
    with server.line() as line:
        line.socket.settimeout(300)
        line.say(format_request("POST", STUDIES, kind))
        sent = send_in_chunks(line, body(target, FRAMES))
        report = read_report(line.hear("POST"))
    assert (report.status, report.stored) == (200, [target.instance]), report
    assert sent > 5 << 30
    assert list((server.data / "spool").iterdir()) == []

    late = server.ask("GET", f"{path_of(target)}/frames/{FRAMES - 3}", BYTES)
    assert (late.status, late.body) == (200, frame(FRAMES - 4))
    some = server.ask("GET", f"{path_of(target)}/frames/5000", {**BYTES, "Range": "bytes=4-19"})
    assert (some.status, some.body) == (206, frame(4999)[4:20])
    end = server.ask("GET", path_of(target), {**STORED, "Range": "bytes=-8"})
    assert (end.status, end.body) == (206, made.END_SEQUENCE)
    assert server.ask("GET", f"{path_of(target)}/frames/{FRAMES + 1}", BYTES).status == 404
    assert server.ask("GET", f"{path_of(target)}/metadata").status == 200
    assert read_whole(server, target) == sent - len(b"--b\r\nContent-Type: application/dicom\r\n\r\n\r\n--b--\r\n")
    assert server.memory(at_most=True) < 300 * MIB


def read_whole(server: Running, target: Target) -> int:
    """How many bytes the whole instance has, read and let go."""
    with server.line() as line:
        line.socket.settimeout(300)
        line.say(format_request("GET", path_of(target), STORED))
        got, start, buffer = 0, b"", bytearray(4 * MIB)
        while b"\r\n\r\n" not in start:
            start += line.socket.recv(1)
        size = int(start.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while got < size:
            received = line.socket.recv_into(buffer)
            assert received, "cut off"
            got += received
    return got


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Target]]:
    """A server with an instance of 200 MB, warm."""
    home = tmp_path_factory.mktemp("stalled")
    target = made.new_target()
    with processes.running(data=home / "data", log=home / "log") as running:
        kind = {
            "Content-Type": 'multipart/related; type="application/dicom"; boundary=b',
            "Transfer-Encoding": "chunked",
        }
        with running.line() as line:
            line.say(format_request("POST", STUDIES, kind))
            send_in_chunks(line, body(target, 200))
            assert read_report(line.hear("POST")).status == 200
        for _ in range(3):
            read_whole(running, target)
        yield running, target
    shutil.rmtree(home / "data")


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("", STORED["Accept"]),
        ("", 'multipart/related; type="application/dicom"; transfer-syntax=*'),
        (
            "/frames/" + ",".join(str(number) for number in range(1, 201)),
            "multipart/related; type=application/octet-stream",
        ),
        ("/bulkdata", 'multipart/related; type="application/octet-stream"; transfer-syntax=*'),
    ],
    ids=["single", "multipart", "frames", "bulk data"],
)
def test_three_who_do_not_read_cost_less_than_16_megabytes_T21(
    large: tuple[Running, Target], path: str, accept: str
) -> None:
    running, target = large
    request = format_request("GET", path_of(target) + path, {"Accept": accept})
    with running.line() as line:  # warm: one answer of this kind, begun and left
        line.say(request)
        line.socket.recv(MIB)
    time.sleep(0.5)
    idle = running.memory()
    lines = [running.line(receive_buffer=4096) for _ in range(3)]
    try:
        for line in lines:
            line.say(request)
            assert line.socket.recv(12) == b"HTTP/1.1 200"
        time.sleep(2)
        assert running.memory() - idle < 16 * MIB
        assert running.ask("GET", "/healthz").status == 200
        before = running.cpu()
        time.sleep(1)
        assert running.cpu() - before < 0.5, "who waits does not work"
    finally:
        for line in lines:
            line.socket.close()
    assert wait_until(lambda: not open_blobs(running)), "what was opened for them is closed"


def open_blobs(running: Running) -> list[str]:
    found = []
    for pid in running.pids():
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                found.append(str(descriptor.readlink()))
            except OSError:
                continue
    return [path for path in found if f"{running.data}/blobs" in path and "/open/" not in path and Path(path).is_file()]


def test_slow_reader_gets_all(large: tuple[Running, Target]) -> None:
    running, target = large
    with running.line(receive_buffer=64 << 10) as line:
        line.say(format_request("GET", path_of(target), {**STORED, "Range": f"bytes=0-{8 * MIB - 1}"}))
        got = b""
        while len(got) < 8 * MIB:
            received = line.socket.recv(256 << 10)
            assert received
            got += received
            time.sleep(0.005)
    assert got.startswith(b"HTTP/1.1 206")
