"""Read every stored file and compare it with what was stored; name rows without bytes and bytes without rows (D6)."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dicomgate import errors
from dicomgate.blobs.base import BlobStore
from dicomgate.index.base import Index

_STEP = 1 << 20
_BATCH = 500
_MOST_GARBAGE = 1 << 20
_PATIENCE = 5.0
_PAUSE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One thing that is not as it was stored."""

    key: str
    problem: str


def verify(blobs: BlobStore, index: Index, progress: Callable[[int], None]) -> Iterator[Damage]:
    """Every damage found; `progress` hears the number of bytes read each time.

    Others may store and delete meanwhile: what they change while it is looked at is no damage.
    """
    for key, digest, size in index.keys():  # noqa: SIM118 - an index is no dict
        problem = _examine(blobs, key, digest, size, progress)
        if problem and index.known_keys([key]):
            yield Damage(key=key, problem=problem)
    for key in _stays(blobs, index, list(_unknown(blobs, index))):
        yield Damage(key=key, problem="no row knows this file")


def _examine(
    blobs: BlobStore, key: str, expected: str, expected_size: int, progress: Callable[[int], None]
) -> str | None:
    digest = hashlib.sha256()
    size = 0
    try:
        with blobs.open(key) as blob:
            while chunk := blob.read_at(size, _STEP):
                digest.update(chunk)
                size += len(chunk)
                progress(len(chunk))
    except errors.NotFound:
        return "the file is missing"
    except errors.Unavailable as fault:
        return f"the file cannot be read: {fault.message}"
    if size != expected_size:
        return f"the file has {size} bytes, {expected_size} were stored"
    if digest.hexdigest() != expected:
        return "the bytes differ from what was stored"
    return None


def _unknown(blobs: BlobStore, index: Index) -> Iterator[str]:
    every = blobs.keys()
    while keys := list(itertools.islice(every, _BATCH)):
        yield from sorted(set(keys) - index.known_keys(keys))


def _stays(blobs: BlobStore, index: Index, unknown: list[str]) -> list[str]:
    """Those that nobody knows after a while either.

    Of a file that is being stored the row comes, of one that was deleted the bytes go.
    """
    deadline = time.monotonic() + _PATIENCE
    while unknown:
        expected = index.known_keys(unknown) | set(index.garbage(_MOST_GARBAGE))
        unknown = [key for key in unknown if key not in expected and _is_there(blobs, key)]
        if time.monotonic() >= deadline:
            break
        time.sleep(_PAUSE)
    return unknown


def _is_there(blobs: BlobStore, key: str) -> bool:
    try:
        blobs.open(key).close()
    except errors.NotFound:
        return False
    return True
