"""`dicomgate sync`: between folders, data folders and servers; only what is missing; nothing is removed unasked."""

import json
import shutil
import subprocess
import sys

import pytest

from dicomgate import assembly, config
from dicomgate.cli import main, syncing
from dicomgate.testing import instances
from dicomgate.testing.processes import running

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(capfd, *words, code=0):
    capfd.readouterr()
    assert main.run(["sync", *map(str, words)]) == code
    said = capfd.readouterr()
    return sum(json.loads(line)["fetched"] for line in said.out.splitlines()), said.err


def files(folder):
    return sorted(path.read_bytes() for path in folder.rglob("*.dcm"))


def count(data):
    with assembly.open_archive(data, config.Settings(), create=False) as archive:
        return archive.counts().instances


@pytest.fixture
def empty(tmp_path):
    """A data folder with one instance that nobody else has."""
    (tmp_path / "own.dcm").write_bytes(instances.make(attributes={"PatientID": "OWN"}))
    assert main.run(["store", "data", "own.dcm"]) == 0
    return tmp_path / "data"


def test_from_a_server_to_a_folder_and_on_to_a_data_folder(kept, server, empty, tmp_path, capfd):
    assert run(capfd, server.root, "copy")[0] == 20
    assert files(tmp_path / "copy") == files(kept)
    assert run(capfd, server.root, "copy")[0] == 0
    assert run(capfd, "copy", empty)[0] == 20
    assert count(empty) == 21
    assert run(capfd, "copy", empty)[0] == run(capfd, server.root, empty, "--compare", "metadata")[0] == 0
    assert count(empty) == 21


def test_to_a_server_what_it_lacks(kept, empty, tmp_path, capfd):
    with running("--allow-delete", data=empty, log=tmp_path / "log") as server:
        assert run(capfd, kept, server.root, "Modality=MR", "--dry-run") == (6, "1 series: 0 there, 6 to get\n")
        assert run(capfd, kept, server.root, "Modality=MR")[0] == 6
        assert run(capfd, kept, server.root)[0] == 14
        assert run(capfd, kept, server.root)[0] == 0
        _, told = run(capfd, kept, server.root, "--delete", "--dry-run")
        assert "1 instance of DST would be removed" in told
        _, told = run(capfd, kept, server.root, "--delete", code=2)
        assert "nobody to ask" in told
        assert main.run(["find", server.root, "PatientID=OWN"]) == 0
        run(capfd, kept, server.root, "--delete", "--yes")
        assert main.run(["find", server.root, "PatientID=OWN"]) == 4


def test_a_folder_of_any_layout_gets_what_it_lacks_and_keeps_what_is_not_ours(kept, tmp_path, capfd):
    shutil.copytree(kept, "mine")
    for name in ("1.dcm", "9.dcm", "other.dcm"):
        (tmp_path / "mine" / name).unlink()
    assert run(capfd, kept, "mine")[0] == 3
    assert files(tmp_path / "mine") == files(kept)
    shutil.copytree(kept, "less")
    (tmp_path / "less/2.dcm").unlink()
    _, told = run(capfd, "less", "mine", "--delete", "--yes", code=3)
    assert "was not put there by dicomgate" in told
    assert files(tmp_path / "mine") == files(kept)
    (tmp_path / "less/1.dcm").unlink()
    _, told = run(capfd, "less", "mine", "--delete", "--yes", code=3)
    assert "1 instance of DST removed" in told


def test_what_is_different_travels_where_it_is_asked_for(kept, tmp_path, capfd):
    run(capfd, kept, "copy")
    target = instances.new_target()
    (tmp_path / "one").mkdir()
    (tmp_path / "one/a.dcm").write_bytes(instances.make(target, attributes={"PatientID": "OLD"}))
    run(capfd, "one", "copy")
    changed = instances.make(target, attributes={"PatientID": "NEW"})
    (tmp_path / "one/a.dcm").write_bytes(changed)
    assert run(capfd, "one", "copy")[0] == 0
    assert run(capfd, "one", "copy", "--compare", "metadata")[0] == 1
    assert changed in files(tmp_path / "copy")
    assert run(capfd, "one", "copy", "--compare", "metadata")[0] == 0


def test_what_is_refused_is_told(tmp_path, capfd):
    target = instances.new_target()
    for folder, patient in (("one", "OLD"), ("two", "NEW")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.dcm").write_bytes(instances.make(target, attributes={"PatientID": patient}))
    assert main.run(["store", "data", "one"]) == 0
    assert run(capfd, "two", "data", "--compare", "metadata", code=3)[0] == 0


def test_no_deletion_when_something_could_not_be_read_or_nothing_matches(empty, tmp_path, capfd):
    (tmp_path / "none").mkdir()
    run(capfd, "none", empty, "--delete", "--yes", code=4)
    assert count(empty) == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [(["nowhere", "copy"], 2), (["one", "one"], 2), (["one"], 2), (["http://127.0.0.1:1/x", "copy"], 6)],
)
def test_exit_codes(tmp_path, words, code):
    (tmp_path / "one").mkdir()
    assert main.run(["sync", *words]) == code
    assert not (tmp_path / "copy").exists()


@pytest.mark.skipif(not shutil.which("script"), reason="util-linux's script is not here")
def test_a_person_is_asked_before_anything_goes(kept, empty, tmp_path):
    command = [sys.executable, "-m", "dicomgate", "sync", str(kept), str(empty), "--delete"]
    line = " ".join(command)
    done = subprocess.run(
        ["script", "-qec", line, "/dev/null"], input="n\n", capture_output=True, text=True, check=False, timeout=100
    )
    assert "Remove 1 instance of DST" in done.stdout
    assert done.returncode == 130
    assert count(empty) == 21


def test_what_two_places_write_differently_is_the_same():
    one = {
        "00081140": {"vr": "SQ", "Value": [{}]},
        "00081190": {"vr": "UR", "Value": ["http://a"]},
        "00100010": {"vr": "PN"},
        "00200013": {"vr": "IS", "Value": [1]},
        "7FE00010": {"vr": "OW", "BulkDataURI": "http://a/bulk"},
        "00091010": {"vr": "UN", "InlineBinary": "AAA="},
    }
    other = {
        "00081140": {"vr": "SQ"},
        "00081190": {"vr": "UR", "Value": ["http://b"]},
        "00200013": {"vr": "IS", "Value": [1]},
        "7FE00010": {"vr": "OW", "BulkDataURI": "http://b/bulk"},
    }
    assert syncing._plain(one) == syncing._plain(other) == {"00200013": [1]}
    assert syncing._plain({**one, "00200013": {"vr": "IS", "Value": [2]}}) != syncing._plain(other)
