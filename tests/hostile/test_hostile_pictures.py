"""Pictures that mean harm, asked for in every form: refused soon in bounded memory, and nobody else is harmed (T3, T5).

Decoders run in processes of their own: one that hangs or dies takes neither the server nor other requests along.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import signal
import struct
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import hostile_files as made
import imagecodecs
import numpy as np
import pytest
from hostile_cost import bounded
from hostile_victim import BYTES, Victim, path_of, read_json, wait_until

from dicomgate.dicom.uids import Target
from dicomgate.pixels import limits
from dicomgate.testing import instances, processes
from dicomgate.testing.processes import Running
from dicomgate.testing.serving import format_request

J2K, HTJ2K, RLE = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.5"
JPEG, JPEG_LS, JPEG_XL = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.110"
LOSSLESS, DEFLATED_FRAMES = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.8.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_FILE = {"Accept": f"application/dicom; transfer-syntax={made.EXPLICIT}"}
REFUSALS = {400, 404, 406, 413, 415, 422}
FORMS: dict[str, tuple[str, dict[str, str]]] = {
    "decoded file": ("", EXPLICIT_FILE),
    "decoded frame": ("/frames/1", {"Accept": f"application/octet-stream; transfer-syntax={made.EXPLICIT}"}),
    "frame in another syntax": ("/frames/1", {"Accept": f"image/jls; transfer-syntax={JPEG_LS}"}),
    "decoded value": ("/bulkdata/7FE00010", {"Accept": f"application/octet-stream; transfer-syntax={made.EXPLICIT}"}),
    "picture": ("/rendered", {"Accept": "image/png"}),
    "picture of the frame": ("/frames/1/rendered", {"Accept": "image/jpeg"}),
    "large picture": ("/rendered?viewport=5000,5000", {"Accept": "image/png"}),
    "thumbnail": ("/thumbnail", {"Accept": "image/jpeg"}),
    "archive": ("", {"Accept": f"application/zip; transfer-syntax={made.EXPLICIT}"}),
}
MEGABYTES = 700
"""At most, over server and workers: an interpreter with every codec, and what a picture of the largest size takes."""


def jpeg_2000(rows: int, columns: int, tile: int) -> bytes:
    """A codestream of a hundred bytes that claims so much."""
    size = struct.pack(">HIIIIIIIIH", 0, columns, rows, 0, 0, tile, tile, 0, 0, 1) + b"\x07\x01\x01"
    style = bytes.fromhex("ff52000c00000001000504040001ff5c00134040484850484850484850484850484850")
    start = b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size + style
    return start + bytes.fromhex("ff90000a0000000000000001ff93") + bytes(8)


def jpeg(rows: int, columns: int, marker: int = 0xC0) -> bytes:
    head = b"\xff\xd8\xff" + bytes([marker]) + struct.pack(">HBHHB", 11, 8, rows, columns, 1) + b"\x01\x11\x00"
    return head + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + bytes(20) + b"\xff\xd9"


def rle(*offsets: int, count: int | None = None, content: bytes = b"") -> bytes:
    """Segments that lie where the offsets say, as many as are claimed."""
    header = [len(offsets) if count is None else count, *offsets, *[0] * 15][:16]
    return struct.pack("<16I", *header) + content


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


BOMBS: dict[str, tuple[str, bytes, tuple[int, int]]] = {
    "100 bytes of JPEG 2000 claim 60 000 x 60 000": (J2K, jpeg_2000(60_000, 60_000, 60_000), (512, 512)),
    "the data set claims it too": (J2K, jpeg_2000(60_000, 60_000, 60_000), (60_000, 60_000)),
    "a gigabyte, within the bounds of a frame": (J2K, jpeg_2000(30_000, 30_000, 30_000), (30_000, 30_000)),
    "a tile a pixel": (J2K, jpeg_2000(512, 512, 1), (512, 512)),
    "HTJ2K": (HTJ2K, jpeg_2000(60_000, 60_000, 60_000), (60_000, 60_000)),
    "JPEG of 65 535 x 65 535": (JPEG, jpeg(65_535, 65_535), (65_535, 65_535)),
    "JPEG, only the codestream lies": (JPEG, jpeg(65_535, 65_535), (512, 512)),
    "lossless JPEG": (LOSSLESS, jpeg(65_500, 65_500, 0xC3), (512, 512)),
    "JPEG-LS": (JPEG_LS, jpeg(60_000, 60_000, 0xF7), (512, 512)),
    "JPEG XL": (JPEG_XL, b"\xff\x0a" + bytes.fromhex("fafffffffffffffffffffff5") + bytes(40), (512, 512)),
    "RLE: segments past the end": (RLE, rle(64, 0x7FFFFFF0), (512, 512)),
    "RLE: segments that run backwards": (RLE, rle(4000, 64, content=b"\x81\x00" * 3000), (512, 512)),
    "RLE: more segments than there can be": (RLE, rle(64, count=0xFFFFFFFF, content=b"\x81\x00" * 500), (512, 512)),
    "RLE: all in one place": (RLE, rle(*[64] * 15, content=b"\x81\x00" * 20_000), (512, 512)),
    "RLE: a megabyte of runs for 64 pixels": (RLE, rle(64, 66, content=b"\x81\x00" * 500_000), (8, 8)),
    "deflated: 256 MiB for 64 pixels": (DEFLATED_FRAMES, deflated(bytes(256 << 20)), (8, 8)),
    "deflated: a quarter of a large frame": (DEFLATED_FRAMES, deflated(bytes(32 << 20)), (11_000, 11_000)),
    "nothing": (J2K, b"\xff\x4f", (512, 512)),
}


def bomb(name: str) -> tuple[Target, bytes]:
    """An image of eight bits with this one frame."""
    syntax, codestream, (rows, columns) = BOMBS[name]
    target = made.new_target()
    described = (
        made.element(0x00280002, "US", struct.pack("<H", 1))
        + made.element(0x00280004, "CS", b"MONOCHROME2")
        + made.element(0x00280010, "US", struct.pack("<H", rows))
        + made.element(0x00280011, "US", struct.pack("<H", columns))
        + b"".join(
            made.element(0x00280000 + tag, "US", struct.pack("<H", value))
            for tag, value in ((0x100, 8), (0x101, 8), (0x102, 7), (0x103, 0))
        )
        + made.element(0x00280301, "CS", b"NO")
    )
    codestream += b"\0" * (len(codestream) % 2)
    value = made.element(0x7FE00010, "OB", made.fragments(codestream), length=made.UNDEFINED)
    return target, made.make(target, syntax=syntax, after=described + value)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of this file's own, with its processes for pictures."""
    home = tmp_path_factory.mktemp("pictures")
    with processes.running(data=home / "data", log=home / "log") as server:
        yield server


@pytest.fixture(scope="module")
def fine(running: Running) -> Target:
    """What others look at meanwhile; its frame makes the workers start."""
    target = instances.new_target()
    victim = Victim(running)
    content = instances.make(target, rows=64, columns=64, attributes={"SOPClassUID": CT, "BurnedInAnnotation": "NO"})
    assert victim.store(content).status == 200
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:  # each process with all codecs that it will need
        list(threads.map(lambda _: victim.get(f"{path_of(target)}/rendered?quality=7"), range(os.cpu_count() or 1)))
    return target


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_every_form_T3_T5(victim: Victim, fine: Target, name: str) -> None:
    target, content = bomb(name)
    report = victim.store(content)
    assert report.status in {200, 400, 409}, "to keep what somebody sends costs nothing; to refuse it is fine too"
    if report.status != 200:
        return
    with bounded(victim.running, name, seconds=60, megabytes=MEGABYTES):
        for form, (tail, accept) in FORMS.items():
            if BOMBS[name][0] in accept["Accept"]:
                continue  # as it is stored
            reply = victim.get(path_of(target) + tail, accept)
            is_icon = form == "thumbnail" and reply.status == 200
            assert reply.status in REFUSALS or is_icon, (form, reply.status)
            if reply.status != 200:
                assert read_json(reply.body)["detail"], form
            assert victim.get(path_of(fine) + "/frames/1", BYTES).status == 200
    assert victim.get(path_of(target), {"Accept": "application/dicom; transfer-syntax=*"}).body == content
    assert victim.get(f"{path_of(fine)}/rendered?viewport=40,40").status == 200, "the next picture is made"


@pytest.mark.parametrize("asked", ["viewport=100000,100000", "viewport=8193,1", "viewport=99999999999999999999,1",
                                   "viewport=1,1,0,0,1e300,1e300,1", "quality=1e99", "window=0,1e999,linear"])  # fmt: skip
def test_a_picture_without_measure_is_400_at_once_T3(victim: Victim, fine: Target, asked: str) -> None:
    with bounded(victim.running, asked):
        for tail in ("rendered", "frames/1/rendered", "thumbnail"):
            status = victim.get(f"{path_of(fine)}/{tail}?{asked}").status
            assert status == 400 or (tail == "thumbnail" and not asked.startswith("viewport")), tail
    with bounded(victim.running, "the largest that there is", seconds=30, megabytes=MEGABYTES):
        assert victim.get(f"{path_of(fine)}/rendered?viewport=5000,5000").status == 200
        assert victim.get(f"{path_of(fine)}/rendered?viewport=8192,8192").status == 400, "beyond what is made larger"
        assert victim.get(f"{path_of(fine)}/rendered?viewport=5000,5000,0,0,0.001,0.001").status in {200, 400}


def test_two_billion_frames_that_are_claimed_are_not_drawn_T3(victim: Victim, fine: Target) -> None:
    target = instances.new_target()
    said = {"SOPClassUID": CT, "NumberOfFrames": 2_147_483_647}
    frame = imagecodecs.jpeg2k_encode(np.zeros((8, 8), np.uint16), level=0, codecformat="j2k", reversible=True)
    report = victim.store(instances.make(target, syntax=J2K, frames=[frame], attributes=said))
    if report.status != 200:
        return
    with bounded(victim.running, "frames that are not there", seconds=20, megabytes=MEGABYTES):
        for accept in ("image/gif", 'multipart/related; type="image/png"', "image/png"):
            with victim.running.line() as line:
                line.say(
                    f"GET {path_of(target)}/rendered HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n".encode()
                )
                assert line.socket.recv(1 << 16).startswith(b"HTTP/1.1 ")


def workers_of(running: Running) -> list[int]:
    found = []
    for pid in running.pids():
        try:
            said = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"dicomgate.pixels.worker" in said:
            found.append(pid)
    return found


def at_once(deed: Callable[[int], Any], count: int) -> tuple[ThreadPoolExecutor, list[Any]]:
    threads = ThreadPoolExecutor(count)
    return threads, [threads.submit(deed, number) for number in range(count)]


def test_decoders_that_hang_keep_nobody_waiting_who_needs_none_T5(victim: Victim, fine: Target) -> None:
    """All of them stopped, and more callers who wait for them than the server has threads."""
    sizes = itertools.count(10)
    all_of_them = limits.cores()

    def have_started() -> bool:
        threads, _ = at_once(lambda _: victim.get(f"{path_of(fine)}/rendered?viewport={next(sizes)},9"), 4)
        threads.shutdown()
        return len(workers_of(victim.running)) == all_of_them

    assert wait_until(have_started)
    stopped = workers_of(victim.running)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    lines = [victim.running.line() for _ in range(40)]
    try:
        for number, line in enumerate(lines):
            line.say(format_request("GET", f"{path_of(fine)}/rendered?quality={number + 20}"))
        for _ in range(2):  # once these are answered, those before them were read
            assert victim.get("/healthz").status == 200
        for path, accept in (("/frames/1", BYTES), ("/metadata", None), ("", {"Accept": "application/dicom"})):
            assert victim.get(path_of(fine) + path, accept).status == 200
        assert victim.search(f"/studies?StudyInstanceUID={fine.study}&limit=1")
        assert victim.store(made.make()).status == 200
        waiting = select.select([line.socket for line in lines], [], [], 0)[0]
        assert not waiting, "others were served while these waited"
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        assert {line.hear().status for line in lines} <= {200, 406, 413, 503}
    finally:
        for line in lines:
            line.socket.close()
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    assert victim.get(f"{path_of(fine)}/rendered?quality=99").status == 200


def test_decoders_that_die_cost_their_own_picture_only_T5(victim: Victim, fine: Target) -> None:
    for round_ in range(3):
        threads, waiting = at_once(
            lambda n, r=round_: victim.get(f"{path_of(fine)}/rendered?viewport={n + 900},{r + 900}").status, 8
        )
        for pid in workers_of(victim.running):
            os.kill(pid, signal.SIGKILL)
        threads.shutdown()
        assert {one.result() for one in waiting} <= {200, 406, 503}
    assert wait_until(lambda: victim.get(f"{path_of(fine)}/rendered?quality=98").status == 200)
