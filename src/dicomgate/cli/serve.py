"""`dicomgate serve`: a data folder, or a folder of files in place, over DICOMweb."""

from __future__ import annotations

import ipaddress
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dicomgate import extras
from dicomgate.cli import main, options

if TYPE_CHECKING:
    from dicomgate.config import Settings


@click.command()
@click.argument("folder", required=False, type=options.FOLDER)
@click.option("--data", type=options.NEW_FOLDER, help="serve and fill this data folder; it is made if it is missing")
@click.option("--problems", is_flag=True, help="list the files of FOLDER that cannot be served, and why; serve nothing")
@options.serving
def serve(
    folder: Path | None, *, data: Path | None, problems: bool, config_file: Path | None, **serving: Any
) -> int | None:
    """Serve a FOLDER of files where they lie, or the data folder DIR of --data.

    Files in a FOLDER stay untouched and nothing is written beside them; new ones appear within seconds; storing into it
    is refused. A data folder keeps what is stored over the web or by "dicomgate store".

    For example,

    \b
    dicomgate serve ./scans
    dicomgate serve --data ./archive --port 8080
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    if (folder is None) == (data is None):
        raise click.UsageError("say what to serve: a FOLDER of files, or --data DIR")
    settings = options.settings(config_file, serving)
    if problems:
        if folder is None:
            raise click.UsageError('--problems is about a FOLDER; for a data folder say "dicomgate admin problems"')
        return _list_problems(folder, settings)
    extras.require("server")
    refuse_open_door(settings)
    start(settings, folder=folder, data=data)
    return None


def _list_problems(folder: Path, settings: Settings) -> int:
    from dicomgate import assembly
    from dicomgate.cli import folder_report, output

    with assembly.open_folder(folder, settings) as opened:
        with folder_report.bar() as report:
            opened.scan(report)
        records = list(opened.problems())
    if output.is_terminal() and records:
        output.table(("FILE", "STATE", "WHY"), ((one.path, one.state.value, one.reason) for one in records))
    elif not output.is_terminal():
        for one in records:
            output.line({"file": one.path, "state": one.state.value, "why": one.reason})
    output.message(f"not served of {folder}: {output.count(len(records), 'file', 'files')}")
    return main.DONE


def refuse_open_door(settings: Settings) -> None:
    """Usage error when others could reach us and nobody said that this is meant, over HTTP or DIMSE (T19)."""
    refuse_open_dimse(settings)
    if settings.server.no_auth or _is_loopback(settings.server.host):
        return
    raise click.UsageError(
        f"other machines can reach {settings.server.host or 'every address'}, and there is no access control yet: "
        "say --no-auth if everybody who reaches it may read and store everything, or listen on 127.0.0.1"
    )


def refuse_open_dimse(settings: Settings) -> None:
    """The same for DIMSE alone, where who may call can be said: by title and address, or by certificate."""
    section = settings.dimse
    says_who = section.callers or (section.tls_certificate and section.tls_authorities)
    if section.port < 0 or says_who or settings.server.no_auth or _is_loopback(section.host):
        return
    raise click.UsageError(
        f"other machines can reach {section.host or 'every address'} by DIMSE: set dimse.callers or "
        "dimse.tls_authorities, say --no-auth if everybody may read and store everything, or listen on 127.0.0.1"
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def start(
    settings: Settings,
    *,
    folder: Path | None = None,
    data: Path | None = None,
    pacs: bool = False,
    advice: str = "",
) -> None:
    """Serve until told to stop; say where, with the advice below it."""
    from dicomgate import assembly
    from dicomgate.cli.folder_report import FolderReport

    def announce(host: str, port: int) -> None:
        address = settings.server.public_url.rstrip("/") or _format_address(settings, host, port)
        click.echo(f"Web page   {address}/\nDICOMweb   {address}/dicomweb" + advice.format(address=address), err=True)

    def announce_dimse(host: str, port: int) -> None:
        click.echo(f"DIMSE      {settings.dimse.title}@{on_this_machine(host)}:{port}", err=True)

    with ExitStack() as stack:
        if folder is not None:
            click.echo(f"Reading {folder} (files stay where they are)", err=True)
            stack.enter_context(assembly.following(folder, settings, FolderReport(folder, settings)))
        assembly.serve(settings, data=data, folder=folder, pacs=pacs, announce=announce, announce_dimse=announce_dimse)


def _format_address(settings: Settings, host: str, port: int) -> str:
    """An address that works on this machine."""
    scheme = "https" if settings.server.tls_certificate else "http"
    return f"{scheme}://{on_this_machine(host)}:{port}"


def on_this_machine(host: str) -> str:
    """The host by which what listens there is reached from here."""
    shown = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)  # noqa: S104 - compared, not listened on
    return f"[{shown}]" if ":" in shown else shown
