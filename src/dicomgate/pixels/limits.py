"""How much one task in a worker process may ask for (T3, T5)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one task may take, as far as `Limits` allows it: bytes of memory, bytes written, seconds."""

    memory: int
    output: int
    seconds: float


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on a task. `memory`: bytes beside the program's own; `output`: bytes it may write.

    `seconds`: how long it may take; `waiting`: how long a caller waits for a process to be free; `queue`: how many may
    wait. `processes`: how many there are at most, each started when it is first needed.
    """

    memory: int = 3 << 30
    output: int = (4 << 30) - 2
    seconds: float = 60.0
    waiting: float = 60.0
    queue: int = 200
    processes: int = field(default_factory=cores)

    def within(self, bounds: Bounds | None) -> Bounds:
        """The bounds of one task: its own where they are tighter."""
        most = Bounds(memory=self.memory, output=self.output, seconds=self.seconds)
        if bounds is None:
            return most
        return Bounds(
            memory=min(bounds.memory, most.memory),
            output=min(bounds.output, most.output),
            seconds=min(bounds.seconds, most.seconds),
        )


DEFAULT = Limits()
