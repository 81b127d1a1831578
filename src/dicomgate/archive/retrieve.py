"""What is stored, given back: whole files, frames and values as spans of the blob, without parsing (PS3.18 §10.4)."""

from __future__ import annotations

import functools
import hashlib
import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NoReturn, Protocol, Self, cast

import xxhash

from dicomgate import errors
from dicomgate.archive import describe, layout
from dicomgate.archive.layout import Layout
from dicomgate.blobs.base import Blob, BlobStore
from dicomgate.dicom import frames, header, inflate, spans, syntaxes
from dicomgate.dicom.frames import NativeFrames
from dicomgate.dicom.header import Header, Limits
from dicomgate.dicom.uids import Target
from dicomgate.index import base
from dicomgate.index.base import Index, Row
from dicomgate.origin import Facts, Instance, Piece, Stretch, Version

PIXEL_DATA = "7FE00010"


class FileInstance(ABC):
    """One instance in a file; each call reads only what it needs. Subclasses know where its values and frames lie."""

    row: Row
    blobs: BlobStore

    @property
    def target(self) -> Target:
        """Which one."""
        return self.row.target

    @property
    def facts(self) -> Facts:
        """What is known without opening it."""
        row = self.row
        return Facts(
            target=row.target,
            sop_class=row.sop_class,
            transfer_syntax=row.transfer_syntax,
            size=row.size,
            digest=row.digest,
            version=row.digest or f"{row.size:x}-{row.received:.6f}",
            is_lossy=row.is_lossy,
            frame_count=row.frame_count,
            modified=row.received,
        )

    @property
    @abstractmethod
    def _layout(self) -> Layout:
        """Where everything lies."""

    @abstractmethod
    def _frame_chunk(self, number: int) -> bytes:
        """Where the frames of a chunk of them lie."""

    @abstractmethod
    def metadata(self) -> bytes:
        """The DICOM JSON text of its data set."""

    def _missed(self, fault: errors.NotFound) -> errors.Fault:
        """What to say of a file that is gone."""
        return fault

    @functools.cached_property
    def _syntax(self) -> syntaxes.Syntax:
        return syntaxes.TABLE[self.row.transfer_syntax]

    @property
    def is_sound(self) -> bool:
        """True when the stored file begins as PS3.10 says, and truly."""
        return self._layout.is_sound

    def file(self, span: range | None = None) -> Iterator[bytes]:
        """The file as stored. A whole one is checked on its way: damage ends in Unavailable before the last bytes."""
        whole = range(self.row.size)
        if span is not None and span != whole:
            return self._read_file([span])
        return self._checked(self._read_file([whole]))

    def frame(self, number: int, *, span: range | None = None) -> Piece:
        """A frame, from 1, in its stored encoding. NotAcceptable when fragments cannot be told apart."""
        table = self._layout.frames
        if table is None or not 1 <= number <= table.count:
            raise errors.NotFound(f"frame {number} does not exist; the instance has {table.count if table else 0}")
        if isinstance(table, NativeFrames):
            return self._native_frame(table, number, span)
        place = table.locate(number)
        if place is None:
            raise errors.NotAcceptable("the frames of this instance cannot be told apart; ask for the whole instance")
        return self._piece(self._fragments(*place), span, syntax=self._syntax.uid, vr="OB")

    def _fragments(self, chunk: int, entry: int) -> tuple[range, ...]:
        """Where a frame lies; the table that was looked at last stays, for the next frame is mostly in it too."""
        if chunk not in self._tables:
            table = frames.parse_chunk(self._frame_chunk(chunk))
            self._tables.clear()
            self._tables[chunk] = table
        return self._tables[chunk][entry]

    @functools.cached_property
    def _tables(self) -> dict[int, Sequence[tuple[range, ...]]]:
        return {}

    @functools.cached_property
    def _plain(self) -> Self:
        """The same without tables: places that are remembered hold on to it."""
        return cast(Self, replace(cast(Any, self)))

    def bulk(self, path: str, *, span: range | None = None) -> Piece:
        """A value that metadata names; compressed pixel data only when it is one frame, else NotAcceptable."""
        place = self._layout.bulk.get(path)
        if place is None:
            raise errors.NotFound("no such bulk data in this instance")
        if path == PIXEL_DATA and self._syntax.is_encapsulated:
            if self.row.frame_count > 1 and not self._syntax.is_video:
                raise errors.NotAcceptable("compressed pixel data of several frames is sent one part a frame")
            return self.frame(1, span=span)
        if place.pieces:
            return self._piece(place.pieces, span, syntax=self._syntax.uid, vr=place.vr)
        whole = range(place.offset, place.offset + place.length)
        if place.word == 1:
            return self._piece([whole], span, syntax=syntaxes.EXPLICIT_LITTLE, vr=place.vr)
        words = frames.swap_words(self._read([whole]), place.word)
        return self._made(words, span, size=place.length, vr=place.vr)

    def bulk_paths(self) -> Sequence[str]:
        """Every value that metadata names, in the order of the data set."""
        return tuple(self._layout.bulk)

    def _native_frame(self, table: NativeFrames, number: int, span: range | None) -> Piece:
        found = table.find(number)
        assert found is not None, "the number was checked"
        whole, first_bit, bits = found
        if first_bit == 0 and bits % 8 == 0 and table.swap_word == 1:
            return self._piece([whole], span, syntax=syntaxes.EXPLICIT_LITTLE, vr="OW")
        words = frames.swap_words(self._read([whole]), table.swap_word)
        return self._made(frames.cut_bits(words, first_bit, bits), span, size=-(-bits // 8), vr="OW")

    def _made(self, chunks: Iterator[bytes], span: range | None, *, size: int, vr: str) -> Piece:
        """A piece whose bytes are not those of the file."""
        wanted = range(size) if span is None else span
        return Piece(
            transfer_syntax=syntaxes.EXPLICIT_LITTLE, vr=vr, size=len(wanted), chunks=spans.cut(chunks, wanted)
        )

    def _piece(self, ranges: Sequence[range], span: range | None, *, syntax: str, vr: str) -> Piece:
        wanted = list(ranges) if span is None else spans.within(ranges, span)
        size = sum(len(part) for part in wanted)
        if self._syntax.is_deflated:
            return Piece(transfer_syntax=syntax, vr=vr, size=size, chunks=self._read_inflated(wanted))
        stretches = tuple(Stretch(self._plain._open, part) for part in wanted)  # noqa: SLF001 - of its own kind
        return Piece(transfer_syntax=syntax, vr=vr, size=size, chunks=self._read_file(wanted), stretches=stretches)

    def _read(self, ranges: Sequence[range]) -> Iterator[bytes]:
        """Spans of the file, or of the inflated data set when the syntax is deflated."""
        return self._read_inflated(ranges) if self._syntax.is_deflated else self._read_file(ranges)

    def _open(self) -> Blob:
        try:
            return self.blobs.open(self.row.key)
        except errors.NotFound as fault:
            raise self._missed(fault) from None

    def _read_file(self, ranges: Sequence[range]) -> Iterator[bytes]:
        with self._open() as blob:
            for part in ranges:
                yield from Stretch(lambda: blob, part).read()

    def _read_inflated(self, ranges: Sequence[range]) -> Iterator[bytes]:
        with self._open() as blob:
            for part in ranges:
                yield from inflate.read_range(blob, self._layout.dataset_offset, part)

    def _checked(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        expected = self._layout.checksum
        return checked(chunks, xxhash.xxh3_128(), expected) if expected else chunks


@dataclass(frozen=True)
class StoredInstance(FileInstance):
    """One instance of the archive, as the index knows it."""

    row: Row
    blobs: BlobStore
    index: Index
    limits: Limits = header.DEFAULT

    @functools.cached_property
    def _layout(self) -> Layout:
        try:
            return layout.parse_layout(self.index.layout(self.row))
        except errors.NotFound as fault:
            raise self._missed(fault) from None

    def metadata(self) -> bytes:
        """The DICOM JSON text that was prepared when it came; no file is opened."""
        try:
            return self.index.instance_metadata(self.row)
        except errors.NotFound as fault:
            raise self._missed(fault) from None

    def _frame_chunk(self, number: int) -> bytes:
        try:
            return self.index.frame_chunk(self.row, number)
        except errors.NotFound as fault:
            raise self._missed(fault) from None

    def _missed(self, fault: errors.NotFound) -> errors.Fault:
        """What to say of something that is gone: there is still such an instance when another file took its place."""
        row = self.index.find_row(self.row.target)
        if row is None:
            return fault
        if row.key != self.row.key:
            return errors.Changed("the instance was replaced while it was asked for; ask again")
        return errors.Damaged("the file of the instance is lost, or what the index knows of it")


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


def checked(chunks: Iterator[bytes], checksum: _Hash, expected: str) -> Iterator[bytes]:
    """Holds the last chunk back until the whole is known to be what was stored (D6)."""
    held: bytes | None = None
    for chunk in chunks:
        if held is not None:
            yield held
        checksum.update(chunk)
        held = chunk
    if checksum.hexdigest() != expected:
        raise errors.Unavailable("the stored bytes are damaged: they differ from what was stored")
    if held is not None:
        yield held


@dataclass(frozen=True)
class EarlierInstance(StoredInstance):
    """An earlier file of an instance: the index keeps no layout of it, so its header is read once more."""

    @functools.cached_property
    def _header(self) -> Header:
        with self._open() as blob:
            return header.read(blob, self.limits)

    @functools.cached_property
    def _layout(self) -> Layout:
        return layout.parse_layout(layout.format_layout(self._header, ""))

    def metadata(self) -> bytes:
        """Made from the header."""
        return describe.format_metadata(self._header)

    def _frame_chunk(self, number: int) -> bytes:
        return self._frame_chunks[number]

    @functools.cached_property
    def _frame_chunks(self) -> tuple[bytes, ...]:
        assert self._header.frames is not None, "the layout told of frames"
        return self._header.frames.chunks()

    def _checked(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        return checked(chunks, hashlib.sha256(), self.row.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retriever:
    """The way out. `limits` are those of the way in: what was taken can be rewritten too."""

    blobs: BlobStore
    index: Index
    limits: Limits = header.DEFAULT

    @contextmanager
    def retrieve(self, target: Target) -> Iterator[Iterator[Instance]]:
        """The instances of a target in the index's stable order. NotFound, or Gone when it was deleted."""
        rows = self.index.locate(target)
        first = next(rows, None)
        if first is None:
            self._miss(target)
        else:
            yield (StoredInstance(row, self.blobs, self.index, self.limits) for row in itertools.chain([first], rows))

    def metadata(self, target: Target) -> tuple[str, Iterator[bytes]]:
        """A version that changes with the answer, and the DICOM JSON text of each instance; no file is opened."""
        version, texts = self.index.metadata(target)
        first = next(texts, None)
        if first is None:
            self._miss(target)
        return version, itertools.chain([first], texts)

    def changed(self, study: str, since: int) -> tuple[int, bool]:
        """The number of the last change, and whether the study may have changed after another."""
        return self.index.changed(study, since)

    def is_quiet(self, since: int) -> bool:
        """True when there was no change at all after another; at once."""
        return self.index.is_quiet(since)

    def versions(self, target: Target) -> Sequence[Version]:
        """Every file of one instance, the oldest first; the last is the one that is served."""
        row = self._row(target)
        earlier = self.index.versions(target)
        current = Version(
            number=len(earlier) + 1,
            why="",
            transfer_syntax=row.transfer_syntax,
            size=row.size,
            digest=row.digest,
            received=row.received,
        )
        return [*map(_past, earlier), current]

    def version(self, target: Target, number: int) -> Instance:
        """One of them. NotFound when there is none of this number."""
        row, earlier = self._row(target), self.index.versions(target)
        if number == len(earlier) + 1:
            return StoredInstance(row, self.blobs, self.index, self.limits)
        for one in earlier:
            if one.number == number:
                return self._earlier(row, one)
        raise errors.NotFound(f"no version {number} of this instance; it has {len(earlier) + 1}")

    def _earlier(self, row: Row, version: base.Version) -> Instance:
        with self.blobs.open(version.key) as blob:
            seen = header.read(blob, self.limits)
        described = describe.describe(seen, key=version.key, size=version.size, digest=version.digest, checksum="")
        past = replace(
            row,
            key=version.key,
            sop_class=described.sop_class,
            transfer_syntax=described.transfer_syntax,
            size=version.size,
            digest=version.digest,
            original_digest=version.original_digest,
            received=version.received,
            is_lossy=described.is_lossy,
            frame_count=described.frame_count,
        )
        return EarlierInstance(past, self.blobs, self.index, self.limits)

    def _row(self, target: Target) -> Row:
        row = self.index.find_row(target)
        if row is None:
            self._miss(target)
        return row

    def _miss(self, target: Target) -> NoReturn:
        word = target.level.name.lower()
        if self.index.was_deleted(target):
            raise errors.Gone(f"the {word} was deleted")
        raise errors.NotFound(f"no such {word} here")


def _past(version: base.Version) -> Version:
    return Version(
        number=version.number,
        why=version.why.value,
        transfer_syntax=version.transfer_syntax,
        size=version.size,
        digest=version.digest,
        received=version.received,
    )
