"""pydicom's data sets from files that came over a network: whole, or known not to be (PS3.10 §7)."""

from __future__ import annotations

from typing import IO, Any, Final

from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset

from dicomgate import errors
from dicomgate.dicom import header, uids
from dicomgate.dicom.source import OpenSource
from dicomgate.dicom.uids import Target

_UNDEFINED: Final = 0xFFFFFFFF
_END: Final = b"\xfe\xff\xdd\xe0\0\0\0\0"  # of what has no length
_UIDS: Final = (0x0020000D, 0x0020000E, 0x00080018)


def read(file: IO[bytes]) -> tuple[FileDataset, Target | None]:
    """The data set in a file, and which instance it is; None where the file is damaged or ends too early.

    pydicom itself takes what there is of the last value, and says nothing.
    """
    try:
        dataset = dcmread(file)
    except Exception:  # noqa: BLE001 - whatever pydicom makes of bytes that are none of a file
        return FileDataset(file, Dataset()), None
    try:
        seen = _target(dataset) if _ends_whole(dataset, file) else None
        return dataset, seen or header.read(OpenSource(file)).target
    except (errors.Fault, LookupError, UnicodeError):
        return dataset, None


def _target(dataset: FileDataset) -> Target | None:
    elements: list[Any] = [dataset.get_item(tag) for tag in _UIDS]  # as they stand in the file: that is quicker
    values = [None if element is None else element.value for element in elements]
    if not all(isinstance(value, bytes) for value in values):
        return None
    return Target(*(uids.parse_uid(value.decode("ascii").rstrip(" \0")) for value in values if value))


def _ends_whole(dataset: FileDataset, file: IO[bytes]) -> bool:
    """True where the last element in the file ends where the file does; whoever is in doubt reads it all."""
    size = file.seek(0, 2)
    last: Any = dataset.get_item([*dataset.keys()][-1])
    if isinstance(last, RawDataElement) and last.length != _UNDEFINED:
        is_whole = last.value is not None and len(last.value) == last.length
        return is_whole and last.value_tell + last.length == size
    file.seek(max(0, size - len(_END)))
    return file.read() == _END
