"""What is given to be stored, as offers: files, folders, files in memory, pydicom's data sets (PS3.18 §10.5)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Union

from dicomgate import errors
from dicomgate.client.offers import NOWHERE, Became, Offer, Receipt, read, walk
from dicomgate.dicom import header, outcomes
from dicomgate.dicom.outcomes import Reason
from dicomgate.dicom.source import BytesSource

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Given = Union[Path, str, bytes, "Dataset"]
"""A path (of a file, or of a folder with files below it), a PS3.10 file in memory, or a data set."""


def offers(what: Iterable[Given], aside: list[Receipt]) -> Iterator[Offer]:
    """The offers that are made, one after the other; what makes none is put aside, with the reason."""
    for one in what:
        if isinstance(one, Path | str):
            found: Iterable[Offer | Receipt] = map(read, walk([Path(one)]))
        else:
            found = [_read(one if isinstance(one, bytes) else _written(one))]
        for offer in found:
            if isinstance(offer, Offer):
                yield offer
            else:
                aside.append(offer)


def _read(content: bytes) -> Offer | Receipt:
    try:
        seen = header.read(BytesSource(content))
    except errors.Fault as fault:
        is_dicom = content[128:132] == b"DICM"
        became = Became.UNREADABLE if is_dicom else Became.FOREIGN
        code = int(outcomes.reason_of(fault)) if is_dicom else None
        return Receipt(path=NOWHERE, became=became, code=code, detail=fault.message, size=len(content))
    if seen.target is None:
        code = int(Reason.MISSING_UID)
        detail = "the UIDs of study, series and instance are not all there"
        return Receipt(path=NOWHERE, became=Became.REFUSED, code=code, detail=detail, size=len(content))
    return Offer(path=NOWHERE, size=len(content), mtime_ns=0, target=seen.target, content=content)


def _written(dataset: Dataset) -> bytes:
    """A data set as a file. Malformed when it cannot be written as one."""
    file = io.BytesIO()
    try:
        dataset.save_as(file, enforce_file_format=True)
    except (ValueError, AttributeError, TypeError, OverflowError) as fault:
        raise errors.Malformed("a data set lacks what it must have to be written as a file") from fault
    return file.getvalue()
