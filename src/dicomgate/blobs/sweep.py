"""Removing for good: what a dead process left half done, and directories that deletes have emptied (D5)."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

from dicomgate.blobs import places, runs
from dicomgate.blobs.disk import Disk

Known = Callable[[list[str]], set[str]]

_NOT_EMPTY = frozenset({errno.ENOTEMPTY, errno.EEXIST})
_BATCH = 500


def sweep_dead(disk: Disk, root: Path, known: Known) -> int:
    """Remove what nobody knows where processes died, and their markers. How many files. Raises OSError."""
    swept = 0
    for marker in sorted((root / runs.MARKERS).iterdir()):
        if places.is_run(marker.name):
            with runs.seized(marker) as is_ours:
                if is_ours:
                    swept += _sweep_run(disk, root, marker.name, known)
                    disk.unlink(marker)
    return swept


def tidy(disk: Disk, root: Path, directory: Path) -> None:
    """Make deletions in a directory durable; let it go if it is empty and nobody writes there. Raises OSError."""
    try:
        disk.sync_directory(directory)
        if not (root / runs.MARKERS / directory.name).exists():
            _remove_if_empty(disk, directory)
    except FileNotFoundError:
        return  # another process was quicker


def _sweep_run(disk: Disk, root: Path, run: str, known: Known) -> int:
    """The caller holds the marker's lock: whoever wrote here is dead, and nobody else begins."""
    directory = root / run
    keys = places.keys(root, run)
    wanted = {places.path(root, key).name for key in _those_known(keys, known)}
    orphans = [name for name in places.names(directory) if name not in wanted and places.is_ours(name)]
    for name in orphans:
        disk.unlink(directory / name)
    if directory.is_dir():
        disk.sync_directory(directory)
        _remove_if_empty(disk, directory)
    return len(orphans)


def _those_known(keys: list[str], known: Known) -> set[str]:
    wanted: set[str] = set()
    for start in range(0, len(keys), _BATCH):
        wanted |= known(keys[start : start + _BATCH])
    return wanted


def _remove_if_empty(disk: Disk, directory: Path) -> None:
    try:
        disk.remove_directory(directory)
    except OSError as error:
        if error.errno not in _NOT_EMPTY:
            raise
