"""How the C library keeps the memory of answers and bodies between one request and the next."""

from __future__ import annotations

import ctypes
import platform
from typing import Final

_SETTINGS: Final = {
    -8: 1,  # M_ARENA_MAX: one heap for all threads
    -3: 2 << 20,  # M_MMAP_THRESHOLD
    -1: 16 << 20,  # M_TRIM_THRESHOLD
}
"""glibc's numbers, from its malloc.h. Pieces of bodies come and go by the thousand; by default each goes back to the
kernel at once, comes again page by page, and from a heap of its own for every thread: a tenth more time for large
answers, and half as much memory again under load."""


def keep() -> None:
    """Let this process keep what it frees. Call before threads begin; other C libraries are left as they are."""
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        for parameter, value in _SETTINGS.items():
            library.mallopt(parameter, value)
