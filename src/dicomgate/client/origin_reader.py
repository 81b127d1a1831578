"""Frames, metadata and values of an archive or a folder on this machine, for arrays: no server is needed."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import Target
from dicomgate.origin import Retrieve


class OriginReader:
    """Reads from an archive or a folder on this machine."""

    def __init__(self, retrieve: Retrieve) -> None:
        self._retrieve = retrieve

    def metadata(self, target: Target) -> list[JSONDataset]:
        """The data sets of the instances there. NotFound, Gone."""
        _, texts = self._retrieve.metadata(target)
        return [orjson.loads(text) for text in texts]

    def frames(self, target: Target, numbers: Sequence[int]) -> list[tuple[bytes, str]]:
        """The frames with these numbers. NotFound for one that is not there."""
        with self._retrieve.retrieve(target) as instances:
            (instance,) = instances
            pieces = (instance.frame(number) for number in numbers)
            return [(b"".join(piece.chunks), piece.transfer_syntax) for piece in pieces]

    def bulk(self, target: Target, uri: str) -> bytes:
        """The value there. NotFound when there is none."""
        with self._retrieve.retrieve(target) as instances:
            (instance,) = instances
            return b"".join(instance.bulk(uri.rpartition("bulkdata/")[2]).chunks)
