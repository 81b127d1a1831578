"""`dicomgate check` against a real server: what it shows, what it leaves behind, how it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dicomgate import assembly, config
from dicomgate.cli import main
from dicomgate.testing.serving import Served, serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = config.Settings(store=config.Store(allow_delete=True))
    with serving(assembly.application(settings, data=tmp_path_factory.mktemp("data"))) as serves:
        yield serves


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(capfd: Any, *arguments: str) -> tuple[int, str, str]:
    code = main.run(["check", *arguments])
    out, err = capfd.readouterr()
    return code, out, err


def test_into_a_pipe_it_is_a_line_for_each_probe(served: Served, capfd: Any) -> None:
    code, out, err = run(capfd, f"{served.url}/dicomweb", "--store", "--item", "stow-1", "--item", "QIDO-16")
    found = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert {one["item"] for one in found} == {
        "QIDO-16",
        "STOW-10",
        "STOW-11",
        "STOW-12",
        "STOW-15",
        "STOW-18",
        "STOW-19",
    }
    assert {one["result"] for one in found} == {"ok"}
    assert err == f"{len(found)} probes: {len(found)} ok\n"
    assert served.ask("GET", "/dicomweb/studies", {"Accept": "application/dicom+json"}).status == 204


def test_without_a_word_nothing_is_stored(served: Served, capfd: Any) -> None:
    code, out, err = run(capfd, f"{served.url}/dicomweb")
    assert (code, out) == (main.NOTHING, "")
    assert "--store" in err
    assert served.ask("GET", "/dicomweb/studies", {"Accept": "application/dicom+json"}).status == 204


def test_a_report_in_markdown_and_a_remote_by_its_name(served: Served, capfd: Any) -> None:
    root = f"{served.url}/dicomweb"
    Path("dicomgate.toml").write_text(f'[remotes.lab]\nurl = "{root}"\n')
    code, out, _ = run(capfd, "lab", "--store", "--markdown", "--item", "QIDO-0")
    assert code == 0
    assert out.startswith(f"# {root}\n\n")
    rows = [line for line in out.splitlines() if line.startswith("| QIDO")]
    assert rows
    assert all(row.count("|") == 7 for row in rows)


def test_where_wado_uri_is_has_to_be_said(served: Served, capfd: Any) -> None:
    code, out, _ = run(capfd, f"{served.url}/dicomweb", "--store", "--item", "URI-01")
    assert code == 0
    assert "--wado says where it is" in json.loads(out)["seen"]
    code, out, _ = run(capfd, f"{served.url}/dicomweb", "--store", "--item", "URI-01", "--wado", f"{served.url}/wado")
    assert json.loads(out)["result"] == "ok"


def test_what_fails_is_exit_code_3_and_so_is_advice_if_asked_for(tmp_path: Path, capfd: Any) -> None:
    settings = config.Settings(server=config.Server(cors_origins=()), search=config.Search(strict=True))
    with serving(assembly.application(settings, data=tmp_path / "data")) as other:
        root = f"{other.url}/dicomweb"
        code, _, err = run(capfd, root, "--store", "--item", "V15", "--item", "GEN-02")
        assert (code, "advice" in err) == (main.DONE, True)
        assert "not deleted again" in err
        assert run(capfd, root, "--read-only", "--item", "V15", "--strict")[0] == main.PARTLY
        code, out, _ = run(capfd, root, "--read-only", "--item", "GEN-03")
        assert (code, json.loads(out)["result"]) == (main.PARTLY, "FAIL")


def test_what_is_probed_is_told_without_asking(capfd: Any) -> None:
    code, out, _ = run(capfd, "http://127.0.0.1:1/", "--list")
    assert code == 0
    assert len(out.splitlines()) > 100
    assert set(json.loads(out.splitlines()[0])) == {"item", "severity", "asked", "expected"}


@pytest.mark.parametrize("arguments", [["nobody"], ["http://127.0.0.1:1/", "--item", "NONE-1"]])
def test_wrong_words_are_wrong_usage(arguments: list[str], capfd: Any) -> None:
    assert run(capfd, *arguments)[0] == main.USAGE


def test_nobody_there(capfd: Any) -> None:
    assert run(capfd, "http://127.0.0.1:1/", "--read-only")[0] == main.NOT_REACHABLE
    assert run(capfd, "http://127.0.0.1:1/", "--store")[0] == main.NOT_REACHABLE
