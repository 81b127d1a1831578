"""The HTTP door over whatever is served, for one process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from dicomgate import config, errors
from dicomgate.archive.archive import Archive
from dicomgate.archive.folder import Folder
from dicomgate.assembly import archives, gateways, places
from dicomgate.composition.content import Workshop
from dicomgate.dimse.pacs import Pacs
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
from dicomgate.server.logs import Log
from dicomgate.server.settings import Settings as DoorSettings
from dicomgate.spool import Spool
from dicomgate.views import view
from dicomgate.views.afar import Afar
from dicomgate.views.arrival import Converter

_SHORTEST_TOKEN = 24


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
    workers = stack.enter_context(Workers(worker_limits(settings.server.workers), threads.aside))
    if folder is not None:
        opened: Archive | Folder | Pacs = stack.enter_context(archives.open_folder(folder, settings))
    elif pacs:
        data = gateways.gateway_folder(settings)
        opened = stack.enter_context(gateways.open_pacs(settings, log.event))
        spool, workshop = _storing(Spool(data / places.SPOOL), workers, settings)
    else:
        assert data is not None, "one of the two is served"
        opened = stack.enter_context(archives.open_archive(data, settings))
        if opened.sweep():  # a process died, maybe before it forgot what was made of what it deleted
            Kept(data / places.CACHE, archives.EVERY_SIZE).forget(None)
        opened.index.fill_beside()
        spool, workshop = _storing(opened.spool, workers, settings)
    origin = opened.origin
    if read_only:
        origin = replace(origin, store=None, delete=None, update=None)
    maker = Maker(
        workers=workers,
        limits=archives.limits(settings),
        secret=_secret(data, folder),
        kept=_kept(settings, data, folder, origin.retrieve),
    )
    home = places.home(folder.resolve()) if folder is not None else data
    if isinstance(opened, Pacs):
        assert home is not None, "a gateway keeps what it fetches in a folder"
        shown = replace(origin, retrieve=opened.whole)
        views = views_of(settings, stack, home, shown, maker, afar=opened.whole)
    else:
        views = {} if home is None else views_of(settings, stack, home, origin, maker)
    if isinstance(opened, Archive) and not pacs and not read_only and settings.views.convert_at_arrival:
        assert home is not None, "an archive is in a folder"
        converter = _converter(settings, opened, home / places.VIEWS, log)
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


def views_of(
    settings: config.Settings, stack: ExitStack, home: Path, origin: Origin, maker: Maker, *, afar: Afar | None = None
) -> dict[str, tuple[Origin, Maker]]:
    """What an origin looks like converted and split. Its lists may be deleted while nobody serves.

    `afar` brings studies of a distant origin.
    """
    folder = home / places.VIEWS
    folder.mkdir(mode=0o700, exist_ok=True)
    found = {}
    for name in view.Name:
        path = folder / f"{name}-{view.EDITION}.sqlite"
        kept_list = _List(path, settings)
        made = view.make(
            name,
            origin,
            kept_list.open,
            folder,
            archives.limits(settings),
            afar=afar,
            discard=kept_list.discard,
        )
        shown = stack.enter_context(closing(made)).origin
        kept = Kept(home / places.CACHE, settings.cache.disk_bytes, _is_current(shown.retrieve), aside=threads.aside)
        found[name.value] = (shown, replace(maker, kept=kept))
    return found


class _List:
    """What a view has listed; begun anew where it cannot be read: all of it can be told again from what is stored."""

    def __init__(self, path: Path, settings: config.Settings) -> None:
        self._path = path
        self._bounds = archives.bounds(settings)
        self._file = 0

    def open(self) -> SqliteIndex:
        """The list, an empty one in place of a file that is none of ours."""
        try:
            index = SqliteIndex(self._path, durable=False, **self._bounds)
        except (errors.Conflict, errors.Damaged):
            places.remove_database(self._path)
            index = SqliteIndex(self._path, durable=False, **self._bounds)
        self._file = self._path.stat().st_ino
        return index

    def discard(self) -> None:
        """Remove the file that was opened; what another process began in its place stays."""
        with suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._file:
                places.remove_database(self._path)


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
        limits=archives.limits(settings),
    )


def _storing(spool: Spool, workers: Workers, settings: config.Settings) -> tuple[Spool, Workshop]:
    """What an origin needs that can store."""
    workshop = Workshop(
        decoder=Decoder(workers),
        scratch=spool.scratch,
        limits=archives.limits(settings),
        system=archives.system_name(settings),
    )
    return spool, workshop


def _kept(settings: config.Settings, data: Path | None, folder: Path | None, retrieve: Retrieve) -> Kept:
    home = places.home(folder.resolve()) if folder is not None else data
    assert home is not None, "one of the two is served"

    if not settings.cache.disk_bytes:
        Kept(home / places.CACHE, archives.EVERY_SIZE).forget(None)
    return Kept(home / places.CACHE, settings.cache.disk_bytes, _is_current(retrieve), aside=threads.aside)


def _is_current(retrieve: Retrieve) -> Callable[[Facts], bool]:
    def is_current(facts: Facts) -> bool:
        try:
            with retrieve.retrieve(facts.target) as found:
                return next(found).facts.version == facts.version
        except errors.Fault:
            return False

    return is_current


def _secret(data: Path | None, folder: Path | None) -> PseudonymSecret:
    home = data if folder is None else places.home(folder.resolve())
    return PseudonymSecret(None if home is None else home / places.PSEUDONYMS)


def worker_limits(servers: int) -> pixels.Limits:
    """As many processes for pictures as there are processors, of all processes that serve together."""
    return replace(pixels.DEFAULT, processes=max(1, -(-pixels.cores() // servers)))


def _door(settings: config.Settings, *, is_archive: bool) -> DoorSettings:
    store = settings.store
    can_change = store.allow_delete or store.allow_update or store.duplicates in {"replace", "keep-versions"}
    can_change |= settings.views.convert_at_arrival  # objects of a series that has grown go
    return DoorSettings(
        public_url=settings.server.public_url,
        trusted_proxies=settings.server.trusted_proxies,
        sites=sites(settings.server),
        site_seconds=settings.server.site_seconds,
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
        limits=archives.limits(settings),
    )


def sites(server: config.Server) -> tuple[tuple[str, str], ...]:
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
