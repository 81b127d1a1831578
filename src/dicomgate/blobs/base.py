"""Immutable bytes under a key (PS3.18 says what they mean; this room does not know)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self


class Blob(Protocol):
    """Stored bytes, open for reading until closed; they stay readable even if the blob is deleted meanwhile."""

    @property
    def size(self) -> int:
        """How many bytes."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes from an offset; fewer only at the end."""
        ...

    def fileno(self) -> int:
        """A descriptor that os.pread and os.sendfile can use; it belongs to the blob."""
        ...

    def close(self) -> None:
        """Let go. May be called twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class BlobStore(Protocol):
    """Keeps bytes under keys that it makes itself."""

    def new_key(self, after: str = "") -> str:
        """A key nobody else has; keys sort as text in the order they were made, as far as clocks agree.

        In any case it sorts after the key `after`.
        """
        ...

    def require_sound(self) -> None:
        """See that bytes can be stored as far as is known. Unavailable after a failed sync, until a restart."""
        ...

    def put(self, key: str, content: bytes | Path) -> None:
        """Store under a new key; when this returns, the bytes are on stable storage. A file is moved, not copied.

        From here until `settle` or `delete` the key is under way: if this process dies, a sweep asks whether anybody
        knows it. When put raises, nothing is left under the key, and the file given is left or gone.
        Raises OutOfSpace, or Unavailable (which after a failed sync stays until the process is restarted).
        """
        ...

    def settle(self, key: str) -> None:
        """The index points at the key now, durably."""
        ...

    def open(self, key: str) -> Blob:
        """Open for reading. Raises NotFound."""
        ...

    def delete(self, *keys: str) -> None:
        """Remove durably what is there of these; also settles them. Raises Unavailable."""
        ...

    def keys(self) -> Iterator[str]:
        """Every key stored, also those under way. Costs what the archive is large: for rebuilding and verifying."""
        ...

    def sweep(self, known: Callable[[list[str]], set[str]]) -> int:
        """Remove what dead processes left half done: `known` says which keys the index points at. How many went.

        Looks only where a process was at work when it died; never lists the archive.
        """
        ...

    def close(self) -> None:
        """Nothing more will be put. May be called twice."""
        ...
