"""dicomgate: DICOM web services (PS3.18) over files, an archive or another server."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dicomgate.connecting import connect as connect
    from dicomgate.connecting import connect_async as connect_async

__version__ = "0.1.0"
__all__ = ["__version__", "connect", "connect_async"]


def __getattr__(name: str) -> Any:
    """`connect` and its twin, loaded when first used: the command line shows its help without them."""
    if name in ("connect", "connect_async"):
        return getattr(importlib.import_module("dicomgate.connecting"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
