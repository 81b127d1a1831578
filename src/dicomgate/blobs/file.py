"""A blob that is a file."""

from __future__ import annotations

import os
import stat
from types import TracebackType
from typing import Self

from dicomgate import errors


class FileBlob:
    """A regular file, open for reading. Owns its descriptor."""

    def __init__(self, descriptor: int) -> None:
        """NotFound unless the descriptor is of a regular file; then it is closed."""
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise errors.NotFound("what is stored under this key is no regular file")
        self._descriptor: int | None = descriptor
        self.size = status.st_size

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes from an offset; fewer only at the end. Raises Unavailable when the disk fails."""
        wanted = min(length, self.size - offset)  # the buffer is made before anything is read
        if wanted <= 0:
            return b""
        try:
            chunk = os.pread(self.fileno(), wanted, offset)
            return chunk if len(chunk) == wanted else self._read_rest(chunk, offset, wanted)
        except OSError as error:
            raise errors.Unavailable(f"reading a stored file failed: {error.strerror}") from error

    def _read_rest(self, chunk: bytes, offset: int, wanted: int) -> bytes:
        chunks = [chunk]
        have = len(chunk)
        while chunk and have < wanted:  # one call of the kernel gives at most 2 GiB
            chunk = os.pread(self.fileno(), wanted - have, offset + have)
            chunks.append(chunk)
            have += len(chunk)
        return b"".join(chunks)

    def fileno(self) -> int:
        """The descriptor, which stays ours."""
        assert self._descriptor is not None, "the blob was closed"
        return self._descriptor

    def close(self) -> None:
        """Let go. May be called twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # A download whose client left may drop us anywhere; the descriptor must not outlive us.
        if getattr(self, "_descriptor", None) is not None:
            self.close()
