"""`dicomgate gateway init` as its page has it, and what it refuses; `check` and `run` where nothing listens."""

from __future__ import annotations

import re
import shlex
import socket
from pathlib import Path

from dicomgate import config
from dicomgate.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "gateway.md"


def test_the_page_s_own_line_writes_the_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = re.search(r"^\$ dicomgate (gateway init .*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert line is not None
    assert main.run(shlex.split(line[1])) == 0
    pacs = config.read(environment={}, directory=tmp_path).pacs
    assert (pacs.title, pacs.host, pacs.port) == ("PACS", "10.1.2.3", 104)
    assert (pacs.own_title, pacs.own_host, pacs.move_port) == ("GATEWAY", "10.1.2.9", 11112)


def test_every_setting_of_the_page_exists():
    named = set(re.findall(r"`(pacs\.[a-z_]+)`", PAGE.read_text("utf-8")))
    assert named
    assert named <= config.TABLE.keys()


def test_init_keeps_what_stands_in_the_file_and_names_one_pacs(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[server]\nport = 9000\n")
    words = ["gateway", "init", "--pacs", "PACS@pacs.example.org:104", "--me", "ME@here", "--config", str(file)]
    assert main.run(words) == 0
    settings = config.read(file=file, environment={})
    assert (settings.server.port, settings.pacs.title) == (9000, "PACS")
    before = file.read_text()
    assert main.run(words) != 0
    assert main.run([*words[:3], "no peer at all", *words[4:]]) == main.USAGE
    assert file.read_text() == before


def test_check_says_where_nobody_listens(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    file = tmp_path / "mine.toml"
    peers = ("--pacs", f"PACS@127.0.0.1:{port}", "--me", "ME@here:0", "--retrieve", "get")
    assert main.run(["gateway", "init", *peers, "--config", str(file)]) == 0
    assert main.run(["gateway", "check", "--config", str(file)]) == main.PARTLY
    said = capsys.readouterr().out
    assert "FAIL  C-ECHO" in said
    assert "see that pacs.host and pacs.port are right" in said


def test_without_a_pacs_nothing_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main.run(["gateway", "check"]) == main.USAGE
    assert "no PACS is named" in capsys.readouterr().err
