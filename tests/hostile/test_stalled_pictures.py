"""Readers who stop reading what is made for them, and what is made of damaged pictures (T5, T21, V3)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import hostile_files as made
import imagecodecs
import numpy as np
import pytest
from hostile_victim import BYTES, Victim, path_of, wait_until

from dicomgate.dicom.uids import Target
from dicomgate.pixels import limits
from dicomgate.testing import instances, processes
from dicomgate.testing.processes import Running
from dicomgate.testing.serving import Line, format_request

MIB = 1 << 20
SIDE, SLICES, SEED = 512, 24, 5
CT = "1.2.840.10008.5.1.4.1.1.2"
J2K, JPEG_LS = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.80"
FILES = 'multipart/related; type="application/dicom"'
READERS = 2 * limits.cores() + 2
MADE = {
    "study in another syntax": ("", f"{FILES}; transfer-syntax={JPEG_LS}"),
    "rendered study": ("/rendered", 'multipart/related; type="image/png"'),
    "archive": ("", f"application/zip; transfer-syntax={JPEG_LS}"),
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Nothing that was made is kept: all of it is made for who asks."""
    home = tmp_path_factory.mktemp("stalled")
    said = {"DICOMGATE__SERVER__STALL_SECONDS": "10", "DICOMGATE__CACHE__DISK_BYTES": "0"}
    with processes.running(data=home / "data", log=home / "log", environment=said) as server:
        yield server


@pytest.fixture(scope="module")
def study(running: Running) -> Target:
    """Noise, so that nothing becomes small."""
    noise = random.Random(SEED)
    first = instances.new_target()
    said = {"SOPClassUID": CT, "BurnedInAnnotation": "NO", "WindowCenter": 2048, "WindowWidth": 4096}
    for number in range(SLICES):
        target = first if not number else instances.new_target(first.study, first.series)
        frame = (np.frombuffer(noise.randbytes(2 * SIDE * SIDE), "<u2") & 0x0FFF).tobytes()
        content = instances.make(target, rows=SIDE, columns=SIDE, frames=[frame], attributes=said)
        assert Victim(running).store(content).status == 200
    return first


def stalled(running: Running, path: str, accept: str) -> Line:
    line = running.line(receive_buffer=4096)
    line.say(format_request("GET", path, {"Accept": accept}))
    assert line.socket.recv(12) == b"HTTP/1.1 200"
    return line


def connections(running: Running) -> int:
    """Those that the server has open: towards who does not read, an end cannot be told."""
    table = Path(f"/proc/{running.process.pid}/net/tcp").read_text().splitlines()[1:]
    ours = set()
    for entry in Path(f"/proc/{running.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            ours.add(str(entry.readlink()))
    port = f":{running.port:04X}"
    rows = [line.split() for line in table]
    return sum(row[1].endswith(port) and row[3] != "0A" and f"socket:[{row[9]}]" in ours for row in rows)


@pytest.mark.parametrize("kind", MADE)
def test_who_stops_reading_what_is_made_keeps_no_worker_and_is_let_go_T21(
    victim: Victim, study: Target, kind: str
) -> None:
    tail, accept = MADE[kind]
    path = f"/dicomweb/studies/{study.study}{tail}"
    whole = victim.get(path, {"Accept": accept})
    assert whole.status == 200
    assert len(whole.body) > 4 * MIB, "more than sockets hold"
    before = victim.running.memory()
    lines = [stalled(victim.running, path, accept) for _ in range(READERS)]
    try:
        for number in range(2 * limits.cores()):  # more pictures than there are workers
            picture = victim.get(f"{path_of(study)}/rendered?quality={number + 30}", {"Accept": "image/jpeg"})
            assert picture.status == 200
        assert victim.get(path_of(study) + "/frames/1", BYTES).status == 200
        assert connections(victim.running) >= READERS
        assert victim.running.memory() - before < (8 * READERS + 32) * MIB
        assert wait_until(lambda: connections(victim.running) == 0), "their time is over"
    finally:
        for line in lines:
            line.socket.close()
    assert victim.get(f"{path_of(study)}/rendered?quality=29", {"Accept": "image/jpeg"}).status == 200


def jpeg_2000(number: int) -> bytes:
    noise = np.random.default_rng(number).integers(0, 4096, (SIDE, SIDE), dtype=np.uint16)
    return imagecodecs.jpeg2k_encode(noise, level=0, codecformat="j2k", reversible=True, bitspersample=12)


def read_to_the_end(victim: Victim, path: str, accept: str) -> bytes:
    """All that comes, whether or not it is an answer."""
    with victim.running.line() as line:
        line.say(format_request("GET", path, {"Accept": accept, "Connection": "close"}))
        found = b""
        while chunk := line.socket.recv(MIB):
            found += chunk
    return found


@pytest.mark.parametrize("form", ["multipart", "archive"])
def test_a_damaged_picture_in_the_middle_of_a_study_ends_the_answer_V3(victim: Victim, form: str) -> None:
    """What was promised cannot be kept: the answer breaks off and never looks whole; as stored, all of it is there."""
    first = instances.new_target()
    targets = [first, *(instances.new_target(first.study, first.series) for _ in range(5))]
    contents = []
    for number, target in enumerate(targets):
        frame = jpeg_2000(number)
        if number == 4:
            frame = frame[:60] + bytes(len(frame) - 60)
        contents.append(
            instances.make(
                target, syntax=J2K, rows=SIDE, columns=SIDE, frames=[frame], attributes={"InstanceNumber": number + 1}
            )
        )
    assert victim.store(*contents).status == 200
    path = f"/dicomweb/studies/{first.study}"
    syntax = made.EXPLICIT
    wanted = FILES if form == "multipart" else f"application/zip; transfer-syntax={syntax}"
    raw = read_to_the_end(victim, path, wanted)
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), "several had left before it was known"
    assert not body.endswith(b"0\r\n\r\n"), "chunks without an end"
    assert b"transfer-encoding: chunked" in head.lower()
    assert not body.rstrip().endswith(b"--")
    assert b"PK\x05\x06" not in body[-100:]
    assert "answer broke off" in victim.log()
    for number, target in enumerate(targets):
        alone = victim.get(path_of(target), {"Accept": f"application/dicom; transfer-syntax={syntax}"})
        assert alone.status == (406 if number == 4 else 200)
        frame_alone = victim.get(f"{path_of(target)}/frames/1", {"Accept": "image/jpeg"})
        assert frame_alone.status in {200, 406}
    stored = victim.get(path, {"Accept": f"{FILES}; transfer-syntax=*"})
    assert stored.status == 200
    assert all(content in stored.body for content in contents)
    with_stored = victim.get(path, {"Accept": "application/zip"})
    assert with_stored.status == 200, (
        "an archive, for which no syntax was named, has what cannot be decoded as it is stored"
    )
