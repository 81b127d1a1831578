"""The processes that serve until told to stop."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from dicomgate import config, extras
from dicomgate.assembly import applications, archives, door_processes, doors
from dicomgate.dimse import door
from dicomgate.server.encryption import Certificate
from dicomgate.server.settings import ConnectionLimits


def serve(
    settings: config.Settings,
    *,
    data: Path | None = None,
    folder: Path | None = None,
    pacs: bool = False,
    announce: Callable[[str, int], None] | None = None,
    announce_dimse: Callable[[str, int], None] | None = None,
) -> None:
    """Serve a data folder, a folder in place, or the PACS of the settings, until told to stop.

    `announce` hears where, when it is ready; `announce_dimse` where the DIMSE door is, if the settings open one.

    NotInstalled without the extra "server".
    """
    with extras.needed():
        from dicomgate.server import run  # noqa: PLC0415 - what is only read needs no server
    section = settings.server
    if section.sites:
        extras.require("tunnel")
        applications.sites(section)
        if section.workers > 1:
            raise config.WrongSetting("server.sites: a site dials one process; set server.workers to 1")
    has_dimse = settings.dimse.port >= 0
    if has_dimse and pacs:
        raise config.WrongSetting("dimse.port: a gateway has no DIMSE door; whoever speaks DIMSE asks the PACS itself")
    if data is not None and (section.workers > 1 or has_dimse):
        with archives.open_archive(data, settings):
            pass  # what is wrong with the folder is said here, once and plainly; a worker could only end
    if pacs and section.workers > 1:
        raise config.WrongSetting("server.workers: a gateway is one process, which shares what it fetches")
    with _dimse(settings, data, folder, announce_dimse) if has_dimse else nullcontext():
        run.serve(
            functools.partial(applications.application, settings, data=data, folder=folder, pacs=pacs),
            host=section.host,
            port=section.port,
            workers=section.workers,
            manner=run.Manner(
                http2=section.http2,
                limits=ConnectionLimits(
                    header_seconds=section.header_seconds,
                    stall_seconds=section.stall_seconds,
                    idle_seconds=section.idle_seconds,
                    connections=section.connections,
                    connections_per_address=section.connections_per_address,
                    trusted_proxies=section.trusted_proxies,
                ),
                stop_seconds=section.stop_seconds,
                cors_origins=section.cors_origins,
                certificate=_certificate(section),
                tunnels=bool(section.sites),
            ),
            on_ready=announce,
        )


@contextmanager
def _dimse(
    settings: config.Settings, data: Path | None, folder: Path | None, announce: Callable[[str, int], None] | None
) -> Iterator[None]:
    """The DIMSE door beside, in processes of its own."""
    extras.require("dimse")
    section = settings.dimse
    doors.door_settings(settings)  # what is wrong with them is said here, once and plainly
    with door.listen(section.host, section.port) as listening:
        host, port = listening.getsockname()[:2]
        open_house = functools.partial(doors.open_house, settings, data=data, folder=folder)
        count = doors.processes(section)
        with door_processes.serving(open_house, listening, count, stop_seconds=settings.server.stop_seconds):
            if announce is not None:
                announce(host, port)
            yield


def _certificate(section: config.Server) -> Certificate | None:
    if bool(section.tls_certificate) != bool(section.tls_key):
        raise config.WrongSetting("server.tls_certificate and server.tls_key: one of them is missing; HTTPS needs both")
    if not section.tls_certificate:
        return None
    return Certificate(chain=Path(section.tls_certificate), key=Path(section.tls_key))
