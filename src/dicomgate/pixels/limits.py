"""How much one task in a worker process may ask for (T3, T5)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on a task. `memory`: bytes beside the program's own; `output`: bytes it may write.

    `seconds`: how long it may take; `waiting`: how long a caller waits for a process to be free. `processes`: how many
    there are at most, each started when it is first needed.
    """

    memory: int = 3 << 30
    output: int = (4 << 30) - 2
    seconds: float = 60.0
    waiting: float = 60.0
    processes: int = 2


DEFAULT = Limits()
