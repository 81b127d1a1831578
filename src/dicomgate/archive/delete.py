"""Forgetting on request: out of view in one transaction, then the bytes, then the answer (D7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from dicomgate import errors
from dicomgate.archive.room import Room
from dicomgate.blobs.base import BlobStore
from dicomgate.dicom.uids import Target
from dicomgate.index.base import Index

_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleter:
    """The way to nothing."""

    blobs: BlobStore
    index: Index
    room: Room
    forget: Callable[[Target], None]

    def delete(self, target: Target) -> int:
        """How many instances were removed; the bytes are gone too, so that no rebuild brings them back."""
        removed = self.room.reserve.help_out(lambda: self.index.remove(target))
        if removed:
            self.forget(target)
            self.clear_garbage()
            self.room.count_again()
            return removed
        word = target.level.name.lower()
        if self.index.was_deleted(target):
            raise errors.Gone(f"the {word} was deleted before")
        raise errors.NotFound(f"no such {word} here")

    def clear_garbage(self) -> int:
        """Delete the blobs that the index has given up: after a delete, a replacement, or a crash between the two."""
        cleared = 0
        while keys := self.index.garbage(_BATCH):
            self.blobs.delete(*keys)
            self.room.reserve.help_out(partial(self.index.forget_garbage, keys))
            cleared += len(keys)
        return cleared
