"""Where things lie on disk, and who may use them at a time."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dicomgate import errors
from dicomgate.archive import layout

INDEX = "index.sqlite"
FRESH = "index.rebuilt.sqlite"
BLOBS = "blobs"
SPOOL = "spool"
ASIDE = "aside"
RESERVE = "reserve"
_LOCK = "lock"
INTENTS = "corrections"
CACHE = "cache"
VIEWS = "views"
PSEUDONYMS = "pseudonyms"  # what the other names in de-identified copies are derived from
_PLACES = (BLOBS, SPOOL, ASIDE, RESERVE, _LOCK, INTENTS, PSEUDONYMS, CACHE, VIEWS)


def is_archive(data: Path) -> bool:
    """True for a data folder, also when its index was lost."""
    return (data / INDEX).exists() or (data / BLOBS).is_dir()


def holds_other_files(data: Path) -> bool:
    """True when there is more than we make before there is an index, and than file systems and desktops leave."""
    names = (path.name for path in data.iterdir())
    return any(
        name not in {*_PLACES, "lost+found"} and not name.startswith((".", f"{INDEX}-", FRESH)) for name in names
    )


@contextmanager
def locked(data: Path, *, exclusive: bool) -> Iterator[None]:
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


def has_log(database: Path) -> bool:
    """True while a database has a log that is not merged into its file."""
    log = _log(database)
    return log.exists() and log.stat().st_size > 0


def _log(database: Path) -> Path:
    return database.with_name(database.name + "-wal")


def remove_database(database: Path) -> None:
    """The file first, and surely: without its log it would answer, but not with everything."""
    database.unlink(missing_ok=True)
    sync_directory(database.parent)
    _log(database).unlink(missing_ok=True)
    database.with_name(database.name + "-shm").unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """Make what was named and removed in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def home(root: Path) -> Path:
    """Where the index of a folder in place lives."""
    return cache_home() / "folders" / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:32]}-{layout.VERSION}"


def cache_home() -> Path:
    """Where a user's caches lie."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "dicomgate"
