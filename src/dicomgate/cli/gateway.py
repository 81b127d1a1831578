"""`dicomgate gateway`: a PACS that speaks DIMSE alone, on the web: settings written, tried, served (journey B)."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any, Final

import click

from dicomgate import config, errors, extras
from dicomgate.cli import main, options, serve

_PEER: Final = re.compile(r"(?P<title>[^@]{1,16})@(?P<host>\[[0-9A-Fa-f:.]+\]|[^:@\[\]]+)(?::(?P<port>[0-9]{1,5}))?")
_SETTINGS_FILE: Final = Path("dicomgate.toml")


@click.group()
def gateway() -> None:
    """Put a PACS that speaks DIMSE alone on the web.

    "init" writes the settings, "check" tries them and says what to change and at whose side, "run" serves DICOMweb.

    For example,

    \b
    dicomgate gateway init --pacs PACS@10.1.2.3:104 --me GATEWAY@10.1.2.9:11112
    dicomgate gateway check
    dicomgate gateway run
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)


@gateway.command()
@click.option("--pacs", "pacs", metavar="TITLE@HOST:PORT", prompt="The PACS (AE title@host:port)")
@click.option("--me", metavar="TITLE[@HOST[:PORT]]", prompt="We (AE title@host:port for C-MOVE)", default="DICOMGATE")
@click.option("--retrieve", type=click.Choice(["auto", "get", "move"]), help=config.TABLE["pacs.retrieve"].says)
@click.option("--cache", type=options.NEW_FOLDER, help=config.TABLE["pacs.cache"].says)
@click.option("--tls", is_flag=True, help=config.TABLE["pacs.tls"].says)
@click.option("--config", "config_file", type=options.FILE, default=_SETTINGS_FILE, help="write this file")
def init(*, pacs: str, me: str, retrieve: str | None, cache: Path | None, tls: bool, config_file: Path) -> None:
    """Write the settings of a gateway; nothing is started.

    For example,

    \b
    dicomgate gateway init --pacs PACS@10.1.2.3:104 --me GATEWAY@10.1.2.9:11112
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    title, host, port = _parse(pacs, "--pacs")
    own_title, own_host, own_port = _parse(me if "@" in me else f"{me}@{socket.gethostname()}", "--me")
    said: dict[str, Any] = {
        "title": title,
        "host": host,
        "port": port or 104,
        "own_title": own_title,
        "own_host": own_host,
        "move_port": own_port or config.TABLE["pacs.move_port"].default,
        "retrieve": retrieve,
        "cache": str(cache.absolute()) if cache is not None else None,
        "tls": tls or None,
    }
    lines = [f"{key} = {config.format_value(value)}" for key, value in said.items() if value is not None]
    section = "\n".join(["[pacs]", *lines]) + "\n"
    _write(config_file, section)
    click.echo(section + f'# written to {config_file}; now: "dicomgate gateway check"', err=True)


def _write(path: Path, section: str) -> None:
    """Beside what stands in the file already. Conflict when a PACS is named there; nothing wrong is written."""
    before = path.read_text("utf-8") if path.exists() else ""
    if re.search(r"^\s*\[pacs\]", before, re.MULTILINE):
        raise errors.Conflict(f"{path} names a PACS already; change its section [pacs], or take another file")
    aside = path.with_name(path.name + ".new")
    aside.write_text(f"{before.rstrip()}\n\n{section}".lstrip(), "utf-8")
    try:
        config.read(file=aside, environment={})
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _parse(text: str, option: str) -> tuple[str, str, int]:
    found = _PEER.fullmatch(text.strip())
    if found is None:
        raise click.BadParameter("expected an AE title, @, a host, and mostly :PORT", param_hint=option)
    return found["title"], found["host"].strip("[]"), int(found["port"] or 0)


@gateway.command()
@options.reading
def check(*, config_file: Path | None) -> int:
    """Try what a gateway needs of the PACS; say of each failure what to change, and at whose side.

    Exit code 3 when something has to be changed.

    For example,

    \b
    dicomgate gateway check
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    settings = options.settings(config_file)
    with extras.needed():
        from dicomgate import assembly
    failed = False
    with assembly.pacs_check(settings) as tried:
        for probe in tried.probes():
            failed = failed or not probe.is_good
            word = "ok  " if probe.is_good else "FAIL"
            click.echo(f"{word}  {probe.name:<8}  {probe.seconds * 1000:5.0f} ms  {probe.says}")
            for line in probe.advice.splitlines():
                click.echo(f"      {line}")
    return main.PARTLY if failed else main.DONE


@gateway.command()
@options.serving
def run(*, config_file: Path | None, **serving: Any) -> None:
    """Serve the PACS of the settings over DICOMweb until told to stop.

    For example,

    \b
    dicomgate gateway run --port 8104
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    settings = options.settings(config_file, serving)
    serve.refuse_open_door(settings)
    serve.start(settings, pacs=True)
