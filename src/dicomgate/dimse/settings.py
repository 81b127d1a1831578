"""How the DIMSE door behaves, in plain values: `assembly` makes this from the settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from dicomgate.dicom.limits import DEFAULT, Limits
from dicomgate.dimse.connection import Pauses
from dicomgate.dimse.encryption import Encryption
from dicomgate.dimse.peers import Caller, Peer


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorSettings:
    """`callers` empty: anybody may call. `instance_bytes` bounds one C-STORE, `matches` one C-FIND.

    `encryption`: TLS alone, and for calling peers that want it. `stop_seconds`: how long answers may take to their end.
    `half_open` bounds the connections that have not asked for an association yet; the oldest goes when one more comes.
    """

    title: str = "DICOMGATE"
    any_title: bool = False
    callers: tuple[Caller, ...] = ()
    peers: tuple[Peer, ...] = ()
    associations: int = 100
    associations_per_address: int = 50
    half_open: int = 256
    pauses: Pauses = field(default_factory=Pauses)
    stop_seconds: float = 30.0
    instance_bytes: int = 16 << 30
    matches: int = 100_000
    encryption: Encryption | None = None
    limits: Limits = DEFAULT

    def find_peer(self, title: str) -> Peer | None:
        """The peer of that AE title, if we may call one."""
        return next((peer for peer in self.peers if peer.title == title), None)
