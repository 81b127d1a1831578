"""The base alone: every verb of the client works without the packages of the extras, and what lacks one says which."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from dicomgate import extras

ROOT = Path(__file__).parents[2]
LACKING = {name for names in extras.EXTRAS.values() for name in names} | {"uvloop"}
BASE_ALONE = f"LACKING = {LACKING!r}"
BASE_ALONE += """
import sys

class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in LACKING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Lacking())
"""
RUN_VERBS = """
import contextlib, io, json
from dicomgate.cli import main
for words in json.loads(sys.stdin.read()):
    said, told = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
        code = main.run(words)
    print(json.dumps([code, said.getvalue(), told.getvalue()]))
"""


def run_alone(script: str, given: object = None, folder: Path | None = None) -> str:
    words = [sys.executable, "-c", BASE_ALONE + script]
    done = subprocess.run(
        words, input=json.dumps(given), cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_verbs_of_the_client_need_no_extra(server, kept, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    one = str(next(kept.glob("*.dcm")))
    verbs = {
        "find": ["find", server.root, "series", "Modality=CT"],
        "find in a folder": ["find", str(kept), "studies"],
        "get": ["get", server.root, "studies", "--out", "got"],
        "sync": ["sync", server.root, "there"],
        "store": ["store", server.root, "got"],
        "store in a data folder": ["store", "archive", "got"],
        "show": ["show", one],
        "check": ["check", server.root],
        "convert": ["convert", "enhanced", "got", "enhanced"],
        "config": ["config", "show"],
        "completion": ["completion", "bash"],
    }
    answers = [json.loads(line) for line in run_alone(RUN_VERBS, [*verbs.values()], tmp_path).splitlines()]
    codes = dict(zip(verbs, (code for code, _, _ in answers), strict=True))
    assert codes == dict.fromkeys(verbs, 0) | {"check": codes["check"], "convert": codes["convert"]}
    assert codes["check"] in (0, 3)
    assert codes["convert"] in (0, 4), "the little images of these tests may be no stack"
    assert len(list((tmp_path / "got").rglob("*.dcm"))) == len(list((tmp_path / "there").rglob("*.dcm"))) == 20


@pytest.mark.slow
def test_what_lacks_its_extra_says_so_in_one_line(kept, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    one = str(next(kept.glob("*.dcm")))
    verbs = [
        (["serve", str(kept)], "server"),
        (["serve", "--data", "fresh"], "server"),
        (["demo"], "server"),
        (["show", "--image=half", one], "pixels"),
        (["relay", str(kept), "--dial-out", "wss://hub/sites/a", "--token-file", one], "tunnel"),
    ]
    answers = run_alone(RUN_VERBS, [words for words, _ in verbs], tmp_path).splitlines()
    for (words, extra), answer in zip(verbs, answers, strict=True):
        assert json.loads(answer) == [1, "", f"dicomgate: this needs: pip install 'dicomgate[{extra}]'\n"], words
    assert not (tmp_path / "fresh").exists()


@pytest.mark.slow
def test_every_verb_is_listed_and_explains_itself_without_extras(tmp_path):
    script = "from dicomgate.cli import main\n"
    script += "assert main.run(['--help']) == 0\nfor verb in main.VERBS: assert main.run([verb, '--help']) == 0, verb\n"
    said = run_alone(script, folder=tmp_path)
    assert all(f"\n  {verb} " in said for verb in ("serve", "demo", "find"))


@pytest.mark.slow
def test_the_library_needs_no_extra_but_for_arrays(kept, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    script = f"""
import dicomgate
from dicomgate import errors
with dicomgate.connect({str(kept)!r}) as archive:
    series = list(archive.find_series(Modality="CT"))
    assert len(series) == 2
    assert len(archive.metadata(series[0])) in (5, 8)
    try:
        archive.volume(series[0])
    except errors.Unavailable as fault:
        print(fault.message)
"""
    assert run_alone(script) == "this needs: pip install 'dicomgate[pixels]'\n"


def test_the_table_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    offered = project["optional-dependencies"]
    assert set(extras.EXTRAS) | {"all"} == set(offered)
    assert not any(name.startswith(("numpy", "pillow", "uvicorn")) for name in project["dependencies"])


def test_a_module_in_no_extra_is_missed_as_ever():
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"), extras.needed():
        __import__("nowhere_to_be_found")
    assert extras.find("uvicorn.config") == "server"
    assert extras.find(None) is None
