"""`dicomgate convert` between folders, data folders and servers: the same bytes wherever they come from and go to."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from multiframe_slices import CT, read, slice_of
from test_multiframe_overlays import overlaid

from dicomgate.cli import convert_sources, main
from dicomgate.testing.processes import running

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two patients: one with three slices and a leftover, one with two slices."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in (1, 2, 3):
        (folder / f"{number}.dcm").write_bytes(slice_of(CT, number))
    (folder / "lost.dcm").write_bytes(slice_of(CT, 4, ImagePositionPatient=None))
    other: dict[str, Any] = {"PatientID": "8", "StudyInstanceUID": "1.2.8", "SeriesInstanceUID": "1.2.8.1"}
    for number in (11, 12):
        (folder / f"{number}.dcm").write_bytes(slice_of(CT, number, **other))
    return folder


def run(capfd: pytest.CaptureFixture[str], *words: object, code: int = 0) -> tuple[list[dict[str, Any]], str]:
    capfd.readouterr()
    assert main.run(["convert", *map(str, words)]) == code
    said = capfd.readouterr()
    return [json.loads(line) for line in said.out.splitlines()], said.err


def digests(folder: Path) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.dcm")}


def test_a_data_folder_gives_what_its_files_give(
    scans: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["store", "data", str(scans)]) == 0
    run(capfd, "enhanced", scans, "from-files", code=main.PARTLY)
    run(capfd, "enhanced", "data", "from-data", code=main.PARTLY)
    assert digests(tmp_path / "from-data") == digests(tmp_path / "from-files")
    found, _ = run(capfd, "enhanced", "data", "chosen", "PatientID=8")
    assert [(one["became"], one["sources"]) for one in found] == [("enhanced", 2)]
    assert digests(tmp_path / "chosen") < digests(tmp_path / "from-files")


def test_from_a_server_to_a_server_and_back_into_a_data_folder(
    scans: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["store", "data", str(scans)]) == 0
    run(capfd, "enhanced", scans, "expected", code=main.PARTLY)
    with running(data=tmp_path / "data", log=tmp_path / "log") as server:
        explained, _ = run(capfd, "enhanced", "--explain", server.root)
        assert explained == run(capfd, "enhanced", "--explain", "data")[0]
        assert sorted(one.get("frames", 0) for one in explained) == [0, 2, 3]
        run(capfd, "enhanced", server.root, "fetched", code=main.PARTLY)
        assert digests(tmp_path / "fetched") == digests(tmp_path / "expected")
        assert main.run(["store", "other", str(scans / "1.dcm")]) == 0
        with running(data=tmp_path / "other", log=tmp_path / "other-log") as destination:
            found, told = run(capfd, "enhanced", server.root, destination.root, "PatientID=8", "--progress", "json")
            assert [(one["became"], "file" in one) for one in found] == [("enhanced", False)]
            events = [json.loads(line) for line in told.splitlines()]
            assert [one["what"] for one in events if one["event"] == "start"] == ["reading", "writing"]
            assert (events[-1]["event"], events[-1]["written"], events[-1]["code"]) == ("end", 1, 0)
            again, _ = run(capfd, "enhanced", server.root, destination.root, "PatientID=8")
            assert [one["there"] for one in again] == [True]
            assert main.run(["store", "back", str(scans / "1.dcm")]) == 0
            restored, _ = run(capfd, "classic", destination.root, "back", "PatientID=8")
            assert [one["became"] for one in restored] == ["restored", "restored"]
    assert main.run(["get", "back", "PatientID=8", "--out", "originals"]) == 0
    assert digests(tmp_path / "originals") == {
        hashlib.sha256((scans / f"{number}.dcm").read_bytes()).hexdigest() for number in (11, 12)
    }


def test_what_is_there_is_not_made_again(scans: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first, _ = run(capfd, "enhanced", scans, "made", code=main.PARTLY)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "made").rglob("*.dcm")}
    second, told = run(capfd, "enhanced", scans, "made", code=main.PARTLY)
    assert [one.get("there") for one in second] == [True] * len(first)
    assert "3 of them there before" in told
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "made").rglob("*.dcm")}
    missing = next(iter(times))
    missing.unlink()
    third, _ = run(capfd, "enhanced", scans, "made", code=main.PARTLY)
    assert [one["file"] for one in third if not one.get("there")] == [str(missing.relative_to(tmp_path))]
    anew, _ = run(capfd, "enhanced", scans, "made", "--again", code=main.PARTLY)
    assert not any(one.get("there") for one in anew)


def test_what_was_left_over_stands_in_a_report_and_goes_when_nothing_is(
    scans: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "made/dicomgate-report.jsonl"
    found, _ = run(capfd, "enhanced", scans, "made", code=main.PARTLY)
    (line,) = map(json.loads, report.read_text("utf-8").splitlines())
    reason = "it does not say where in the patient it lies"
    assert line == {"name": str(scans / "lost.dcm"), "why": reason}
    assert [one["why"] for one in found if "why" in one] == [reason]
    run(capfd, "enhanced", scans, "made", "--report", "mine.jsonl", code=main.PARTLY)
    assert (tmp_path / "mine.jsonl").read_text("utf-8") == report.read_text("utf-8")
    (scans / "lost.dcm").unlink()
    run(capfd, "enhanced", scans, "made")
    assert not report.exists()


def test_a_destination_inside_the_source_is_refused(scans: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _, told = run(capfd, "enhanced", scans, scans / "made", code=main.USAGE)
    assert "lies in it" in told


def test_of_many_files_only_a_part_is_kept_while_they_are_looked_at(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run(capfd, "enhanced", scans, "at-once", code=main.PARTLY)
    monkeypatch.setattr(convert_sources, "MOST_AT_ONCE", 2)
    run(capfd, "enhanced", scans, "in-turn", code=main.PARTLY)
    assert digests(tmp_path / "in-turn") == digests(tmp_path / "at-once")


def test_an_interrupt_leaves_nothing_half_written(tmp_path: Path) -> None:
    """The pipe is full after some lines: the run is in the middle of its work when it is stopped."""
    (tmp_path / "many").mkdir()
    template = slice_of(CT, 1, ImagePositionPatient=None, ImageComments="x" * 2000)
    uid = str(read(template).SOPInstanceUID).encode()
    for number in range(399):
        (tmp_path / f"many/{number}.dcm").write_bytes(template.replace(uid, uid[:-6] + b"1%05d" % number))
    (tmp_path / "many/good.dcm").write_bytes(slice_of(CT, 2))
    command = [sys.executable, "-m", "dicomgate", "convert", "enhanced", "many", "made"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        child.stdout.readline()
        os.kill(child.pid, signal.SIGINT)
        child.stdout.read()
    assert child.returncode == main.STOPPED
    written = [path for path in (tmp_path / "made").rglob("*") if path.is_file()]
    assert 0 < len(written) < 400
    assert {path.suffix for path in written} == {".dcm"}
    assert main.run(["convert", "enhanced", str(tmp_path / "many"), str(tmp_path / "made")]) == main.PARTLY
    assert len(list((tmp_path / "made").rglob("*.dcm"))) == 400


def test_a_data_folder_takes_objects_and_their_presentation_states_LC_25(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    for number in (1, 2):
        (tmp_path / f"in/{number}.dcm").write_bytes(slice_of(CT, number, change=overlaid()))
    (tmp_path / "other.dcm").write_bytes(slice_of(CT, 3, StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.1"))
    assert main.run(["store", "data", "other.dcm"]) == 0
    found, _ = run(capfd, "enhanced", "in", "data")
    assert [one["became"] for one in found] == ["enhanced", "presentation state of overlays"]
    assert main.run(["find", "data", "series", "Modality=PR"]) == 0
