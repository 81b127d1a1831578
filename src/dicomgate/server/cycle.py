"""One answer on the wire of a connection: its head, its body in pieces, its end (RFC 9112 §4, §6, §7.1).

In the place of uvicorn's own: it copies no piece of a body, looks at each field once, and answers HTTP/1.0 as that
knows it, where a body without a length ends with the connection (GEN-01).
"""

from __future__ import annotations

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from dicomgate.server.files import FILES

_NO_BODY: Final = frozenset({204, 304})


class Cycle(RequestResponseCycle):
    """uvicorn's cycle with a sending half of our own. What breaks its rules is a bug: AssertionError."""

    _is_measured = False

    async def send(self, message: Any) -> None:
        """Take the next event from the application; waits while the caller takes no more."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.body":
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        elif message["type"] == FILES:
            await self._send_file(message["file"], message["offset"], message["count"])
            if not self.disconnected:
                self._send_body(b"", more=message.get("more_body", False))
        else:
            self._send_head(message["status"], message.get("headers", []))

    def _send_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        assert not self.response_started, "an answer begins once"
        self.response_started = True
        self.waiting_for_100_continue = False
        lines = [b"%b: %b\r\n" % field for field in (*self.default_headers, *headers)]
        fields = dict(headers)
        length = fields.get(b"content-length")
        if length is not None:
            self._is_measured = True
            self.chunked_encoding = False
            self.expected_content_length = int(length)
        if fields.get(b"connection") == b"close":
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close\r\n")
        if length is None and self.scope["method"] != "HEAD" and status not in _NO_BODY:
            self._frame_unmeasured(lines)
        head = b"".join(lines)
        assert head.count(b"\n") == len(lines), "a value ends no line"
        self.transport.write(STATUS_LINE[status] + head + b"\r\n")

    def _frame_unmeasured(self, lines: list[bytes]) -> None:
        """Chunks; towards HTTP/1.0 nothing, for there the connection, which is not kept, ends the body."""
        self.chunked_encoding = self.scope["http_version"] != "1.0"
        if self.chunked_encoding:
            lines.append(b"transfer-encoding: chunked\r\n")

    def _send_body(self, body: bytes | memoryview, *, more: bool) -> None:
        assert self.response_started, "the head goes before the body"
        assert not self.response_complete, "an answer ends once"
        size = len(body)
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
        elif self.chunked_encoding:
            self._send_chunk(body, size, more=more)
        else:
            if self._is_measured:
                assert size <= self.expected_content_length, "no more than was told"
                self.expected_content_length -= size
            if size:
                self.transport.write(body)
        if not more:
            assert self.expected_content_length == 0, "no less than was told"
            self._end()

    async def _send_file(self, file: int, offset: int, count: int) -> None:
        """Bytes of a file, by the kernel; waits while the caller takes no more."""
        assert not self.chunked_encoding, "its length is known"
        assert count <= self.expected_content_length, "no more than was told"
        self.expected_content_length -= count
        end = offset + count
        while offset < end and not self.disconnected:
            sent = self.transport.send_file(file, offset, end - offset)  # type: ignore[attr-defined]
            offset += sent
            if offset < end:
                await self.flow.drain()

    def _send_chunk(self, body: bytes | memoryview, size: int, *, more: bool) -> None:
        end = b"" if more else b"0\r\n\r\n"
        if size:
            self.transport.write(b"%x\r\n" % size)
            self.transport.write(body)
            self.transport.write(b"\r\n" + end)
        elif end:
            self.transport.write(end)

    def _end(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
