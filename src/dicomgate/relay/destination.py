"""A destination: where it is, what it wants, and how it is sent there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dicomgate.client.async_caller import AsyncCaller
from dicomgate.relay.pauses import Pauses
from dicomgate.relay.rules import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One server that is sent to by STOW-RS. `name` is what it is called in the queue, also after a restart.

    `connect` makes who calls it, on the event loop that it is used on, and makes no further try of its own accord.
    `bytes_per_second`: 0 is no bound. `transfer_syntax`: a lossless one into which uncompressed pictures are brought
    before they leave; empty sends everything as it came. `doubts`: so often may an instance fail that others pass.
    """

    name: str
    connect: Callable[[], AsyncCaller]
    rule: Rule
    requests: int = 2
    most_bytes: int = 32 << 20
    most_files: int = 100
    bytes_per_second: int = 0
    transfer_syntax: str = ""
    doubts: int = 6
    pauses: Pauses = field(default_factory=Pauses)
