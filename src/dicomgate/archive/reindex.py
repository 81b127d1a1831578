"""The index again, from the blobs alone (D6): same rows, same answers, whatever order the files are read in."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from dataclasses import replace

import xxhash

from dicomgate import errors
from dicomgate.archive import describe, policy
from dicomgate.archive.verify import Damage
from dicomgate.blobs.base import Blob, BlobStore
from dicomgate.dicom import header
from dicomgate.index.base import Entry, Index, Sent, Verdict

_STEP = 1 << 20
_BATCH = 64


def reindex(
    blobs: BlobStore,
    index: Index,
    *,
    limits: header.Limits,
    duplicates: policy.Duplicates,
    before: Index | None = None,
    left_out: Container[str] = (),
    progress: Callable[[int], None],
) -> Iterator[Damage]:
    """Fill an empty index from every blob, oldest first; what cannot be read is named and left where it is.

    `before`: the index that was there, as far as it can be read: it alone knows what was deleted, and what was sent
    where that was changed on the way in. `left_out`: files of corrections that did not end; the ones that they would
    have replaced are there.
    """
    batch: list[Entry] = []
    for key in sorted(key for key in blobs.keys() if key not in left_out):  # noqa: SIM118 - a blob store is no dict
        try:
            with blobs.open(key) as blob:
                entry = _describe(key, blob, limits)
        except errors.Fault as fault:
            yield Damage(key=key, problem=fault.message)
            continue
        progress(entry.size)
        batch.append(entry)
        if len(batch) == _BATCH:
            yield from _add(index, _as_sent(batch, before), duplicates)
            batch.clear()
    yield from _add(index, _as_sent(batch, before), duplicates)
    if before is not None:
        with suppress(errors.Unavailable):
            _remember_removed(before, index)


def _as_sent(batch: list[Entry], before: Index | None) -> list[Entry]:
    """The entries with the digests of what was sent, which only the index before knows."""
    sent: dict[str, Sent] = {}
    if before is not None:
        with suppress(errors.Unavailable):
            sent = before.sent(entry.key for entry in batch)
    return [
        replace(entry, original_digest=known.original_digest)
        if (known := sent.get(entry.key)) is not None and known.digest == entry.digest
        else entry
        for entry in batch
    ]


def _remember_removed(before: Index, index: Index) -> None:
    targets = before.removed()
    while batch := list(itertools.islice(targets, _BATCH)):
        index.remember_removed(batch)


def _describe(key: str, blob: Blob, limits: header.Limits) -> Entry:
    seen = header.read(blob, limits)
    refused = policy.examine(seen, None)
    if refused is not None:
        raise errors.Malformed(refused.message)
    digest, checksum = hashlib.sha256(), xxhash.xxh3_128()
    for offset in range(0, blob.size, _STEP):
        chunk = blob.read_at(offset, min(_STEP, blob.size - offset))
        digest.update(chunk)
        checksum.update(chunk)
    return describe.describe(
        seen,
        key=key,
        size=blob.size,
        digest=digest.hexdigest(),
        checksum=checksum.hexdigest(),
        received=os.fstat(blob.fileno()).st_mtime,
    )


def _add(index: Index, batch: list[Entry], duplicates: policy.Duplicates) -> Iterator[Damage]:
    for entry, added in zip(batch, index.add_many(batch, policy.judge_again(duplicates)), strict=True):
        if added.verdict is Verdict.KEEP_OLD:
            yield Damage(key=entry.key, problem="a second file of this instance")
