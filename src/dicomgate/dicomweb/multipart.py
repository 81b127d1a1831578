"""Multipart/related bodies: a push parser, bytes in and events out, and a writer's bytes (PS3.18 §8.6.1.2, RFC 2046).

The parser keeps no more than a delimiter's length between two feeds and hands out slices of what it was fed, so a body
of any size passes through without being copied or held.
"""

from __future__ import annotations

import enum
import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dicomgate import errors
from dicomgate.dicomweb.media_types import MULTIPART, MediaType, format_media_type

LONGEST_BOUNDARY = 70
_BOUNDARY_CHARACTERS = frozenset("'()+_,-./:=? 0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_BLANKS = b" \t"
_AS_IT_IS = frozenset({"", "binary", "8bit", "7bit"})
_CONTROLS = bytes([*range(9), *range(10, 32), 127])


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one body may hold before it is refused."""

    parts: int = 100_000
    headers: int = 32
    header_bytes: int = 8192
    preamble: int = 65_536
    padding: int = 256  # blanks after a boundary, legal and never more than a few
    near_delimiters: int = 1_000_000  # lines that begin with the boundary and go on: nobody's data holds many


DEFAULT = Limits()


@dataclass(frozen=True, slots=True)
class PartBegin:
    """A part starts; its headers by lower-case name."""

    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class PartData:
    """The next bytes of the part: a slice of what was fed."""

    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part is complete."""


Event = PartBegin | PartData | PartEnd


class _State(enum.Enum):
    PREAMBLE = enum.auto()  # before the first delimiter: text that is thrown away
    DELIMITER = enum.auto()  # after `--boundary`: `--`, or blanks and the end of the line
    HEADERS = enum.auto()
    BODY = enum.auto()
    EPILOGUE = enum.auto()  # after `--boundary--`: text that is thrown away


def boundary_of(content_type: MediaType) -> bytes:
    """The boundary that a multipart Content-Type names. Malformed when there is none, or none that RFC 2046 allows."""
    text = content_type.get("boundary")
    if not text:
        raise errors.Malformed("Content-Type: a multipart body needs a boundary parameter")
    if len(text) > LONGEST_BOUNDARY or text.endswith(" ") or not _BOUNDARY_CHARACTERS.issuperset(text):
        raise errors.Malformed(
            f"boundary: expected 1 to {LONGEST_BOUNDARY} characters of the set that RFC 2046 names, saw {len(text)}"
        )
    return text.encode("ascii")


def is_encoded(headers: dict[str, str]) -> bool:
    """True when a part's header fields say that its bytes are not the content itself (RFC 2045 §6, RFC 9110 §8.4)."""
    transfer = headers.get("content-transfer-encoding", "binary").lower()
    content = headers.get("content-encoding", "identity").lower()
    return transfer not in _AS_IT_IS or content not in {"", "identity"}


class Parser:
    """Reads one multipart body, fed in pieces of any size.

    A delimiter is a line of its own: `--boundary` that goes on with something else is data. Lines may end in CRLF or
    LF; delimiters inside the body end as the first one did, so that no byte of a part is taken for a line's end.
    """

    def __init__(self, boundary: bytes, limits: Limits = DEFAULT) -> None:
        assert 0 < len(boundary) <= LONGEST_BOUNDARY, "boundary_of checks this"
        self._boundary = boundary
        self._limits = limits
        self._state = _State.PREAMBLE
        self._break = b"\n"  # in the preamble either line end will do
        self._delimiter = b"\n--" + boundary
        # What was fed before and may begin a delimiter. Its first `_unsent` bytes are the line end that came before the
        # body (or, at the very start, a line end that only we imagine), so they are not data.
        self._held = b"\n"
        self._unsent = 1
        self._line = b""
        self._headers: dict[str, str] = {}
        self._last_header = ""
        self._header_count = 0
        self._header_bytes = 0
        self._preamble = 0
        self._parts = 0
        self._near_delimiters = 0
        self._before = _State.PREAMBLE
        self._fault: errors.Fault | None = None

    def feed(self, data: bytes) -> list[Event]:
        """What the next piece of the body brings.

        Malformed when it breaks the grammar, TooLarge past a limit. Where something came before that in the same piece,
        it is given first, and `check`, `finish` and the next `feed` raise the fault.
        """
        self.check()
        events: list[Event] = []
        position = 0
        try:
            while position < len(data) and self._state is not _State.EPILOGUE:
                position = self._step(data, position, events)
        except errors.Fault as fault:
            self._fault = fault
            if not events:
                raise
        return events

    def _step(self, data: bytes, position: int, events: list[Event]) -> int:
        if self._state is _State.DELIMITER:
            return self._feed_delimiter(data, position, events)
        if self._state is _State.HEADERS:
            return self._feed_headers(data, position, events)
        return self._feed_body(data, position, events)

    def check(self) -> None:
        """Malformed or TooLarge when `feed` kept such a fault back, for the sake of what came before it."""
        if self._fault is not None:
            raise self._fault

    def finish(self) -> None:
        """The body has ended. Malformed when its closing delimiter has not come; and what `check` raises."""
        self.check()
        if self._state is _State.EPILOGUE:
            return
        if self._parts == 0:
            raise errors.Malformed("multipart body: the boundary that Content-Type names is not in it")
        raise errors.Malformed(f"multipart body: ends in part {self._parts}, without the closing delimiter")

    def _feed_body(self, data: bytes, start: int, events: list[Event]) -> int:
        if self._held:
            return self._feed_held(data, start, events)
        found = data.find(self._delimiter, start)
        while found >= 0:
            after = found + len(self._delimiter)
            if not self._is_surely_data(data, after):
                self._emit(data, start, found, events)
                self._enter_delimiter()
                return after
            self._count_near_delimiter()
            found = data.find(self._delimiter, after)
        end = self._start_of_partial(data, start)
        self._emit(data, start, end, events)
        self._held = data[end:]
        return len(data)

    def _feed_held(self, data: bytes, start: int, events: list[Event]) -> int:
        """Go on with bytes kept from the last feed: either they grow into a delimiter, or they are data after all."""
        missing = len(self._delimiter) - len(self._held)
        candidate = self._held + data[start : start + missing]
        if candidate == self._delimiter:
            self._enter_delimiter()
            return start + missing
        if self._delimiter.startswith(candidate):
            self._held = candidate
            return len(data)
        # Nothing within the held bytes can begin another delimiter: they hold one line end, at their start.
        held, self._held = self._held[self._unsent :], b""
        self._unsent = 0
        self._emit(held, 0, len(held), events)
        return start

    def _start_of_partial(self, data: bytes, start: int) -> int:
        """Where the bytes at the end of data begin that could be the first of a delimiter; its end if none could."""
        at = data.rfind(self._break[:1], max(start, len(data) - len(self._delimiter) + 1))
        return at if at >= 0 and self._delimiter.startswith(data[at:]) else len(data)

    def _is_surely_data(self, data: bytes, after: int) -> bool:
        """True when what follows a would-be delimiter is here and shows that its line goes on."""
        rest = data[after : after + self._limits.padding]
        bare = rest.lstrip(_BLANKS)
        if rest.startswith(b"--") or bare.startswith((b"\n", b"\r\n")):
            return False
        is_cut_off = after + len(rest) == len(data)
        return not (is_cut_off and (rest == b"-" or bare in (b"", b"\r")))

    def _count_near_delimiter(self) -> None:
        self._near_delimiters += 1
        if self._near_delimiters > self._limits.near_delimiters:
            raise errors.TooLarge(
                f"multipart body: more than {self._limits.near_delimiters} lines begin like a boundary"
            )

    def _emit(self, data: bytes, start: int, end: int, events: list[Event]) -> None:
        if start == end:
            return
        if self._state is _State.BODY:
            events.append(PartData(data if end - start == len(data) else memoryview(data)[start:end]))
            return
        self._preamble += end - start
        if self._preamble > self._limits.preamble:
            most = self._limits.preamble
            raise errors.Malformed(
                f"multipart body: the boundary that Content-Type names is not in the first {most} bytes"
            )

    def _enter_delimiter(self) -> None:
        # The state of before is kept: a near-delimiter goes back to it.
        self._before = self._state
        self._state = _State.DELIMITER
        self._line = b""

    def _feed_delimiter(self, data: bytes, position: int, events: list[Event]) -> int:
        byte = data[position : position + 1]
        line = self._line
        if byte == b"\n" and not line.startswith(b"-"):
            self._begin_part(line, events)
        elif byte == b"-" and line in (b"", b"-"):
            self._line += byte
            if line:
                self._close(events)
        elif byte in b" \t\r" and not line.endswith((b"\r", b"-")) and len(line) < self._limits.padding:
            self._line += byte
        else:
            self._take_back(events)
            return position
        return position + 1

    def _take_back(self, events: list[Event]) -> None:
        """It only looked like a delimiter: what was kept of it is data (or preamble)."""
        self._count_near_delimiter()
        self._state = self._before
        kept = self._delimiter[self._unsent :] + self._line
        self._unsent = 0
        self._held = b""
        self._emit(kept, 0, len(kept), events)

    def _begin_part(self, line: bytes, events: list[Event]) -> None:
        self._end_part(events)
        self._parts += 1
        if self._parts > self._limits.parts:
            raise errors.TooLarge(f"multipart body: more than {self._limits.parts} parts")
        if self._parts == 1:
            self._break = b"\r\n" if line.endswith(b"\r") else b"\n"
            self._delimiter = self._break + b"--" + self._boundary
        self._state = _State.HEADERS
        self._line = b""
        self._headers = {}
        self._last_header = ""
        self._header_count = self._header_bytes = 0

    def _close(self, events: list[Event]) -> None:
        self._end_part(events)
        self._state = _State.EPILOGUE

    def _end_part(self, events: list[Event]) -> None:
        if self._before is _State.BODY:
            events.append(PartEnd())
        self._held = b""

    def _feed_headers(self, data: bytes, position: int, events: list[Event]) -> int:
        end = data.find(b"\n", position)
        stop = len(data) if end < 0 else end + 1
        self._header_bytes += stop - position
        if self._header_bytes > self._limits.header_bytes:
            raise errors.TooLarge(f"part {self._parts}: its headers pass {self._limits.header_bytes} bytes")
        self._line += data[position:stop]
        if end >= 0:
            line = self._line.rstrip(b"\r\n")
            self._line = b""
            if line:
                self._add_header(line)
            else:
                self._begin_body(events)
        return stop

    def _add_header(self, line: bytes) -> None:
        text = line.decode("latin-1")
        if line[:1] in (b" ", b"\t") and self._last_header:
            self._headers[self._last_header] = f"{self._headers[self._last_header]} {text.strip()}".strip()
            return
        name, colon, value = text.partition(":")
        name = name.strip().lower()
        if not (colon and name) or line != line.translate(None, _CONTROLS):
            raise errors.Malformed(f"part {self._parts}: expected `name: value` or an empty line after the delimiter")
        self._header_count += 1
        if self._header_count > self._limits.headers:
            raise errors.TooLarge(f"part {self._parts}: more than {self._limits.headers} headers")
        self._headers.setdefault(name, value.strip())
        self._last_header = name

    def _begin_body(self, events: list[Event]) -> None:
        events.append(PartBegin(self._headers))
        self._state = _State.BODY
        # The empty line's end may be the delimiter's at once: a part without a body (RFC 2046 §5.1.1).
        self._held = self._break
        self._unsent = len(self._break)


def new_boundary() -> str:
    """A boundary that occurs in no data: long and random, for clients search bodies for it (V4)."""
    return f"dicomgate-{secrets.token_hex(24)}"


def stable_boundary(about: str) -> str:
    """The same boundary for the same bytes: nobody can put into them what follows from what they are (GEN-12)."""
    return f"dicomgate-{hashlib.sha256(about.encode()).hexdigest()[:48]}"


def content_type(boundary: str, part_type: str) -> str:
    """The Content-Type of the whole body; `part_type` is that of its first part, without parameters (§8.7.1)."""
    return format_media_type(MediaType(MULTIPART, (("type", part_type), ("boundary", boundary))))


def part_head(boundary: str, headers: Sequence[tuple[str, str]], *, first: bool) -> bytes:
    """What stands before a part's data. `Content-Type` comes first, in that very casing (MP-08, CLI-04)."""
    assert headers, "a part says at least what it is"
    assert headers[0][0] == "Content-Type"
    lines = [f"--{boundary}", *(f"{name}: {value}" for name, value in headers)]
    assert all(line.isprintable() for line in lines), "header values are ours"
    start = b"" if first else b"\r\n"
    return start + "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def closing(boundary: str) -> bytes:
    """What ends the body after the last part's data."""
    return f"\r\n--{boundary}--\r\n".encode("ascii")


def content_length(boundary: str, parts: Iterable[tuple[Sequence[tuple[str, str]], int]]) -> int:
    """The body's length, from each part's headers and the size of its data."""
    total = len(closing(boundary))
    for number, (headers, size) in enumerate(parts):
        total += len(part_head(boundary, headers, first=number == 0)) + size
    return total
