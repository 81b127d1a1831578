"""`dicomgate store` and `admin` on real data folders and a real server: outcomes, resuming, exit codes."""

import contextlib
import copy
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileDataset

from dicomgate.cli import main
from dicomgate.samples import phantoms
from dicomgate.testing import processes

pytestmark = pytest.mark.slow  # the fast loop stays under a minute


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
    (torn,) = [line for line in lines if line["outcome"] == "unreadable"]
    assert (torn["file"], torn["code"]) == (str(Path("scans/torn.dcm")), 0xC001)
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


@pytest.fixture
def serve(tmp_path):
    """Starts real servers, one at a time."""

    @contextlib.contextmanager
    def serving(data, *arguments, **how):
        with processes.running(*arguments, data=tmp_path / data, log=tmp_path / "log", **how) as server:
            yield server

    return serving


def found(server, path="/studies"):
    reply = server.ask("GET", "/dicomweb" + path)
    return json.loads(reply.body) if reply.status == 200 else []


def test_to_a_server_and_on_after_a_stop(scans, capfd, serve):
    with serve("archive") as server:
        code, lines, _ = run("store", server.root, scans / "deep" / "MR-1.dcm", capfd=capfd)
        assert (code, outcomes(lines)) == (0, ["stored"])
        code, lines, _ = run("store", server.root, "scans", capfd=capfd)
        assert code == 0
        assert outcomes(lines) == ["foreign", "known"] + ["stored"] * 4
        assert outcomes(run("store", server.root, "scans", capfd=capfd)[1]) == ["foreign"] + ["known"] * 5
        assert outcomes(run("store", server.root, "scans", "--again", capfd=capfd)[1]) == ["foreign"] + ["stored"] * 5
        assert len(found(server)) == 3
    assert run("store", server.root, "scans", capfd=capfd)[0] == main.NOT_REACHABLE


def test_a_file_is_called_the_same_towards_a_folder_and_a_server(scans, capfd, serve):
    dataset = next(iter(phantoms.mr_head()))
    whole = phantoms.modules.write(dataset)
    uid = dataset.SOPInstanceUID.encode()
    (scans / "odd.dcm").write_bytes(whole.replace(uid, uid[:-1] + b"x"))
    without = copy.deepcopy(dataset)
    without.StudyInstanceUID = ""
    (scans / "none.dcm").write_bytes(phantoms.modules.write(without))
    (scans / "torn.dcm").write_bytes(whole[:1000])
    directory = FileDataset("DICOMDIR", Dataset(), preamble=bytes(128), file_meta=copy.deepcopy(dataset.file_meta))
    directory.FileSetID = "DISC"
    directory.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    directory.save_as(scans / "DICOMDIR", enforce_file_format=True)
    with serve("served") as server:
        lines = [run("store", target, "scans", capfd=capfd)[1] for target in ("archive", server.root)]
    told = [
        {Path(line["file"]).name: (line["outcome"], line.get("code"), line.get("why")) for line in each}
        for each in lines
    ]
    assert told[0] == told[1]
    assert told[0]["none.dcm"][:2] == ("refused", 0xC003)
    assert told[0]["odd.dcm"][:2] == ("refused", 0xC004)
    assert told[0]["torn.dcm"][:2] == ("unreadable", 0xC001)
    assert told[0]["DICOMDIR"][0] == "foreign"


def test_an_emptied_server_gets_everything_again(scans, capfd, serve):
    with serve("archive", "--allow-delete") as server:
        run("store", server.root, "scans", capfd=capfd)
        for study in found(server):
            assert server.ask("DELETE", f"/dicomweb/studies/{study['0020000D']['Value'][0]}").status == 204
        assert outcomes(run("store", server.root, "scans", capfd=capfd)[1]) == ["foreign"] + ["stored"] * 5


def test_a_folder_in_place_answers_and_takes_nothing(scans, capfd, serve):
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in scans.rglob("*")}
    with serve("scans", is_folder=True) as server:
        while b"5 instances, 3 series, 3 studies" not in server.log.read_bytes():
            assert server.is_alive
            time.sleep(0.05)
        assert len(found(server)) == 3
        code, _, said = run("store", server.root, "scans", capfd=capfd)
        assert code == main.NOT_REACHABLE
        assert "does not offer this service" in said
    code, lines, _ = run("serve", "scans", "--problems", capfd=capfd)
    assert (code, lines) == (0, [{"file": "notes.txt", "state": "foreign", "why": "not a DICOM file"}])
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in scans.rglob("*")} == before


def test_a_port_that_is_taken_is_one_line(capfd, serve):
    with serve("archive") as server:
        code, _, said = run("serve", "--data", "archive", "--port", server.port, capfd=capfd)
    assert code == main.OUR_FAULT
    assert said.startswith("dicomgate: cannot listen")


def test_a_reader_that_goes_away_does_not_stop_the_work(scans):
    words = [sys.executable, "-m", "dicomgate", "store", "archive", "scans"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 0
    assert said == "5 stored, 1 not DICOM\n"


def test_stop_is_130_at_once_also_while_a_server_does_not_answer(scans):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        root = f"http://127.0.0.1:{silent.getsockname()[1]}/dicomweb"
        words = [sys.executable, "-m", "dicomgate", "store", root, "scans"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            connection, _ = silent.accept()
            with connection:
                connection.recv(1)
                process.send_signal(signal.SIGINT)
                _, said = process.communicate(timeout=100)
    assert process.returncode == main.STOPPED
    assert said.endswith("dicomgate: stopped\n")


@pytest.mark.slow
def test_the_demonstration_shows_every_sample(tmp_path):
    words = [sys.executable, "-m", "dicomgate", "demo", "--data", "demo", "--port", "0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        said = [process.stderr.readline() for _ in range(7)]
        try:
            address = next(line for line in said if line.startswith("DICOMweb")).split()[1]
            (curl,) = (line.split("curl ")[1].strip() for line in said if "curl" in line)
            assert curl == f"'{address}/studies?PatientID=DEMO-2'"
            with urllib.request.urlopen(curl.strip("'"), timeout=100) as answer:
                (hanako,) = json.load(answer)
            with urllib.request.urlopen(f"{address}/studies", timeout=100) as answer:
                assert len(json.load(answer)) > 30
        finally:
            process.send_signal(signal.SIGINT)
    assert hanako["00100010"]["Value"][0]["Ideographic"] == "佐倉^花子"
    assert process.returncode == 0
