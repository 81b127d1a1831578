"""Frames, metadata and values of another server, for arrays (PS3.18 §10.4.1.1.5, .6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dicomgate import errors
from dicomgate.client import fetch
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.caller import Caller
from dicomgate.client.request import BrokenOff, Request, Streamed
from dicomgate.dicom import syntaxes
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import Target
from dicomgate.dicomweb import media_types, multipart, resources

LARGEST: Final = 4 << 30
"""Bytes of one answer."""
_TRIES: Final = 3
_STORED: Final = "application/octet-stream; transfer-syntax=*"
_IN_PARTS: Final = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
_DEFAULTS: Final = {
    # What a part is when it names no transfer syntax (Table 8.7.3-5)
    "application/octet-stream": syntaxes.EXPLICIT_LITTLE,
    "image/jpeg": "1.2.840.10008.1.2.4.70",
    "image/dicom-rle": "1.2.840.10008.1.2.5",
    "image/jls": "1.2.840.10008.1.2.4.80",
    "image/jp2": "1.2.840.10008.1.2.4.90",
    "image/jpx": "1.2.840.10008.1.2.4.92",
    "image/jphc": "1.2.840.10008.1.2.4.201",
    "image/jxl": "1.2.840.10008.1.2.4.110",
}


class ServerReader:
    """Reads from a DICOMweb server; what it has stored comes as it is stored, and is decoded here."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def metadata(self, target: Target) -> list[JSONDataset]:
        """The data sets of the instances there. The faults of `AsyncCaller.send`."""
        return fetch.metadata(self._caller, target)

    def frames(self, target: Target, numbers: Sequence[int]) -> list[tuple[bytes, str]]:
        """The frames with these numbers. The faults of `read_frames`."""
        return self._caller.run(read_frames(self._caller.calls, target, numbers))

    def bulk(self, target: Target, uri: str) -> bytes:
        """The value there. The faults of `read_bulk`."""
        return self._caller.run(read_bulk(self._caller.calls, target, uri))


async def read_frames(calls: AsyncCaller, target: Target, numbers: Sequence[int]) -> list[tuple[bytes, str]]:
    """The frames with these numbers, each with its transfer syntax.

    Numbers are asked for in ascending order, each once, as the standard wants it. NotFound, UpstreamFailed when others
    come, or none; the faults of `AsyncCaller.send`.
    """
    wanted = sorted(set(numbers))
    found = await _ask(
        calls,
        f"{resources.link('', target)}/frames/{resources.format_frames(tuple(wanted))}",
        _IN_PARTS if len(wanted) > 1 else f"{_IN_PARTS}, {_STORED}",
    )
    if len(found) != len(wanted):
        raise errors.UpstreamFailed(f"{len(found)} frames came where {len(wanted)} were asked for")
    by_number = dict(zip(wanted, found, strict=True))
    return [by_number[number] for number in numbers]


async def read_bulk(calls: AsyncCaller, target: Target, uri: str) -> bytes:
    """The value there: always at the same server, at the address below its root that the URI ends with."""
    path = uri[uri.find("/studies/") :] if "/studies/" in uri else f"{resources.link('', target)}/{uri}"
    found = await _ask(calls, path, f"{_IN_PARTS}, {_STORED}")
    if len(found) != 1:
        raise errors.UpstreamFailed(f"{len(found)} values came where one was asked for")
    return found[0][0]


async def _ask(calls: AsyncCaller, path: str, accept: str) -> list[tuple[bytes, str]]:
    request = Request(path=path, headers={"Accept": accept}, is_about_a_thing=True, may_be_kept=True)
    tries = _TRIES
    while True:
        tries -= 1
        try:
            async with calls.stream(request) as answer:
                fetch.check(answer)
                return await _read_parts(answer)
        except BrokenOff:
            if not tries:
                raise


class _Reading:
    """Parts as they come, each held whole with its transfer syntax, within a bound for all."""

    def __init__(self, content_type: media_types.MediaType) -> None:
        self.found: list[tuple[bytes, str]] = []
        self._syntax = _syntax(content_type)
        self._pieces: list[bytes] = []
        self._left = LARGEST
        self._parser: multipart.Parser | None = None
        if content_type.type == media_types.MULTIPART:
            self._parser = multipart.Parser(multipart.boundary_of(content_type))

    def feed(self, chunk: bytes) -> None:
        self._left -= len(chunk)
        if self._left < 0:
            raise errors.TooLarge(f"an answer of more than {LARGEST} bytes")
        if self._parser is None:
            self._pieces.append(chunk)
            return
        for event in self._parser.feed(chunk):
            if isinstance(event, multipart.PartBegin):
                self._syntax, self._pieces = _syntax(_parsed(event.headers.get("content-type", ""))), []
            elif isinstance(event, multipart.PartData):
                self._pieces.append(bytes(event.data))
            else:
                self._end()

    def _end(self) -> None:
        self.found.append((b"".join(self._pieces), self._syntax))
        self._pieces = []

    def finish(self) -> list[tuple[bytes, str]]:
        if self._parser is None:
            self._end()
        else:
            self._parser.finish()
        return self.found


async def _read_parts(answer: Streamed) -> list[tuple[bytes, str]]:
    """Each part, or the whole as the only one, with its transfer syntax."""
    try:
        reading = _Reading(_parsed(answer.content_type))
        async for chunk in answer.chunks:
            reading.feed(chunk)
        return reading.finish()
    except errors.Malformed as fault:
        raise BrokenOff(f"the answer breaks off or is damaged: {fault.message}") from fault


def _parsed(text: str) -> media_types.MediaType:
    try:
        return media_types.parse(text)
    except errors.Malformed:
        return media_types.MediaType(media_types.OCTET_STREAM)


def _syntax(content_type: media_types.MediaType) -> str:
    said = content_type.get("transfer-syntax")
    return said if said not in (None, "*", "") else _DEFAULTS.get(content_type.type, syntaxes.EXPLICIT_LITTLE)
