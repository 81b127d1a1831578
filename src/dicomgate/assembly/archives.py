"""Archives and folders in place, opened and rebuilt."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from dicomgate import config, errors
from dicomgate.archive.amending import Amender
from dicomgate.archive.archive import Archive
from dicomgate.archive.aside import Aside
from dicomgate.archive.coercion import Coercion
from dicomgate.archive.folder import Folder
from dicomgate.archive.intents import Intents
from dicomgate.archive.policy import Duplicates
from dicomgate.archive.replaced import Replaced
from dicomgate.archive.reserve import Reserve
from dicomgate.archive.room import Room
from dicomgate.archive.verify import Damage
from dicomgate.assembly import places
from dicomgate.blobs.folder import FolderBlobs
from dicomgate.blobs.local import LocalBlobs
from dicomgate.dicom import assignments, header
from dicomgate.index import schema
from dicomgate.index.base import ColumnState, Index, Promoted
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.representations.kept import Kept
from dicomgate.spool import Spool

EVERY_SIZE = 1 << 62  # for who only forgets, whatever the setting says here


def limits(settings: config.Settings) -> header.Limits:
    """The bounds on one data set."""
    return settings.limits.bounds()


@contextmanager
def open_archive(data: Path, settings: config.Settings, *, create: bool = True) -> Iterator[Archive]:
    """The archive in a data folder, which is made if it is missing.

    Unavailable while it is being rebuilt, and when its index is missing: an empty one would take what is stored for
    left-overs. Malformed for a folder with somebody's files in it: nothing is ever written beside those.
    """
    if not create and not (data / places.INDEX).exists():
        raise errors.NotFound(f"no archive in {data}")
    data.mkdir(parents=True, exist_ok=True)  # the blob store, which begins below, makes its name durable
    if not places.is_archive(data) and places.holds_other_files(data):
        raise errors.Malformed(
            f"{data} holds files and is no data folder; name a new or empty one, "
            f'or serve the files where they lie: "dicomgate serve {data}"'
        )
    with places.locked(data, exclusive=False):
        if (data / places.FRESH).exists():
            places.remove_database(data / places.FRESH)  # of a rebuild that was killed
        blobs = LocalBlobs(data / places.BLOBS)
        try:
            if next(blobs.keys(), None) is not None and not schema.is_made(data / places.INDEX):
                raise errors.Unavailable(
                    f'the index of {data} is missing; build it from the stored files: "dicomgate admin reindex {data}"'
                )
            open_index = functools.partial(SqliteIndex, data / places.INDEX, **bounds(settings))
            with closing(_reserve(data).help_out(open_index)) as index:
                yield make_archive(data, settings, blobs, index)
        finally:
            blobs.close()


def rebuild(data: Path, settings: config.Settings, progress: Callable[[int], None]) -> Iterator[Damage]:
    """Build the index again from the blobs alone and put it in place. Unavailable while a server uses the folder.

    Killed at any moment, it leaves the old index whole, or no index, or the new one. NotFound where no archive is.
    """
    if not places.is_archive(data):
        raise errors.NotFound(f"no archive in {data}")
    fresh, old = data / places.FRESH, data / places.INDEX
    with places.locked(data, exclusive=True):
        places.remove_database(fresh)
        with (
            closing(LocalBlobs(data / places.BLOBS)) as blobs,
            _old_index(data, settings, blobs) as before,
            closing(SqliteIndex(fresh)) as index,
        ):
            for one in _promoted(before):
                index.promote(one.path, one.creator)
            yield from make_archive(data, settings, blobs, index).reindex(index, progress, before)
        if places.has_log(fresh):
            raise errors.Unavailable("the new index could not be finished; the one there was stays")
        if places.has_log(old):
            places.remove_database(old)
        fresh.replace(old)
        places.sync_directory(data)


@contextmanager
def open_folder(folder: Path, settings: config.Settings) -> Iterator[Folder]:
    """A folder read in place; its index lives in the user's cache, never beside the files."""
    if not folder.is_dir():
        raise errors.NotFound(f"no such folder: {folder}")
    root = folder.resolve()
    home = places.home(root)
    home.mkdir(parents=True, exist_ok=True)
    index = SqliteIndex(home / places.INDEX, durable=False, **bounds(settings))
    kept = Kept(home / places.CACHE, EVERY_SIZE)
    try:
        yield Folder(
            root=root, blobs=FolderBlobs(root), index=index, limits=limits(settings), forget=lambda: kept.forget(None)
        )
    finally:
        index.close()


@contextmanager
def open_index(folder: Path, settings: config.Settings) -> Iterator[Index]:
    """The index of a data folder, or of a folder that was served in place before. NotFound where there is none."""
    if places.is_archive(folder):
        with open_archive(folder, settings, create=False) as archive:
            yield archive.index
    elif (places.home(folder.resolve()) / places.INDEX).exists():
        with open_folder(folder, settings) as opened:
            yield opened.index
    else:
        raise errors.NotFound(f"{folder} is neither a data folder nor a folder that was served in place")


def bounds(settings: config.Settings) -> dict[str, Any]:
    """How much one search of an index may take."""
    search = settings.search
    return {"most": search.most, "scan_rows": search.scan_rows, "scan_seconds": search.scan_seconds}


def make_archive(data: Path, settings: config.Settings, blobs: LocalBlobs, index: SqliteIndex) -> Archive:
    """An archive of the settings over bytes and an index that are open."""
    spool = Spool(data / places.SPOOL)
    return Archive(
        blobs=blobs,
        index=index,
        spool=spool,
        aside=Aside(data / places.ASIDE),
        room=_room(data, settings, index),
        amender=Amender(spool, system_name(settings)),
        intents=Intents(data / places.INTENTS),
        coercion=_coercion(settings),
        replaced=Replaced(),
        duplicates=Duplicates(settings.store.duplicates),
        limits=limits(settings),
        allow_delete=settings.store.allow_delete,
        allow_update=settings.store.allow_update,
        keeps_originals=settings.store.keep_originals,
        forget=Kept(data / places.CACHE, EVERY_SIZE).forget,
    )


def system_name(settings: config.Settings) -> str:
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
    return Reserve(data / places.RESERVE)


@contextmanager
def _old_index(data: Path, settings: config.Settings, blobs: LocalBlobs) -> Iterator[Index | None]:
    """The index that is to be rebuilt, if it can be opened; what it has given up is cleared, so as not to come back.

    Closing it merges its log into its file. One that cannot be read keeps its log.
    """
    index = None
    if schema.is_made(data / places.INDEX):
        with suppress(errors.Fault):
            index = SqliteIndex(data / places.INDEX)
    if index is None:
        yield None
        return
    with closing(index):
        with suppress(errors.Fault):
            make_archive(data, settings, blobs, index).sweep()
        yield index


def _promoted(index: Index | None) -> list[Promoted]:
    """What was promoted in an index, as far as it can be read."""
    if index is not None:
        with suppress(errors.Fault):
            return [one for one in index.promoted() if one.state is not ColumnState.LEAVING]
    return []
