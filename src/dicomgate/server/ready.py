"""Bodies that are ready to be sent again, as long as nothing of their study changes (RET-10).

The origin numbers its changes. What was made before the last of them is still right if none of those since then was of
the same study, which is one short question. Bodies are known by the version that they were made of, so that a wrong one
cannot be sent; the memory is bounded and may forget.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dicomgate.dicom.uids import Target
from dicomgate.origin import Retrieve

_COST: Final = 400
"""Of keeping one thing, beside its bytes."""
NO_CHANGE: Final = 1 << 62
"""Later than every change: who asks with this wants to hear of the last one alone."""
_LARGEST: Final = 4
"""One body takes at most this part of the memory."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """The version of a target, and the last change when it was read."""

    change: int
    version: str

    def __len__(self) -> int:
        return 0


_Key = Target | tuple[str, str]


class Ready:
    """Versions of targets, and bodies by version and representation; safe for threads."""

    def __init__(self, size: int) -> None:
        """At most about `size` bytes, those last asked for."""
        self._size = size
        self._kept: OrderedDict[_Key, _Seen | bytes] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def version(self, retrieve: Retrieve, target: Target) -> str | None:
        """The version of the target's metadata, None when it must be asked for."""
        seen = self._find(target)
        if not isinstance(seen, _Seen):
            return None
        change, is_changed = retrieve.changed(target.study, seen.change)
        if is_changed:
            self._drop(target)
            return None
        if change != seen.change:
            self._keep(target, _Seen(change, seen.version))
        return seen.version

    def note(self, target: Target, change: int, version: str) -> None:
        """The version that was read after this change."""
        self._keep(target, _Seen(change, version))

    def find(self, version: str, representation: str) -> bytes | None:
        """A body that was kept."""
        found = self._find((version, representation))
        return found if isinstance(found, bytes) else None

    def keeping(self, version: str, representation: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The chunks, kept when they came to their end and are not too many."""
        kept: list[bytes] | None = []
        room = self._size // _LARGEST
        for chunk in chunks:
            room -= len(chunk)
            if kept is not None:
                if room >= 0:
                    kept.append(chunk)
                else:
                    kept = None
            yield chunk
        if kept is not None:
            self._keep((version, representation), b"".join(kept))

    @property
    def held(self) -> int:
        """What is held, about, in bytes."""
        return self._held

    def _find(self, key: _Key) -> _Seen | bytes | None:
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def _keep(self, key: _Key, what: _Seen | bytes) -> None:
        with self._lock:
            self._remove(key)
            self._kept[key] = what
            self._held += _COST + len(what)
            while self._held > self._size:
                self._remove(next(iter(self._kept)))

    def _drop(self, key: _Key) -> None:
        with self._lock:
            self._remove(key)

    def _remove(self, key: _Key) -> None:
        what = self._kept.pop(key, None)
        if what is not None:
            self._held -= _COST + len(what)
