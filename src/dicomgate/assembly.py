"""Settings become running parts: the only file that names concrete classes of several rooms."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dicomgate import config, errors, extras
from dicomgate.archive import layout, policy
from dicomgate.archive.amending import Amender
from dicomgate.archive.archive import Archive
from dicomgate.archive.aside import Aside
from dicomgate.archive.coercion import Coercion
from dicomgate.archive.folder import Folder, Progress
from dicomgate.archive.intents import Intents
from dicomgate.archive.policy import Duplicates
from dicomgate.archive.replaced import Replaced
from dicomgate.archive.reserve import Reserve
from dicomgate.archive.room import Room
from dicomgate.archive.verify import Damage
from dicomgate.blobs.disk import FastDisk
from dicomgate.blobs.folder import FolderBlobs
from dicomgate.blobs.local import LocalBlobs
from dicomgate.composition.content import Workshop
from dicomgate.dicom import assignments, header
from dicomgate.dimse.associations import Peer
from dicomgate.dimse.pacs import Pacs, Plan, senders
from dicomgate.dimse.pacs_check import Check
from dicomgate.dimse.receiver import Door as MoveDoor
from dicomgate.dimse.receiver import Receiver
from dicomgate.index import schema
from dicomgate.index.base import ColumnState, Index, Promoted
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.origin import Facts, Origin, Retrieve
from dicomgate.pixels import limits as pixels
from dicomgate.pixels.pictures import Decoder
from dicomgate.pixels.processes import Workers
from dicomgate.representations.kept import Kept
from dicomgate.representations.maker import Maker
from dicomgate.representations.pseudonym_secret import PseudonymSecret
from dicomgate.server import threads, urls
from dicomgate.server.app import Application
from dicomgate.server.encryption import Certificate
from dicomgate.server.logs import Log
from dicomgate.server.settings import ConnectionLimits
from dicomgate.server.settings import Settings as DoorSettings
from dicomgate.spool import Spool
from dicomgate.views import view
from dicomgate.views.arrival import Converter

INDEX = "index.sqlite"
_FRESH = "index.rebuilt.sqlite"
_BLOBS, _SPOOL, _ASIDE, _RESERVE, _LOCK = "blobs", "spool", "aside", "reserve", "lock"
_INTENTS = "corrections"
_CACHE = "cache"
_VIEWS = "views"
_PSEUDONYMS = "pseudonyms"  # what the other names in de-identified copies are derived from
_SHORTEST_TOKEN = 24
_EVERY_SIZE = 1 << 62  # for who only forgets, whatever the setting says here
_PLACES = (_BLOBS, _SPOOL, _ASIDE, _RESERVE, _LOCK, _INTENTS, _PSEUDONYMS, _CACHE, _VIEWS)


def limits(settings: config.Settings) -> header.Limits:
    """The bounds on one data set."""
    return settings.limits.bounds()


@contextmanager
def open_archive(data: Path, settings: config.Settings, *, create: bool = True) -> Iterator[Archive]:
    """The archive in a data folder, which is made if it is missing.

    Unavailable while it is being rebuilt, and when its index is missing: an empty one would take what is stored for
    left-overs. Malformed for a folder with somebody's files in it: nothing is ever written beside those.
    """
    if not create and not (data / INDEX).exists():
        raise errors.NotFound(f"no archive in {data}")
    data.mkdir(parents=True, exist_ok=True)  # the blob store, which begins below, makes its name durable
    if not is_archive(data) and _holds_other_files(data):
        raise errors.Malformed(
            f"{data} holds files and is no data folder; name a new or empty one, "
            f'or serve the files where they lie: "dicomgate serve {data}"'
        )
    with _locked(data, exclusive=False):
        if (data / _FRESH).exists():
            _remove_database(data / _FRESH)  # of a rebuild that was killed
        blobs = LocalBlobs(data / _BLOBS)
        try:
            if next(blobs.keys(), None) is not None and not schema.is_made(data / INDEX):
                raise errors.Unavailable(
                    f'the index of {data} is missing; build it from the stored files: "dicomgate admin reindex {data}"'
                )
            open_index = functools.partial(SqliteIndex, data / INDEX, **_bounds(settings))
            with closing(_reserve(data).help_out(open_index)) as index:
                yield _archive(data, settings, blobs, index)
        finally:
            blobs.close()


def rebuild(data: Path, settings: config.Settings, progress: Callable[[int], None]) -> Iterator[Damage]:
    """Build the index again from the blobs alone and put it in place. Unavailable while a server uses the folder.

    Killed at any moment, it leaves the old index whole, or no index, or the new one. NotFound where no archive is.
    """
    if not is_archive(data):
        raise errors.NotFound(f"no archive in {data}")
    fresh, old = data / _FRESH, data / INDEX
    with _locked(data, exclusive=True):
        _remove_database(fresh)
        with (
            closing(LocalBlobs(data / _BLOBS)) as blobs,
            _old_index(data, settings, blobs) as before,
            closing(SqliteIndex(fresh)) as index,
        ):
            for one in _promoted(before):
                index.promote(one.path, one.creator)
            yield from _archive(data, settings, blobs, index).reindex(index, progress, before)
        if _has_log(fresh):
            raise errors.Unavailable("the new index could not be finished; the one there was stays")
        if _has_log(old):
            _remove_database(old)
        fresh.replace(old)
        _sync_directory(data)


@contextmanager
def open_folder(folder: Path, settings: config.Settings) -> Iterator[Folder]:
    """A folder read in place; its index lives in the user's cache, never beside the files."""
    if not folder.is_dir():
        raise errors.NotFound(f"no such folder: {folder}")
    root = folder.resolve()
    home = _home(root)
    home.mkdir(parents=True, exist_ok=True)
    index = SqliteIndex(home / INDEX, durable=False, **_bounds(settings))
    kept = Kept(home / _CACHE, _EVERY_SIZE)
    try:
        yield Folder(
            root=root, blobs=FolderBlobs(root), index=index, limits=limits(settings), forget=lambda: kept.forget(None)
        )
    finally:
        index.close()


def gateway_folder(settings: config.Settings) -> Path:
    """Where a gateway keeps what it fetched."""
    section = settings.pacs
    if section.cache:
        return Path(section.cache)
    name = f"{section.title}@{section.host}:{section.port}"
    return _cache() / "gateways" / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}-{layout.VERSION}"


def pacs_plan(settings: config.Settings) -> Plan:
    """How the settings want the PACS to be spoken with. WrongSetting where they do not say which."""
    section = settings.pacs
    if not (section.title and section.host):
        raise config.WrongSetting(
            'pacs.title and pacs.host: no PACS is named; "dicomgate gateway init --pacs TITLE@HOST:PORT" writes them'
        )
    client, server = _pacs_tls(section)
    return Plan(
        peer=Peer(
            title=section.title,
            host=section.host,
            port=section.port,
            own_title=section.own_title,
            connect_seconds=section.connect_seconds,
            answer_seconds=section.answer_seconds,
            tls=client,
        ),
        receiver=MoveDoor(
            title=section.own_title,
            host=section.move_host,
            port=section.move_port,
            is_allowed=senders(section.host, section.title, section.senders),
            stall_seconds=section.answer_seconds,
            tls=server,
        )
        if section.move_port and section.retrieve != "get"
        else None,
        way=section.retrieve,
        associations=section.associations,
        wait_seconds=section.wait_seconds,
        keep_seconds=section.keep_seconds,
        character_set=section.character_set,
        answers=section.answers,
        fan_out=section.fan_out,
        cache_bytes=section.cache_bytes,
        check_seconds=section.check_seconds,
        largest=settings.store.instance_bytes,
        limits=limits(settings),
    )


def _pacs_tls(section: config.Pacs) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    """Contexts of associations that we ask for, and of those that we accept (PS3.15 §B.12)."""
    if bool(section.tls_certificate) != bool(section.tls_key):
        raise config.WrongSetting("pacs.tls_certificate and pacs.tls_key: one of them is missing")
    if not section.tls:
        return None, None
    authorities = section.tls_authorities or None
    try:
        client = ssl.create_default_context(cafile=authorities)
        if not section.tls_certificate:
            return client, None
        client.load_cert_chain(section.tls_certificate, section.tls_key)
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authorities)
        server.load_cert_chain(section.tls_certificate, section.tls_key)
        server.verify_mode = ssl.CERT_REQUIRED
    except OSError as fault:
        raise config.WrongSetting(f"pacs.tls_...: a certificate or key cannot be read: {fault.strerror}") from fault
    return client, server


@contextmanager
def pacs_check(settings: config.Settings) -> Iterator[Check]:
    """What tries the PACS of the settings. Unavailable when the port for C-MOVE is in use, by a gateway maybe."""
    plan = pacs_plan(settings)
    receiver = None if plan.receiver is None else Receiver(plan.receiver)
    try:
        own_host = settings.pacs.own_host or socket.gethostname()
        yield Check(peer=plan.peer, receiver=receiver, own_host=own_host, way=plan.way)
    finally:
        if receiver is not None:
            receiver.close()


@contextmanager
def open_pacs(settings: config.Settings, tell: Callable[..., None]) -> Iterator[Pacs]:
    """The PACS of the settings, with the archive that keeps what is fetched; one process has that alone.

    What is kept there the PACS has as well: nothing waits for the disk, and a power cut costs the last of it.
    """
    plan, home = pacs_plan(settings), gateway_folder(settings)
    home.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        held.enter_context(_locked(home, exclusive=True))
        blobs = held.enter_context(closing(LocalBlobs(home / _BLOBS, disk=FastDisk())))
        index = held.enter_context(closing(SqliteIndex(home / INDEX, durable=False, **_bounds(settings))))
        kept = replace(settings.store, coerce=(), other_patient="refuse", quota_bytes=0, allow_delete=True)
        cache = replace(_archive(home, replace(settings, store=kept), blobs, index), judge=policy.judge_mirror)
        cache.sweep()
        pacs = Pacs(plan, cache=cache.origin, spool=cache.spool, shelf=home / "series", tell=tell)
        held.callback(pacs.close)
        yield pacs


@contextmanager
def open_index(folder: Path, settings: config.Settings) -> Iterator[Index]:
    """The index of a data folder, or of a folder that was served in place before. NotFound where there is none."""
    if is_archive(folder):
        with open_archive(folder, settings, create=False) as archive:
            yield archive.index
    elif (_home(folder.resolve()) / INDEX).exists():
        with open_folder(folder, settings) as opened:
            yield opened.index
    else:
        raise errors.NotFound(f"{folder} is neither a data folder nor a folder that was served in place")


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
        _sites(section)
        if section.workers > 1:
            raise config.WrongSetting("server.sites: a site dials one process; set server.workers to 1")
    if data is not None and section.workers > 1:
        with open_archive(data, settings):
            pass  # what is wrong with the folder is said here, once and plainly; a worker could only end
    if pacs and section.workers > 1:
        raise config.WrongSetting("server.workers: a gateway is one process, which shares what it fetches")
    run.serve(
        functools.partial(application, settings, data=data, folder=folder, pacs=pacs),
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


def application(
    settings: config.Settings,
    *,
    data: Path | None = None,
    folder: Path | None = None,
    pacs: bool = False,
    read_only: bool = False,
) -> Application:
    """The HTTP door over a data folder, a folder in place or a PACS, for one process, to read only if so said."""
    stack = ExitStack()
    log = Log(access=settings.log.requests)
    spool: Spool | None = None
    workshop: Workshop | None = None
    workers = stack.enter_context(Workers(_worker_limits(settings.server.workers), threads.aside))
    if folder is not None:
        opened: Archive | Folder | Pacs = stack.enter_context(open_folder(folder, settings))
    elif pacs:
        data = gateway_folder(settings)
        opened = stack.enter_context(open_pacs(settings, log.event))
        spool, workshop = _storing(Spool(data / _SPOOL), workers, settings)
    else:
        assert data is not None, "one of the two is served"
        opened = stack.enter_context(open_archive(data, settings))
        if opened.sweep():  # a process died, maybe before it forgot what was made of what it deleted
            Kept(data / _CACHE, _EVERY_SIZE).forget(None)
        opened.index.fill_beside()
        spool, workshop = _storing(opened.spool, workers, settings)
    origin = opened.origin
    if read_only:
        origin = replace(origin, store=None, delete=None, update=None)
    maker = Maker(
        workers=workers,
        limits=limits(settings),
        secret=_secret(data, folder),
        kept=_kept(settings, data, folder, origin.retrieve),
    )
    home = _home(folder.resolve()) if folder is not None else data
    views = {} if pacs or home is None else _views(settings, stack, home, origin, maker)
    if isinstance(opened, Archive) and not pacs and not read_only and settings.views.convert_at_arrival:
        assert home is not None, "an archive is in a folder"
        converter = _converter(settings, opened, home / _VIEWS, log)
        stack.callback(converter.close)
        converter.start()
    return Application(
        origin,
        spool,
        workshop,
        _door(settings, is_archive=folder is None and not pacs),
        maker=maker,
        views=views,
        log=log,
        check_ready=opened.check_ready,
        on_close=stack.close,
    )


def _views(
    settings: config.Settings, stack: ExitStack, home: Path, origin: Origin, maker: Maker
) -> dict[str, tuple[Origin, Maker]]:
    """What an origin looks like converted and split. Its lists may be deleted while nobody serves."""
    folder = home / _VIEWS
    folder.mkdir(mode=0o700, exist_ok=True)
    found = {}
    for name in view.Name:
        path = folder / f"{name}-{view.EDITION}.sqlite"
        open_index = functools.partial(SqliteIndex, path, durable=False, **_bounds(settings))
        shown = stack.enter_context(closing(view.make(name, origin, open_index, folder, limits(settings)))).origin
        kept = Kept(home / _CACHE, settings.cache.disk_bytes, _is_current(shown.retrieve), aside=threads.aside)
        found[name.value] = (shown, replace(maker, kept=kept))
    return found


def _converter(settings: config.Settings, archive: Archive, folder: Path, log: Log) -> Converter:
    """Stores what is converted when series are quiet."""
    return Converter(
        origin=archive.origin,
        index=archive.index,
        folder=folder,
        arrival=archive.spool.arrival,
        remove=archive.deleter.delete,
        quiet_seconds=settings.views.quiet_seconds,
        tell=log.event,
        limits=limits(settings),
    )


def _storing(spool: Spool, workers: Workers, settings: config.Settings) -> tuple[Spool, Workshop]:
    """What an origin needs that can store."""
    workshop = Workshop(
        decoder=Decoder(workers), scratch=spool.scratch, limits=limits(settings), system=_system_name(settings)
    )
    return spool, workshop


def _kept(settings: config.Settings, data: Path | None, folder: Path | None, retrieve: Retrieve) -> Kept:
    home = _home(folder.resolve()) if folder is not None else data
    assert home is not None, "one of the two is served"

    if not settings.cache.disk_bytes:
        Kept(home / _CACHE, _EVERY_SIZE).forget(None)
    return Kept(home / _CACHE, settings.cache.disk_bytes, _is_current(retrieve), aside=threads.aside)


def _is_current(retrieve: Retrieve) -> Callable[[Facts], bool]:
    def is_current(facts: Facts) -> bool:
        try:
            with retrieve.retrieve(facts.target) as found:
                return next(found).facts.version == facts.version
        except errors.Fault:
            return False

    return is_current


def _secret(data: Path | None, folder: Path | None) -> PseudonymSecret:
    home = data if folder is None else _home(folder.resolve())
    return PseudonymSecret(None if home is None else home / _PSEUDONYMS)


def _sites(server: config.Server) -> tuple[tuple[str, str], ...]:
    """Names and tokens. WrongSetting for a token that cannot be read or that somebody could guess."""
    found = {}
    for said in server.sites:
        name, _, file = said.partition("=")
        try:
            token = Path(file).expanduser().read_text("ascii").strip()
        except (OSError, ValueError):
            raise config.WrongSetting(f"server.sites: the token of {name} cannot be read from its file") from None
        if name in found or len(token) < _SHORTEST_TOKEN or not token.isprintable() or " " in token:
            raise config.WrongSetting(
                f"server.sites: {name} needs one file with a token of {_SHORTEST_TOKEN} or more characters"
            )
        found[name] = token
    return tuple(found.items())


def _hosts(server: config.Server) -> tuple[str, ...] | None:
    """The names to answer to. Any, where access is open to others than this machine, unless some are set."""
    if not server.allowed_hosts and (server.no_auth or not urls.is_loopback(server.host)):
        return None
    own = urlsplit(server.public_url).hostname if server.public_url else None
    return (*server.allowed_hosts, *([own] if own else []))


def _worker_limits(servers: int) -> pixels.Limits:
    """As many processes for pictures as there are processors, of all processes that serve together."""
    return replace(pixels.DEFAULT, processes=max(1, -(-pixels.cores() // servers)))


def _door(settings: config.Settings, *, is_archive: bool) -> DoorSettings:
    store = settings.store
    can_change = store.allow_delete or store.allow_update or store.duplicates in {"replace", "keep-versions"}
    can_change |= settings.views.convert_at_arrival  # objects of a series that has grown go
    return DoorSettings(
        public_url=settings.server.public_url,
        trusted_proxies=settings.server.trusted_proxies,
        sites=_sites(settings.server),
        hosts=_hosts(settings.server),
        cors_origins=settings.server.cors_origins,
        strict=settings.search.strict,
        most=settings.search.most,
        body_bytes=settings.store.body_bytes,
        instance_bytes=settings.store.instance_bytes,
        parts=settings.store.parts,
        metadata_bytes=settings.store.metadata_bytes,
        expansion=settings.store.expansion,
        cache_seconds=settings.cache.seconds if is_archive and not can_change else 0,
        cache_memory=settings.cache.memory_bytes,
        cache_shared=settings.cache.shared,
        limits=limits(settings),
    )


@contextmanager
def following(folder: Path, settings: config.Settings, report: Callable[[Progress], None]) -> Iterator[None]:
    """While inside, another process keeps the folder's index up to date; `report` hears of it in a thread."""
    with extras.needed():
        from dicomgate.server import supervisor  # noqa: PLC0415 - what is only read needs no server
    here, there = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_follow, args=(folder, settings, there), daemon=True)
    with supervisor.interrupts_blocked():
        process.start()
    there.close()
    listener = threading.Thread(target=_listen, args=(here, report), daemon=True)
    listener.start()
    try:
        yield
    finally:
        with suppress(OSError):  # it may have ended by itself
            here.send_bytes(b"stop")
        process.join(timeout=10)
        if process.is_alive():
            process.terminate()
        listener.join(timeout=10)  # closing what a thread reads from would make it stumble
        here.close()


def _bounds(settings: config.Settings) -> dict[str, Any]:
    """How much one search of an index may take."""
    search = settings.search
    return {"most": search.most, "scan_rows": search.scan_rows, "scan_seconds": search.scan_seconds}


def _archive(data: Path, settings: config.Settings, blobs: LocalBlobs, index: SqliteIndex) -> Archive:
    spool = Spool(data / _SPOOL)
    return Archive(
        blobs=blobs,
        index=index,
        spool=spool,
        aside=Aside(data / _ASIDE),
        room=_room(data, settings, index),
        amender=Amender(spool, _system_name(settings)),
        intents=Intents(data / _INTENTS),
        coercion=_coercion(settings),
        replaced=Replaced(),
        duplicates=Duplicates(settings.store.duplicates),
        limits=limits(settings),
        allow_delete=settings.store.allow_delete,
        allow_update=settings.store.allow_update,
        keeps_originals=settings.store.keep_originals,
        forget=Kept(data / _CACHE, _EVERY_SIZE).forget,
    )


def _system_name(settings: config.Settings) -> str:
    """An empty one would leave a change without its author."""
    return settings.store.system_name or config.TABLE["store.system_name"].default


def _coercion(settings: config.Settings) -> Coercion:
    try:
        rules = assignments.parse_assignments(settings.store.coerce)
    except errors.Malformed as fault:
        raise config.WrongSetting(f"store.coerce: {fault.message}") from fault
    return Coercion(rules, takes_patient=settings.store.other_patient == "coerce")


def _room(data: Path, settings: config.Settings, index: SqliteIndex) -> Room:
    bounds = settings.store
    return Room(
        _reserve(data), lambda: index.counts().all_bytes, quota=bounds.quota_bytes, least_free=bounds.min_free_bytes
    )


def _reserve(data: Path) -> Reserve:
    return Reserve(data / _RESERVE)


def _listen(here: Connection, report: Callable[[Progress], None]) -> None:
    try:
        while True:
            report(here.recv())
    except (EOFError, OSError):
        return  # one of the two sides has ended


def _follow(folder: Path, settings: config.Settings, there: Connection) -> None:
    """The life of the process that reads a folder: it ends when its parent closes the pipe, or is gone."""
    import signal  # noqa: PLC0415 - only this process changes its signals

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with open_folder(folder, settings) as opened:
        opened.index.fill_beside()
        opened.follow(
            functools.partial(_is_open, there), functools.partial(_tell, there), interval=settings.folder.watch_seconds
        )


def _is_open(there: Connection) -> bool:
    return not there.poll()  # what can be read this way is the word to stop, or the end of the parent


def _tell(there: Connection, progress: Progress) -> None:
    try:
        there.send(progress)
    except OSError:
        raise SystemExit(0) from None


def is_archive(data: Path) -> bool:
    """True for a data folder, also when its index was lost."""
    return (data / INDEX).exists() or (data / _BLOBS).is_dir()


def _holds_other_files(data: Path) -> bool:
    """True when there is more than we make before there is an index, and than file systems and desktops leave."""
    names = (path.name for path in data.iterdir())
    return any(
        name not in {*_PLACES, "lost+found"} and not name.startswith((".", f"{INDEX}-", _FRESH)) for name in names
    )


@contextmanager
def _locked(data: Path, *, exclusive: bool) -> Iterator[None]:
    """Servers and stores share the folder; a rebuild has it alone."""
    if not data.is_dir():
        raise errors.NotFound(f"no such folder: {data}")
    with (data / _LOCK).open("a") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            who = "somebody uses" if exclusive else "an index is being rebuilt in"
            raise errors.Unavailable(f"{who} the data folder; try again when that has ended") from None
        yield


@contextmanager
def _old_index(data: Path, settings: config.Settings, blobs: LocalBlobs) -> Iterator[Index | None]:
    """The index that is to be rebuilt, if it can be opened; what it has given up is cleared, so as not to come back.

    Closing it merges its log into its file. One that cannot be read keeps its log.
    """
    index = None
    if schema.is_made(data / INDEX):
        with suppress(errors.Fault):
            index = SqliteIndex(data / INDEX)
    if index is None:
        yield None
        return
    with closing(index):
        with suppress(errors.Fault):
            _archive(data, settings, blobs, index).sweep()
        yield index


def _promoted(index: Index | None) -> list[Promoted]:
    """What was promoted in an index, as far as it can be read."""
    if index is not None:
        with suppress(errors.Fault):
            return [one for one in index.promoted() if one.state is not ColumnState.LEAVING]
    return []


def _has_log(database: Path) -> bool:
    log = _log(database)
    return log.exists() and log.stat().st_size > 0


def _log(database: Path) -> Path:
    return database.with_name(database.name + "-wal")


def _remove_database(database: Path) -> None:
    """The file first, and surely: without its log it would answer, but not with everything."""
    database.unlink(missing_ok=True)
    _sync_directory(database.parent)
    _log(database).unlink(missing_ok=True)
    database.with_name(database.name + "-shm").unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _home(root: Path) -> Path:
    """Where the index of a folder in place lives."""
    return _cache() / "folders" / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:32]}-{layout.VERSION}"


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "dicomgate"
