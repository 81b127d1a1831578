"""`dicomgate config`: remotes are written, listed and taken out; what else stands in the file stays as it was."""

import json
import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomgate import config
from dicomgate.cli import main, settings_file

WRITTEN = """# ours
[server]
port = 1  # one

[remotes.first]
url = "https://a.example.org/dicomweb"
token_file = '''x'''

# the other hospital
[remotes.second] # second
url = "http://b:1"
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*words):
    return main.run(["config", *words])


def test_a_remote_is_added_listed_shown_and_removed(tmp_path, capsys, monkeypatch):
    path = tmp_path / "dicomgate.toml"
    path.write_text("[server]\nport = 1")
    path.chmod(0o640)
    assert run("add-remote", "pacs", "https://pacs.example.org/dicomweb", "--token-file", "secret", "--user", "u") == 0
    assert path.read_text().startswith("[server]\nport = 1\n\n[remotes.pacs]\n")
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["dicomgate.toml"]
    remote = config.read().remotes["pacs"]
    assert (remote.token_file, remote.user) == (str(tmp_path / "secret"), "u")
    capsys.readouterr()
    monkeypatch.setenv("DICOMGATE__REMOTES__LAB_2__URL", "http://lab")
    assert run("remotes") == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"name": "lab_2", "url": "http://lab", "who": "", "source": "DICOMGATE__REMOTES__LAB_2__URL"},
        {"name": "pacs", "url": "https://pacs.example.org/dicomweb", "who": "token, password", "source": str(path)},
    ]
    assert run("show") == 0
    shown = capsys.readouterr().out
    assert tomllib.loads(shown)["remotes"]["pacs"]["user"] == "u"
    assert "# DICOMGATE__REMOTES__LAB_2__URL" in shown
    assert run("remove-remote", "pacs") == 0
    assert path.read_text() == "[server]\nport = 1\n"


def test_nothing_else_changes(tmp_path):
    path = tmp_path / "dicomgate.toml"
    path.write_text(WRITTEN)
    settings_file.add_remote(path, "third", {"url": "http://c"})
    assert path.read_text() == WRITTEN + '\n[remotes.third]\nurl = "http://c"\n'
    settings_file.remove_remote(path, "third")
    assert path.read_text() == WRITTEN
    settings_file.remove_remote(path, "first")
    assert path.read_text() == (
        '# ours\n[server]\nport = 1  # one\n\n# the other hospital\n[remotes.second] # second\nurl = "http://b:1"\n'
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["add-remote", "first", "http://c"], 2),
        (["add-remote", "Third", "http://c"], 2),
        (["add-remote", "third", "ftp://c"], 2),
        (["add-remote", "third", "http://c", "--password", "p"], 2),
        (["remove-remote", "third"], 4),
        (["remove-remote", "-x"], 2),
        (["remove-remote", "inline"], 2),
    ],
)
def test_what_cannot_be_done_leaves_the_file_as_it_was(tmp_path, capsys, words, code):
    path = tmp_path / "dicomgate.toml"
    text = '[remotes]\ninline = {url = "http://d"}\n\n' + WRITTEN
    path.write_text(text)
    assert run(*words) == code
    assert path.read_text() == text
    assert os.listdir(tmp_path) == ["dicomgate.toml"]


def test_without_remotes_it_is_said_how_to_name_one(capsys):
    assert run("remotes") == 4
    assert "add-remote" in capsys.readouterr().err


NAMES = st.from_regex(r"[a-z0-9](?:[a-z0-9_-]{0,5}[a-z0-9])?", fullmatch=True)


@pytest.mark.slow
@settings(max_examples=20)
@given(st.lists(NAMES, min_size=1, max_size=5, unique=True), st.randoms())
def test_whatever_is_added_can_be_removed_in_any_order(tmp_path_factory, names, random):
    path = tmp_path_factory.mktemp("settings") / "dicomgate.toml"
    path.write_text(WRITTEN.replace("first", "f-").replace("second", "s-").replace("f-]", "f.x]").split("[remotes")[0])
    before = path.read_text().rstrip("\n") + "\n"
    for name in names:
        settings_file.add_remote(path, name, {"url": f"http://{name.replace('_', '-')}"})
    random.shuffle(names)
    for name in names:
        settings_file.remove_remote(path, name)
    assert path.read_text() == before
    assert config.read(file=path, environment={}, system_file=Path("/none")).remotes == {}
