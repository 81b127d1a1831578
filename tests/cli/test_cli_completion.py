"""Shells complete verbs, options, remotes, levels and keywords; manual pages tell of every verb."""

import os
import shutil
import subprocess
import sys

import click
import pytest

from dicomgate.cli import main, manual


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def commands(command=main.dicomgate, path=()):
    """Every verb with the words that lead to it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from commands(command.get_command(context, name), (*path, name))


EVERY = {" ".join(path): command for path, command in commands()}


@pytest.mark.parametrize("name", [name for name in EVERY if name])
def test_every_help_shows_an_example(name, capsys):
    assert main.run([*name.split(), "--help"]) == 0
    help_ = capsys.readouterr().out
    assert "For example" in help_
    assert f"  dicomgate {name} " in help_ or f"  dicomgate {name}\n" in help_


def completed(capsys, monkeypatch, line, shell="bash"):
    words = line.split(" ")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    monkeypatch.setenv("_DICOMGATE_COMPLETE", f"{shell}_complete")
    with pytest.raises(SystemExit) as end:
        main.run([])
    assert end.value.code == 0
    said = capsys.readouterr()
    assert not said.err
    return said.out.splitlines()


def test_verbs_and_options(capsys, monkeypatch):
    assert completed(capsys, monkeypatch, "dicomgate se") == ["plain,serve"]
    assert completed(capsys, monkeypatch, "dicomgate admin ver") == ["plain,verify"]
    assert completed(capsys, monkeypatch, "dicomgate serve --dup") == ["plain,--duplicates"]
    assert "plain,keep-first" in completed(capsys, monkeypatch, "dicomgate serve --duplicates ")
    assert completed(capsys, monkeypatch, "dicomgate nonsense --x") == [""]


def test_remotes_levels_keywords_and_fields(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("DICOMGATE__REMOTES__PACS__URL", "http://pacs/dicomweb")
    assert completed(capsys, monkeypatch, "dicomgate find pa") == ["plain,pacs"]
    assert completed(capsys, monkeypatch, "dicomgate find ./") == ["file,./"]
    assert completed(capsys, monkeypatch, "dicomgate find pacs s")[:2] == ["plain,studies", "plain,series"]
    assert completed(capsys, monkeypatch, "dicomgate get pacs series Patientb")[0].startswith("plain,PatientB")
    assert "plain,Modality=" in completed(capsys, monkeypatch, "dicomgate sync pacs x Modal")
    assert completed(capsys, monkeypatch, "dicomgate find pacs --fields PatientID,StudyDa") == [
        "plain,PatientID,StudyDate"
    ]
    monkeypatch.setenv("DICOMGATE__REMOTES__PACS__URK", "x")
    assert completed(capsys, monkeypatch, "dicomgate find pa") == ["file,pa"]


def test_verbs_are_completed_without_loading_one():
    code = (
        "import sys\nfrom dicomgate.cli import main\n"
        "try:\n main.run([])\nexcept SystemExit: pass\n"
        "loaded = {name for name in sys.modules if name.startswith('dicomgate.cli.')} - {'dicomgate.cli.main'}\n"
        "assert not loaded, loaded"
    )
    words = {"COMP_WORDS": "dicomgate ", "COMP_CWORD": "1", "_DICOMGATE_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **words}
    )
    assert done.returncode == 0, done.stderr
    assert "plain,serve" in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(shell, capsys):
    assert main.run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "_DICOMGATE_COMPLETE" in script
    assert "nospace" in script or "-S ''" in script or shell == "fish"
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_unknown_shells_are_wrong_usage(capsys):
    assert main.run(["completion", "elvish"]) == main.USAGE


def test_a_manual_page_for_every_verb(tmp_path, capsys):
    assert main.run(["admin", "man", str(tmp_path / "man1")]) == 0
    expected = {"-".join(["dicomgate", *name.split()]) + ".1" for name in EVERY}
    assert {path.name for path in (tmp_path / "man1").iterdir()} == expected
    for name, command in EVERY.items():
        page = (tmp_path / "man1" / f"{'-'.join(['dicomgate', *name.split()])}.1").read_text("utf-8")
        for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"):
            assert f".SH {section}\n" in page, name
        options = [option for one in command.params if isinstance(one, click.Option) for option in one.opts]
        for option in options:
            assert option.replace("-", "\\-") in page, (name, option)
        assert not name or ".SH EXAMPLES\n.nf\ndicomgate " in page, name


def test_manual_pages_are_sound():
    if not shutil.which("groff"):
        pytest.skip("groff is not here")
    text = "".join(page for _, page in manual.make())
    done = subprocess.run(
        ["groff", "-man", "-ww", "-z", "-Kutf8"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("text", [".start", "'quote", "a\\b", "--x", '"'])
def test_nothing_in_a_manual_page_is_a_request_by_accident(text):
    escaped = manual._escape(text)
    assert not escaped.startswith((".", "'"))
    assert "\\b" not in escaped.replace("\\eb", "")


def test_keywords_are_completed_from_a_file_the_second_time_without_the_dictionary(tmp_path):
    code = (
        "import sys\nfrom dicomgate.cli import main\n"
        "try:\n main.run([])\nexcept SystemExit: pass\n"
        "sys.stderr.write(f\"loaded: {'pydicom' in sys.modules}\")"
    )
    words = {
        "COMP_WORDS": "dicomgate find ./x series PatientN",
        "COMP_CWORD": "4",
        "_DICOMGATE_COMPLETE": "bash_complete",
        "XDG_CACHE_HOME": str(tmp_path),
    }
    told = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **words}
        )
        for _ in range(2)
    ]
    assert "plain,PatientName=" in told[0].stdout.split()
    assert told[0].stdout == told[1].stdout
    assert "loaded: True" in told[0].stderr
    assert "loaded: False" in told[1].stderr
