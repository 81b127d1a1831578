"""What dciodvfy says of every object made of the real series: nothing but what is known to be wrong of it (TOOL-03)."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from multiframe_slices import CLASSIC_SERIES, series_of
from test_multiframe_all_data import LEFT_OVER, without_repeats

from dicomgate.multiframe import classic, conversion
from dicomgate.multiframe.conversion import Became

pytestmark = [pytest.mark.interop, pytest.mark.slow]

PAGE = Path(__file__).parents[2] / "docs/explanation/supplement-157.md"


def known() -> tuple[str, ...]:
    """What is reported all the same, and why it stays: the table of the documentation."""
    table = PAGE.read_text("utf-8").partition("## What the checkers say")[2].partition("\n## ")[0]
    return tuple(line.split("`")[1] for line in table.splitlines() if line.startswith("| `"))


def told(path: Path) -> list[str]:
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, errors="replace", check=False)
    return [
        line.removeprefix("Error - ") for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")
    ]


@functools.cache
def reported(folder: str) -> frozenset[str]:
    """What it says of the objects of a folder and does not say of their sources."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian package dicom3tools)")
    found: set[str] = set()
    with tempfile.TemporaryDirectory() as aside:
        for sources in without_repeats(series_of(folder)):
            for one in conversion.plan(sources).products():
                if one.became not in {Became.ENHANCED, Became.STATE}:
                    continue
                path = Path(aside, f"{one.instance}.dcm")
                path.write_bytes(b"".join(one.write()))
                invalid = {fault for source in one.sources[:3] for fault in _of_source(source)}
                found |= {fault for fault in told(path) if _bare(fault) not in invalid}
                path.unlink()
    return frozenset(found)


@pytest.mark.parametrize("folder", [*CLASSIC_SERIES, *LEFT_OVER])
def test_every_object_of_all_data_is_well_formed(folder: str) -> None:
    assert {fault for fault in reported(folder) if not fault.startswith(known())} == set()


def test_what_is_known_is_still_reported_of_some_object() -> None:
    """A false positive that no object shows any more has no place in the table."""
    every = frozenset().union(*map(reported, (*CLASSIC_SERIES, *LEFT_OVER)))
    assert [start for start in known() if not any(fault.startswith(start) for fault in every)] == []


KEPT = (
    "Value invalid",
    "Orientation vector is not unit vector",
    "Missing attribute",
    "Illegal root for UID",
    "StudyInstanceUID has same value as FrameOfReferenceUID",
    "Attribute present but empty",
)


def _of_source(source: classic.Classic) -> set[str]:
    """What it says of values and codes of a source, which are kept as they are."""
    assert isinstance(source.content, classic.File)
    faults = (fault for fault in told(source.content.path) if fault.startswith(KEPT))
    return {_bare(fault) for fault in faults if "Missing" not in fault or "BasicCodeSequenceMacro" in fault}


def _bare(fault: str) -> str:
    """Without the value, and without the number of the byte in it."""
    return re.sub(r" \[\d+\] = <.*?> ", " ", re.sub(r'(Illegal root for UID - ".*?").*', r"\1", fault))
