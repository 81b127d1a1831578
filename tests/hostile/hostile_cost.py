"""What a request may cost the server: work in CPU seconds of its processes, memory at most and for good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dicomgate.testing.processes import Running

SECONDS = 5.0
"""CPU time that is much too much: what is refused costs hundredths. Generous, because caches are shared with others."""
MEGABYTES = 64
_MIB = 1 << 20


@contextmanager
def bounded(running: Running, what: str, *, seconds: float = SECONDS, megabytes: int = MEGABYTES) -> Iterator[None]:
    """Fails when the block costs the server more; prints what it did cost."""
    running.forget_most()
    before, began = running.memory(), running.cpu()
    yield
    spent, most = running.cpu() - began, running.memory(at_most=True) - before
    print(
        f"{what}: {spent:.2f} s of CPU, {most / _MIB:.1f} MiB at most, {(running.memory() - before) / _MIB:.1f} MiB after"
    )
    assert spent < seconds, f"{what}: {spent:.2f} s of CPU"
    assert most < megabytes * _MIB, f"{what}: {most >> 20} MiB"
