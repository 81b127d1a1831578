"""Entries that wait to be put into the index together: kept in the spool, for a study may have very many of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Final

import orjson

from dicomgate import spool
from dicomgate.dicom.uids import Target
from dicomgate.index.base import Entry
from dicomgate.spool import Pile, Spool

_PLAIN: Final = tuple(
    one.name for one in fields(Entry) if one.name not in {"target", "attributes", "metadata", "layout", "frame_chunks"}
)


class Staged:
    """Pairs of a stored file's key and the entry that shall take its place. Filled, then read as often as needed."""

    def __init__(self, spool: Spool) -> None:
        self._pile: Pile = spool.pile()
        self._spans: list[tuple[range, ...]] = []
        self._end = 0
        self._is_finished = False

    def add(self, key: str, entry: Entry) -> None:
        """One more. OutOfSpace or Unavailable when the spool cannot take it."""
        plain: dict[str, Any] = {name: getattr(entry, name) for name in _PLAIN}
        target = entry.target
        head = orjson.dumps([key, [target.study, target.series, target.instance], plain])
        spans = []
        try:
            for piece in (head, entry.metadata, entry.layout, *entry.frame_chunks):
                self._pile.write(piece)
                spans.append(range(self._end, self._end + len(piece)))
                self._end += len(piece)
        except OSError as fault:
            raise spool.fault(fault, "the spool cannot be written") from fault
        self._spans.append(tuple(spans))

    def finish(self) -> None:
        """No more come. Raises as `add`."""
        try:
            self._pile.finish()
        except OSError as fault:
            raise spool.fault(fault, "the spool cannot be written") from fault

    def __len__(self) -> int:
        return len(self._spans)

    def __iter__(self) -> Iterator[tuple[str, Entry]]:
        return map(self._read, self._spans)

    def discard(self) -> None:
        """Leave nothing of it. May be called more than once."""
        self._pile.discard()

    def _read(self, spans: tuple[range, ...]) -> tuple[str, Entry]:
        head, metadata, layout, *chunks = (self._bytes(span) for span in spans)
        key, uids, plain = orjson.loads(head)
        return key, Entry(
            target=Target(*uids),
            attributes=orjson.loads(metadata),
            metadata=metadata,
            layout=layout,
            frame_chunks=tuple(chunks),
            **plain,
        )

    def _bytes(self, span: range) -> bytes:
        return self._pile.source(span).read_at(0, len(span))
