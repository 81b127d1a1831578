"""What dciodvfy says of every object made of the real series: nothing but what is known to be wrong of it (TOOL-03)."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from multiframe_slices import CLASSIC_SERIES, series_of

from dicomgate.multiframe import classic, conversion
from dicomgate.multiframe.conversion import Became

pytestmark = [pytest.mark.interop, pytest.mark.slow]

KNOWN = {
    "Missing attribute Type 2 Required Element=<UnassignedPerFrameConvertedAttributesSequence>": (
        "type 1C: there are no attributes that differ (C.7.6.16.2.25.2)"
    ),
    "ReferencedSeriesSequence present but Instance does not reference Instances": (
        "Conversion Source is a reference, too (C.12.2)"
    ),
    "Unrecognized enumerated value <MIXED> for value 1 of attribute <Volumetric Properties>": (
        "allowed in a frame type of converted images that do not say more (C.8.16.2.1.2)"
    ),
    "Missing attribute Type 1C Conditional Element=<ReferencedImageEvidenceSequence>": (
        "the reference stands among the unassigned attributes: its series is not known"
    ),
    "Missing attribute Type 1C Conditional Element=<SourceImageEvidenceSequence>": "as before",
    "Unrecognized enumerated value <US> for value 1 of attribute <Rescale Type>": "the source says so",
    "Dicom dataset contains invalid data values for Value Representations": "the source has them",
}
"""What is reported all the same, and why it stays."""


def told(path: Path) -> list[str]:
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, errors="replace", check=False)
    return [
        line.removeprefix("Error - ") for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")
    ]


@pytest.mark.parametrize("folder", CLASSIC_SERIES)
def test_every_object_of_every_series_is_well_formed(folder: str, tmp_path: Path) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian package dicom3tools)")
    plan = conversion.plan(series_of(folder))
    made = [one for one in plan.products() if one.became in {Became.ENHANCED, Became.STATE}]
    assert made
    for one in made:
        path = tmp_path / f"{one.instance}.dcm"
        path.write_bytes(b"".join(one.write()))
        invalid = {fault for source in one.sources[:3] for fault in _of_source(source)}
        unknown = [fault for fault in told(path) if not fault.startswith(tuple(KNOWN)) and _bare(fault) not in invalid]
        assert unknown == []


KEPT = ("Value invalid", "Orientation vector is not unit vector", "Missing attribute")


def _of_source(source: classic.Classic) -> set[str]:
    """What it says of values and codes of a source, which are kept as they are."""
    assert isinstance(source.content, classic.File)
    faults = (fault for fault in told(source.content.path) if fault.startswith(KEPT))
    return {_bare(fault) for fault in faults if "Missing" not in fault or "BasicCodeSequenceMacro" in fault}


def _bare(fault: str) -> str:
    """Without the value, and without the number of the byte in it."""
    return re.sub(r" \[\d+\] = <.*?> ", " ", fault)
