"""Real files of many kinds that come inside the pydicom package; nothing is downloaded."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pydicom.data
from pydicom.errors import InvalidDicomError

_FOLDERS = ("test_files", "charset_files")
_NEEDED = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")


def find() -> Iterator[Path]:
    """Each file that an archive can keep, once per SOP Instance UID, in the order of their names."""
    known: set[str] = set()
    package = Path(pydicom.data.__file__).parent
    for path in (path for folder in _FOLDERS for path in sorted((package / folder).glob("*.dcm"))):
        instance = _instance(path)
        if instance and instance not in known:
            known.add(instance)
            yield path


def _instance(path: Path) -> str | None:
    try:
        with warnings.catch_warnings(action="ignore"):  # some of these files are odd on purpose
            dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_NEEDED))
    except InvalidDicomError:
        return None
    values = [str(dataset.get(keyword, "")) for keyword in _NEEDED]
    return values[1] if all(values) else None
