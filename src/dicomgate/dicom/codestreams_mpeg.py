"""MPEG streams: transport, program or bare, and the pictures in them (ISO/IEC 13818-1, -2; PS3.5 §8.2.5 to §8.2.11).

Every byte is looked at once, a piece at a time: only so does a stream tell how many frames it has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from dicomgate import errors
from dicomgate.dicom import codestreams_video
from dicomgate.dicom.codestreams_reading import Bits, Deadline
from dicomgate.dicom.codestreams_transport import Timed, read_program, read_transport, transport_packet
from dicomgate.dicom.codestreams_video import AVC, HEVC, MPEG2, Parameters
from dicomgate.dicom.picture import Picture
from dicomgate.dicom.source import Source, Truncated

_CHUNK = 1 << 20
_HEAD = 4 << 20
"""Bytes of a stream in which its parameters must stand."""
_LONGEST_UNIT = 4096
_KEPT = 32
"""Bytes after a start code that counting may look at."""
_SEQUENCE = re.compile(rb"\0\0\x01\xb3(.{8})", re.DOTALL)
_SEQUENCE_EXTENSION = re.compile(rb"\0\0\x01\xb5([\x10-\x1f].{5})", re.DOTALL)
_AVC_SEQUENCE = re.compile(rb"\0\0\x01[\x27\x47\x67]")
_AVC_STEREO = re.compile(rb"\0\0\x01[\x0f\x2f\x4f\x6f]\x80")
_HEVC_SEQUENCE = re.compile(rb"\0\0\x01\x42\x01")
_MPEG2_PICTURES = re.compile(rb"\0\0\x01(?:\0|\xb5[\x80-\x8f].(.))", re.DOTALL)
_AVC_PICTURES = re.compile(rb"\0\0\x01[\x01\x21\x41\x61\x25\x45\x65][\x80-\xff]")
_HEVC_PICTURES = re.compile(
    rb"\0\0\x01[\x00\x02\x04\x06\x08\x0a\x0c\x0e\x10\x12\x20\x22\x24\x26\x28\x2a][\x01-\x07][\x80-\xff]"
)
_START = re.compile(rb"\0\0\x01(..)", re.DOTALL)
_AVC_STARTS = frozenset(b"\x67\x47\x27\x09\x06")
_HEVC_STARTS = frozenset(b"\x40\x42\x46\x4e")


def read(source: Source, codecs: frozenset[str]) -> Picture:
    """The video. Malformed or Truncated when there is none, UnsupportedMedia when no transfer syntax takes it."""
    pieces = _pieces(source)
    head, rest = _head(pieces)
    codec = pieces.codec or _guess(head)
    if codec is None:
        raise errors.Malformed(f"expected {' or '.join(sorted(codecs))} video, saw other first bytes")
    if codec not in codecs:
        raise errors.Malformed(f"expected {' or '.join(sorted(codecs))} video, saw {codec}")
    parameters = _PARAMETERS[codec](head)
    halves = _count(_whole(head, rest), codec, parameters)
    frames = halves // 2
    time = pieces.frame_time(frames) if parameters.rate is None else None
    return codestreams_video.describe(parameters, source.size, frames, time)


def _pieces(source: Source) -> Timed:
    head = source.read_at(0, 1024)
    packet = transport_packet(head)
    if packet:
        return read_transport(source, *packet)
    if head.startswith(b"\0\0\1\xba"):
        return read_program(source)
    if not head.startswith((b"\0\0\1", b"\0\0\0\1")):
        raise errors.Malformed("expected a video stream, saw other first bytes")
    return Timed(_plain(source))


def _plain(source: Source) -> Iterator[bytes]:
    at, deadline = 0, Deadline()
    while chunk := source.read_at(at, _CHUNK):
        deadline.check()
        yield chunk
        at += len(chunk)


def _head(pieces: Timed) -> tuple[bytes, Iterator[bytes]]:
    """The first pieces joined, and those that follow."""
    found = bytearray()
    iterator = iter(pieces)
    for piece in iterator:
        found += piece
        if len(found) >= _HEAD:
            break
    return bytes(found), iterator


def _whole(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def _guess(head: bytes) -> str | None:
    """The codec of a stream that does not tell it, by its first start code."""
    start = _START.search(head, 0, 1024)
    if start is None:
        return None
    first, second = start[1]
    if first in (0xB3, 0xB8):
        return MPEG2
    if first in _HEVC_STARTS and second == 1:
        return HEVC
    return AVC if first in _AVC_STARTS else None


def _mpeg2_parameters(head: bytes) -> Parameters:
    sequence = _SEQUENCE.search(head)
    if sequence is None:
        raise Truncated("an MPEG-2 stream without a sequence header")
    extension = _SEQUENCE_EXTENSION.search(head, sequence.end(), sequence.end() + 256)
    return codestreams_video.read_mpeg2(sequence[1], extension[1] if extension else b"")


def _avc_parameters(head: bytes) -> Parameters:
    sequence = _AVC_SEQUENCE.search(head)
    if sequence is None:
        raise Truncated("an H.264 stream without a parameter set")
    is_stereo = _AVC_STEREO.search(head) is not None
    return codestreams_video.read_avc(_unit(head, sequence.start() + 3), is_stereo=is_stereo)


def _hevc_parameters(head: bytes) -> Parameters:
    sequence = _HEVC_SEQUENCE.search(head)
    if sequence is None:
        raise Truncated("an H.265 stream without a parameter set")
    return codestreams_video.read_hevc(_unit(head, sequence.start() + 3))


def _unit(head: bytes, start: int) -> bytes:
    end = head.find(b"\0\0\1", start, start + _LONGEST_UNIT)
    return head[start : end if end >= 0 else start + _LONGEST_UNIT]


_PARAMETERS: dict[str, Callable[[bytes], Parameters]] = {
    MPEG2: _mpeg2_parameters,
    AVC: _avc_parameters,
    HEVC: _hevc_parameters,
}
_PICTURES = {MPEG2: _MPEG2_PICTURES, AVC: _AVC_PICTURES, HEVC: _HEVC_PICTURES}


def _count(pieces: Iterator[bytes], codec: str, parameters: Parameters) -> int:
    """How many pictures there are, in half frames; a start code that lies across two pieces counts once."""
    pattern = _PICTURES[codec]
    starts = halves = 0
    window = b""
    for piece in pieces:
        window += piece
        last = len(window) - _KEPT
        found = [match for match in pattern.finditer(window) if match.start() < last]
        starts += sum(match.lastindex is None for match in found)
        halves += sum(_half_frames(match, codec, parameters) for match in found)
        window = window[max(last, 0) :]
    found = list(pattern.finditer(window))
    starts += sum(match.lastindex is None for match in found)
    halves += sum(_half_frames(match, codec, parameters) for match in found)
    return halves or 2 * starts


def _half_frames(match: re.Match[bytes], codec: str, parameters: Parameters) -> int:
    """Of MPEG-2 the extension after a picture tells whether it is a field; MPEG-1 has none, and only whole frames."""
    if codec == MPEG2:
        return 0 if match[1] is None else 2 if match[1][0] & 3 == 3 else 1
    if codec == AVC and parameters.is_field_coded and _is_field(match, parameters):
        return 1
    return 2


def _is_field(match: re.Match[bytes], parameters: Parameters) -> bool:
    bits = Bits(match.string[match.start() + 4 : match.start() + _KEPT].replace(b"\0\0\3", b"\0\0"))
    try:
        for _ in range(3):
            bits.unsigned()
        bits.read(parameters.number_bits)
        return bits.flag()
    except errors.Malformed:
        return False
