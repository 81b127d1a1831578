"""The processes that serve until told to stop."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from dicomgate import config, extras
from dicomgate.assembly import applications, archives
from dicomgate.server.encryption import Certificate
from dicomgate.server.settings import ConnectionLimits


def serve(
    settings: config.Settings,
    *,
    data: Path | None = None,
    folder: Path | None = None,
    pacs: bool = False,
    announce: Callable[[str, int], None] | None = None,
) -> None:
    """Serve a data folder, a folder in place, or the PACS of the settings, until told to stop.

    `announce` hears where, when it is ready.

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
    if data is not None and section.workers > 1:
        with archives.open_archive(data, settings):
            pass  # what is wrong with the folder is said here, once and plainly; a worker could only end
    if pacs and section.workers > 1:
        raise config.WrongSetting("server.workers: a gateway is one process, which shares what it fetches")
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


def _certificate(section: config.Server) -> Certificate | None:
    if bool(section.tls_certificate) != bool(section.tls_key):
        raise config.WrongSetting("server.tls_certificate and server.tls_key: one of them is missing; HTTPS needs both")
    if not section.tls_certificate:
        return None
    return Certificate(chain=Path(section.tls_certificate), key=Path(section.tls_key))
