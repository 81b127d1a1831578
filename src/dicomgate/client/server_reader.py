"""Frames, metadata and values of another server, for arrays (PS3.18 §10.4.1.1.5, .6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from dicomgate import errors
from dicomgate.client import fetch
from dicomgate.client.caller import Caller, Request, Streamed
from dicomgate.dicom import syntaxes
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import Target
from dicomgate.dicomweb import media_types, multipart, resources

LARGEST: Final = 4 << 30
"""Bytes of one answer."""
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
        """The data sets of the instances there. The faults of `Caller.send`."""
        return fetch.metadata(self._caller, target)

    def frames(self, target: Target, numbers: Sequence[int]) -> list[tuple[bytes, str]]:
        """The frames with these numbers. UpstreamFailed when others come, or none; the faults of `Caller.send`.

        Numbers are asked for in ascending order, each once, as the standard wants it.
        """
        wanted = sorted(set(numbers))
        found = self._ask(
            f"{resources.link('', target)}/frames/{resources.format_frames(tuple(wanted))}",
            _IN_PARTS if len(wanted) > 1 else f"{_IN_PARTS}, {_STORED}",
        )
        if len(found) != len(wanted):
            raise errors.UpstreamFailed(f"{len(found)} frames came where {len(wanted)} were asked for")
        by_number = dict(zip(wanted, found, strict=True))
        return [by_number[number] for number in numbers]

    def bulk(self, target: Target, uri: str) -> bytes:
        """The value there: always at the same server, at the address below its root that the URI ends with."""
        path = uri[uri.find("/studies/") :] if "/studies/" in uri else f"{resources.link('', target)}/{uri}"
        found = self._ask(path, f"{_IN_PARTS}, {_STORED}")
        if len(found) != 1:
            raise errors.UpstreamFailed(f"{len(found)} values came where one was asked for")
        return found[0][0]

    def _ask(self, path: str, accept: str) -> list[tuple[bytes, str]]:
        with self._caller.stream(Request(method="GET", path=path, headers={"Accept": accept})) as answer:
            if answer.status == 406:
                raise errors.NotAcceptable("the server has it in no such form (406)")
            if answer.status != 200:
                raise errors.UpstreamFailed(f"the server answers {answer.status}")
            return _read_parts(answer)


def _read_all(answer: Streamed) -> bytes:
    return b"".join(_bounded(answer.chunks))


def _bounded(chunks: Iterator[bytes]) -> Iterator[bytes]:
    left = LARGEST
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise errors.TooLarge(f"an answer of more than {LARGEST} bytes")
        yield chunk


def _read_parts(answer: Streamed) -> list[tuple[bytes, str]]:
    """Each part, or the whole as the only one, with its transfer syntax."""
    content_type = _parsed(answer.content_type)
    if content_type.type != media_types.MULTIPART:
        return [(_read_all(answer), _syntax(content_type))]
    found: list[tuple[bytes, str]] = []
    syntax, pieces = "", bytearray()
    try:
        parser = multipart.Parser(multipart.boundary_of(content_type))
        for event in (event for chunk in _bounded(answer.chunks) for event in parser.feed(chunk)):
            if isinstance(event, multipart.PartBegin):
                syntax, pieces = _syntax(_parsed(event.headers.get("content-type", ""))), bytearray()
            elif isinstance(event, multipart.PartData):
                pieces += event.data
            else:
                found.append((bytes(pieces), syntax))
        parser.finish()
    except errors.Malformed as fault:
        raise errors.UpstreamFailed(f"the answer breaks off or is damaged: {fault.message}") from fault
    return found


def _parsed(text: str) -> media_types.MediaType:
    try:
        return media_types.parse(text)
    except errors.Malformed:
        return media_types.MediaType(media_types.OCTET_STREAM)


def _syntax(content_type: media_types.MediaType) -> str:
    said = content_type.get("transfer-syntax")
    return said if said not in (None, "*", "") else _DEFAULTS.get(content_type.type, syntaxes.EXPLICIT_LITTLE)
