"""The files in which made things are kept: written aside and renamed, not synced; its sum tells a torn one."""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path
from typing import Final

import xxhash

_HEAD: Final = struct.Struct("<8sIQ")
_MAGIC: Final = b"DGKEPT01"
_SUM: Final = 16
_ACCOUNT: Final = struct.Struct("<qq8s")
_ASIDE: Final = ".aside"


def find(path: Path) -> tuple[bytes, bytes] | None:
    """What is said and the bytes, used now; None when it is not there or not whole, and then it goes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        with open(descriptor, "rb", closefd=True) as file:
            found = _parse(path.name, file.read())
            if found is not None:
                with contextlib.suppress(OSError):
                    os.utime(file.fileno())
                return found
    except OSError:
        return None
    with contextlib.suppress(OSError):
        path.unlink()  # the account counts it until the next look at everything
    return None


def write(path: Path, made: tuple[bytes, bytes]) -> None:
    """Written aside and renamed. OSError, and then nothing is left, as far as the disk lets it go."""
    aside = path.with_name(path.name + _ASIDE)
    said, content = made
    pieces = [_HEAD.pack(_MAGIC, len(said), len(content)), said, content]
    try:
        aside.unlink(missing_ok=True)
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb", closefd=True) as file:
            file.writelines((*pieces, _checksum(path.name, *pieces)))
        aside.rename(path)
    except OSError:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise


def size_of(made: tuple[bytes, bytes]) -> int:
    """Bytes of the file."""
    return _HEAD.size + len(made[0]) + len(made[1]) + _SUM


def is_aside(name: str) -> bool:
    """Whether a file of this name is being written, or was left so."""
    return name.endswith(_ASIDE)


def read_account(descriptor: int) -> tuple[int, int] | None:
    """Bytes and files; None when it was not written, or not whole."""
    content = os.pread(descriptor, _ACCOUNT.size, 0)
    if len(content) != _ACCOUNT.size or content[16:] != xxhash.xxh3_64_digest(content[:16]):
        return None
    held, files, _ = _ACCOUNT.unpack(content)
    return held, files


def write_account(descriptor: int, held: int, files: int) -> None:
    """Put both numbers down. OSError."""
    numbers = struct.pack("<qq", held, files)
    os.pwrite(descriptor, numbers + xxhash.xxh3_64_digest(numbers), 0)


def _checksum(name: str, *pieces: bytes) -> bytes:
    """Also of the name: a file under another name is another thing."""
    made = xxhash.xxh3_128(name.encode())
    for piece in pieces:
        made.update(piece)
    return made.digest()


def _parse(name: str, content: bytes) -> tuple[bytes, bytes] | None:
    if len(content) < _HEAD.size + _SUM:
        return None
    magic, said, length = _HEAD.unpack_from(content)
    if magic != _MAGIC or len(content) != _HEAD.size + said + length + _SUM:
        return None
    if _checksum(name, content[:-_SUM]) != content[-_SUM:]:
        return None
    start = _HEAD.size + said
    return content[_HEAD.size : start], content[start:-_SUM]
