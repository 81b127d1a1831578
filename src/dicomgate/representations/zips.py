"""ZIP archives that leave as they are made (PKWARE APPNOTE 6.3; application/zip of RFC 6713).

A member whose bytes exist is stored as it is, with its checksum before it, so that any reader, also one that reads
from a stream, takes it; where all are such, the archive's length is known and any span of it can be made alone. What is
made while it leaves is deflated and followed by what is known of it then. The central directory comes last, so an
answer that broke off is never an archive.
"""

from __future__ import annotations

import itertools
import tempfile
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dicomgate import errors
from dicomgate.representations import zip_records
from dicomgate.representations.zip_records import BOUNDS, Bounds, Record

HELD: Final = 4 << 20
"""A member no longer than this is read once, and held until its checksum is known; a longer one is read twice."""
PAUSE: Final = b""
"""Given while nothing leaves for a while, so that whoever waits can look whether anybody still does."""
_LEVEL: Final = 1
_DIRECTORY_HELD: Final = 1 << 20
_STEP: Final = 1 << 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file whose bytes exist. `read` gives all of them (None) or a span, as often as wanted.

    `identity`: by it the checksum is known again; empty when nothing says surely which bytes these are.
    """

    name: str
    modified: float
    size: int
    read: Callable[[range | None], Iterator[bytes]]
    identity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeMember:
    """A file that is made while it leaves; `most` bounds its size, None where no bound is known."""

    name: str
    modified: float
    most: int | None
    chunks: Iterator[bytes]


class Checksums:
    """Checksums of members, by identity: who resumes a download does not wait until all before it is read again."""

    def __init__(self, most: int = 1 << 16) -> None:
        self._most = most
        self._known: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, identity: str) -> int | None:
        """The checksum, None when it is not known."""
        with self._lock:
            if identity in self._known:
                self._known.move_to_end(identity)
            return self._known.get(identity)

    def keep(self, identity: str, checksum: int) -> None:
        """Remember one; those that nobody asked for the longest are forgotten."""
        if not identity:
            return
        with self._lock:
            self._known[identity] = checksum
            if len(self._known) > self._most:
                self._known.popitem(last=False)


Prepared = tuple[Record, list[bytes] | None]
"""What is said of a member, and its bytes where they are held already."""


class StoredArchive:
    """An archive of members that all exist: its size is known, any span of it can be read. No byte is read before."""

    def __init__(self, members: Sequence[Member], checksums: Checksums, bounds: Bounds = BOUNDS) -> None:
        self._members = members
        self._checksums = checksums
        self._bounds = bounds
        self._offsets = list(itertools.accumulate(map(self._full_size, members), initial=0))
        ends = zip(members, self._offsets, strict=False)
        # How long a line of the directory is does not depend on the checksum.
        self._lines = [len(zip_records.write_central(self._record(each), at, bounds)) for each, at in ends]
        directory = sum(self._lines)
        self._end = zip_records.write_end(len(members), directory, self._offsets[-1], bounds)
        self.size = self._offsets[-1] + directory + len(self._end)

    def read(self, span: range | None = None) -> Iterator[bytes]:
        """The whole, or a span of it. Faults as those of the members' `read`; Unavailable when one has another size."""
        wanted = range(self.size) if span is None else span
        for member, offset in zip(self._members, self._offsets, strict=False):
            if offset < wanted.stop and offset + self._full_size(member) > wanted.start:
                yield from self._read_member(member, offset, wanted)
        at = self._offsets[-1]
        for member, offset, length in zip(self._members, self._offsets, self._lines, strict=False):
            if at < wanted.stop and at + length > wanted.start:
                checksum = yield from self._checksum(member)
                line = zip_records.write_central(replace(self._record(member), checksum=checksum), offset, self._bounds)
                yield line[_within(wanted, at, length)]
            at += length
        if at < wanted.stop:
            yield self._end[_within(wanted, at, len(self._end))]

    def _record(self, member: Member) -> Record:
        return _stored(member, self._bounds)

    def _full_size(self, member: Member) -> int:
        is_large = member.size >= self._bounds.size
        return zip_records.local_size(member.name, is_large=is_large) + member.size

    def _checksum(self, member: Member) -> Generator[bytes, None, int]:
        record, _ = yield from _prepare(member, self._checksums, self._bounds, is_sent=False)
        return record.checksum

    def _read_member(self, member: Member, offset: int, wanted: range) -> Iterator[bytes]:
        length = self._full_size(member) - member.size
        inside = _within(wanted, offset + length, member.size)
        is_whole = (inside.start, inside.stop) == (0, member.size)
        if offset + length > wanted.start:
            record, held = yield from _prepare(member, self._checksums, self._bounds, is_sent=is_whole)
            yield zip_records.write_local(record)[_within(wanted, offset, length)]
            if is_whole:
                yield from _content(member, record, held)
                return
        if inside.start < inside.stop:
            yield from member.read(range(inside.start, inside.stop))


def stream(members: Iterable[Member | MadeMember], checksums: Checksums, bounds: Bounds = BOUNDS) -> Iterator[bytes]:
    """An archive of members that come one after the other. Faults as theirs; memory does not grow with their number."""
    with tempfile.SpooledTemporaryFile(_DIRECTORY_HELD) as directory:
        at = count = 0
        for member in members:
            record, length = yield from _write(member, checksums, bounds)
            directory.write(zip_records.write_central(record, at, bounds))
            at += length
            count += 1
        size = directory.tell()
        directory.seek(0)
        while chunk := directory.read(_STEP):
            yield chunk
        yield zip_records.write_end(count, size, at, bounds)


def _write(
    member: Member | MadeMember, checksums: Checksums, bounds: Bounds
) -> Generator[bytes, None, tuple[Record, int]]:
    """One member; what is said of it, and how many bytes it took."""
    if isinstance(member, MadeMember):
        return (yield from _deflate(member, bounds))
    record, held = yield from _prepare(member, checksums, bounds, is_sent=True)
    head = zip_records.write_local(record)
    yield head
    yield from _content(member, record, held)
    return record, len(head) + member.size


def _stored(member: Member, bounds: Bounds) -> Record:
    return Record(
        name=member.name,
        modified=member.modified,
        method=zip_records.STORED,
        is_large=member.size >= bounds.size,
        is_followed=False,
        stored_size=member.size,
        size=member.size,
    )


def _prepare(
    member: Member, checksums: Checksums, bounds: Bounds, *, is_sent: bool
) -> Generator[bytes, None, Prepared]:
    """Find the checksum: the one that is known, or of all bytes, which are held where they are few and will be sent."""
    record = _stored(member, bounds)
    known = checksums.find(member.identity)
    if known is not None:
        return replace(record, checksum=known), None
    held: list[bytes] = []
    is_held = is_sent and member.size <= HELD
    checksum = 0
    for chunk in _measured(member):
        checksum = zlib.crc32(chunk, checksum)
        if is_held:
            held.append(chunk)
        else:
            yield PAUSE
    checksums.keep(member.identity, checksum)
    return replace(record, checksum=checksum), held if is_held else None


def _content(member: Member, record: Record, held: list[bytes] | None) -> Iterator[bytes]:
    """All bytes of a member whose checksum has left already. Unavailable when they came to be others since."""
    if held is not None:
        yield from held
        return
    checksum = 0
    for chunk in _measured(member):
        if not member.identity:  # nobody else looks whether they are the same
            checksum = zlib.crc32(chunk, checksum)
        yield chunk
    if not member.identity and checksum != record.checksum:
        raise errors.Unavailable("a file was changed while it was sent")


def _measured(member: Member) -> Iterator[bytes]:
    size = 0
    for chunk in member.read(None):
        size += len(chunk)
        if size > member.size:
            break
        yield chunk
    if size != member.size:
        raise errors.Unavailable(f"a file of {member.size} bytes has another size now")


def _deflate(member: MadeMember, bounds: Bounds) -> Generator[bytes, None, tuple[Record, int]]:
    most = member.most
    record = Record(
        name=member.name,
        modified=member.modified,
        method=zip_records.DEFLATED,
        is_large=most is None or most + most // 1000 + 1000 >= bounds.size,
        is_followed=True,
    )
    head = zip_records.write_local(record)
    yield head
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    checksum = size = stored_size = 0
    for chunk in member.chunks:
        checksum, size = zlib.crc32(chunk, checksum), size + len(chunk)
        piece = compressor.compress(chunk)
        stored_size += len(piece)
        yield piece
    rest = compressor.flush()
    stored_size += len(rest)
    yield rest
    if not record.is_large and max(size, stored_size) >= bounds.size:
        raise errors.Unavailable("a file became larger than could be known before it was made")
    record = replace(record, checksum=checksum, size=size, stored_size=stored_size)
    descriptor = zip_records.write_descriptor(record)
    yield descriptor
    return record, len(head) + stored_size + len(descriptor)


def _within(span: range, before: int, size: int) -> slice:
    """What of a piece that begins at `before` lies in the span."""
    return slice(min(max(span.start - before, 0), size), min(max(span.stop - before, 0), size))
