"""What was stored on a server, remembered between runs, so that a store that was cut off goes on where it stopped.

A file counts as stored only if this very file (path, size, time) was answered for and the server still has the
instance: the server may have been emptied since. The ledger holds fingerprints and UIDs, no names.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from dicomgate import errors
from dicomgate.client import search
from dicomgate.client.caller import Caller
from dicomgate.client.offers import Became, Receipt
from dicomgate.dicom.uids import Target, is_uid


class Ledger:
    """The memory of one server. A context manager; several runs may write to one at the same time."""

    def __init__(self, caller: Caller, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._caller = caller
        self._path = directory / hashlib.sha256(caller.root.encode()).hexdigest()[:32]
        self._targets = self._load()
        self._there: dict[Target, frozenset[str]] = {}
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def find(self, path: Path) -> Receipt | None:
        """The receipt of a file that need not be sent again, without reading it."""
        try:
            status = path.stat()
        except OSError:
            return None
        target = self._targets.get(_fingerprint(path, status.st_size, status.st_mtime_ns))
        if target is None or target.instance not in self._instances(Target(target.study, target.series)):
            return None
        return Receipt(path=path, became=Became.KNOWN, target=target, size=status.st_size)

    def note(self, receipt: Receipt) -> None:
        """A file was stored."""
        target = receipt.target
        assert target is not None, "what is stored has UIDs"
        fingerprint = _fingerprint(receipt.path, receipt.size, receipt.mtime_ns)
        line = f"{fingerprint.hex()} {target.study} {target.series} {target.instance}\n"
        os.write(self._file, line.encode("ascii"))

    def _load(self) -> dict[bytes, Target]:
        """Every whole line; one that a power cut tore is left out."""
        if not self._path.exists():
            return {}
        targets: dict[bytes, Target] = {}
        with self._path.open(encoding="ascii", errors="replace") as file:
            for line in file:
                words = line.split()
                if len(words) == 4 and line.endswith("\n") and _is_hex(words[0]) and all(map(is_uid, words[1:])):
                    study, series = sys.intern(words[1]), sys.intern(words[2])
                    targets[bytes.fromhex(words[0])] = Target(study, series, words[3])
        return targets

    def _instances(self, series: Target) -> frozenset[str]:
        """What the server has of a series now; nothing if it cannot say: then the files are sent again."""
        if series not in self._there:
            try:
                found = search.search(self._caller, f"/studies/{series.study}/series/{series.series}/instances")
                uids = frozenset(str(dataset.get("00080018", {}).get("Value", [""])[0]) for dataset in found)
            except (errors.UpstreamFailed, errors.NotFound, IndexError):
                uids = frozenset()
            self._there[series] = uids
        return self._there[series]


def _fingerprint(path: Path, size: int, mtime_ns: int) -> bytes:
    text = b"%s\0%d\0%d" % (os.fsencode(path.absolute()), size, mtime_ns)
    return hashlib.blake2b(text, digest_size=16).digest()


def _is_hex(word: str) -> bool:
    return len(word) == 32 and all(character in "0123456789abcdef" for character in word)


def directory() -> Path:
    """Where ledgers are kept: the user's state directory."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "dicomgate" / "stored"
