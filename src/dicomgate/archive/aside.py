"""Instances that contradict what is stored, kept aside for a person to look at (T10): bounded, nothing promised."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from dicomgate.dicom.outcomes import Refused
from dicomgate.spool import Arrival

_STEP = 1 << 20


@dataclass(frozen=True, slots=True)
class Aside:
    """A folder of refused files, one `<digest>.dcm` and one `<digest>.json` each; the oldest go when it is full."""

    directory: Path
    most_bytes: int = 1 << 30
    most_files: int = 1000

    def keep(self, arrival: Arrival, refused: Refused) -> None:
        """Keep a copy of what came and why it was refused. Nothing is promised: without room it is left out."""
        if arrival.size > self.most_bytes:
            return
        path = self.directory / f"{arrival.digest}.dcm"
        source = arrival.source()
        note = path.with_suffix(".json")
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._make_room(arrival.size)
            note.write_bytes(orjson.dumps(_note(arrival, refused)))  # first, for who makes room looks for the copy
            with path.open("wb") as file:
                for offset in range(0, arrival.size, _STEP):
                    file.write(source.read_at(offset, min(_STEP, arrival.size - offset)))
        except OSError:
            path.unlink(missing_ok=True)
            note.unlink(missing_ok=True)

    def notes(self) -> Iterator[dict[str, Any]]:
        """What is kept aside and why, oldest first."""
        for path, _ in self._by_age("*.json"):
            with suppress(FileNotFoundError, orjson.JSONDecodeError):  # made room, or is being written
                yield orjson.loads(path.read_bytes())

    def _make_room(self, size: int) -> None:
        kept = self._by_age("*.dcm")
        room = self.most_bytes - sum(length for _, length in kept)
        count = len(kept)
        for path, length in kept:
            if room >= size and count < self.most_files:
                return
            path.unlink(missing_ok=True)
            path.with_suffix(".json").unlink(missing_ok=True)
            room += length
            count -= 1

    def _by_age(self, pattern: str) -> list[tuple[Path, int]]:
        """The files with their sizes, but for those that another thread or process has removed meanwhile."""
        found = []
        for path in self.directory.glob(pattern):
            with suppress(FileNotFoundError):
                status = path.stat()
                found.append((status.st_mtime_ns, path, status.st_size))
        return [(path, size) for _, path, size in sorted(found)]


def _note(arrival: Arrival, refused: Refused) -> dict[str, Any]:
    assert refused.target is not None, "it contradicts what is stored"
    return {
        "received": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "reason": f"{refused.reason:04X}",
        "why": refused.message,
        "study": refused.target.study,
        "series": refused.target.series,
        "instance": refused.target.instance,
        "size": arrival.size,
        "digest": arrival.digest,
        "original_digest": arrival.original_digest,
    }
