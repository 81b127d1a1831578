"""`dicomgate config`: the settings as they are, and where each value came from."""

from __future__ import annotations

from pathlib import Path

import click

from dicomgate import config as settings_tree
from dicomgate.cli import options


@click.group()
def config() -> None:
    """Show the settings and where each value came from."""


@config.command()
@options.reading
@click.option("--markdown", is_flag=True, help="the tables of docs/settings.md: every setting with its default")
def show(config_file: Path | None, *, markdown: bool) -> None:
    """Print every setting, its value and its source, as lines of TOML."""
    if markdown:
        click.echo(settings_tree.format_markdown(), nl=False)
        return
    settings = options.settings(config_file)
    for section in settings_tree.sections():
        click.echo(f"[{section}]")
        for name in (name for name in settings_tree.TABLE if name.startswith(section + ".")):
            line = f"{name.partition('.')[2]} = {settings_tree.format_value(settings.value(name))}"
            click.echo(f"{line:50} # {settings.sources[name]}")
        click.echo()
