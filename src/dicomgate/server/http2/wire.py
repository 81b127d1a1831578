"""The protocol's library on a transport: whole frames out, events in (RFC 9113 §4 to §6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import Event, RemoteSettingsChanged
from h2.exceptions import ProtocolError
from h2.frame_buffer import FrameBuffer
from h2.settings import SettingCodes, Settings

from dicomgate.server.answers import Header
from dicomgate.server.http2.gate import FRAME_BYTES, Abuse, Allowance, Gate
from dicomgate.server.sending import Sending

if TYPE_CHECKING:
    from hyperframe.frame import Frame

STREAMS: Final = 100
"""Requests that one connection may have under way; more are refused, and may be tried again."""
STREAM_WINDOW: Final = 512 << 10
"""Bytes of one body that may come before the application takes them."""
CONNECTION_WINDOW: Final = 1 << 20
"""The same of all bodies of one connection."""

_TABLE_BYTES: Final = 4096
"""Of what was sent before, that later fields refer to."""
_TOLERATED: Final = 4 * STREAMS
"""Requests that may come at once, before our bound is known to the caller or those above it are refused."""
_FIRST_WINDOW: Final = 65535
_A_FIELD: Final = 32  # what RFC 9113 §6.5.2 adds for each
_GOAWAY: Final = b"\x00\x00\x08\x07\x00\x00\x00\x00\x00"
_SENT_PER_UPDATE: Final = 1024
"""Who takes so many bytes may say once that his window is open again."""


class _Frames(FrameBuffer):
    """The library describes each frame for a log that nobody keeps, which costs more than all else that it does."""

    def __next__(self) -> Frame:
        frame = super().__next__()
        frame._body_repr = str  # type: ignore[method-assign]  # noqa: SLF001 - where that is gone, it is only slower
        return frame


class _Library(H2Connection):
    MAX_CLOSED_STREAMS = 1024  # of which it remembers how they ended; by itself 65,536, which are megabytes


class Wire:
    """One connection as the library keeps it. What is sent on a stream that is gone goes nowhere, and says so."""

    def __init__(self, sending: Sending, clock: Callable[[], float], *, header_bytes: int, header_fields: int) -> None:
        self._sending = sending
        self.allowance = Allowance(clock)
        self.gate = Gate(self.allowance, header_bytes)
        self.is_paused = False
        """True while the transport has enough."""
        self._h2 = _Library(
            H2Configuration(client_side=False, validate_outbound_headers=False, normalize_outbound_headers=False)
        )
        self._h2.incoming_buffer = _Frames(server=True)
        self._h2.decoder.max_header_list_size = header_bytes + _A_FIELD * header_fields
        said = {
            SettingCodes.MAX_CONCURRENT_STREAMS: STREAMS,
            SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            SettingCodes.MAX_HEADER_LIST_SIZE: header_bytes,
        }
        self._h2.local_settings = Settings(client=False, initial_values=said)
        self._h2.initiate_connection()
        # What is above our own bound is refused alone; the library would end the connection (§5.1.2).
        tolerated = said | {SettingCodes.MAX_CONCURRENT_STREAMS: _TOLERATED}
        self._h2.local_settings = Settings(client=False, initial_values=tolerated)
        self._h2.increment_flow_control_window(CONNECTION_WINDOW - _FIRST_WINDOW)

    @property
    def last_stream(self) -> int:
        """The newest request that came."""
        return self._h2.highest_inbound_stream_id

    def receive(self, data: bytes) -> list[Event]:
        """What happened. Abuse when the connection shall end."""
        try:
            return self._h2.receive_data(self.gate.feed(data))
        except ProtocolError as fault:
            self._h2.clear_outbound_data_buffer()  # the library has said farewell; that is for who ends it
            raise Abuse(ErrorCodes(fault.error_code), f"no sound HTTP/2: {type(fault).__name__}") from fault

    def heed(self, event: RemoteSettingsChanged) -> None:
        """Keep what a caller sets from costing us memory."""
        if self._h2.encoder.header_table_size > _TABLE_BYTES:  # noqa: PLR1730 - set again, it would forget a change
            self._h2.encoder.header_table_size = _TABLE_BYTES
        for code in event.changed_settings:
            if not isinstance(code, SettingCodes):
                self._h2.remote_settings.pop(code, None)

    def room(self, stream: int) -> int:
        """How many bytes may be sent now: as the caller grants, for the stream and for all, and in one frame."""
        try:
            return min(self._h2.local_flow_control_window(stream), FRAME_BYTES)
        except ProtocolError:
            return 0

    def send_head(self, stream: int, fields: Sequence[Header], *, ends: bool) -> bool:
        """The head of an answer. False when nobody waits for it."""
        try:
            self._h2.send_headers(stream, fields, end_stream=ends)
        except ProtocolError:
            return False
        return True

    def send_data(self, stream: int, data: bytes | memoryview, *, ends: bool) -> bool:
        """One frame of an answer's body. False when nobody waits for it."""
        try:
            self._h2.send_data(stream, data, end_stream=ends)
        except ProtocolError:
            return False
        self.allowance.earn(len(data) / _SENT_PER_UPDATE)
        return True

    def give_back(self, stream: int, size: int) -> None:
        """So many bytes of a body were taken: as many more may come."""
        self._h2.acknowledge_received_data(size, stream)

    def reset(self, stream: int, code: ErrorCodes) -> None:
        """End one stream here and now."""
        try:
            self._h2.reset_stream(stream, code)
        except ProtocolError:
            return

    def say_farewell(self, code: ErrorCodes) -> None:
        """Nothing newer than what came is answered (§6.8). The library itself would stop sending with that."""
        last, said = self.last_stream.to_bytes(4, "big"), int(code).to_bytes(4, "big")
        self.flush()
        self._sending.write(_GOAWAY + last + said)

    def flush(self) -> None:
        """Hand the transport what is ready."""
        data = self._h2.data_to_send()
        if data and not self._sending.is_closing():
            self._sending.write(data)
