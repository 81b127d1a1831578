"""`dicomgate get`: what comes is the bytes that are stored; what is there is not asked for again; a program can follow."""

import json
import os
import signal
import subprocess
import sys
import zipfile

import pytest

from dicomgate.cli import main
from dicomgate.dicom import header
from dicomgate.dicom.source import BytesSource
from dicomgate.testing.processes import running

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(capfd, *words, code=0):
    capfd.readouterr()
    assert main.run(["get", *map(str, words)]) == code
    said = capfd.readouterr()
    return [json.loads(line) for line in said.out.splitlines()], said.err


def originals(kept):
    return sorted(path.read_bytes() for path in kept.iterdir())


def gotten(out):
    return sorted(path.read_bytes() for path in out.rglob("*.dcm"))


@pytest.mark.parametrize("is_server", [False, True])
def test_all_of_it_once(kept, server, tmp_path, capfd, is_server):
    where = server.root if is_server else kept
    lines, told = run(capfd, where, "--out", "out", "--jobs", "3")
    assert sum(line["fetched"] for line in lines) == 20
    assert "4 series are complete: 0 there before, 20 new" in told
    assert gotten(tmp_path / "out") == originals(kept)
    for path in (tmp_path / "out").rglob("*.dcm"):
        target = header.read(BytesSource(path.read_bytes())).target
        assert path == tmp_path / "out" / target.study / target.series / f"{target.instance}.dcm"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        path.parent.parent.name for path in (tmp_path / "out").rglob("*.dcm")
    }
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.dcm")}
    lines, told = run(capfd, where, "--out", "out")
    assert "20 there before, 0 new" in told
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.dcm")}


def test_only_what_is_missing_is_asked_for(kept, tmp_path, capfd):
    data, home = tmp_path / "data", tmp_path / "home"
    home.mkdir()
    assert main.run(["store", str(data), str(kept)]) == 0
    with running("--log-requests", data=data, log=home / "log") as server:
        run(capfd, server.root, "series", "Modality=CT", "--out", "out")
        victims = sorted((tmp_path / "out").rglob("*.dcm"))[:2]
        for path in victims:
            path.unlink()
        before = (home / "log").read_text().count("\n")
        run(capfd, server.root, "--out", "out")
    asked = [json.loads(line) for line in (home / "log").read_text().splitlines()[before:] if line.startswith("{")]
    kinds = [one["route"] for one in asked if "route" in one]
    assert sum(kind.startswith("instances") for kind in kinds) == 4  # two alone, two whole series
    assert gotten(tmp_path / "out") == originals(kept)


def test_zip_metadata_and_another_transfer_syntax(server, tmp_path, capfd):
    run(capfd, server.root, "series", "Modality=MR", "--out", "zips", "--as", "zip")
    (archive,) = (tmp_path / "zips").rglob("*.zip")
    with zipfile.ZipFile(archive) as made:
        assert made.testzip() is None
        assert len(made.namelist()) == 6
    assert not list((tmp_path / "zips").rglob("*.dcm"))
    assert run(capfd, server.root, "series", "Modality=MR", "--out", "zips", "--as", "zip")[0][0]["there"] == 6
    run(capfd, server.root, "series", "Modality=MR", "--out", "texts", "--as", "metadata")
    (text,) = (tmp_path / "texts").rglob("*.json")
    assert len(json.loads(text.read_bytes())) == 6
    syntax = "1.2.840.10008.1.2.5"
    run(capfd, server.root, "instances", "InstanceNumber=1", "Modality=MR", "--out", "rle", "--transfer-syntax", syntax)
    (path,) = (tmp_path / "rle").rglob("*.dcm")
    assert header.read(BytesSource(path.read_bytes())).transfer_syntax == syntax


def test_a_look_fetches_nothing(kept, tmp_path, capfd):
    _, told = run(capfd, kept, "--out", "out", "--dry-run")
    assert "4 series: 0 there, 20 to get" in told
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_had_is_reported_and_the_rest_comes(kept, tmp_path, capfd):
    data = tmp_path / "data"
    assert main.run(["store", str(data), str(kept)]) == 0
    blobs = sorted(path for path in (data / "blobs").rglob("*") if path.is_file())
    content = blobs[0].read_bytes()
    blobs[0].write_bytes(content[:-4] + b"oops")
    lines, told = run(capfd, data, "--out", "out", code=3)
    assert sum(line["fetched"] for line in lines) == 19
    report = [json.loads(line) for line in (tmp_path / "out/dicomgate-report.jsonl").read_text().splitlines()]
    assert [set(one) for one in report] == [{"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "why"}]
    assert "damaged" in report[0]["why"]
    assert "1 series is incomplete" in told
    blobs[0].write_bytes(content)
    run(capfd, data, "--out", "out")
    assert not (tmp_path / "out/dicomgate-report.jsonl").exists()
    assert gotten(tmp_path / "out") == originals(kept)


def test_a_program_follows_by_the_schema_of_the_docs(server, tmp_path, capfd):
    _, told = run(capfd, server.root, "--out", "out", "--progress", "json")
    events = [json.loads(line) for line in told.splitlines()]
    counts = {"series", "series_done", "there", "fetched", "failed", "bytes", "seconds"}
    assert events[0] == {"event": "start", "series": 4}
    assert set(events[-1]) == {"event", "code", *counts}
    assert (events[-1]["event"], events[-1]["code"], events[-1]["fetched"]) == ("end", 0, 20)
    for event in events[1:-1]:
        assert event["event"] in {"series", "progress"}
        if event["event"] == "series":
            assert set(event) == {"event", "StudyInstanceUID", "SeriesInstanceUID", "there", "fetched", "failed"}
        else:
            assert set(event) == {"event", *counts}
    _, told = run(capfd, server.root, "Modality=ZZ", "--out", "none", "--progress", "json", code=4)
    assert [json.loads(line)["event"] for line in told.splitlines()] == ["end"]


def test_two_runs_do_not_fill_one_folder_at_once(kept, tmp_path, capfd):
    from dicomgate.client.landing import LandingPlace
    from dicomgate.dicom.limits import DEFAULT

    (tmp_path / "out").mkdir()
    with LandingPlace(tmp_path / "out", DEFAULT).held():
        _, told = run(capfd, kept, "--out", "out", code=1)
    assert "another run fills" in told


def test_stopped_by_the_keyboard_it_says_so_and_goes_on_the_next_time(server, kept, tmp_path, capfd):
    command = [sys.executable, "-m", "dicomgate", "get", server.root, "--out", "out", "--jobs", "1"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline()
        os.kill(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=100)
    assert process.returncode in (0, 130)
    assert (b"stopped" in told) == (process.returncode == 130)
    run(capfd, server.root, "--out", "out")
    assert gotten(tmp_path / "out") == originals(kept)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nowhere", "--out", "out"], 2),
        (["http://127.0.0.1:1/dicomweb", "--out", "out"], 6),
        ([".", "--out", "out"], 4),
        ([".", "--out", "out", "--transfer-syntax", "1.2.3"], 2),
        (["."], 2),
    ],
)
def test_exit_codes(tmp_path, words, code):
    assert main.run(["get", *words]) == code
    assert not (tmp_path / "out").exists()
