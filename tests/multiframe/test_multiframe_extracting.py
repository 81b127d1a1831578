"""Some frames of an enhanced object as an object of their own (PS3.4 §Y.3.3, LC-35)."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiframe_slices import CT, DATA, read, slice_of, sources_of, written
from pydicom.encaps import generate_frames

from dicomgate import errors
from dicomgate.cli import main
from dicomgate.multiframe import extracting, remainder, restoring
from dicomgate.multiframe.classic import Classic

COUNT = 6
WHOLE = written(slice_of(CT, number) for number in range(1, COUNT + 1))


def extracted(content: bytes, frames: Sequence[int]) -> bytes:
    (source,) = sources_of([content])
    return b"".join(extracting.write(extracting.extract(source, frames)))


@given(st.lists(st.integers(1, COUNT), min_size=1, max_size=COUNT, unique=True).map(sorted))
def test_the_frames_are_those_that_were_asked_for_and_all_else_is_as_it_was_LC_35(frames: list[int]) -> None:
    whole, made = read(WHOLE), read(extracted(WHOLE, frames))
    size = whole.Rows * whole.Columns * 2
    assert made.NumberOfFrames == len(frames)
    assert made.PixelData == b"".join(whole.PixelData[(n - 1) * size : n * size] for n in frames)
    groups = whole.PerFrameFunctionalGroupsSequence
    assert list(made.PerFrameFunctionalGroupsSequence) == [groups[number - 1] for number in frames]
    assert made.SharedFunctionalGroupsSequence == whole.SharedFunctionalGroupsSequence
    assert (made.SOPClassUID, made.SeriesInstanceUID) == (whole.SOPClassUID, whole.SeriesInstanceUID)
    assert made.SOPInstanceUID == made.file_meta.MediaStorageSOPInstanceUID != whole.SOPInstanceUID
    (item,) = made.FrameExtractionSequence
    assert item.MultiFrameSourceSOPInstanceUID == whole.SOPInstanceUID
    listed = item.SimpleFrameList
    assert ([listed] if isinstance(listed, int) else list(listed)) == frames
    *before, own = made.ContributingEquipmentSequence
    assert before == list(whole.ContributingEquipmentSequence)
    assert own.PurposeOfReferenceCodeSequence[0].CodeValue == "109105"


def test_the_same_frames_are_the_same_object_and_others_another_LC_35() -> None:
    assert extracted(WHOLE, [2, 3]) == extracted(WHOLE, [2, 3])
    assert read(extracted(WHOLE, [2, 3])).SOPInstanceUID != read(extracted(WHOLE, [2, 4])).SOPInstanceUID


def test_what_was_extracted_of_what_was_extracted_tells_of_both_LC_35() -> None:
    first = extracted(WHOLE, [2, 4, 5])
    made = read(extracted(first, [1, 3]))
    assert [list(item.SimpleFrameList) for item in made.FrameExtractionSequence] == [[2, 4, 5], [1, 3]]
    assert made.FrameExtractionSequence[1].MultiFrameSourceSOPInstanceUID == read(first).SOPInstanceUID
    positions = [
        item.PlanePositionSequence[0].ImagePositionPatient[2] for item in made.PerFrameFunctionalGroupsSequence
    ]
    assert positions == [10, 25]


def test_it_keeps_no_record_of_originals_that_it_has_not_LC_32() -> None:
    whole, made = (sources_of([content])[0] for content in (WHOLE, extracted(WHOLE, [1])))
    assert remainder.find_blocks(whole.attributes)
    assert not remainder.find_blocks(made.attributes)
    assert not restoring.can_restore(made)


@pytest.mark.parametrize("frames", [[], [0], [2, 2], [3, 1], [COUNT + 1]], ids=str)
def test_frames_that_there_are_not_are_refused(frames: list[int]) -> None:
    with pytest.raises(errors.Malformed):
        extracted(WHOLE, frames)


def test_what_is_no_such_object_is_refused() -> None:
    (source,) = sources_of([slice_of(CT, 1)])
    assert isinstance(source, Classic)
    with pytest.raises(errors.NotAcceptable):
        extracting.extract(source, [1])


@pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data here")
@pytest.mark.parametrize("kind", ["rle", "jpegls"])
def test_compressed_frames_are_copied_bit_by_bit(kind: str) -> None:
    folder = DATA / f"series/vendors/generic/compressed_{kind}/001"
    content = written(path.read_bytes() for path in sorted(folder.iterdir()))
    whole, made = read(content), read(extracted(content, [2]))
    stored = list(generate_frames(whole.PixelData, number_of_frames=whole.NumberOfFrames))
    assert list(generate_frames(made.PixelData, number_of_frames=1)) == [stored[1]]
    assert made.file_meta.TransferSyntaxUID == whole.file_meta.TransferSyntaxUID


@pytest.mark.slow
def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "classic").mkdir()
    for number in range(1, COUNT + 1):
        (tmp_path / "classic" / f"{number}.dcm").write_bytes(slice_of(CT, number))
    assert main.run(["convert", "enhanced", str(tmp_path / "classic"), str(tmp_path / "enhanced")]) == 0
    words = ["convert", "frames", str(tmp_path / "enhanced"), str(tmp_path / "few")]
    assert main.run([*words, "--frames", "2-3,6"]) == 0
    (path,) = (tmp_path / "few").rglob("*.dcm")
    assert read(path.read_bytes()).NumberOfFrames == 3
    capsys.readouterr()
    assert main.run([*words, "--frames", "5-9", "--explain"]) == 0
    assert "refused: frame 9 of an object with 6" in json.dumps(capsys.readouterr().out)
    assert main.run(["convert", "frames", str(tmp_path / "enhanced"), str(tmp_path / "none"), "--frames", "5-9"]) == 3
    assert "frame 9 of an object with 6" in (tmp_path / "none" / "dicomgate-report.jsonl").read_text()
    for wrong in ("", "0", "3-1", "2,1", "x", "1-"):
        assert main.run([*words, "--frames", wrong]) == 2
    assert main.run(["convert", "frames", str(tmp_path / "classic"), str(tmp_path / "c"), "--frames", "1"]) == 4
    if shutil.which("dciodvfy"):
        said = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, text=True, check=False)
        whole = next((tmp_path / "enhanced").rglob("*.dcm"))
        before = subprocess.run(["dciodvfy", "-new", str(whole)], capture_output=True, text=True, check=False)
        errors_of = [{line for line in one.stderr.splitlines() if line.startswith("Error")} for one in (said, before)]
        assert errors_of[0] <= errors_of[1]
