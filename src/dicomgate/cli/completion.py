"""`dicomgate completion`: what a shell needs to complete verbs, options, remotes, levels and keywords."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem, get_completion_class

from dicomgate import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

SHELLS: Final = ("bash", "zsh", "fish")
LEVELS: Final = ("studies", "series", "instances")

_OPEN_ENDED: Final = {
    "COMPREPLY+=($value)": "COMPREPLY+=($value); [[ $value == *= ]] && compopt -o nospace",
    "compadd -U -V": "compadd -S '' -U -V",
}
"""No space after `PatientName=`: more follows. As fish does by itself."""


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that lets SHELL complete what dicomgate takes.

    For example, once for bash, zsh and fish:

    \b
    dicomgate completion bash > ~/.local/share/bash-completion/completions/dicomgate
    dicomgate completion zsh > ~/.zfunc/_dicomgate
    dicomgate completion fish > ~/.config/fish/completions/dicomgate.fish
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate.cli import main

    kind = get_completion_class(shell)
    assert kind is not None, "click knows these shells"
    script = kind(main.dicomgate, {}, "dicomgate", "_DICOMGATE_COMPLETE").source()
    for before, after in _OPEN_ENDED.items():
        script = script.replace(before, after)
    click.echo(script)


def complete_where(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Names of remotes, and folders."""
    from dicomgate import config, errors

    try:
        remotes = config.read().remotes
    except errors.Fault:  # said when the command is run, not while it is typed
        remotes = {}
    found = [CompletionItem(name, help=one.url) for name, one in remotes.items() if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def complete_what(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Levels, until one was said; keywords of attributes, with the sign behind them."""
    said = ctx.params.get(param.name or "") or ()
    found = [] if set(LEVELS) & set(said) else [CompletionItem(name, help="level") for name in LEVELS]
    levels = [item for item in found if item.value.startswith(incomplete)]
    return levels + [CompletionItem(f"{keyword}=") for keyword in _keywords(incomplete)] if incomplete else levels


def complete_fields(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Keywords in a list with commas."""
    before, comma, last = incomplete.rpartition(",")
    return [CompletionItem(f"{before}{comma}{keyword}") for keyword in _keywords(last)] if last else []


def _keywords(start: str) -> Iterator[str]:
    """Keywords of attributes that begin so, in any case; none before a letter is there."""
    return (keyword for keyword in _every_keyword() if keyword.lower().startswith(start.lower()))


def _every_keyword() -> list[str]:
    """All of PS3.6, from a file in the user's cache: the dictionary loads longer than who types waits."""
    from importlib.metadata import version

    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(home, "dicomgate", f"keywords-{__version__}-{version('pydicom')}")
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text("ascii").split()
    from dicomgate.dicom import attributes

    found = list(attributes.keywords())
    with contextlib.suppress(OSError):  # then the next one waits as long
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_text("\n".join(found), "ascii")
        partial.replace(path)
    return found
