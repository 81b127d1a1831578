"""Costs and their comparison: ours and the raw limit take turns, and the medians of their ratios are told."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Cost:
    """What something took, in seconds; `client` is the load generator's own share, which counts for nothing."""

    cpu: float
    wall: float
    client: float = 0.0

    def __truediv__(self, count: float) -> Cost:
        return Cost(self.cpu / count, self.wall / count, self.client / count)


Deed = Callable[[], Cost]
"""One measured turn."""


@dataclass(slots=True)
class Stopwatch:
    """Measures this process; `cost` is there after the block."""

    cost: Cost = field(default_factory=lambda: Cost(0.0, 0.0))

    @contextmanager
    def running(self) -> Iterator[None]:
        """While inside, time counts."""
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        self.cost = Cost(time.process_time() - cpu, time.perf_counter() - wall)


def timed(deed: Callable[[], object], count: int = 1) -> Deed:
    """A turn that does something so many times in this process; the cost is that of one time."""

    def turn() -> Cost:
        watch = Stopwatch()
        with watch.running():
            for _ in range(count):
                deed()
        return watch.cost / count

    return turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is promised; None: nothing."""

    cpu: float | None = None
    wall: float | None = None

    def __str__(self) -> str:
        said = [f"{value:g}x {what}" for value, what in ((self.cpu, "CPU"), (self.wall, "wall")) if value is not None]
        return "<= " + ", ".join(said) if said else ""


NO_TARGET = Target()


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours to the raw limit: the median over the turns, and the extremes."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One operation beside its raw limit."""

    group: str
    operation: str
    limit: str
    target: Target = NO_TARGET
    ours: Sequence[Cost]
    raw: Sequence[Cost]
    note: str = ""

    @property
    def cpu(self) -> Ratio:
        """CPU seconds of the server's processes, or of this one where no server is asked."""
        return _ratio([cost.cpu for cost in self.ours], [cost.cpu for cost in self.raw])

    @property
    def wall(self) -> Ratio:
        """Time on the clock."""
        return _ratio([cost.wall for cost in self.ours], [cost.wall for cost in self.raw])

    @property
    def is_met(self) -> bool | None:
        """None where nothing is promised."""
        pairs = ((self.target.cpu, self.cpu), (self.target.wall, self.wall))
        promised = [ratio.median <= most for most, ratio in pairs if most is not None]
        return all(promised) if promised else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A figure that stands for itself, beside what it is compared with."""

    group: str
    operation: str
    unit: str
    ours: float
    limit: str = ""
    raw: float | None = None
    most: float | None = None  # what `ours` may be
    target: str = ""
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """None where nothing is promised."""
        return None if self.most is None else self.ours <= self.most


Figure = Comparison | Amount


def compare(
    ours: Deed,
    raw: Deed,
    *,
    turns: int,
    group: str,
    operation: str,
    limit: str,
    target: Target = NO_TARGET,
    note: str = "",
) -> Comparison:
    """Let both take turns; the first turn of each only warms up."""
    pairs = [(ours(), raw()) for _ in range(turns + 1)][1:]
    return Comparison(
        group=group,
        operation=operation,
        limit=limit,
        target=target,
        ours=[pair[0] for pair in pairs],
        raw=[pair[1] for pair in pairs],
        note=note,
    )


def median(costs: Sequence[Cost]) -> Cost:
    """The medians of each kind of cost."""
    return Cost(
        statistics.median(cost.cpu for cost in costs),
        statistics.median(cost.wall for cost in costs),
        statistics.median(cost.client for cost in costs),
    )


def _ratio(ours: Sequence[float], raw: Sequence[float]) -> Ratio:
    """Neighbours in time are compared with each other, so that a slow minute of the machine does not tell."""
    ratios = [one / other for one, other in zip(ours, raw, strict=True)]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))
