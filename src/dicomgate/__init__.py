"""dicomgate: DICOM web services (PS3.18) over files, an archive or another server."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dicomgate.connecting import connect as connect

__version__ = "0.1.0"
__all__ = ["__version__", "connect"]


def __getattr__(name: str) -> Any:
    """`connect`, loaded when it is first used: the command line shows its help without it."""
    if name == "connect":
        return importlib.import_module("dicomgate.connecting").connect
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
