"""How long to wait before the next try: longer each time, and a little different for everybody."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """Seconds: the `first` pause, doubled with every further failure up to the `longest`."""

    first: float = 1.0
    longest: float = 300.0

    def after(self, failures: int) -> float:
        """The pause after so many failures one after the other, at least one."""
        most = min(self.first * (1 << min(failures - 1, 60)), self.longest)
        return most * random.uniform(0.75, 1.0)  # noqa: S311 - so that many relays do not come back at once
