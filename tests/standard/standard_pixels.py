"""Pixels as other people's programs read them: pydicom for what is native, DCMTK and Pillow for what is compressed."""

from __future__ import annotations

import functools
import io
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

DATA = Path(__file__).resolve().parents[3] / "shared/data/syntaxes"
_BASE = "1.2.840.10008.1.2"
_TOOLS = {
    **dict.fromkeys((f"{_BASE}.4.{number}" for number in (50, 51, 53, 55, 57, 70)), "dcmdjpeg"),
    **dict.fromkeys((f"{_BASE}.4.{number}" for number in (80, 81)), "dcmdjpls"),
    f"{_BASE}.5": "dcmdrle",
}
_NATIVE = {_BASE, f"{_BASE}.1", f"{_BASE}.1.99", f"{_BASE}.2"}
_PILLOW = {f"{_BASE}.4.90", f"{_BASE}.4.91"}


def dataset(content: bytes) -> pydicom.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pydicom.dcmread(io.BytesIO(content))
        found.walk(lambda *_: None)
    return found


@functools.lru_cache(maxsize=8)
def read(content: bytes) -> Any:
    """The pixels of a file as numbers, colours as RGB; None where nobody here can decode them."""
    found = dataset(content)
    syntax = str(found.file_meta.TransferSyntaxUID)
    if syntax in _TOOLS:
        decoded = _decode(content, _TOOLS[syntax])
        return None if decoded is None else read(decoded)
    if syntax not in _NATIVE | _PILLOW:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return found.pixel_array
        except RuntimeError:  # Pillow cannot
            if syntax in _PILLOW:
                return None
            raise


def _decode(content: bytes, tool: str) -> bytes | None:
    if shutil.which(tool) is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before", Path(folder) / "after"
        before.write_bytes(content)
        done = subprocess.run([tool, str(before), str(after)], capture_output=True, check=False)
        return after.read_bytes() if done.returncode == 0 else None


def mean_difference(one: Any, other: Any) -> float:
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).mean())
