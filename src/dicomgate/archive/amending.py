"""A file again with attributes changed and the change recorded in it, on its way to be stored (STOW-09, RET-09)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dicomgate import spool
from dicomgate.dicom import amend, original_attributes
from dicomgate.dicom.header import Header
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.original_attributes import Changes, Reason
from dicomgate.dicom.source import Source
from dicomgate.spool import Arrival, Spool


@dataclass(frozen=True, slots=True)
class Amended:
    """The changed file, and the item of its Original Attributes Sequence that tells what was before."""

    arrival: Arrival
    record: JSONDataset


@dataclass(frozen=True, slots=True)
class Amender:
    """Who changes files: `system` is what the record calls us."""

    spool: Spool
    system: str

    @contextmanager
    def amended(
        self, source: Source, header: Header, changes: Changes, reason: Reason, *, moment: dt.datetime | None = None
    ) -> Iterator[Amended]:
        """The file with these changes, as long as it is used here. `moment`: when they were made, now if not told.

        Malformed for a value that cannot be written into it, OutOfSpace or Unavailable when the spool cannot take it.
        """
        record = original_attributes.item(
            header.attributes, changes, system=self.system, reason=reason, moment=moment or dt.datetime.now(dt.UTC)
        )
        arrival = self.spool.arrival()
        try:
            _write(arrival, amend.amend(source, header, changes, record))
            yield Amended(arrival, record)
        finally:
            arrival.discard()


def _write(arrival: Arrival, chunks: Iterator[bytes]) -> None:
    try:
        for chunk in chunks:
            arrival.write(chunk)
        arrival.finish()
    except OSError as fault:
        raise spool.fault(fault, "a changed file cannot be written") from fault
