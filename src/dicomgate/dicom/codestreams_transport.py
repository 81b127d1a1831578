"""MPEG-2 transport and program streams: the bytes of their video, and its times (ISO/IEC 13818-1)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

from dicomgate import errors
from dicomgate.dicom.codestreams_reading import Deadline, exactly, numbers
from dicomgate.dicom.codestreams_video import AVC, HEVC, MPEG2
from dicomgate.dicom.source import Source, Truncated

_SYNC = 0x47
_PACKET = 188
_PACKETS = 5000
"""Read at once."""
_CODECS = {0x01: MPEG2, 0x02: MPEG2, 0x1B: AVC, 0x24: HEVC}
_LONGEST_SECTION = 1024
_FEW, _SMALLEST = 1000, 256
"""Of more packets than few, how many bytes each has at least, taken together: usual are a thousand."""
_PACK, _END = 0xBA, 0xB9
_VIDEO = range(0xE0, 0xF0)


class Timed:
    """The bytes of one video, piece by piece, and while they are read the times at which its pictures are shown."""

    def __init__(self, pieces: Iterator[bytes] | None = None) -> None:
        self.pieces = pieces or iter(())
        self.codec: str | None = None
        self.first: int | None = None
        self.last = 0

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces

    def see(self, header: bytes) -> None:
        """Note the time in a packet's header, if it has one: 33 bits of a 90 kHz clock."""
        if len(header) < 14 or not header[7] & 0x80:
            return
        high, middle, low = header[9] >> 1 & 7, numbers("H", header, 10)[0] >> 1, numbers("H", header, 12)[0] >> 1
        time = high << 30 | middle << 15 | low
        self.first = time if self.first is None else min(self.first, time)
        self.last = max(self.last, time)

    def frame_time(self, frames: int) -> Fraction | None:
        """Milliseconds from frame to frame, where the times tell it."""
        if self.first is None or frames < 2 or self.last <= self.first:
            return None
        return Fraction(self.last - self.first, 90 * (frames - 1))


def transport_packet(head: bytes) -> tuple[int, int] | None:
    """Size of the packets and where in each it begins, if these are the first bytes of a transport stream."""
    for size, offset in ((_PACKET, 0), (192, 4), (204, 0)):
        places = range(offset, min(len(head), 4 * size), size)
        if len(places) > 1 and all(head[place] == _SYNC for place in places):
            return size, offset
    return None


def read_transport(source: Source, size: int, offset: int) -> Timed:
    """The first video of a transport stream. Malformed when packets get lost, Truncated when the last is cut off."""
    video = Timed()
    video.pieces = _Transport(source, size, offset, video).pieces()
    return video


class _Transport:
    """Packets, and the tables among them that tell which carry the video."""

    def __init__(self, source: Source, size: int, offset: int, video: Timed) -> None:
        self._source = source
        self._size = size
        self._offset = offset
        self._video = video
        self._sections: dict[int, bytearray] = {0: bytearray()}
        self._wanted = -1

    def pieces(self) -> Iterator[bytes]:
        """The payload of the video's packets, joined by the read."""
        if self._source.size % self._size:
            raise Truncated("a transport stream that ends inside a packet")
        at, deadline = 0, Deadline()
        while chunk := self._source.read_at(at, self._size * _PACKETS):
            deadline.check()
            yield b"".join(self._payloads(chunk, at))
            at += len(chunk)

    def _payloads(self, chunk: bytes, base: int) -> Iterator[bytes]:
        for start in range(self._offset, len(chunk), self._size):
            if chunk[start] != _SYNC:
                raise errors.Malformed(f"byte {base + start}: expected a packet of a transport stream")
            number = (chunk[start + 1] & 0x1F) << 8 | chunk[start + 2]
            if number != self._wanted and number not in self._sections:
                continue
            payload = _payload(chunk, start)
            is_first = bool(chunk[start + 1] & 0x40)
            if number == self._wanted:
                yield self._unpacked(payload) if is_first else payload
            elif self._wanted < 0:
                self._take_section(number, payload, is_first=is_first)

    def _unpacked(self, payload: bytes) -> bytes:
        """The payload after the header that begins it."""
        if len(payload) < 9 or not payload.startswith(b"\0\0\1"):
            return payload
        self._video.see(payload)
        return payload[9 + payload[8] :]

    def _take_section(self, number: int, payload: bytes, *, is_first: bool) -> None:
        section = self._sections[number]
        if is_first and payload:
            section[:] = payload[1 + payload[0] :]
        elif section:
            section += payload
        if len(section) < 3 or len(section) < (length := 3 + (int.from_bytes(section[1:3]) & 0x0FFF)):
            if len(section) > _LONGEST_SECTION + 3:
                raise errors.Malformed("a transport stream with a table of more than a kilobyte")
            return
        body = bytes(section[: length - 4])
        section.clear()
        if number:
            self._read_streams(body)
        else:
            self._read_programs(body)

    def _read_programs(self, body: bytes) -> None:
        for at in range(8, len(body) - 3, 4):
            program, number = numbers("HH", body, at)
            if program:
                self._sections.setdefault(number & 0x1FFF, bytearray())
                return

    def _read_streams(self, body: bytes) -> None:
        if len(body) < 12:
            return
        at = 12 + (numbers("H", body, 10)[0] & 0x0FFF)
        while at + 5 <= len(body):
            kind, number, length = numbers("BHH", body, at)
            if kind in _CODECS:
                self._video.codec = _CODECS[kind]
                self._wanted = number & 0x1FFF
                return
            at += 5 + (length & 0x0FFF)
        raise Truncated("a transport stream without a video of a kind taken here")


def _payload(chunk: bytes, start: int) -> bytes:
    control = chunk[start + 3] >> 4 & 3
    if not control & 1:
        return b""
    first = start + 4
    if control & 2:
        first += 1 + chunk[first]
    return chunk[first : start + _PACKET]


def read_program(source: Source) -> Timed:
    """The first video of a program stream. Malformed when packets are broken, Truncated when the last is cut off."""
    video = Timed()
    video.pieces = _program_pieces(source, video)
    return video


def _program_pieces(source: Source, video: Timed) -> Iterator[bytes]:
    at, wanted, deadline = 0, -1, Deadline()
    for count in itertools.count(1):
        deadline.check()
        if at >= source.size:
            return
        if count > _FEW and at < count * _SMALLEST:
            raise errors.Malformed(f"a program stream of {count} packets in {at} bytes")
        head = source.read_at(at, 14)
        if not head.strip(b"\0") and len(head) < 14:
            return
        if len(head) < 4 or head[:3] != b"\0\0\1":
            raise errors.Malformed(f"byte {at}: expected a packet of a program stream, saw something else")
        kind = head[3]
        if kind == _END:
            return
        if kind == _PACK:
            at += _pack_length(head)
            continue
        length = 6 + numbers("H", head, 4)[0]
        content = exactly(source, at, length) if kind in _VIDEO and wanted in (-1, kind) else b""
        if at + length > source.size:
            raise Truncated(f"byte {at}: a program stream that ends inside a packet")
        if content:
            wanted = kind
            yield _packet_payload(content, video)
        at += length


def _pack_length(head: bytes) -> int:
    """Of the header of a pack: MPEG-2's with its stuffing, or MPEG-1's."""
    if len(head) < 14:
        raise Truncated("a program stream that ends inside a pack")
    return 14 + (head[13] & 7) if head[4] >> 6 == 1 else 12


def _packet_payload(content: bytes, video: Timed) -> bytes:
    if len(content) > 8 and content[6] >> 6 == 2:
        video.see(content)
        return content[9 + content[8] :]
    at = 6  # MPEG-1: stuffing, buffer size, times
    while at < len(content) and content[at] == 0xFF:
        at += 1
    if at < len(content) and content[at] >> 6 == 1:
        at += 2
    if at < len(content):
        at += {2: 5, 3: 10}.get(content[at] >> 4, 1)
    return content[at:]
