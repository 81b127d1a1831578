"""`dicomgate admin correct`: what is meant is shown, asked for, and corrected (RET-09)."""

from __future__ import annotations

import json

import pytest

from dicomgate import assembly, config
from dicomgate.cli import main
from dicomgate.dicom.matching import Query
from dicomgate.dicom.uids import Level
from dicomgate.testing import instances


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def data(tmp_path):
    data = tmp_path / "data"
    with assembly.open_archive(data, config.Settings()) as archive:
        for patient in ("OLD", "OLD", "OTHER"):
            arrival = archive.spool.arrival()
            arrival.write(instances.make(attributes={"PatientID": patient}))
            archive.origin.store.accept(arrival)
            arrival.discard()
    return data


def patients(data):
    with assembly.open_archive(data, config.Settings()) as archive:
        found = archive.search(Query(level=Level.STUDY)).datasets
        return sorted(one["00100020"]["Value"][0] for one in found)


def run(*arguments, capfd):
    code = main.run(["admin", "correct", *map(str, arguments)])
    out, err = capfd.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


def test_a_dry_run_shows_what_is_meant_and_changes_nothing(data, capfd):
    code, lines, err = run(data, "PatientID=OLD", "--set", "PatientID=NEW", "--dry-run", capfd=capfd)
    assert (code, len(lines)) == (0, 2)
    assert {line["PatientID"] for line in lines} == {"OLD"}
    assert "2 studies would be corrected" in err
    assert patients(data) == ["OLD", "OLD", "OTHER"]


def test_patients_are_merged(data, capfd):
    code, lines, err = run(
        data, "PatientID=OLD", "--set", "PatientID=NEW", "--set", "PatientName=New^Name", "--yes", capfd=capfd
    )
    assert (code, len(lines)) == (0, 2)
    assert "2 instances of 2 studies corrected, 0 needed it not" in err
    assert patients(data) == ["NEW", "NEW", "OTHER"]


def test_nobody_is_corrected_unasked(data, capfd):
    code, _, err = run(data, "PatientID=OLD", "--set", "PatientID=NEW", capfd=capfd)
    assert code == 2
    assert "--yes" in err
    assert patients(data) == ["OLD", "OLD", "OTHER"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["PatientID=NOBODY", "--set", "PatientID=NEW", "--yes"], 4),
        (["PatientID=*", "--set", "PatientID=NEW", "--yes"], 2),
        (["PatientID", "--set", "PatientID=NEW", "--yes"], 2),
        (["NoSuchKey=1", "--set", "PatientID=NEW", "--yes"], 2),
        (["PatientID=OLD", "--set", "Rows=3", "--yes"], 2),
        (["PatientID=OLD", "--set", "SeriesDescription=x", "--yes"], 2),
        (["PatientID=OLD", "--yes"], 2),
        (["PatientID=OLD", "limit=1", "--set", "PatientID=NEW", "--yes"], 2),
    ],
)
def test_what_cannot_be_is_refused(data, capfd, arguments, code):
    assert run(data, *arguments, capfd=capfd)[0] == code
    assert patients(data) == ["OLD", "OLD", "OTHER"]
