"""`dicomgate store` and `admin` on real data folders and a real server: outcomes, resuming, exit codes."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from dicomgate.cli import main
from dicomgate.samples import phantoms


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    (folder / "deep").mkdir(parents=True)
    makers = (phantoms.us_still, phantoms.map_head, phantoms.mr_head)
    for maker in makers:
        for dataset in list(maker())[:3]:
            name = f"{dataset.Modality}-{dataset.InstanceNumber}.dcm"
            (folder / "deep" / name).write_bytes(phantoms.modules.write(dataset))
    (folder / "notes.txt").write_text("not DICOM")
    return folder


def run(*arguments, capfd):
    code = main.run([str(argument) for argument in arguments])
    out, err = capfd.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


def outcomes(lines):
    return sorted(line["outcome"] for line in lines)


def test_into_a_folder_twice(tmp_path, scans, capfd):
    code, lines, said = run("store", "archive", "scans", capfd=capfd)
    assert code == 0
    assert outcomes(lines) == ["foreign"] + ["stored"] * 5
    assert "5 stored, 1 not DICOM" in said
    assert all(line["SOPInstanceUID"] for line in lines if line["outcome"] == "stored")
    code, lines, said = run("store", "archive", "scans", capfd=capfd)
    assert code == 0
    assert outcomes(lines) == ["foreign"] + ["known"] * 5
    code, lines, said = run("admin", "verify", "archive", capfd=capfd)
    assert (code, lines) == (0, [])
    assert "as it was stored" in said


def test_a_broken_file_is_3_and_nothing_is_4(tmp_path, scans, capfd):
    whole = scans / "deep" / "MR-1.dcm"
    (scans / "torn.dcm").write_bytes(whole.read_bytes()[:1000])
    code, lines, _ = run("store", "archive", "scans", capfd=capfd)
    assert code == main.PARTLY
    assert outcomes(lines).count("stored") == 5
    (refused,) = [line for line in lines if line["outcome"] == "refused"]
    assert (refused["file"], refused["code"]) == (str(Path("scans/torn.dcm")), 0xC001)
    assert run("store", "archive", scans / "notes.txt", capfd=capfd)[0] == main.NOTHING


def test_other_content_is_kept_aside_and_listed(tmp_path, scans, capfd):
    run("store", "archive", "scans", capfd=capfd)
    changed = bytearray((scans / "deep" / "MR-1.dcm").read_bytes())
    changed[-1] ^= 1
    (tmp_path / "changed.dcm").write_bytes(changed)
    code, lines, _ = run("store", "archive", "changed.dcm", capfd=capfd)
    assert (code, outcomes(lines)) == (main.PARTLY, ["refused"])
    code, lines, said = run("admin", "problems", "archive", capfd=capfd)
    assert (code, len(lines)) == (0, 1)
    assert "1 refused and kept aside" in said


def test_damage_is_found_and_is_3(tmp_path, scans, capfd):
    run("store", "archive", "scans", capfd=capfd)
    blob = max(
        (path for path in (tmp_path / "archive/blobs").rglob("*") if path.is_file()), key=lambda p: p.stat().st_size
    )
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.chmod(0o600)
    blob.write_bytes(content)
    code, lines, _ = run("admin", "verify", "archive", capfd=capfd)
    assert (code, len(lines)) == (main.PARTLY, 1)


def test_the_index_can_be_built_again(tmp_path, scans, capfd):
    run("store", "archive", "scans", capfd=capfd)
    (tmp_path / "archive/index.sqlite").unlink()
    assert run("admin", "verify", "archive", capfd=capfd)[0] == main.NOTHING
    assert run("admin", "reindex", "archive", capfd=capfd)[0] == 0
    assert outcomes(run("store", "archive", "scans", capfd=capfd)[1]) == ["foreign"] + ["known"] * 5


class Running:
    """A real server in a process of its own."""

    def __init__(self, *arguments):
        words = [sys.executable, "-m", "dicomgate", *map(str, arguments), "--port", "0"]
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        self.root = ""
        self.said = []
        for line in self.process.stderr:
            self.said.append(line)
            if line.startswith("DICOMweb"):
                self.root = line.split()[1]
                return
        pytest.fail("".join(self.said))

    def get(self, path):
        with urllib.request.urlopen(self.root + path, timeout=30) as answer:
            return json.load(answer) if answer.status == 200 else []

    def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return self.process.returncode


@pytest.fixture
def start():
    running = []

    def start_one(*arguments):
        running.append(Running(*arguments))
        return running[-1]

    yield start_one
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


def test_to_a_server_and_on_after_a_stop(tmp_path, scans, capfd, start):
    server = start("serve", "--data", "archive")
    code, lines, _ = run("store", server.root, scans / "deep" / "MR-1.dcm", capfd=capfd)
    assert (code, outcomes(lines)) == (0, ["stored"])
    code, lines, _ = run("store", server.root, "scans", capfd=capfd)
    assert code == 0
    assert outcomes(lines) == ["foreign", "known"] + ["stored"] * 4
    assert outcomes(run("store", server.root, "scans", capfd=capfd)[1]) == ["foreign"] + ["known"] * 5
    assert outcomes(run("store", server.root, "scans", "--again", capfd=capfd)[1]) == ["foreign"] + ["stored"] * 5
    assert len(server.get("/studies")) == 3
    assert server.stop() == 0
    assert run("store", server.root, "scans", capfd=capfd)[0] == main.NOT_REACHABLE


def test_an_emptied_server_gets_everything_again(tmp_path, scans, capfd, start):
    server = start("serve", "--data", "archive", "--allow-delete")
    run("store", server.root, "scans", capfd=capfd)
    for study in server.get("/studies"):
        uid = study["0020000D"]["Value"][0]
        urllib.request.urlopen(
            urllib.request.Request(f"{server.root}/studies/{uid}", method="DELETE"), timeout=30
        ).close()
    assert outcomes(run("store", server.root, "scans", capfd=capfd)[1]) == ["foreign"] + ["stored"] * 5
    assert server.stop(signal.SIGTERM) == 0


def test_a_folder_in_place_answers_and_takes_nothing(tmp_path, scans, capfd, start):
    before = {path: path.stat() for path in scans.rglob("*")}
    server = start("serve", "scans")
    for line in server.process.stderr:
        if "instances" in line:
            break
    assert "5 instances, 3 series, 3 studies" in line
    assert len(server.get("/studies")) == 3
    code, _, said = run("store", server.root, "scans", capfd=capfd)
    assert code == main.NOT_REACHABLE
    assert "does not offer this service" in said
    assert server.stop() == 0
    code, lines, _ = run("serve", "scans", "--problems", capfd=capfd)
    assert (code, lines) == (0, [{"file": "notes.txt", "state": "foreign", "why": "not a DICOM file"}])
    assert {path: path.stat() for path in scans.rglob("*")} == before | {
        path: path.stat() for path in before if path.stat().st_atime_ns != before[path].st_atime_ns
    }


def test_a_port_that_is_taken_is_one_line(tmp_path, start, capfd):
    server = start("serve", "--data", "archive")
    port = server.root.rsplit(":")[-1].split("/")[0]
    code, _, said = run("serve", "--data", "archive", "--port", port, capfd=capfd)
    assert code == main.OUR_FAULT
    assert said.startswith("dicomgate: cannot listen")
    assert os.path.isdir("archive")


@pytest.mark.slow
def test_the_demonstration_shows_every_sample(tmp_path, start):
    server = start("demo", "--data", "demo")
    studies = server.get("/studies?includefield=StudyDescription")
    assert len(studies) > 30
    (hanako,) = server.get("/studies?PatientID=DEMO-2")
    assert hanako["00100010"]["Value"][0]["Ideographic"] == "佐倉^花子"
    advice = "".join(server.process.stderr.readline() for _ in range(2))
    assert f"curl '{server.root}/studies?PatientID=DEMO-2'" in advice
    assert server.stop() == 0
