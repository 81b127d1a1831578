"""A DIMSE door before another DICOMweb server: what comes by DIMSE is asked of it over HTTP."""

from __future__ import annotations

import functools
import hashlib
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dicomgate import config, errors, extras
from dicomgate.archive import lone
from dicomgate.assembly import applications, archives, door_processes, doors, places
from dicomgate.blobs.folder import FolderBlobs, format_key
from dicomgate.client.caller import Caller
from dicomgate.client.identity import Identity
from dicomgate.client.remote_retrieve import Known, RemoteRetrieve
from dicomgate.client.remote_search import RemoteSearch
from dicomgate.client.remote_store import RemoteStore
from dicomgate.client.request import Patience
from dicomgate.dimse import door
from dicomgate.dimse.session import House
from dicomgate.origin import Instance, Origin
from dicomgate.pixels.processes import Workers
from dicomgate.representations.maker import Maker
from dicomgate.server.logs import Log
from dicomgate.spool import Spool

_PATIENCE = Patience(tries=3, first=0.5, longest=5.0)
"""Whoever asks by DIMSE waits meanwhile, and asks again himself."""


def facade_folder(remote: config.Remote) -> Path:
    """Where lies what is on its way."""
    return places.cache_home() / "facades" / hashlib.sha256(remote.url.encode()).hexdigest()[:32]


@contextmanager
def open_remote(settings: config.Settings, remote: config.Remote, spool: Spool) -> Iterator[Origin]:
    """A DICOMweb server as an origin. Malformed for what is no address."""
    limits, log = archives.limits(settings), Log()

    def read(path: Path) -> Instance:
        return lone.open_blob(FolderBlobs(path.parent), format_key(path.name), limits)

    if not remote.url.startswith(("http://", "https://")):
        raise errors.Malformed("expected an address like http://host:8104/dicomweb")
    with Caller(remote.url, identity=Identity.of(remote), patience=_PATIENCE) as caller:
        known = Known()
        search = RemoteSearch(caller, warn=lambda text: log.event("the server warns", says=text), heard=known.hear)
        retrieve = RemoteRetrieve(caller, search, known, spool.directory, read)
        yield Origin(search=search, retrieve=retrieve, store=RemoteStore(caller, limits))


@contextmanager
def open_facade(settings: config.Settings, remote: config.Remote) -> Iterator[House]:
    """What the DIMSE door opens onto in this process: a DICOMweb server."""
    with ExitStack() as stack:
        workers = stack.enter_context(Workers(applications.worker_limits(doors.processes(settings.dimse))))
        spool = Spool(facade_folder(remote))
        spool.sweep()
        yield House(
            origin=stack.enter_context(open_remote(settings, remote, spool)),
            settings=doors.door_settings(settings),
            log=Log(),
            spool=spool,
            maker=Maker(workers=workers, limits=archives.limits(settings)),
        )


def serve_facade(
    settings: config.Settings, remote: config.Remote, *, announce: Callable[[str, int], None] | None = None
) -> None:
    """Serve a DICOMweb server by DIMSE where the settings say, until told to stop by a signal.

    `announce` hears where, when it is ready. NotInstalled without the extras; Unavailable when nobody can listen there.
    """
    for extra in ("server", "dimse"):
        extras.require(extra)
    section = settings.dimse
    doors.door_settings(settings)  # what is wrong with them is said here, once and plainly
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    with door.listen(section.host, section.port) as listening:
        host, port = listening.getsockname()[:2]
        open_house = functools.partial(open_facade, settings, remote)
        count = doors.processes(section)
        with door_processes.serving(open_house, listening, count, stop_seconds=settings.server.stop_seconds):
            if announce is not None:
                announce(host, port)
            stopping.wait()
