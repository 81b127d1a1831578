"""Frames are transcoded in worker processes: in order, a few at a time, bounded by what the pixels need (T3, T5)."""

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import stored_frames as stored

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.pixels import encoding, memory_files, transcoding
from dicomgate.pixels.limits import Bounds, Limits
from dicomgate.pixels.processes import Workers
from dicomgate.pixels.transcoding import Transcoder

BASE = "1.2.840.10008.1.2."
EXPLICIT = syntaxes.EXPLICIT_LITTLE


@pytest.fixture(scope="module")
def workers():
    with Workers(Limits(processes=2)) as workers:
        yield workers


@pytest.fixture
def transcoder(workers):
    return Transcoder(workers)


def numbered(count, syntax=EXPLICIT):
    """Frames that tell which one they are."""
    pictures = [np.full((32, 40), number, "u2") for number in range(count)]
    description = stored.described(pictures[0])
    frames = [encoding.encode_frame(pixels, description, syntax).codestream for pixels in pictures]
    return frames, replace(description, transfer_syntax=syntax), [stored.native(pixels) for pixels in pictures]


@pytest.mark.parametrize("count", [0, 1, 2, 150])
def test_frames_come_in_their_order(transcoder, count):
    given, _, native = numbered(count or 1, f"{BASE}4.80")
    description = replace(stored.described(np.zeros((32, 40), "u2")), transfer_syntax=f"{BASE}4.80")
    found = list(transcoder.frames(given[:count], description, EXPLICIT))
    assert [frame.codestream for frame in found] == native[:count]
    assert {frame.description.transfer_syntax for frame in found} <= {EXPLICIT}


def test_the_first_frame_is_made_before_the_second_is_read(transcoder):
    frames, description, _ = numbered(2)
    read = []

    def reading():
        for frame in frames:
            read.append(frame)
            yield frame

    made = transcoder.frames(reading(), description, f"{BASE}4.201")
    assert read == []
    next(made)
    assert len(read) == 1
    next(made)
    assert list(made) == []


def test_large_frames_go_one_by_one():
    frames = [bytes(10), bytes(20), bytes(30)] * 3
    assert [len(batch) for batch in transcoding._batches(frames, 8 << 20)] == [1] * 9
    assert [len(batch) for batch in transcoding._batches(frames, 10)] == [1, 2, 4, 2]


def test_the_answer_says_what_the_frames_are_now(transcoder):
    pixels = stored.smooth(samples=3)
    description = stored.described(pixels, planar_configuration=1, frame_count=3)
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)).tobytes()
    (found,) = transcoder.frames([planes], description, f"{BASE}4.50", quality=70)
    assert found.description == replace(
        description,
        transfer_syntax=f"{BASE}4.50",
        photometric_interpretation="YBR_FULL_422",
        planar_configuration=0,
        is_lossy=True,
    )
    again = encoding.transcode_frame(planes, description, f"{BASE}4.50", 70)
    assert found.codestream == again.codestream


def test_the_server_itself_never_loads_a_codec():
    import subprocess
    import sys

    script = (
        "import sys, dicomgate.pixels.transcoding, dicomgate.dicom.pixel_formats\n"
        "assert not {'numpy', 'imagecodecs'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_what_cannot_be_held_is_refused_before_a_frame_is_read(transcoder):
    def none_is_read():
        raise AssertionError
        yield

    description = stored.described(np.zeros((4, 4), "u4"))
    for given, wanted in (
        (description, f"{BASE}4.70"),
        (replace(description, transfer_syntax=f"{BASE}4.102"), EXPLICIT),
        (replace(description, transfer_syntax="1.2.3"), EXPLICIT),
        (description, "1.2.3"),
    ):
        with pytest.raises(errors.NotAcceptable):
            transcoder.frames(none_is_read(), given, wanted)
    with pytest.raises(errors.Malformed):
        transcoder.frames(none_is_read(), stored.described(np.zeros((4, 4), "u1")), f"{BASE}4.50", quality=101)


COMPRESSED = ["4.50", "4.51", "4.70", "4.80", "4.81", "4.90", "4.91", "4.201", "4.203", "4.110", "4.112", "5", "8.1"]


@pytest.mark.parametrize("end", COMPRESSED)
def test_mutilated_codestreams_are_frames_or_faults_and_harm_no_other_work(transcoder, end):
    """Cut off, with bytes changed, with bytes doubled: whatever a decoder does, it does it within its bounds."""
    random = np.random.default_rng(COMPRESSED.index(end))
    pixels = stored.smooth(48, 56)
    whole = encoding.encode_frame(pixels, stored.described(pixels), BASE + end)
    for turn in range(40):
        content = bytearray(whole.codestream)
        if turn % 4 == 0:
            content = content[: random.integers(1, len(content))]
        else:
            for place in random.integers(0, len(content), turn % 4 * 3):
                content[place] = random.integers(0, 256)
        try:
            (found,) = transcoder.frames([bytes(content)], whole.description, EXPLICIT)
        except (errors.Malformed, errors.NotAcceptable, errors.TooLarge, errors.UnsupportedMedia):
            continue
        assert len(found.codestream) == pixels.nbytes
    (found,) = transcoder.frames([whole.codestream], whole.description, EXPLICIT)
    assert len(found.codestream) == pixels.nbytes


def test_a_codestream_that_breaks_its_decoder_is_malformed_and_others_go_on(transcoder, workers, monkeypatch):
    """The worker dies as a decoder that is taken over would; the next task finds another."""
    pixels = stored.smooth()
    description = stored.described(pixels)
    list(transcoder.frames([stored.native(pixels)], description, f"{BASE}5"))
    worker = workers._idle[-1]
    os.kill(worker._process.pid, signal.SIGSTOP)
    seen = []

    def ask():
        try:
            list(transcoder.frames([stored.native(pixels)], description, f"{BASE}5"))
        except errors.Fault as fault:
            seen.append(type(fault))

    asking = threading.Thread(target=ask)
    asking.start()
    deadline = time.monotonic() + 60
    while worker in workers._idle:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(worker._process.pid, signal.SIGSEGV)
    os.kill(worker._process.pid, signal.SIGCONT)
    asking.join()
    assert seen == [errors.Malformed]
    assert len(list(transcoder.frames([stored.native(pixels)] * 3, description, f"{BASE}5"))) == 3


def test_a_bomb_costs_neither_time_nor_memory_T3(transcoder):
    from test_decoding import jpeg_2000_bomb

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    description = stored.described(np.zeros((512, 512), "u1"), syntax=f"{BASE}4.90")
    before = resident()
    for _ in range(20):
        with pytest.raises(errors.Malformed, match="60000"):
            list(transcoder.frames([jpeg_2000_bomb()], description, EXPLICIT))
    assert resident() - before < 32 << 20


@pytest.mark.slow
def test_a_bomb_whose_data_set_lies_as_well_is_bounded_T3():
    """60 000 rows and columns in both: a data set so described is not taken; within the bounds, memory is bounded."""
    from test_decoding import jpeg_2000_bomb

    description = stored.described(np.zeros((1, 1), "u1"), syntax=f"{BASE}4.90", rows=32_000, columns=32_000)
    with Workers(Limits(processes=1, memory=256 << 20)) as workers:
        with pytest.raises((errors.TooLarge, errors.Malformed)):
            list(Transcoder(workers).frames([jpeg_2000_bomb(32_000, 32_000, 32_000)], description, EXPLICIT))
        small = stored.smooth()
        assert list(Transcoder(workers).frames([stored.native(small)], stored.described(small), f"{BASE}5"))


def test_bounds_follow_from_the_pixels():
    small = transcoding.bounds_for(stored.described(np.zeros((512, 512), "u2")), 200_000)
    large = transcoding.bounds_for(stored.described(np.zeros((512, 512), "u2"), rows=20_000, columns=20_000), 200_000)
    assert small.memory < 256 << 20 < large.memory
    assert small.seconds < large.seconds
    limits = Limits(memory=1 << 30, output=1 << 20, seconds=3)
    assert limits.within(large) == Bounds(memory=1 << 30, output=1 << 20, seconds=3)
    assert limits.within(Bounds(memory=5, output=6, seconds=1)) == Bounds(memory=5, output=6, seconds=1)
    assert limits.within(None) == Bounds(memory=1 << 30, output=1 << 20, seconds=3)


@pytest.mark.slow
def test_every_codec_works_within_the_bounds_of_its_pixels(workers):
    """The largest need beside the size of the picture, one task after the other in one process."""
    with Workers(Limits(processes=1)) as one:
        for samples, rows in ((1, 1500), (3, 900)):
            pixels = stored.smooth(rows, 1100, samples=samples)
            description = stored.described(pixels)
            for end in COMPRESSED:
                (made,) = Transcoder(one).frames([stored.native(pixels)], description, BASE + end)
                (back,) = Transcoder(one).frames([made.codestream], made.description, EXPLICIT)
                assert len(back.codestream) == pixels.nbytes


def test_a_task_beyond_its_own_bounds_is_too_large_and_the_next_has_its_own(workers):
    pixels = stored.smooth()
    arguments = {
        "lengths": [pixels.nbytes],
        "description": {name: getattr(stored.described(pixels), name) for name in stored.described(pixels).__slots__},
        "transfer_syntax": f"{BASE}4.90",
        "quality": 90,
    }
    with Workers(Limits(processes=1)) as one:
        for output, fault in ((100, errors.OutOfSpace), (1 << 20, None)):
            bounds = Bounds(memory=1 << 28, output=output, seconds=60)
            with memory_files.opened([stored.native(pixels)]) as given, memory_files.opened() as made:
                if fault is None:
                    one.run("transcode", arguments, (given, made), bounds)
                else:
                    with pytest.raises(fault):
                        one.run("transcode", arguments, (given, made), bounds)


def test_memory_files_hold_what_is_written_and_close():
    before = len(os.listdir("/proc/self/fd"))
    with memory_files.opened([b"ab", b"", b"cd"]) as file:
        assert memory_files.read(file, 1, 2) == b"bc"
        assert memory_files.read(file, 3, 10) == b"d"
        assert memory_files.read(file, 9, 1) == b""
    assert len(os.listdir("/proc/self/fd")) <= before


def test_no_files_stay_open(transcoder):
    frames, description, _ = numbered(5)
    list(transcoder.frames(frames, description, f"{BASE}5"))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        list(transcoder.frames(frames, description, f"{BASE}5"))
        with pytest.raises(errors.Malformed):
            list(transcoder.frames([b"1"], description, f"{BASE}5"))
    assert len(os.listdir("/proc/self/fd")) <= before
