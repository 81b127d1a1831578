"""How many connections are open, so that nobody can take them all (T13)."""

from __future__ import annotations

from collections import Counter

from dicomgate.server import urls
from dicomgate.server.settings import ConnectionLimits


class Census:
    """How many connections are open, altogether and from each address."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._is_trusted = urls.trust(limits.trusted_proxies)
        self._by_address: Counter[str] = Counter()
        self._all = 0

    def admit(self, address: str) -> bool:
        """Count one more; False when that is one too many, and then it is not counted."""
        each = self._limits.connections_per_address
        is_crowded = each and self._by_address[address] >= each and not self._is_trusted(address)
        if self._all >= self._limits.connections or is_crowded:
            return False
        self._all += 1
        self._by_address[address] += 1
        return True

    def leave(self, address: str) -> None:
        """One that was admitted has gone."""
        self._all -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]
