"""`dicomgate relay`: what is inside is reached from outside, what speaks DIMSE alone reaches the web, or is sent on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dicomgate.cli import options, relay_queue

if TYPE_CHECKING:
    from dicomgate.config import Settings
    from dicomgate.tunnel.site import Application, Hub


class _Relay(click.Group):
    """A verb with options of its own and a FOLDER, beside the one deed that it has below it."""

    allow_interspersed_args = True

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """That of the deed, where one is named first."""
        below = self.commands.get(args[0]) if args else None
        if below is not None:
            return below.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


class _Folder(click.Argument):
    """Is said before no deed."""

    def get_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Only those of the verb itself."""
        return super().get_usage_pieces(ctx) if self in ctx.command.params else []


@click.group(cls=_Relay, invoke_without_command=True, subcommand_metavar="")
@click.argument("folder", cls=_Folder, required=False, type=options.FOLDER)
@click.option("--dimse", metavar="AE@HOST:PORT", help="listen here for DIMSE; a PORT alone is on this machine")
@click.option(
    "--forward",
    "wanted",
    multiple=True,
    metavar="SERVER",
    help="hold what comes until this DICOMweb server, remote or destination has it; may be repeated",
)
@click.option(
    "--to", "server", metavar="SERVER", help="the DICOMweb server, or remote, that DIMSE programs shall reach"
)
@click.option("--peer", "peers", multiple=True, metavar="AE@HOST:PORT", help="a C-MOVE may send there; may be repeated")
@click.option("--no-auth", is_flag=True, help="other machines may call by DIMSE, whoever they are")
@click.option("--data", type=options.FOLDER, help="let this data folder be read from outside")
@click.option("--pacs", is_flag=True, help="let the PACS of the settings be read from outside")
@click.option("--dial-out", "hub", metavar="URL", help="the site at its hub: wss://hub/sites/NAME")
@click.option("--token-file", type=options.FILE, help="a file with the token of the site, or for the server")
@click.option("--writable", is_flag=True, help="what comes from outside may also be stored")
@click.option("--authorities", type=options.FILE, help="believe the hub if one of these (PEM) vouches for it")
@click.option("--proxy", metavar="URL", help="go through this proxy, not that of HTTPS_PROXY")
@options.reading
def relay(hub: str | None, server: str | None, wanted: tuple[str, ...], config_file: Path | None, **said: Any) -> None:
    """Send on what DIMSE programs store, to one DICOMweb SERVER or several: --dimse and --forward.

    What is acknowledged is on disk, and stays there until the server has it; "queue" shows what waits and why. Without
    options, to all [destinations.NAME] of the settings, and what comes where [dimse] says.

    Or let programs that speak DIMSE alone use a DICOMweb SERVER: --dimse and --to.

    They find, fetch (C-GET, C-MOVE) and store as at any PACS. Who may call is said in section [dimse] of the settings.

    Or offer a FOLDER of files, the data folder of --data, or the PACS of the settings, at a hub that we can reach:
    --dial-out. One connection goes out and none comes in. The hub serves what is here below /sites/NAME/dicomweb;
    nothing can be stored from there unless --writable is said. It is dialled again, with growing pauses, until stopped.

    For example,

    \b
    dicomgate relay --dimse RELAY@127.0.0.1:11112 --forward https://pacs.example.org/dicomweb
    dicomgate relay --dimse FACADE@127.0.0.1:11112 --to https://pacs.example.org/dicomweb
    dicomgate relay --data ./archive --dial-out wss://hub.example.org/sites/north --token-file token
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    if [hub is not None, server is not None, bool(wanted)].count(True) > 1:
        raise click.UsageError("say one way: --forward SERVER, --to SERVER, or --dial-out URL")
    if server is not None:
        _serve_facade(server, config_file, said)
    elif hub is not None:
        _dial_out(hub, config_file, said)
    else:
        _send_on(wanted, config_file, said)


relay.add_command(relay_queue.queue)


# What comes is held, and sent on.


def _send_on(wanted: Sequence[str], config_file: Path | None, said: dict[str, Any]) -> None:
    from dicomgate import assembly
    from dicomgate.cli import serve

    settings = options.settings(config_file)
    if not wanted and not settings.destinations:
        raise click.UsageError("say where to: --forward SERVER or --to SERVER, with --dimse, or --dial-out URL")
    if said["dimse"] is not None:
        settings = _with_door(settings, said, config_file)
    elif settings.dimse.port < 0:
        raise click.UsageError("say where DIMSE programs call: --dimse AE@HOST:PORT, or dimse.port in the settings")
    if said["folder"] is not None or said["data"] is not None or said["pacs"]:
        raise click.UsageError("what is sent on comes by DIMSE: neither a FOLDER nor --data nor --pacs")
    if said["token_file"] is not None:
        settings = _with_token(settings, wanted, said["token_file"])
    serve.refuse_open_dimse(settings)

    def announce(host: str, port: int) -> None:
        click.echo(f"DIMSE      {settings.dimse.title}@{serve.on_this_machine(host)}:{port}", err=True)
        for name in assembly.name_destinations(settings, wanted):
            click.echo(f"Forward    {name}", err=True)
        click.echo(f"Held in    {assembly.relay_folder(settings)}", err=True)

    assembly.serve_relay(settings, wanted, announce=announce)


def _with_token(settings: Settings, wanted: Sequence[str], token_file: Path) -> Settings:
    """The settings, with a token for the one server that is named."""
    from dicomgate.cli import places

    remote = places.find_remote(wanted[0], settings, token_file) if len(wanted) == 1 else None
    if remote is None:
        raise click.UsageError("--token-file is for one --forward with an address or a remote; else see [remotes.NAME]")
    name = wanted[0] if wanted[0] in settings.remotes else ""
    return replace(
        settings, remotes={name: remote, **{key: one for key, one in settings.remotes.items() if key != name}}
    )


# A DIMSE door before a server.


def _serve_facade(server: str, config_file: Path | None, said: dict[str, Any]) -> None:
    from dicomgate import assembly
    from dicomgate.cli import places, serve

    if said["dimse"] is None:
        raise click.UsageError("--to needs --dimse AE@HOST:PORT, where DIMSE programs call")
    if said["folder"] is not None or said["data"] is not None or said["pacs"]:
        raise click.UsageError("--to offers a server, and neither a FOLDER nor --data nor --pacs")
    settings = _with_door(options.settings(config_file), said, config_file)
    remote = places.find_remote(server, settings, said["token_file"])
    if remote is None:
        names = ", ".join(settings.remotes) or "none is named in the settings"
        raise click.UsageError(f"no address or remote {server!r} (remotes: {names})")
    serve.refuse_open_dimse(settings)

    def announce(host: str, port: int) -> None:
        click.echo(f"DIMSE      {settings.dimse.title}@{serve.on_this_machine(host)}:{port}", err=True)
        click.echo(f"DICOMweb   {remote.url}", err=True)

    assembly.serve_facade(settings, remote, announce=announce)


def _with_door(settings: Settings, said: dict[str, Any], config_file: Path | None) -> Settings:
    """The settings, with what was said of the door over them."""
    from dicomgate import config

    title, host, port = _parse_door(said["dimse"])
    wanted = {
        "dimse.title": title or settings.dimse.title or None,
        "dimse.host": host,
        "dimse.port": port,
        "dimse.peers": (*settings.dimse.peers, *said["peers"]),
        "server.no_auth": said["no_auth"] or None,
    }
    return config.read(file=config_file, options=wanted)


def _parse_door(text: str) -> tuple[str, str, int]:
    """Title, host and port; the title may be left out, and the host with it."""
    title, at, place = text.rpartition("@")
    host, _, port = place.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (port.isascii() and port.isdigit() and int(port) <= 65535) or (at and not title):
        raise click.UsageError("--dimse: expected AE@HOST:PORT, HOST:PORT or PORT")
    return title, host or "127.0.0.1", int(port)


# An archive offered at a hub.


def _dial_out(hub: str, config_file: Path | None, said: dict[str, Any]) -> None:
    from dicomgate.tunnel import site

    folder, data, pacs = said["folder"], said["data"], said["pacs"]
    if [folder is not None, data is not None, pacs].count(True) != 1:
        raise click.UsageError("say what to offer: a FOLDER of files, --data DIR, or --pacs")
    if said["token_file"] is None:
        raise click.UsageError("--dial-out needs --token-file, a file with the site's token")
    settings = options.settings(config_file)
    told = site.Hub(
        url=site.parse_address(hub),
        token=said["token_file"].read_text("ascii").strip(),
        authorities=str(said["authorities"] or ""),
        proxy=said["proxy"],
    )
    _offer(settings, told, folder, data, pacs=pacs, read_only=not said["writable"])


def _offer(
    settings: Settings, hub: Hub, folder: Path | None, data: Path | None, *, pacs: bool, read_only: bool
) -> None:
    from dicomgate import assembly
    from dicomgate.cli.folder_report import FolderReport

    with ExitStack() as stack:
        if folder is not None:
            stack.enter_context(assembly.following(folder, settings, FolderReport(folder, settings)))
        application = assembly.application(settings, data=data, folder=folder, pacs=pacs, read_only=read_only)
        stack.callback(application.close)
        asyncio.run(_until_stopped(hub, application))


async def _until_stopped(hub: Hub, application: Application) -> None:
    from dicomgate.tunnel import site

    task = asyncio.ensure_future(site.keep(hub, application, lambda said: click.echo(f"{hub.url}: {said}", err=True)))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task
