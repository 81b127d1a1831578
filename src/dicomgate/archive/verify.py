"""Read every stored file and compare it with what was stored; name rows without bytes and bytes without rows (D6)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dicomgate import errors
from dicomgate.blobs.base import BlobStore
from dicomgate.index.base import Index

_STEP = 1 << 20
_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One thing that is not as it was stored."""

    key: str
    problem: str


def verify(blobs: BlobStore, index: Index, progress: Callable[[int], None]) -> Iterator[Damage]:
    """Every damage found; `progress` hears the number of bytes read each time."""
    for key, digest, size in index.keys():  # noqa: SIM118 - an index is no dict
        problem = _examine(blobs, key, digest, size, progress)
        if problem:
            yield Damage(key=key, problem=problem)
    yield from _strays(blobs, index)


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
    except OSError as fault:
        return f"the file cannot be read: {fault.strerror}"
    if size != expected_size:
        return f"the file has {size} bytes, {expected_size} were stored"
    if digest.hexdigest() != expected:
        return "the bytes differ from what was stored"
    return None


def _strays(blobs: BlobStore, index: Index) -> Iterator[Damage]:
    keys: list[str] = []
    for key in blobs.keys():  # noqa: SIM118 - nor is a blob store
        keys.append(key)
        if len(keys) == _BATCH:
            yield from _unknown(index, keys)
            keys.clear()
    yield from _unknown(index, keys)


def _unknown(index: Index, keys: list[str]) -> Iterator[Damage]:
    for key in sorted(set(keys) - index.known_keys(keys)):
        yield Damage(key=key, problem="no row knows this file")
