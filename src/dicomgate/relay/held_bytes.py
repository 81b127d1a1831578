"""The bytes that are held, as they are offered to a destination: as they came, compared on the way, or compressed."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

import xxhash

from dicomgate import errors
from dicomgate.archive import lone
from dicomgate.blobs.base import Blob, BlobStore
from dicomgate.client.offers import NOWHERE, Offer
from dicomgate.dicom import header, syntaxes
from dicomgate.dicom.header import Limits
from dicomgate.dicom.source import Source
from dicomgate.index.errands import Held
from dicomgate.representations import transcoding
from dicomgate.representations.maker import Maker
from dicomgate.spool import Arrival, Spool

_STEP: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What is sent of an instance; `let_go` when that is over. `made`: the file that is sent, if not the one held."""

    held: Held
    offer: Offer
    made: Source | None = None
    let_go: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparing:
    """Makes offers of what is held. `maker` None: everything is sent as it came."""

    blobs: BlobStore
    spool: Spool
    maker: Maker | None = None
    limits: Limits = header.DEFAULT

    def offer(self, held: Held, transfer_syntax: str = "") -> Offered:
        """An instance as it came, or in a transfer syntax into which its pictures can be brought without a loss.

        What cannot be, or is compressed already, is sent as it came. Never raises: what is wrong with the bytes shows
        when they are sent.
        """
        if transfer_syntax and self.maker is not None and not _is_encapsulated(held.transfer_syntax):
            with suppress(errors.Fault, OSError):
                return self._compressed(self.maker, held, transfer_syntax)
        return Offered(held=held, offer=self._as_it_came(held))

    def _as_it_came(self, held: Held) -> Offer:
        def opens() -> BinaryIO:
            try:
                return cast(BinaryIO, _Compared(self.blobs.open(held.key), held.checksum))
            except errors.Fault as fault:
                raise OSError(0, fault.message) from fault

        return Offer(path=NOWHERE, size=held.size, mtime_ns=0, target=held.target, opens=opens)

    def _compressed(self, maker: Maker, held: Held, transfer_syntax: str) -> Offered:
        instance = lone.open_blob(self.blobs, held.key, self.limits)
        if not instance.facts.frame_count:
            return Offered(held=held, offer=self._as_it_came(held))
        with _Compared(self.blobs.open(held.key), held.checksum) as file:
            while file.read(_STEP):
                pass  # damage is seen before anything is made of it
        arrival = self.spool.arrival()
        try:
            for chunk in transcoding.make_file(maker, instance, transfer_syntax).chunks:
                arrival.write(chunk)
            arrival.finish()
        except BaseException:
            arrival.discard()
            raise
        return Offered(held=held, offer=_made(held, arrival), made=arrival.source(), let_go=arrival.discard)


def _made(held: Held, arrival: Arrival) -> Offer:
    content = arrival.content()
    if isinstance(content, Path):
        status = content.stat()
        return Offer(path=content, size=status.st_size, mtime_ns=status.st_mtime_ns, target=held.target)
    return Offer(path=NOWHERE, size=len(content), mtime_ns=0, target=held.target, content=content)


def _is_encapsulated(uid: str) -> bool:
    found = syntaxes.find(uid)
    return found is None or found.is_encapsulated


class _Compared(io.RawIOBase):
    """A stored file that is compared with its checksum before its last byte is given: damage is never sent on (D6)."""

    def __init__(self, blob: Blob, checksum: str) -> None:
        super().__init__()
        self._blob = blob
        self._checksum = checksum
        self._seen = xxhash.xxh3_128()
        self._place = 0

    def readable(self) -> bool:
        """It is only read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes. OSError in place of the last ones where what lies there is not what came."""
        chunk = self._blob.read_at(self._place, min(size, _STEP) if size >= 0 else _STEP)
        self._place += len(chunk)
        self._seen.update(chunk)
        if self._place == self._blob.size and self._seen.hexdigest() != self._checksum:
            raise OSError(0, "what is held is damaged: it is not what came")
        return chunk

    def close(self) -> None:
        """Let go of the file."""
        self._blob.close()
        super().close()
