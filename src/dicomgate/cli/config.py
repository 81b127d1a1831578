"""`dicomgate config`: the settings as they are, where each value came from, and the servers that have a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dicomgate import config as settings_tree
from dicomgate.cli import main, options

_KEPT_IN = "the file to write to, which is made if it is missing"


@click.group()
def config() -> None:
    """Show the settings and where each value came from; name the servers that you call.

    For example,

    \b
    dicomgate config show
    dicomgate config add-remote pacs https://pacs.example.org/dicomweb --token-file ~/pacs-token
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)


@config.command()
@options.reading
@click.option("--markdown", is_flag=True, help="the tables of docs/settings.md: every setting with its default")
def show(config_file: Path | None, *, markdown: bool) -> None:
    """Print every setting, its value and its source, as lines of TOML.

    Defaults give way to /etc/dicomgate.toml, that to ./dicomgate.toml, that to variables of the environment
    (DICOMGATE__SERVER__PORT), and all of them to options of the command line.

    For example,

    \b
    dicomgate config show
    """  # noqa: D301
    if markdown:
        click.echo(settings_tree.format_markdown(), nl=False)
        return
    settings = options.settings(config_file)
    for section in settings_tree.sections():
        click.echo(f"[{section}]")
        for name in (name for name in settings_tree.TABLE if name.startswith(section + ".")):
            _print_setting(settings, name)
        click.echo()
    for remote in settings.remotes:
        click.echo(f"[remotes.{remote}]")
        for key in settings_tree.REMOTE_TABLE:
            _print_setting(settings, f"remotes.{remote}.{key}")
        click.echo()


def _print_setting(settings: settings_tree.Settings, name: str) -> None:
    line = f"{name.rpartition('.')[2]} = {settings_tree.format_value(settings.value(name))}"
    click.echo(f"{line:50} # {settings.sources[name]}")


@config.command()
@options.reading
def remotes(config_file: Path | None) -> int:
    """List the servers that have a name, for `dicomgate find NAME` and its like.

    For example,

    \b
    dicomgate config remotes
    """  # noqa: D301
    from dicomgate.cli import output

    settings = options.settings(config_file)
    facts = [
        {"name": name, "url": one.url, "who": _who(one), "source": settings.sources[f"remotes.{name}.url"]}
        for name, one in settings.remotes.items()
    ]
    output.records(facts)
    if not facts:
        output.message('no remote is named yet: "dicomgate config add-remote NAME URL"')
    return main.DONE if facts else main.NOTHING


def _who(remote: settings_tree.Remote) -> str:
    """Who we say that we are, in a word or two."""
    if remote.token_url:
        return "client credentials"
    kinds = {"token": remote.token_file, "password": remote.user, "certificate": remote.certificate}
    return ", ".join(name for name, value in kinds.items() if value)


def _saying(command: Any) -> Any:
    """An option for each setting of a remote but its address."""
    for key, setting in reversed(settings_tree.REMOTE_TABLE.items()):
        if key != "url":
            command = click.option(f"--{key.replace('_', '-')}", key, help=setting.says.replace("`", ""))(command)
    return command


@config.command("add-remote")
@click.argument("name")
@click.argument("url")
@click.option("--file", "path", type=options.FILE, default=settings_tree.LOCAL_FILE, show_default=True, help=_KEPT_IN)
@_saying
def add_remote(name: str, url: str, path: Path, **said: str | None) -> int:
    """Give the server at URL a NAME. Secrets stay in files of their own: the settings say where those are.

    For example,

    \b
    dicomgate config add-remote pacs https://pacs.example.org/dicomweb --token-file ~/pacs-token
    dicomgate find pacs studies StudyDate=2024-
    """  # noqa: D301
    from dicomgate.cli import output, settings_file

    settings_tree.check_remote_name(name, "NAME")
    keys = {"url": url, **{key: _absolute(key, value) for key, value in said.items() if value is not None}}
    settings_file.add_remote(path, name, keys)
    output.message(f"{path}: {name} is {url}")
    return main.DONE


def _absolute(key: str, value: str) -> str:
    """The path of a file as it is wherever we are called."""
    return str(Path(value).expanduser().absolute()) if key in _FILES else value


_FILES = frozenset({"token_file", "password_file", "client_secret_file", "certificate", "key", "authorities"})


@config.command("remove-remote")
@click.argument("name")
@click.option("--file", "path", type=options.FILE, default=settings_tree.LOCAL_FILE, show_default=True, help=_KEPT_IN)
def remove_remote(name: str, path: Path) -> int:
    """Take the NAME of a server out of the settings file. Files with its secrets stay.

    For example,

    \b
    dicomgate config remove-remote pacs
    """  # noqa: D301
    from dicomgate.cli import output, settings_file

    settings_tree.check_remote_name(name, "NAME")
    settings_file.remove_remote(path, name)
    output.message(f"{path}: {name} is no longer named there")
    return main.DONE
