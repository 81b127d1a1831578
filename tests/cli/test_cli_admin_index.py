"""`dicomgate admin index`: beside a server, in a pipe, killed in the middle, after a rebuild, on a folder in place."""

import json
import os
import signal
import subprocess
import sys

import pytest

from dicomgate import assembly, config
from dicomgate.cli import main
from dicomgate.testing import instances
from dicomgate.testing.entries import entry, refuse_nothing, target
from dicomgate.testing.processes import running

pytestmark = pytest.mark.slow  # the fast loop stays under a minute


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No test reads this machine's settings or writes into its state."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(12):
        held = {"InstitutionName": ("North", "South", "West")[number % 3], "PatientAge": f"{number:03d}Y"}
        (folder / f"{number}.dcm").write_bytes(instances.make(attributes=held))
    return folder


def run(*words):
    return main.run(["admin", "index", *map(str, words)])


def listed(capsys, data):
    capsys.readouterr()
    assert run("list", data) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def found(server, path):
    reply = server.ask("GET", f"/dicomweb{path}")
    return len(json.loads(reply.body)) if reply.status == 200 else reply.status


def test_beside_a_server(tmp_path, scans, capsys):
    data = tmp_path / "data"
    assert main.run(["store", str(data), str(scans)]) == 0
    with running(data=data, log=tmp_path / "log") as server:
        assert found(server, "/series?InstitutionName=North") == 4
        capsys.readouterr()
        assert run("add", "InstitutionName", data) == 0
        said = capsys.readouterr()
        lines = [json.loads(line) for line in said.out.splitlines()]
        assert lines[-1] == {"attribute": "InstitutionName", "done": 12, "left": 0}
        assert said.err == "InstitutionName is searched with the index from now on\n"
        assert listed(capsys, data) == [
            {"attribute": "InstitutionName", "creator": "", "level": "series", "state": "ready"}
        ]
        assert found(server, "/series?InstitutionName=North") == 4
        assert found(server, "/series?InstitutionName=N*") == 4
        (tmp_path / "more").write_bytes(instances.make(attributes={"InstitutionName": "North"}))
        assert main.run(["store", server.root, str(tmp_path / "more")]) == 0
        assert found(server, "/series?InstitutionName=North") == 5
        assert run("add", "InstitutionName", data) == 0
        assert "already" in capsys.readouterr().err
        assert run("remove", "InstitutionName", data) == 0
        assert listed(capsys, data) == []
        assert found(server, "/series?InstitutionName=North") == 5


def test_a_rebuild_keeps_the_list(tmp_path, scans, capsys):
    data = tmp_path / "data"
    assert main.run(["store", str(data), str(scans)]) == 0
    assert run("add", "InstitutionName", data) == run("add", "PatientAge", data) == 0
    expected = listed(capsys, data)
    assert main.run(["admin", "reindex", str(data)]) == 0
    assert listed(capsys, data) == expected
    with running(data=data, log=tmp_path / "log") as server:
        assert found(server, "/studies?PatientAge=003Y") == 1


def test_killed_in_the_middle_and_done_again_D8(tmp_path, capsys):
    data = tmp_path / "data"
    settings = config.read(environment={}, directory=tmp_path)
    with assembly.open_archive(data, settings) as archive:
        offered = [entry(target(number // 100, 1, number), Rows=number) for number in range(3000)]
        for first in range(0, len(offered), 250):
            archive.index.add_many(offered[first : first + 250], refuse_nothing)
    command = [sys.executable, "-m", "dicomgate", "admin", "index", "add", "Rows", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    (standing,) = listed(capsys, data)
    print("killed while", standing["state"])
    assert run("add", "Rows", data) == 0
    assert [one["state"] for one in listed(capsys, data)] == ["ready"]
    with assembly.open_archive(data, settings) as archive:
        stored = "SELECT count(DISTINCT v.text), count(*) FROM instance_value f JOIN value v ON v.id = f.value"
        assert archive.index._readers.rows(stored) == [(3000, 3000)]


def test_a_folder_in_place(tmp_path, scans, capsys):
    assert run("add", "InstitutionName", scans) == 4
    with assembly.open_folder(scans, config.read(environment={}, directory=tmp_path)) as folder:
        folder.scan(lambda progress: None)
    assert run("add", "InstitutionName", scans) == 0
    assert [one["attribute"] for one in listed(capsys, scans)] == ["InstitutionName"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["add", "PixelData"], 2),
        (["add", "RequestAttributesSequence"], 2),
        (["add", "NoSuchAttribute"], 2),
        (["add", "Rows.Columns"], 2),
        (["add", "00191004"], 2),
        (["add", "Rows", "--creator", "ACME"], 2),
        (["remove", "Rows"], 4),
        (["remove", "PatientName"], 4),
        (["add"], 2),
        (["add", "PatientName"], 0),
        (["add", "00191004", "--creator", "ACME"], 0),
    ],
)
def test_exit_codes_and_one_line(tmp_path, scans, capsys, words, code):
    assert main.run(["store", str(tmp_path / "data"), str(scans / "0.dcm")]) == 0
    (tmp_path / "data").rename(tmp_path / "here")
    os.chdir(tmp_path / "here")
    capsys.readouterr()
    assert run(*words) == code
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 or "Usage" in said.err


def test_one_is_told_in_the_singular(tmp_path, scans, capsys):
    data = tmp_path / "data"
    assert main.run(["store", str(data), str(scans)]) == 0
    for keyword, said in (("InstitutionName", "1 promoted attribute\n"), ("PatientAge", "2 promoted attributes\n")):
        assert run("add", keyword, data) == 0
        capsys.readouterr()
        assert run("list", data) == 0
        assert capsys.readouterr().err == said
