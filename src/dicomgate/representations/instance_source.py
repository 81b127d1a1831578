"""A stored instance as bytes that can be read at any offset, whatever origin it is of."""

from __future__ import annotations

from dicomgate.origin import Instance


class InstanceSource:
    """The file of an instance. Each read is one visit to the origin, which checks what it gives."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.size = instance.facts.size

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes there; fewer than asked only at the end. Faults as `Instance.file`."""
        span = range(offset, min(offset + length, self.size))
        return b"".join(self._instance.file(span)) if span else b""
