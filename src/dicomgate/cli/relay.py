"""`dicomgate relay`: an archive inside is reached from outside without an open port: it dials out to a hub."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dicomgate.cli import options

if TYPE_CHECKING:
    from dicomgate.config import Settings
    from dicomgate.tunnel.site import Application, Hub


@click.command()
@click.argument("folder", required=False, type=options.FOLDER)
@click.option("--data", type=options.FOLDER, help="let this data folder be read from outside")
@click.option("--pacs", is_flag=True, help="let the PACS of the settings be read from outside")
@click.option("--dial-out", "hub", metavar="URL", required=True, help="the site at its hub: wss://hub/sites/NAME")
@click.option("--token-file", type=options.FILE, required=True, help="a file with the site's token")
@click.option("--writable", is_flag=True, help="what comes from outside may also be stored")
@click.option("--authorities", type=options.FILE, help="believe the hub if one of these (PEM) vouches for it")
@click.option("--proxy", metavar="URL", help="go through this proxy, not that of HTTPS_PROXY")
@options.reading
def relay(
    folder: Path | None,
    *,
    data: Path | None,
    pacs: bool,
    hub: str,
    token_file: Path,
    writable: bool,
    authorities: Path | None,
    proxy: str | None,
    config_file: Path | None,
) -> None:
    """Offer a FOLDER of files, the data folder of --data, or the PACS of the settings, at a hub that we can reach.

    One connection goes out and none comes in. The hub serves what is here below /sites/NAME/dicomweb; nothing
    can be stored from there unless --writable is said. The tunnel is dialled again, with growing pauses, until stopped.

    For example,

    \b
    dicomgate relay --data ./archive --dial-out wss://hub.example.org/sites/north --token-file token
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate.tunnel import site

    if [folder is not None, data is not None, pacs].count(True) != 1:
        raise click.UsageError("say what to offer: a FOLDER of files, --data DIR, or --pacs")
    settings = options.settings(config_file)
    told = site.Hub(
        url=site.parse_address(hub),
        token=token_file.read_text("ascii").strip(),
        authorities=str(authorities or ""),
        proxy=proxy,
    )
    _offer(settings, told, folder, data, pacs=pacs, read_only=not writable)


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
