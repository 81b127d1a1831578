"""Data sets whose JSON text is ready: handed on as text, read only where somebody looks into them (PS3.18 Annex F)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import overload

import orjson

from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import Target

RETRIEVE_URL = "00081190"
PLACE = f'"{RETRIEVE_URL}":null'
"""Where a prepared text leaves room for Retrieve URL, among the others in the order of tags (JSON-02)."""

Halves = tuple[str, str]
"""A text up to the name of Retrieve URL, and from the comma behind its value."""


class Prepared(Sequence[JSONDataset]):
    """Data sets with the UIDs of the study or series that each tells of. Who reads one gets it without Retrieve URL."""

    def __init__(self, texts: Sequence[Halves], uids: Sequence[tuple[str, ...]]) -> None:
        self._texts = texts
        self._uids = uids

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, at: int) -> JSONDataset: ...
    @overload
    def __getitem__(self, at: slice) -> list[JSONDataset]: ...
    def __getitem__(self, at: int | slice) -> JSONDataset | list[JSONDataset]:
        return [_read(text) for text in self._texts[at]] if isinstance(at, slice) else _read(self._texts[at])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def linked(self, link: Callable[[Target], str]) -> Iterator[bytes]:
        """The texts, each with the address that `link` makes as its Retrieve URL."""
        for (before, after), uids in zip(self._texts, self._uids, strict=True):
            address = orjson.dumps(link(Target(*uids))).decode()
            yield f'{before}:{{"vr":"UR","Value":[{address}]}}{after}'.encode()


def _read(text: Halves) -> JSONDataset:
    dataset: JSONDataset = orjson.loads(":null".join(text))
    del dataset[RETRIEVE_URL]
    return dataset


def halves(dataset: JSONDataset) -> Halves:
    """The text of a data set without Retrieve URL, with room for it."""
    room: JSONDataset = {**dataset, RETRIEVE_URL: None}
    text = orjson.dumps({tag: room[tag] for tag in sorted(room)}).decode()
    before, _, after = text.partition(PLACE)
    return f'{before}"{RETRIEVE_URL}"', after
