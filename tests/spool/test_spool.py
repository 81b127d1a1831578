"""Arrivals in memory and on disk (T4, T12)."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate.spool import Arrival, Spool


def content_of(arrival: Arrival) -> bytes:
    source = arrival.source()
    return source.read_at(0, source.size)


@pytest.mark.parametrize("size", [0, 10, 100, 1000, 5000])
def test_size_digest_and_content_wherever_the_bytes_lie(tmp_path: Path, size) -> None:
    content = bytes(number % 251 for number in range(size))
    arrival = Spool(tmp_path, in_memory=1000).arrival()
    for start in range(0, size, 300):
        arrival.write(memoryview(content)[start : start + 300])
    arrival.finish()
    arrival.finish()
    assert arrival.size == size
    assert arrival.digest == hashlib.sha256(content).hexdigest()
    assert content_of(arrival) == content
    given_content = arrival.content()
    assert isinstance(given_content, Path) is (size > 1000)
    arrival.discard()
    arrival.discard()
    assert list(tmp_path.iterdir()) == []


@given(pieces=st.lists(st.binary(max_size=60), max_size=40), in_memory=st.integers(200, 400))
def test_any_chunking_gives_the_same(tmp_path_factory, pieces, in_memory) -> None:
    whole = b"MZ" + bytes(126) + b"DICM" + b"".join(pieces)
    expected = bytes(128) + whole[128:]
    arrival = Spool(tmp_path_factory.getbasetemp() / "spool", in_memory=in_memory).arrival()
    for start in range(0, len(whole), 37):
        arrival.write(whole[start : start + 37])
    arrival.finish()
    assert content_of(arrival) == expected
    assert arrival.digest == hashlib.sha256(expected).hexdigest()
    assert arrival.original_digest == hashlib.sha256(whole).hexdigest()
    arrival.discard()


def test_what_is_no_dicom_file_is_left_as_it_is(tmp_path: Path) -> None:
    arrival = Spool(tmp_path).arrival()
    arrival.write(b"MZ" + bytes(300))
    arrival.finish()
    assert content_of(arrival) == b"MZ" + bytes(300)
    assert arrival.original_digest == ""


_DIES = """
import os, pathlib, sys
from dicomgate.spool import Spool
arrival = Spool(pathlib.Path(sys.argv[1]), in_memory=10).arrival()
arrival.write(bytes(100))
print("spilled", flush=True)
sys.stdin.read() if len(sys.argv) > 2 else os._exit(1)
"""


@pytest.mark.slow
def test_a_sweep_takes_what_the_dead_left_and_nothing_of_the_living(tmp_path: Path) -> None:
    """D5. A dead process that nobody waited for still has its number: that must not protect what it left."""
    spool = Spool(tmp_path, in_memory=10)
    ours = spool.arrival()
    ours.write(bytes(100))
    command = [sys.executable, "-c", _DIES, str(tmp_path)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as dead,
        subprocess.Popen([*command, "stays"], stdout=subprocess.PIPE, stdin=subprocess.PIPE) as living,
    ):
        assert dead.stdout is not None
        assert living.stdout is not None
        assert dead.stdout.read() == b"spilled\n"  # to its end: the process is gone, and not waited for
        assert living.stdout.readline() == b"spilled\n"
        assert len(list(tmp_path.iterdir())) == 3
        assert spool.sweep() == 1
        assert len(list(tmp_path.iterdir())) == 2
    ours.finish()
    assert content_of(ours) == bytes(100)
    ours.discard()
    assert spool.sweep() == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [0, 10, 5000])
def test_pile_gives_back_any_part_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    pile = Spool(tmp_path, in_memory=1000).pile()
    for start in range(0, size, 300):
        pile.write(memoryview(content)[start : start + 300])
    pile.finish()
    assert bool(list(tmp_path.iterdir())) is (size > 1000)
    source = pile.source(range(3, size - 3))
    assert source.size == max(size - 6, 0)
    assert source.read_at(0, size) == content[3:-3]
    assert source.read_at(2, 4) == content[5:-3][:4]
    pile.discard()
    pile.discard()
    assert list(tmp_path.iterdir()) == []


def test_pile_that_is_given_up_half_way_leaves_nothing(tmp_path: Path) -> None:
    pile = Spool(tmp_path, in_memory=10).pile()
    pile.write(bytes(100))
    assert len(list(tmp_path.iterdir())) == 1
    pile.discard()
    assert list(tmp_path.iterdir()) == []


def test_beginning_is_judged_whole_however_early_it_must_leave_memory_T12(tmp_path: Path) -> None:
    """A preamble that comes in drops, while memory is short, is cleared like any."""
    arrival = Spool(tmp_path).arrival()
    content = b"MZ program".ljust(128, b"\1") + b"DICM" + bytes(1000)
    for at in range(0, len(content), 7):
        arrival.write(content[at : at + 7])
        arrival.spill()
    assert os.listdir(tmp_path), "it did leave memory"
    assert arrival.waiting == 0
    arrival.finish()
    assert arrival.source().read_at(0, len(content)) == bytes(128) + content[128:]
    assert arrival.original_digest == hashlib.sha256(content).hexdigest()
    arrival.discard()
    assert os.listdir(tmp_path) == []
