"""A file on its own as an instance: no folder, no index; nothing is written (PS3.10)."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

from dicomgate import errors
from dicomgate.archive import describe, layout, policy
from dicomgate.archive.layout import Layout
from dicomgate.archive.retrieve import FileInstance
from dicomgate.blobs.base import BlobStore
from dicomgate.blobs.folder import FolderBlobs, format_key
from dicomgate.dicom import header
from dicomgate.dicom.header import Header, Limits
from dicomgate.index.base import Row


@dataclass(frozen=True)
class LoneInstance(FileInstance):
    """An instance whose header was read just now."""

    row: Row
    blobs: BlobStore
    header: Header

    @functools.cached_property
    def _layout(self) -> Layout:
        return layout.parse_layout(layout.format_layout(self.header, ""))

    def _frame_chunk(self, number: int) -> bytes:
        return self._frame_chunks[number]

    @functools.cached_property
    def _frame_chunks(self) -> tuple[bytes, ...]:
        assert self.header.frames is not None, "the layout told of frames"
        return self.header.frames.chunks()

    def metadata(self) -> bytes:
        """Made from the header."""
        return describe.format_metadata(self.header)


def open_file(path: Path, limits: Limits = header.DEFAULT) -> LoneInstance:
    """The instance in a file.

    NotFound when there is no such file, Malformed and TooLarge when it cannot be read, and Malformed, too, when it says
    of itself what no instance that is kept may say.
    """
    whole = path.resolve()
    found = open_blob(FolderBlobs(whole.parent), format_key(whole.name), limits, name=f"{path}: ")
    return replace(found, row=replace(found.row, received=whole.stat().st_mtime))


def open_blob(blobs: BlobStore, key: str, limits: Limits = header.DEFAULT, *, name: str = "") -> LoneInstance:
    """The instance under a key of a blob store. The faults of `open_file`; `name` begins what is said of it."""
    with blobs.open(key) as source:
        seen = header.read(source, limits)
        size = source.size
    refused = policy.examine(seen, None)
    if refused is not None:
        raise errors.Malformed(f"{name}{refused.message}")
    described = describe.describe(seen, key=key, size=size, digest="", checksum="")
    row = Row(
        number=0,
        key=key,
        target=described.target,
        sop_class=described.sop_class,
        transfer_syntax=described.transfer_syntax,
        size=size,
        digest="",
        original_digest="",
        received=described.received,
        is_lossy=described.is_lossy,
        frame_count=described.frame_count,
    )
    return LoneInstance(row, blobs, seen)
