"""A folder that the user gave, read in place: its files are blobs, their paths the keys. Nothing is ever written."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

from dicomgate import errors
from dicomgate.blobs.file import FileBlob

_NOT_TEXT = re.compile("[%\udc80-\udcff]")
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EACCES, errno.ELOOP, errno.ENXIO})
_READ_ONLY = "this folder is only read"


def format_key(path: str) -> str:
    """The key of a relative path. File names need not be text: bytes that are no UTF-8, and %, become %XX."""
    return _NOT_TEXT.sub(lambda found: f"%{os.fsencode(found[0])[0]:02X}", path)


def parse_key(key: str) -> str:
    """The relative path that a key was made from."""
    return os.fsdecode(unquote_to_bytes(key)) if "%" in key else key


class FolderBlobs:
    """The regular files under a folder.

    A symbolic link is followed as long as what it points at lies in the folder too (data sets kept by git-annex are
    such); a link that leads out is refused, unless `follow_out` is set: the folder's owner may have meant it.
    """

    def __init__(self, root: Path, *, follow_out: bool = False) -> None:
        self._root = Path(os.path.realpath(root))
        self._follow_out = follow_out

    def open(self, key: str) -> FileBlob:
        """Open for reading. NotFound when it is absent, no regular file, or outside of the folder."""
        path = parse_key(key)
        if not path or "\0" in path or path.startswith("/") or ".." in path.split("/"):
            raise errors.NotFound("this is no key of a file in the folder")
        resolved = os.path.realpath(self._root / path)
        if not self._follow_out and not resolved.startswith(f"{str(self._root).rstrip('/')}/"):
            raise errors.NotFound("this file is a link that leads out of the folder")
        try:
            # Not blocking, for a pipe would hold us; no link, for the path has none left unless it was just changed.
            return FileBlob(os.open(resolved, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW))
        except OSError as error:
            if error.errno in _ABSENT:
                raise errors.NotFound(f"this file cannot be opened: {error.strerror}") from error
            raise errors.Unavailable(f"opening a file failed: {error.strerror}") from error

    def keys(self) -> Iterator[str]:
        """Every regular file's key, directory by directory, in the order of names; unreadable ones are skipped."""
        waiting = [""]
        while waiting:
            directory = waiting.pop()
            inner = []
            for entry in self._entries(directory):
                path = f"{directory}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    inner.append(f"{path}/")
                elif _is_file(entry):
                    yield format_key(path)
            waiting += reversed(inner)

    def _entries(self, directory: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._root / directory) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError:
            return []

    def new_key(self, after: str = "") -> str:  # noqa: ARG002 (the joint's signature)
        """Refused."""
        raise errors.NotAllowed(_READ_ONLY)

    def require_sound(self) -> None:
        """Refused."""
        raise errors.NotAllowed(_READ_ONLY)

    def put(self, key: str, content: bytes | Path) -> None:  # noqa: ARG002
        """Refused."""
        raise errors.NotAllowed(_READ_ONLY)

    def settle(self, key: str) -> None:
        """Nothing is ever under way."""

    def delete(self, *keys: str) -> None:  # noqa: ARG002
        """Refused."""
        raise errors.NotAllowed(_READ_ONLY)

    def sweep(self, known: Callable[[list[str]], set[str]]) -> int:  # noqa: ARG002
        """Nothing is ever left."""
        return 0

    def close(self) -> None:
        """Nothing is held."""


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False
