"""How the DIMSE door behaves, in plain values: `assembly` makes this from the settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from dicomgate import errors
from dicomgate.dicom.limits import DEFAULT, Limits
from dicomgate.dimse.associations import Peer
from dicomgate.dimse.connection import Pauses
from dicomgate.dimse.encryption import Encryption
from dicomgate.dimse.peers import Caller, Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorSettings:
    """`callers` empty: anybody may call. `instance_bytes` bounds one C-STORE, `matches` one C-FIND.

    `encryption`: TLS alone, and for calling peers that want it. `stop_seconds`: how long answers may take to their end.
    `half_open` bounds the connections that have not asked for an association yet; the oldest goes when one more comes.
    """

    title: str = "DICOMGATE"
    any_title: bool = False
    callers: tuple[Caller, ...] = ()
    peers: tuple[Entity, ...] = ()
    associations: int = 100
    associations_per_address: int = 50
    half_open: int = 256
    pauses: Pauses = field(default_factory=Pauses)
    stop_seconds: float = 30.0
    instance_bytes: int = 16 << 30
    matches: int = 100_000
    encryption: Encryption | None = None
    limits: Limits = DEFAULT

    def find_peer(self, title: str) -> Entity | None:
        """The peer of that AE title, if we may call one."""
        return next((peer for peer in self.peers if peer.title == title), None)

    def calling(self, entity: Entity) -> Peer:
        """How to ask an entity for an association. Unavailable where TLS is wanted and we have no certificate."""
        if entity.is_encrypted and self.encryption is None:
            raise errors.Unavailable(f"{entity.title} is called by TLS, and we have no certificate to show")
        return Peer(
            title=entity.title,
            host=entity.host,
            port=entity.port,
            own_title=self.title,
            connect_seconds=self.pauses.opening,
            answer_seconds=self.pauses.stall,
            tls=self.encryption.calling() if entity.is_encrypted and self.encryption is not None else None,
            setting="dimse.peers",
        )
