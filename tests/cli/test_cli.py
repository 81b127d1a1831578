"""The command line's manners: quick help, one line for a fault, the exit code that its kind has."""

import subprocess
import sys
import tomllib

import click
import pytest

from dicomgate import config, errors
from dicomgate.cli import main, options, serve


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No test reads this machine's settings or writes into its state."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom dicomgate.cli import main\nassert main.run(['--help']) == 0\n"
        "heavy = {'pydicom', 'numpy', 'imagecodecs', 'sqlite3', 'uvicorn', 'httpx2', 'rich', 'asyncio'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(verb in done.stdout for verb in main.VERBS)


@pytest.mark.parametrize("verb", list(main.VERBS))
def test_every_verb_explains_itself(verb, capsys):
    assert main.run([verb, "--help"]) == 0
    assert "Usage: dicomgate " + verb in capsys.readouterr().out


def test_the_version(capsys):
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("dicomgate 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["--nonsense"],
        ["store"],
        ["store", "target"],
        ["store", "target", "no-such-file"],
        ["serve"],
        ["serve", ".", "--data", "d"],
        ["serve", "no-such-folder"],
        ["serve", "--data", "d", "--problems"],
        ["serve", "--data", "d", "--port", "70000"],
        ["serve", "--data", "d", "--config", "none.toml"],
        ["serve", "--data", "d", "--host", "0.0.0.0"],
        ["serve", "--data", "d", "--host", "::"],
        ["serve", "--data", "d", "--host", "images.example.org"],
        ["admin", "verify", "no-such-folder"],
    ],
)
def test_wrong_usage_is_2_and_starts_nothing(arguments, tmp_path, capsys):
    assert main.run(arguments) == main.USAGE
    assert capsys.readouterr().err
    assert not (tmp_path / "d").exists()


def test_nothing_listens_beyond_this_machine_unless_told_T19(capsys):
    main.run(["serve", "--data", "d", "--host", "0.0.0.0"])
    said = capsys.readouterr().err
    assert "other machines can reach 0.0.0.0" in said
    assert "--no-auth" in said
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        serve.refuse_open_door(config.Settings(server=config.Server(host=host)))
    serve.refuse_open_door(config.Settings(server=config.Server(host="0.0.0.0", no_auth=True)))
    with pytest.raises(click.UsageError):
        serve.refuse_open_door(config.Settings(server=config.Server(host="")))


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (config.WrongSetting, 2),
        (errors.Malformed, 2),
        (errors.NotFound, 4),
        (errors.Gone, 4),
        (errors.Forbidden, 5),
        (errors.NotAllowed, 5),
        (errors.UpstreamFailed, 6),
        (errors.Unavailable, 1),
        (errors.OutOfSpace, 1),
        (errors.Conflict, 1),
    ],
)
def test_each_fault_is_one_line_and_has_its_exit_code(fault, code, capsys, monkeypatch):
    def fail(*arguments, **options):
        raise fault("what happened")

    monkeypatch.setattr(main.dicomgate, "main", fail)
    assert main.run(["serve"]) == code
    assert capsys.readouterr().err == "dicomgate: what happened\n"


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (OSError(28, "No space left", "file"), 1)])
def test_what_comes_from_below_is_told_too(error, code, capsys, monkeypatch):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(main.dicomgate, "main", fail)
    assert main.run(["serve"]) == code
    assert capsys.readouterr().err.count("\n") == 1


def test_options_win_over_everything_and_help_says_what_settings_say():
    settings = options.settings(None, {"server_port": 1, "server_no_auth": True, "store_duplicates": None})
    assert (settings.server.port, settings.server.no_auth, settings.store.duplicates) == (1, True, "refuse")
    assert settings.sources["server.port"] == "option"
    described = {option.name: option.help for option in serve.serve.params if isinstance(option, click.Option)}
    assert described["server_public_url"] == config.TABLE["server.public_url"].says.replace("`", "")


def test_config_show_is_TOML_and_names_sources(tmp_path, capsys, monkeypatch):
    (tmp_path / "dicomgate.toml").write_text("[server]\nworkers = 3\n")
    monkeypatch.setenv("DICOMGATE__SEARCH__MOST", "77")
    assert main.run(["config", "show"]) == 0
    shown = capsys.readouterr().out
    tree = tomllib.loads(shown)
    assert (tree["server"]["workers"], tree["search"]["most"]) == (3, 77)
    assert f"# {tmp_path / 'dicomgate.toml'}" in shown
    assert "# DICOMGATE__SEARCH__MOST" in shown


def test_a_wrong_setting_is_2(capsys, monkeypatch):
    monkeypatch.setenv("DICOMGATE__SERVER__PROT", "1")
    assert main.run(["config", "show"]) == 2
    assert "did you mean DICOMGATE__SERVER__PORT?" in capsys.readouterr().err


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_is_wrong_with_a_data_folder_is_said_once_whoever_would_have_served_it(workers, tmp_path, capfd):
    (tmp_path / "scan.dcm").write_bytes(b"somebody's")
    assert main.run(["serve", "--data", str(tmp_path), "--port", "0", "--workers", workers]) == main.USAGE
    told = capfd.readouterr().err
    assert "no data folder" in told
    assert told.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["scan.dcm"]
