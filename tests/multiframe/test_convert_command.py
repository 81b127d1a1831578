"""`dicomgate convert`: folders to folders, what is said about it, and the exit codes."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from multiframe_slices import CT, DATA, edited, slice_of, written

from dicomgate.cli import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "in"
    source.mkdir()
    for number in (1, 2, 3):
        (source / f"{number}.dcm").write_bytes(slice_of(CT, number))
    (source / "notes.txt").write_text("no picture at all")
    return source


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def digests(folder: Path) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.dcm")}


def test_there_and_back_again(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["convert", "enhanced", str(folder), str(tmp_path / "made")]) == main.DONE
    (told,) = lines(capsys)
    assert (told["became"], told["sources"]) == ("enhanced", 3)
    assert Path(told["file"]).is_file()
    assert main.run(["convert", "classic", str(tmp_path / "made"), str(tmp_path / "back")]) == main.DONE
    assert {one["became"] for one in lines(capsys)} == {"restored"}
    assert digests(tmp_path / "back") == digests(folder)
    assert not list(tmp_path.rglob("*.part"))


def test_a_whole_patient_comes_back_overlays_and_reports_too(folder: Path, tmp_path: Path) -> None:
    from test_multiframe_overlays import overlaid
    from test_multiframe_references import evidence, other

    (folder / "3.dcm").write_bytes(slice_of(CT, 3, change=overlaid()))
    (folder / "ko.dcm").write_bytes(other("ko", CurrentRequestedProcedureEvidenceSequence=evidence((1, 2))))
    (folder / "apart.dcm").write_bytes(other("apart"))
    assert main.run(["convert", "enhanced", str(folder), str(tmp_path / "made")]) == main.DONE
    assert len(digests(tmp_path / "made")) == 4
    assert main.run(["convert", "classic", str(tmp_path / "made"), str(tmp_path / "back")]) == main.DONE
    assert digests(tmp_path / "back") == digests(folder)


def test_new_images_are_others(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main.run(["convert", "enhanced", str(folder), str(tmp_path / "made")])
    capsys.readouterr()
    assert main.run(["convert", "classic", "--new-uids", str(tmp_path / "made"), str(tmp_path / "new")]) == main.DONE
    assert {one["became"] for one in lines(capsys)} == {"made anew"}
    assert digests(tmp_path / "new").isdisjoint(digests(folder))


def test_a_salt_gives_other_uids(folder: Path, tmp_path: Path) -> None:
    for name, salt in (("a", "one"), ("b", "two"), ("c", "one")):
        main.run(["convert", "enhanced", "--salt", salt, str(folder), str(tmp_path / name)])
    first, second, third = (digests(tmp_path / name) for name in "abc")
    assert first == third != second


def test_explaining_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "4.dcm").write_bytes(slice_of(CT, 4, ImageOrientationPatient=[1, 0, 0, 0, 0, -1]))
    (folder / "5.dcm").write_bytes(slice_of(CT, 5, ImagePositionPatient=None))
    before = digests(folder)
    assert main.run(["convert", "enhanced", "--explain", str(folder)]) == main.DONE
    first, second, left = lines(capsys)
    assert (first["frames"], second["frames"]) == (3, 1)
    assert list(first["apart_by"]) == ["orientation"]
    assert left["reason"] == "it does not say where in the patient it lies"
    assert digests(folder) == before


def test_what_is_left_over_is_code_3_and_goes_along(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "5.dcm").write_bytes(slice_of(CT, 5, ImagePositionPatient=None))
    assert main.run(["convert", "enhanced", str(folder), str(tmp_path / "made")]) == main.PARTLY
    seen = capsys.readouterr()
    assert "5.dcm: it does not say where in the patient it lies" in seen.err
    assert [json.loads(line)["became"] for line in seen.out.splitlines()] == ["enhanced", "unchanged"]
    assert main.run(["convert", "enhanced", "--only-converted", str(folder), str(tmp_path / "less")]) == main.PARTLY
    assert len(digests(tmp_path / "less")) == 1


def test_a_damaged_file_is_code_3(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "6.dcm").write_bytes(slice_of(CT, 6)[:700])
    assert main.run(["convert", "enhanced", str(folder), str(tmp_path / "made")]) == main.PARTLY
    said = capsys.readouterr().err
    assert "6.dcm" in said
    assert f"1 not (why: {tmp_path / 'made' / 'dicomgate-report.jsonl'})" in said.splitlines()[-1]


def test_a_damaged_object_is_code_3_and_none_of_its_files_is_half_there(tmp_path: Path) -> None:
    content = written(slice_of(CT, n) for n in (1, 2))
    (tmp_path / "in").mkdir()
    (tmp_path / "in/bad.dcm").write_bytes(edited(content, lambda one: setattr(one, "NumberOfFrames", 3)))
    assert main.run(["convert", "classic", "--new-uids", str(tmp_path / "in"), str(tmp_path / "out")]) == main.PARTLY
    assert [path.name for path in tmp_path.joinpath("out").rglob("*")] == ["dicomgate-report.jsonl"]


@pytest.mark.parametrize("verb", ["enhanced", "classic"])
def test_nothing_to_convert_is_code_4(verb: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert main.run(["convert", verb, str(tmp_path / "in"), str(tmp_path / "out")]) == main.NOTHING


def test_no_place_to_write_is_wrong_usage(folder: Path) -> None:
    assert main.run(["convert", "enhanced", str(folder)]) == main.USAGE


def test_what_becomes_of_an_object_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ours.dcm").write_bytes(written(slice_of(CT, n) for n in (1, 2)))
    theirs = DATA / "series/sup157-tiny/multiframe/mf.dcm"
    (tmp_path / "theirs.dcm").write_bytes(theirs.read_bytes())
    assert main.run(["convert", "classic", "--explain", str(tmp_path)]) == main.DONE
    ours, others = lines(capsys)
    assert (ours["images"], ours["becomes"]) == (2, "the files it was made of")
    assert (others["images"], others["becomes"]) == (3, "images made anew")


def test_the_page_shows_python_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Path(__file__).parents[2] / "docs/how-to/convert-series.md"
    (block,) = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    (tmp_path / "scans").mkdir()
    for number in (1, 2):
        (tmp_path / f"scans/{number}.dcm").write_bytes(slice_of(CT, number))
    monkeypatch.chdir(tmp_path)
    exec(compile(block, str(page), "exec"), {})
    sizes = [int(line.split()[-1]) for line in capsys.readouterr().out.splitlines()[1:]]
    assert sizes == [len(slice_of(CT, number)) for number in (1, 2)]
