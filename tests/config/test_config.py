"""Settings: who wins, what is refused, and that the documentation is the code's own table."""

import inspect
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import config

ROOT = Path(__file__).parents[2]
NOWHERE = Path("/nonexistent/dicomgate.toml")


def read(tmp_path, local="", *, system="", environment=None, options=None, file=None):
    if local:
        (tmp_path / "dicomgate.toml").write_text(local)
    system_file = tmp_path / "system.toml"
    if system:
        system_file.write_text(system)
    return config.read(
        file=file, options=options, environment=environment or {}, directory=tmp_path, system_file=system_file
    )


def test_without_anything_said_all_is_default(tmp_path):
    settings = read(tmp_path)
    assert settings == config.Settings()
    assert set(settings.sources.values()) == {"default"}
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8104)


def test_each_source_wins_over_the_one_before(tmp_path):
    local = "[server]\nport = 2\nworkers = 2\npublic_url = 'http://b'\n"
    system = "[server]\nport = 1\nworkers = 1\npublic_url = 'http://a'\nhost = '::1'\n"
    environment = {"DICOMGATE__SERVER__PORT": "3", "DICOMGATE__SERVER__WORKERS": "3", "PATH": "x"}
    settings = read(tmp_path, local, system=system, environment=environment, options={"server.port": 4})
    server = settings.server
    assert (server.port, server.workers, server.public_url, server.host) == (4, 3, "http://b", "::1")
    sources = settings.sources
    assert sources["server.port"] == "option"
    assert sources["server.workers"] == "DICOMGATE__SERVER__WORKERS"
    assert sources["server.public_url"] == str(tmp_path / "dicomgate.toml")
    assert sources["server.host"] == str(tmp_path / "system.toml")
    assert sources["log.requests"] == "default"


def test_a_named_file_stands_in_for_the_local_one(tmp_path):
    other = tmp_path / "other.toml"
    other.write_text("[server]\nworkers = 5\n")
    settings = read(tmp_path, "[server]\nport = 2\n", file=other)
    assert (settings.server.workers, settings.server.port) == (5, 8104)


def test_a_named_file_must_exist(tmp_path):
    with pytest.raises(config.WrongSetting, match="cannot be read"):
        read(tmp_path, file=tmp_path / "missing.toml")


def test_an_option_not_said_changes_nothing(tmp_path):
    assert read(tmp_path, "[server]\nport = 2\n", options={"server.port": None}).server.port == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[servr]\nport = 1\n", "there is no setting servr; did you mean server?"),
        ("[server]\nprot = 1\n", "there is no setting server.prot; did you mean server.port?"),
        ("[server.port]\ndeep = 1\n", "server.port must be a whole number, saw a section"),
        ("server = 1\n", r"server is a section: write \[server\]"),
        ("[server]\nport = 'x'\n", "server.port must be a whole number, saw another text"),
        ("[server]\nport = true\n", "server.port must be a whole number, saw true or false"),
        ("[server]\nport = 70000\n", "server.port must be at most 65535, saw 70000"),
        ("[server]\nworkers = 0\n", "server.workers must be at least 1, saw 0"),
        ("[server]\nno_auth = 'yes'\n", "server.no_auth must be true or false"),
        ("[server]\ncors_origins = 'x'\n", "server.cors_origins must be a list of texts"),
        ("[server]\nidle_seconds = nan\n", "server.idle_seconds must be a number"),
        ("[store]\nduplicates = 'maybe'\n", "store.duplicates must be one of refuse, replace, keep-first"),
        ("[server\n", "not TOML"),
    ],
)
def test_a_wrong_file_is_one_plain_sentence(tmp_path, text, sentence):
    with pytest.raises(config.WrongSetting, match=sentence) as caught:
        read(tmp_path, text)
    assert "\n" not in caught.value.message.replace(str(tmp_path), "")


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        (
            "DICOMGATE__SERVER__PROT",
            "1",
            "there is no setting DICOMGATE__SERVER__PROT; did you mean DICOMGATE__SERVER__PORT",
        ),
        ("DICOMGATE__SERVER", "1", "there is no setting"),
        ("DICOMGATE__SERVER__PORT__X", "1", "there is no setting"),
        ("DICOMGATE__server__port", "1", "there is no setting"),
        ("DICOMGATE__SERVER__PORT", "many", "server.port must be a whole number"),
        ("DICOMGATE__SERVER__NO_AUTH", "maybe", "server.no_auth must be true or false"),
    ],
)
def test_a_wrong_variable_is_one_plain_sentence(tmp_path, variable, text, sentence):
    with pytest.raises(config.WrongSetting, match=sentence):
        read(tmp_path, environment={variable: text})


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("public_url", ["", "https://pacs.example.org", "http://10.0.0.1:8104/pacs/", "http://[::1]:1"],
         ["pacs.example.org", "ftp://pacs", "https://", "https://a/?b", "https://a b", "https://a:port"]),
        ("trusted_proxies", ["10.0.0.1", "10.0.0.0/8", "::1", "10.0.0.1,fd00::/8"], ["proxy", "10.0.0.0/64", "10.0.0.1,x"]),
        ("cors_origins", ["*", "loopback", "https://viewer.example.org,http://localhost:3000"],
         ['["*"]', "viewer.example.org", "https://viewer.example.org/path", "null"]),
    ],
)  # fmt: skip
def test_an_address_is_checked_before_anything_is_served(tmp_path, name, good, bad):
    variable = f"DICOMGATE__SERVER__{name.upper()}"
    for text in good:
        read(tmp_path, environment={variable: text})
    for text in bad:
        with pytest.raises(config.WrongSetting, match=f"{variable}: server.{name} must be an "):
            read(tmp_path, environment={variable: text})


def test_variables_are_converted_by_kind(tmp_path):
    environment = {
        "DICOMGATE__SERVER__NO_AUTH": "Yes",
        "DICOMGATE__SERVER__CORS_ORIGINS": "https://a.example, https://b.example",
        "DICOMGATE__SERVER__TRUSTED_PROXIES": "",
        "DICOMGATE__FOLDER__WATCH_SECONDS": "0.5",
        "DICOMGATE__STORE__DUPLICATES": "keep-first",
    }
    settings = read(tmp_path, environment=environment)
    assert settings.server.no_auth is True
    assert settings.server.cors_origins == ("https://a.example", "https://b.example")
    assert settings.server.trusted_proxies == ()
    assert settings.folder.watch_seconds == 0.5
    assert settings.store.duplicates == "keep-first"


@given(st.sampled_from(sorted(config.TABLE)), st.text(max_size=20))
def test_any_text_in_a_variable_is_taken_or_refused(name, text):
    setting = config.TABLE[name]
    try:
        settings = config.read(environment={setting.variable: text}, directory=NOWHERE, system_file=NOWHERE)
    except config.WrongSetting:
        return
    assert settings.sources[name] == setting.variable


@given(st.booleans() | st.integers(0, 1 << 40) | st.text(st.characters(codec="ascii", categories=["L", "N", "P"])))
def test_a_formatted_value_reads_back_as_TOML(value):
    assert tomllib.loads(f"x = {config.format_value(value)}")["x"] == value


def test_every_default_obeys_its_own_bounds(tmp_path):
    options = {name: setting.default for name, setting in config.TABLE.items()}
    assert read(tmp_path, options=options) == config.Settings()


def test_the_documentation_is_current():
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    assert config.format_markdown() in page, "run: dicomgate config show --markdown, and put it into docs/settings.md"


def test_every_setting_is_obeyed():
    """A setting that nothing reads would be a lie."""
    rooms = (path.read_text("utf-8") for path in (ROOT / "src/dicomgate/assembly").glob("*.py"))
    assembly = "".join(rooms) + inspect.getsource(config.Limits.bounds)
    unread = [name for name in config.TABLE if not re.search(rf"\.{name.partition('.')[2]}\b", assembly)]
    assert unread == []
    assert "settings.server.no_auth" in (ROOT / "src/dicomgate/cli/serve.py").read_text("utf-8")


def test_remotes_are_merged_by_key_from_all_sources(tmp_path):
    (tmp_path / "system").write_text('[remotes.pacs]\nurl = "https://a/dicomweb"\nuser = "x"\n')
    (tmp_path / "dicomgate.toml").write_text('[remotes.pacs]\nuser = "y"\n[remotes.lab]\nurl = "http://lab"\n')
    settings = config.read(
        directory=tmp_path,
        system_file=tmp_path / "system",
        environment={"DICOMGATE__REMOTES__PACS__TOKEN_FILE": "~/t"},
    )
    assert settings.remotes["pacs"] == config.Remote(url="https://a/dicomweb", user="y", token_file="~/t")
    assert list(settings.remotes) == ["lab", "pacs"]
    assert settings.value("remotes.pacs.user") == "y"
    assert settings.sources["remotes.pacs.url"] == str(tmp_path / "system")
    assert settings.sources["remotes.pacs.user"] == str(tmp_path / "dicomgate.toml")
    assert settings.sources["remotes.pacs.token_file"] == "DICOMGATE__REMOTES__PACS__TOKEN_FILE"
    assert settings.sources["remotes.pacs.scope"] == config.DEFAULT


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[remotes.pacs]\nurk = "http://a"\n', "did you mean remotes.pacs.url?"),
        ('[remotes.pacs]\nuser = "x"\n', "remotes.pacs has no url"),
        ('[remotes.pacs]\nurl = "pacs"\n', "remotes.pacs.url must be an address"),
        ('[remotes.Pacs]\nurl = "http://a"\n', "lower-case"),
        ('[remotes]\npacs = "http://a"\n', "a remote is a section"),
        ("[remotes.pacs]\n", "has no url"),
        ('[remotes.pacs]\nurl = "http://a"\n[remotes.pacs.more]\nx = 1\n', "there is no setting"),
    ],
)
def test_what_is_wrong_with_a_remote(tmp_path, text, told):
    (tmp_path / "dicomgate.toml").write_text(text)
    with pytest.raises(config.WrongSetting, match=re.escape(told)):
        config.read(directory=tmp_path, system_file=tmp_path / "none", environment={})


@pytest.mark.parametrize("name", ["REMOTES__PACS__URK", "REMOTES__PACS", "REMOTES__", "REMOTES__URL", "REMOTES____URL"])
def test_a_variable_that_names_nothing_of_a_remote(tmp_path, name):
    with pytest.raises(config.WrongSetting):
        config.read(directory=tmp_path, system_file=tmp_path / "none", environment={f"DICOMGATE__{name}": "x"})
