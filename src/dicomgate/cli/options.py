"""Options that several verbs share, and the settings they lead to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from dicomgate import config

Command = TypeVar("Command", bound=Callable[..., Any])

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)

_SERVING: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("--host", "server.host", {}),
    ("--port", "server.port", {"type": click.IntRange(0, 65535)}),
    ("--workers", "server.workers", {"type": click.IntRange(1), "metavar": "N"}),
    ("--tls-cert", "server.tls_certificate", {"metavar": "FILE"}),
    ("--tls-key", "server.tls_key", {"metavar": "FILE"}),
    ("--http2", "server.http2", {"is_flag": True}),
    ("--public-url", "server.public_url", {"metavar": "URL"}),
    ("--no-auth", "server.no_auth", {"is_flag": True}),
    ("--dimse", "dimse.port", {"type": click.IntRange(0, 65535), "metavar": "PORT"}),
    ("--allow-delete", "store.allow_delete", {"is_flag": True}),
    ("--allow-update", "store.allow_update", {"is_flag": True}),
    ("--duplicates", "store.duplicates", {"type": click.Choice(["refuse", "replace", "keep-first", "keep-versions"])}),
    ("--log-requests", "log.requests", {"is_flag": True}),
)
"""Options that set a setting: each helps with the sentence of its setting."""


def serving(command: Command) -> Command:
    """Add the options of verbs that serve."""
    for flag, name, extras in reversed(_SERVING):
        setting = config.TABLE[name]
        shows_default = "" if extras.get("is_flag") or setting.default == "" else f"  [{setting.default}]"
        text = setting.says.replace("`", "") + shows_default
        command = click.option(flag, _parameter(name), default=None, help=text, **extras)(command)
    return reading(command)


def reading(command: Command) -> Command:
    """Add --config."""
    text = "settings from this file instead of ./dicomgate.toml"
    return click.option("--config", "config_file", type=FILE, help=text)(command)


def running(command: Command) -> Command:
    """Add --progress and --dry-run."""
    text = "tell a program of it: JSON Lines on standard error"
    command = click.option("--progress", type=click.Choice(["bar", "json"]), default="bar", help=text)(command)
    return click.option("--dry-run", is_flag=True, help="only say what would be done")(command)


def calling(command: Command) -> Command:
    """Add --token-file."""
    text = "a file with a bearer token for the server"
    return click.option("--token-file", type=FILE, help=text)(command)


def settings(config_file: Path | None, options: dict[str, Any] | None = None) -> config.Settings:
    """All settings, with what was said on the command line over the rest. Raises config.WrongSetting."""
    said = {name: (options or {}).get(_parameter(name)) for _, name, _ in _SERVING}
    return config.read(file=config_file, options=said)


def _parameter(name: str) -> str:
    return name.replace(".", "_")
