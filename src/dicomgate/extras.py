"""What is installed beside the base only by who asks for it, and how to ask: `pip install 'dicomgate[server]'`.

The base is the client and its verbs. Extras follow the rooms that need them; nothing else knows their packages.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from dicomgate import errors

EXTRAS: Final[dict[str, tuple[str, ...]]] = {
    "server": ("uvicorn", "httptools"),
    "pixels": ("numpy", "imagecodecs", "PIL"),
    "dimse": ("pynetdicom",),
    "tunnel": ("websockets",),
}
"""Each extra of pyproject.toml with the modules that it cannot do without."""


class NotInstalled(errors.Unavailable):
    """It needs an extra that is not installed; the message says what to install."""


def find(module: str | None) -> str | None:
    """The extra that brings a module, or a module in it."""
    top = (module or "").partition(".")[0]
    return next((extra for extra, modules in EXTRAS.items() if top in modules), None)


def missing(extra: str) -> NotInstalled:
    """The one line that says what to install."""
    return NotInstalled(f"this needs: pip install 'dicomgate[{extra}]'")


def require(extra: str) -> None:
    """Nothing where it is installed; else NotInstalled."""
    if not _is_installed(extra):
        raise missing(extra)


@contextmanager
def needed() -> Iterator[None]:
    """For imports of rooms that may lack their extra: NotInstalled instead of ModuleNotFoundError."""
    try:
        yield
    except ModuleNotFoundError as fault:
        extra = find(fault.name)
        if extra is None:
            raise
        raise missing(extra) from fault


@functools.cache
def _is_installed(extra: str) -> bool:
    try:
        return all(importlib.util.find_spec(module) is not None for module in EXTRAS[extra])
    except ModuleNotFoundError:
        return False
