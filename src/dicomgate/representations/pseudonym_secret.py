"""The secret behind the other names of de-identified copies: made once, kept with the data, never told (PS3.15 §E.1.1).

With it copies of one study stay one study, whichever process makes them and when. Lost, later copies get other names.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from dicomgate import errors
from dicomgate.dicom.deidentification import Pseudonyms

_SIZE: Final = 32


@dataclass(frozen=True)
class PseudonymSecret:
    """A secret in a file, which is made when it is first needed; without a file one for the life of the process."""

    path: Path | None = None
    _own: bytes = field(default_factory=lambda: secrets.token_bytes(_SIZE), repr=False)

    @cached_property
    def pseudonyms(self) -> Pseudonyms:
        """Unavailable when the file can neither be read nor made."""
        return Pseudonyms(self._own if self.path is None else self._read(self.path))

    def _read(self, path: Path) -> bytes:
        try:
            try:
                found = path.read_bytes()
            except FileNotFoundError:
                self._make(path)
                found = path.read_bytes()
        except OSError as fault:
            raise errors.Unavailable(
                f"the secret of de-identified copies cannot be read or made: {fault.strerror}"
            ) from fault
        if len(found) != _SIZE:
            raise errors.Unavailable(f"the secret of de-identified copies: expected {_SIZE} bytes, saw {len(found)}")
        return found

    def _make(self, path: Path) -> None:
        """Whole or not at all, and of two processes at once only one does."""
        descriptor, name = tempfile.mkstemp(prefix=".", dir=path.parent)  # only its owner may read it
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._own)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(name, path)
            except FileExistsError:
                return  # another process was first
        finally:
            Path(name).unlink()
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
