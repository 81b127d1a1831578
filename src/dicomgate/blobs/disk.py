"""The calls to the operating system that decide whether bytes survive a crash, in one place.

Tests put another disk here, which records their order or fails like a broken one.
"""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path


class Disk:
    """A file system as the operating system offers it. Every call raises OSError."""

    def open(self, path: Path, flags: int) -> int:
        """A descriptor; new files are readable by their owner only."""
        return os.open(path, flags | os.O_CLOEXEC, 0o600)

    def write(self, descriptor: int, content: memoryview) -> int:
        """How many bytes were taken."""
        return os.write(descriptor, content)

    def sync(self, descriptor: int) -> None:
        """Return when the file's (directory's) content is on stable storage."""
        if sys.platform == "darwin":
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync stops at the drive's cache there
        else:
            os.fsync(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name, at once."""
        os.rename(old, new)  # noqa: PTH104 (one style in this file)

    def unlink(self, path: Path) -> None:
        """Take a name away."""
        os.unlink(path)  # noqa: PTH108

    def make_directory(self, path: Path) -> None:
        """Make a directory that is not there yet."""
        os.mkdir(path, 0o700)  # noqa: PTH102

    def remove_directory(self, path: Path) -> None:
        """Remove an empty directory."""
        os.rmdir(path)  # noqa: PTH106

    def sync_directory(self, path: Path) -> None:
        """Make the names in a directory durable."""
        descriptor = self.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.sync(descriptor)
        finally:
            os.close(descriptor)


class FastDisk(Disk):
    """A file system whose writes nobody waits for: for copies of what is safe elsewhere."""

    def sync(self, descriptor: int) -> None:
        """Nothing: the operating system writes when it likes."""
