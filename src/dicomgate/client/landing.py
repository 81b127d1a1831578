"""Files on their way into a folder: partial under no final name, checked, then renamed, so that a run can be killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dicomgate import errors
from dicomgate.dicom import header
from dicomgate.dicom.limits import Limits
from dicomgate.dicom.source import FileSource
from dicomgate.dicom.uids import Target

PARTIAL: Final = ".dicomgate-partial"
"""The folder, beside what is complete, for what is not; what a killed run left there is swept by the next one."""
_ENDING: Final = ".dcm"


class LandingPlace:
    """A folder that is filled: `STUDY/SERIES/INSTANCE.dcm`. Any number of threads may use it at once."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits
        self._partial = folder / PARTIAL
        self._number = 0
        self._lock = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """For this run alone. Unavailable while another run fills the folder."""
        self._partial.mkdir(parents=True, exist_ok=True)
        with (self._partial / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise errors.Unavailable(f"another run fills {self.folder}; wait until it has ended") from None
            for path in self._partial.iterdir():
                if path.name != "lock":
                    path.unlink()
            try:
                yield
            finally:
                shutil.rmtree(self._partial, ignore_errors=True)

    def path(self, target: Target, ending: str = _ENDING) -> Path:
        """Where a series or instance stands when it is complete. UIDs are digits and dots: no path leads out."""
        parts = [target.study, target.series or "", target.instance or ""]
        names = [part for part in parts if part]
        return self.folder.joinpath(*names[:-1], names[-1] + ending)

    def complete(self, series: Target) -> set[str]:
        """The instances of a series that are here."""
        place = self.path(series, "")
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return {path.name.removesuffix(_ENDING) for path in place.iterdir() if path.name.endswith(_ENDING)}
        return set()

    def begin(self) -> PartialFile:
        """A file that is not complete."""
        with self._lock:
            self._number += 1
            return PartialFile(self._partial / str(self._number), self.limits)

    def land(self, partial: PartialFile, path: Path) -> None:
        """Make it complete: its bytes on stable storage, then its name."""
        partial.sync()
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.path.replace(path)


class PartialFile:
    """Bytes in a file that has no final name."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        self.size = 0
        self._limits = limits
        self._file = path.open("w+b")

    def write(self, data: bytes | memoryview) -> None:
        """The next bytes. OSError when the disk is full."""
        self.size += self._file.write(data)

    def check(self) -> Target:
        """Which instance the file holds. Malformed when it is no whole DICOM file of one."""
        self._file.flush()
        seen = header.read(FileSource(self._file.fileno()), self._limits)
        if seen.target is None:
            raise errors.Malformed("the file does not say which instance it is")
        return seen.target

    def sync(self) -> None:
        """Bring it to stable storage, and close it."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def discard(self) -> None:
        """Remove it, unless it has its final name by now."""
        self._file.close()
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Arriving:
    """One file of a series on its way; it lands if it is one of those that are waited for."""

    place: LandingPlace
    partial: PartialFile
    series: Target
    waited: set[str]
    landed: dict[str, int]
    tell: Callable[[int], None]

    def write(self, data: bytes | memoryview) -> None:
        """The next bytes."""
        self.partial.write(data)
        self.tell(len(data))

    def finish(self) -> None:
        """Check it and give it its name. Malformed when it is damaged; another than was asked for is passed over."""
        target = self.partial.check()
        is_asked = (target.study, target.series) == (self.series.study, self.series.series)
        if is_asked and target.instance in self.waited:
            self.place.land(self.partial, self.place.path(target))
            self.waited.discard(target.instance)
            self.landed[target.instance] = self.partial.size

    def discard(self) -> None:
        """It did not come whole, or it has landed."""
        self.partial.discard()


def write_whole(place: LandingPlace, path: Path, chunks: Iterable[bytes]) -> int:
    """A file from chunks, complete or not there; its size."""
    partial = place.begin()
    try:
        for chunk in chunks:
            partial.write(chunk)
        place.land(partial, path)
    finally:
        partial.discard()
    return partial.size
