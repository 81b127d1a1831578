"""Stored frames leave from their files by the kernel: whole, in order, for slow readers, and never more than is there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from waiting import until

from dicomgate import assembly, config, errors
from dicomgate.dicom.uids import Target
from dicomgate.origin import Stretch
from dicomgate.server import files
from dicomgate.server.files import FileSpan
from dicomgate.server.settings import ConnectionLimits
from dicomgate.testing import instances
from dicomgate.testing.serving import format_request, serving

SIZE = 6 << 20
OCTETS = {"Accept": "application/octet-stream"}
MANY = {"Accept": 'multipart/related; type="application/octet-stream"'}


def noise(number: int, size: int) -> bytes:
    return bytes([number]) + os.urandom(251) * (size // 251) + bytes(size - 1 - size // 251 * 251)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """One stored object of three large frames, whose memory of answers is that of every other door."""
    data: Path = tmp_path_factory.mktemp("files") / "data"
    target, frames = instances.new_target(), [noise(number, SIZE) for number in range(3)]
    content = instances.make(target, rows=2048, columns=SIZE // 4096, frames=frames)
    limits = ConnectionLimits(stall_seconds=1.0)
    with serving(assembly.application(config.Settings(), data=data), limits) as served:
        head = b"--a\r\nContent-Type: application/dicom\r\n\r\n"
        fields = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=a'}
        reply = served.ask("POST", "/dicomweb/studies", fields, head + content + b"\r\n--a--\r\n")
        assert reply.status == 200, reply.body
        yield SimpleNamespace(served=served, data=data, target=target, frames=frames)


def path(target: Target, frames: str) -> str:
    uids = (target.study, target.series, target.instance)
    return "/dicomweb/studies/{}/series/{}/instances/{}/frames/".format(*uids) + frames


@pytest.mark.slow
def test_frames_are_whole_at_first_and_when_known(opened: SimpleNamespace) -> None:
    for _ in range(3):
        for number, frame in enumerate(opened.frames, 1):
            assert opened.served.ask("GET", path(opened.target, f"{number}"), OCTETS).body == frame
        reply = opened.served.ask("GET", path(opened.target, "1,3"), MANY)
        assert len(reply.body) == int(reply.headers["content-length"])
        first, second = reply.body.find(opened.frames[0]), reply.body.find(opened.frames[2])
        assert 0 < first < second


def test_ranges_of_frames_and_of_lists(opened: SimpleNamespace) -> None:
    whole = opened.served.ask("GET", path(opened.target, "1,2,3"), MANY).body
    edges = (0, 1, 300, 40_000, SIZE - 5, SIZE, SIZE + 300, 2 * SIZE + 100_000, len(whole) - 1)
    for start in edges:
        for size in (1, 1000, 50_000, SIZE + 7):
            span = {**MANY, "Range": f"bytes={start}-{start + size - 1}"}
            assert opened.served.ask("GET", path(opened.target, "1,2,3"), span).body == whole[start : start + size]


def test_many_on_one_connection_come_in_order(opened: SimpleNamespace) -> None:
    with opened.served.line() as line:
        asked = [1, 3, 2, 2, 1]
        for number in asked:
            line.say(format_request("GET", path(opened.target, f"{number}"), OCTETS))
        line.say(format_request("HEAD", path(opened.target, "1"), OCTETS))
        line.say(format_request("GET", "/healthz"))
        for number in asked:
            assert line.hear().body == opened.frames[number - 1]
        assert line.hear("HEAD").headers["content-length"] == str(SIZE)
        assert line.hear().status == 200


def test_a_reader_who_takes_little_at_a_time_gets_all(opened: SimpleNamespace) -> None:
    for _ in range(2):
        with opened.served.line(receive_buffer=4096) as line:
            line.say(format_request("GET", path(opened.target, "2"), OCTETS))
            taken = bytearray()
            while len(taken) < SIZE:
                chunk = line.socket.recv(10_000)
                assert chunk
                taken += chunk
            while not taken.endswith(opened.frames[1]):
                taken += line.socket.recv(10_000)


@pytest.mark.slow
def test_a_reader_who_takes_nothing_is_let_go_T21(opened: SimpleNamespace) -> None:
    before = descriptors()
    with opened.served.line(receive_buffer=4096) as line:
        line.say(format_request("GET", path(opened.target, "1,2,3"), MANY))
        assert line.socket.recv(1)
        assert until(lambda: descriptors() <= before + 1), "ours alone is left"
        taken = 0
        with contextlib.suppress(ConnectionResetError):
            while chunk := line.socket.recv(1 << 20):
                taken += len(chunk)
        assert taken < 3 * SIZE


def descriptors() -> int:
    """But for those of the index: its connections stay, one for each that was ever needed at the same time."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return sum("index.sqlite" not in name for name in found)


def test_who_leaves_in_the_middle_costs_nothing(opened: SimpleNamespace) -> None:
    opened.served.ask("GET", path(opened.target, "1"), OCTETS)
    before = descriptors()
    for _ in range(10):
        with opened.served.line(receive_buffer=4096) as line:
            line.say(format_request("GET", path(opened.target, "1"), OCTETS))
            assert line.socket.recv(1000)
    assert until(lambda: descriptors() <= before)
    assert opened.served.ask("GET", path(opened.target, "1"), OCTETS).body == opened.frames[0]


def test_a_file_that_became_shorter_breaks_the_answer_off(tmp_path: Path) -> None:
    data, target = tmp_path / "data", instances.new_target()
    content = instances.make(target, rows=1024, columns=1024, frames=[noise(1, 2 << 20), noise(2, 2 << 20)])
    with serving(assembly.application(config.Settings(), data=data)) as served:
        fields = {"Content-Type": "application/dicom"}
        assert served.ask("POST", "/dicomweb/studies", fields, content).status == 200
        assert served.ask("GET", path(target, "2"), OCTETS).status == 200
        (file,) = [place for place in (data / "blobs").rglob("*") if place.is_file() and place.stat().st_size > 1000]
        file.chmod(0o600)
        os.truncate(file, len(content) - 4096)
        reply = served.ask("GET", path(target, "2"), OCTETS)
        assert reply.status == 503
        assert len(served.ask("GET", path(target, "1"), OCTETS).body) == 2 << 20


@pytest.mark.parametrize("way", [OCTETS, MANY])
def test_what_is_known_but_left_memory_is_whole(tmp_path: Path, way: dict[str, str]) -> None:
    data, target = tmp_path / "data", instances.new_target()
    frames = [noise(1, 256 << 10), noise(2, 256 << 10)]
    content = instances.make(target, rows=256, columns=512, frames=frames)
    with serving(assembly.application(config.Settings(), data=data)) as served:
        assert served.ask("POST", "/dicomweb/studies", {"Content-Type": "application/dicom"}, content).status == 200
        first = [served.ask("GET", path(target, "2"), way).body for _ in range(2)]
        for place in (data / "blobs").rglob("*"):
            if place.is_file():
                with place.open("rb") as file:  # the kernel drops what it holds of it, unless it does not want to
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        again = [served.ask("GET", path(target, "2"), way).body for _ in range(2)]
        assert [*first, *again] == [first[0]] * 4
        assert frames[1] in first[0]


def test_what_is_not_in_memory_is_left_to_a_thread(tmp_path: Path) -> None:
    content = noise(3, 3 << 20)
    place = tmp_path / "file"
    place.write_bytes(content)
    stretch = Stretch(lambda: Opened(place), range(5, len(content) - 7))
    read = b"".join(
        files.read(one) if isinstance(one, FileSpan) else one for one in files.ready([stretch], is_direct=True)
    )
    assert read == content[5:-7] == b"".join(files.read_all([stretch]))
    assert b"".join(files.ready([stretch, b"end"], is_direct=False)) == content[5:-7] + b"end"  # type: ignore[arg-type]
    with pytest.raises(errors.Unavailable):
        list(files.ready([Stretch(lambda: Opened(place), range(len(content) + 1))], is_direct=True))


class Opened:
    def __init__(self, place: Path) -> None:
        self._file = place.open("rb")
        self.size = place.stat().st_size

    def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self.fileno(), length, offset)

    def fileno(self) -> int:
        return self._file.fileno()

    def __del__(self) -> None:
        self._file.close()
