"""Which HTTP a caller speaks: as TLS has settled it, or by his first bytes (RFC 9113 §3.2, §3.3).

Who offers HTTP/2 in a field of HTTP/1.1 (`Upgrade: h2c`) is served in HTTP/1.1: RFC 9113 §3.1 has given that up.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from dicomgate.server import connection
from dicomgate.server.census import Census
from dicomgate.server.http2.connection import Connection
from dicomgate.server.http2.gate import PREFACE

ALPN: Final = ("h2", "http/1.1")


class Opening(connection.Connection):
    """A connection of HTTP/1.1 until it turns out to be one of HTTP/2."""

    def __init__(self, *about: Any, places: Census, **named: Any) -> None:
        super().__init__(*about, **named)
        self._places = places
        self._line: asyncio.Transport
        self._first: bytes | None = b""  # None: it is settled

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Over TLS it is settled now."""
        self._line = transport
        encryption = transport.get_extra_info("ssl_object")
        if encryption is None:
            super().connection_made(transport)
            return
        self._first = None
        if encryption.selected_alpn_protocol() == "h2":
            self._hand_over(b"")
        else:
            super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Hold the first bytes back as long as both are possible."""
        if self._first is not None and not self._is_deaf:
            data = self._first + data
            self._first = data
            if len(data) < len(PREFACE) and PREFACE.startswith(data):
                return
            self._first = None
            if data.startswith(PREFACE):
                self._withdraw()
                self._hand_over(data)
                return
        super().data_received(data)

    def _withdraw(self) -> None:
        """Nothing of this connection is one of HTTP/1.1."""
        self._stop_waiting()
        self._census.leave(self._address)
        self._is_admitted = False
        self.connections.discard(self)

    def _hand_over(self, first: bytes) -> None:
        follower = Connection(
            self.config,
            self.server_state,
            self.app_state,
            self.loop,
            limits=self._limits,
            census=self._census,
            places=self._places,
            log=self._log,
            policy=self._policy,
        )
        self._line.set_protocol(follower)
        follower.connection_made(self._line)
        if first:
            follower.data_received(first)
