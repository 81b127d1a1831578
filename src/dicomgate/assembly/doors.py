"""The DIMSE door: what the settings say of it, and what it opens onto in one process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dicomgate import config, errors
from dicomgate.assembly import applications, archives, places
from dicomgate.dimse import peers
from dicomgate.dimse.connection import Pauses
from dicomgate.dimse.encryption import Encryption, WrongCertificate
from dicomgate.dimse.session import House
from dicomgate.dimse.settings import DoorSettings
from dicomgate.pixels import limits as pixels
from dicomgate.pixels.processes import Workers
from dicomgate.representations.kept import Kept
from dicomgate.representations.maker import Maker
from dicomgate.server.logs import Log
from dicomgate.spool import Spool


def processes(section: config.Dimse) -> int:
    """How many processes serve side by side."""
    return section.processes or pixels.cores()


def door_settings(settings: config.Settings) -> DoorSettings:
    """How the settings want the DIMSE door to behave, whatever it opens onto. Raises WrongSetting."""
    section = settings.dimse
    try:
        callers = tuple(peers.parse_caller(text) for text in section.callers)
    except errors.Malformed as fault:
        raise config.WrongSetting(f"dimse.callers: {fault.message}") from fault
    try:
        called = tuple(peers.parse_entity(text) for text in section.peers)
    except errors.Malformed as fault:
        raise config.WrongSetting(f"dimse.peers: {fault.message}") from fault
    return DoorSettings(
        title=section.title or config.TABLE["dimse.title"].default,
        any_title=section.any_title,
        callers=callers,
        peers=called,
        associations=section.associations,
        associations_per_address=section.associations_per_address,
        pauses=Pauses(opening=section.opening_seconds, stall=section.stall_seconds, idle=section.idle_seconds),
        stop_seconds=settings.server.stop_seconds,
        instance_bytes=settings.store.instance_bytes,
        matches=section.matches,
        encryption=_encryption(section),
        limits=archives.limits(settings),
    )


def _encryption(section: config.Dimse) -> Encryption | None:
    if bool(section.tls_certificate) != bool(section.tls_key):
        raise config.WrongSetting("dimse.tls_certificate and dimse.tls_key: one of them is missing; TLS needs both")
    if not section.tls_certificate:
        if section.tls_authorities:
            raise config.WrongSetting("dimse.tls_authorities: TLS needs dimse.tls_certificate and dimse.tls_key, too")
        return None
    authorities = Path(section.tls_authorities) if section.tls_authorities else None
    encryption = Encryption(chain=Path(section.tls_certificate), key=Path(section.tls_key), authorities=authorities)
    try:
        encryption.accepting()
    except WrongCertificate as fault:
        raise config.WrongSetting(f"dimse.tls_certificate: {fault.message}") from fault
    return encryption


@contextmanager
def open_house(settings: config.Settings, *, data: Path | None = None, folder: Path | None = None) -> Iterator[House]:
    """What the DIMSE door opens onto in this process: a data folder, or a folder in place, with its views."""
    with ExitStack() as stack:
        spool: Spool | None = None
        workers = stack.enter_context(Workers(applications.worker_limits(processes(settings.dimse))))
        maker = Maker(workers=workers, limits=archives.limits(settings))
        if folder is not None:
            origin = stack.enter_context(archives.open_folder(folder, settings)).origin
            home = places.home(folder.resolve())
        else:
            assert data is not None, "one of the two is served"
            archive = stack.enter_context(archives.open_archive(data, settings))
            if archive.sweep():
                Kept(data / places.CACHE, archives.EVERY_SIZE).forget(None)
            origin, home, spool = archive.origin, data, archive.spool
        views = applications.views_of(settings, stack, home, origin, maker)
        yield House(
            origin=origin,
            settings=door_settings(settings),
            log=Log(),
            spool=spool,
            maker=maker,
            views={name.upper(): shown for name, (shown, _) in views.items()},
        )
