"""pydicom's data sets of files that came whole, and of those that did not (PS3.10 §7)."""

from __future__ import annotations

import io
import random
import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicomgate import errors
from dicomgate.client import whole
from dicomgate.dicom import header
from dicomgate.dicom.source import BytesSource
from dicomgate.testing import instances


def made(*, nested: bool = False) -> bytes:
    content = instances.make(instances.new_target(), frames=[bytes(64)] * 2, rows=8, columns=8)
    if not nested:
        return content
    dataset = pydicom.dcmread(io.BytesIO(content))
    del dataset.PixelData
    item = Dataset()
    item.CodeValue = "1"
    dataset.PerformedProtocolCodeSequence = Sequence([item])
    dataset["PerformedProtocolCodeSequence"].is_undefined_length = True
    written = io.BytesIO()
    dataset.save_as(written)
    return written.getvalue()


@pytest.mark.parametrize("nested", [False, True])
def test_a_file_that_ends_early_is_no_instance_wherever_it_ends(*, nested: bool) -> None:
    content = made(nested=nested)
    dataset, target = whole.read(io.BytesIO(content))
    assert target == header.read(BytesSource(content)).target
    assert dataset == pydicom.dcmread(io.BytesIO(content))
    ends = {element.value_tell + element.length for element in _elements(content)}
    for end in range(len(content) - 1, 140, -7):
        with warnings.catch_warnings(action="ignore"):  # pydicom's, where it notices
            _, found = whole.read(io.BytesIO(content[:end]))
        assert found is None or end in ends, end  # where the last element is missing as a whole nobody can know


def _elements(content: bytes) -> list[pydicom.dataelem.RawDataElement]:
    return [one for one in pydicom.dcmread(io.BytesIO(content)).elements() if hasattr(one, "value_tell")]


def test_what_is_whole_is_judged_as_the_header_says_of_every_file() -> None:
    compared = 0
    for name in sorted((Path(pydicom.__file__).parent / "data/test_files").glob("*.dcm")):
        content = name.read_bytes()
        try:
            expected = header.read(BytesSource(content)).target
        except errors.Fault:
            continue
        if expected is None:
            continue
        try:
            pydicom.dcmread(io.BytesIO(content))
        except Exception:
            continue
        assert whole.read(io.BytesIO(content))[1] == expected, name
        compared += 1
    assert compared > 30


@pytest.mark.parametrize("seed", range(20))
def test_any_bytes_are_an_instance_or_none(seed: int) -> None:
    dice = random.Random(seed)
    content = bytearray(made(nested=bool(seed % 2)))
    for _ in range(5):
        content[dice.randrange(132, len(content))] = dice.randrange(256)
    with warnings.catch_warnings(action="ignore"):  # pydicom's, of values that are none
        whole.read(io.BytesIO(bytes(content)))
