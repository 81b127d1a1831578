"""Python's garbage collector, kept from looking through what is still being made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Nothing is collected meanwhile: of thousands of new objects in no cycle, a third of the time went into looking.

    It holds for all threads. Those who overlap are no trouble: whoever found it at work sets it to work again.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
