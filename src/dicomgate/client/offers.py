"""Files on offer: read just far enough to know which instance each holds, and gathered into requests."""

from __future__ import annotations

import enum
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from dicomgate import errors
from dicomgate.dicom import header, outcomes
from dicomgate.dicom.outcomes import Reason, Refused
from dicomgate.dicom.source import FileSource
from dicomgate.dicom.uids import Target

NOWHERE = Path()
"""The path of what is no file."""
_MAGIC_PLACE, _MAGIC = 128, b"DICM"
_DIRECTORY_RECORD = "1.2.840.10008.1.3.10"
_UIDS = ("00080018", "0020000D", "0020000E")


class Became(enum.StrEnum):
    """What became of a file."""

    STORED = "stored"
    KNOWN = "known"  # it was there already
    OFFERED = "offered"  # it would be sent
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    FOREIGN = "foreign"  # not a DICOM file at all

    @property
    def is_failure(self) -> bool:
        """True when somebody should look at it."""
        return self in (Became.REFUSED, Became.UNREADABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of one file, and why; `code` is a Failure Reason or Warning Reason of the standard.

    `size` and `mtime_ns` are those of the file that was sent.
    """

    path: Path
    became: Became
    target: Target | None = None
    code: int | None = None
    detail: str = ""
    size: int = 0
    mtime_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A file that holds an instance. `mtime_ns` tells whether it is still the same one.

    `content`: the file itself, where it is in memory and at no path (`NOWHERE`). `opens`: what opens it each time that
    it is sent, where it is at no path either.
    """

    path: Path
    size: int
    mtime_ns: int
    target: Target
    content: bytes | None = field(default=None, repr=False)
    opens: Callable[[], BinaryIO] | None = field(default=None, repr=False)


def walk(paths: Iterable[Path]) -> Iterator[Path]:
    """The files that are meant: those named, and all below the folders named, by name."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, names in os.walk(path):
            folders.sort()
            yield from (Path(folder, name) for name in sorted(names))


def read(path: Path) -> Offer | Receipt:
    """The offer that a file makes, or why it makes none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as fault:
        return Receipt(path=path, became=Became.UNREADABLE, detail=fault.strerror or "cannot be opened")
    try:
        return _read(path, descriptor)
    except OSError as fault:
        return Receipt(path=path, became=Became.UNREADABLE, detail=fault.strerror or "cannot be read")
    finally:
        os.close(descriptor)


def _read(path: Path, descriptor: int) -> Offer | Receipt:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return Receipt(path=path, became=Became.FOREIGN, detail="not a file")
    source = FileSource(descriptor)
    try:
        seen = header.read(source)
    except errors.Fault as fault:
        if source.read_at(_MAGIC_PLACE, len(_MAGIC)) != _MAGIC:
            return Receipt(path=path, became=Became.FOREIGN, detail="not a DICOM file")
        return _receipt(path, Became.UNREADABLE, Refused(outcomes.reason_of(fault), fault.message))
    if seen.meta.get("00020002", {}).get("Value") == [_DIRECTORY_RECORD]:
        return Receipt(path=path, became=Became.FOREIGN, detail="a DICOMDIR")
    if seen.target is None:
        is_there = all(seen.attributes.get(tag, {}).get("Value") for tag in _UIDS)
        return _receipt(path, Became.REFUSED, Refused(Reason.MALFORMED_UID if is_there else Reason.MISSING_UID))
    return Offer(path=path, size=status.st_size, mtime_ns=status.st_mtime_ns, target=seen.target)


def _receipt(path: Path, became: Became, refused: Refused) -> Receipt:
    """What any server would say of it, for it says so of itself."""
    return Receipt(path=path, became=became, code=int(refused.reason), detail=refused.message)


def gather(offers: Iterable[Offer], *, most_bytes: int, most_files: int) -> Iterator[list[Offer]]:
    """Bundles within both bounds, a large file alone; never two files of one instance, for a report tells only UIDs."""
    bundle: list[Offer] = []
    instances: set[str | None] = set()
    size = 0
    for offer in offers:
        is_full = len(bundle) >= most_files or size + offer.size > most_bytes or offer.target.instance in instances
        if bundle and is_full:
            yield bundle
            bundle, instances, size = [], set(), 0
        bundle.append(offer)
        instances.add(offer.target.instance)
        size += offer.size
    if bundle:
        yield bundle
