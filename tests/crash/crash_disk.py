"""Small file systems of our own, where mounting is allowed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(where: Path, kind: str, megabytes: int, image: Path | None = None) -> Iterator[Path]:
    """A new file system of this size, for as long as the block lasts. Skips the test where that is not allowed."""
    where.mkdir(exist_ok=True)
    if kind == "tmpfs":
        _try("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "dicomgate-test", str(where))
    else:
        image = image or where.with_suffix(".image")
        if not image.exists():
            with image.open("wb") as file:
                file.truncate(megabytes << 20)
            _try(f"mkfs.{kind}", "-q", "-F", "-b", "4096", "-m", "0", str(image))
        # Nothing is written back by itself while a test runs.
        options = "loop,commit=300" if kind == "ext4" else "loop"
        _try("mount", "-t", kind, "-o", options, str(image), str(where))
    try:
        yield where
    finally:
        if subprocess.run(["umount", str(where)], check=False).returncode:
            subprocess.run(["umount", "--lazy", str(where)], check=True)


def _try(*command: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip(f"{command[0]} is not installed")
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")


def free(where: Path) -> int:
    status = os.statvfs(where)
    return status.f_bavail * status.f_frsize


def fill(ballast: Path, leave: int) -> None:
    """Let so many bytes be free, by a file of somebody else's."""
    with ballast.open("ab") as file:
        for step in (1 << 20, 1 << 12, 1):
            while free(ballast.parent) - step >= leave:
                try:
                    file.write(bytes(step))
                    file.flush()
                except OSError:
                    break
                if step == 1:
                    break
