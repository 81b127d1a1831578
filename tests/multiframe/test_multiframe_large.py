"""A series of 3,000 images becomes one object in bounded memory, and its files again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from multiframe_slices import CT, slice_of
from pydicom.uid import generate_uid

COUNT = 3000
MOST_BYTES = 500 << 20


MEASURED = """
import resource, subprocess, sys
code = subprocess.run([sys.executable, "-m", "dicomgate", "convert", *sys.argv[1:]], stdout=sys.stderr).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10)
"""
"""In between, for a child begins with as much memory as who starts it, which counts."""


def convert(here: Path, *words: str) -> int:
    """The most memory that the command took."""
    command = [sys.executable, "-c", MEASURED, *words]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True, timeout=600)
    code, most = map(int, done.stdout.split())
    assert code == 0, done.stderr
    return most


def slice_at(number: int) -> bytes:
    place = {"ImagePositionPatient": [-10, -10, number], "SliceLocation": number, "InstanceNumber": number}
    return slice_of(CT, 1, SOPInstanceUID=generate_uid(entropy_srcs=[str(number)]), **place)


@pytest.mark.slow
def test_three_thousand_slices_become_one_object_in_bounded_memory(tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    series = {slice_at(number) for number in range(1, COUNT + 1)}
    for number, content in enumerate(series):
        (tmp_path / f"series/{number}.dcm").write_bytes(content)
    assert convert(tmp_path, "enhanced", "series", "made") < MOST_BYTES
    made = [path for path in (tmp_path / "made").rglob("*") if path.is_file()]
    assert len(made) == 1
    assert convert(tmp_path, "classic", "made", "back") < MOST_BYTES
    assert {path.read_bytes() for path in (tmp_path / "back").rglob("*") if path.is_file()} == series
