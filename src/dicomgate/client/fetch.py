"""Files of a study, series or instance of another server, each streamed to where it is kept (PS3.18 §10.4.1.1.1)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import IO, Final, Protocol

import orjson

from dicomgate import errors
from dicomgate.client.caller import Caller, Request, Streamed
from dicomgate.dicom.uids import Level, Target
from dicomgate.dicomweb import media_types, multipart, resources
from dicomgate.origin import JSONDataset

ANY: Final = "*"
"""The transfer syntax in which it is stored, whichever that is."""

_IN_MEMORY: Final = 4 << 20
_LONGEST_METADATA: Final = 1 << 30
_LONGEST_PICTURE: Final = 64 << 20


class Sink(Protocol):
    """Where one file goes."""

    def write(self, data: bytes | memoryview) -> object:
        """The next bytes."""
        ...

    def finish(self) -> object:
        """The file is complete."""
        ...

    def discard(self) -> object:
        """It will never be; may be called after `finish`."""
        ...


def fetch(caller: Caller, target: Target, transfer_syntax: str, begin: Callable[[], Sink]) -> int:
    """Every file of the target into a sink of its own, in one request; how many came whole.

    NotFound, NotAcceptable in this transfer syntax, UpstreamFailed when the answer breaks off or is none of files;
    what was finished before stays so.
    """
    with _asked(caller, target, transfer_syntax) as (answer, boundary):
        return _whole(answer, begin) if boundary is None else _parts(answer, boundary, begin)


def files(caller: Caller, target: Target, transfer_syntax: str = ANY) -> Generator[IO[bytes], None, None]:
    """Every file of the target, in one request, one after the other; each may be read until the next is asked for.

    A small one is held in memory, a large one in a file without a name. The faults of `fetch`, as they are noticed:
    what was given before came whole.
    """
    with _asked(caller, target, transfer_syntax) as (answer, boundary):
        file = _new()
        try:
            for event in _events(answer, boundary) if boundary is not None else _as_part(answer):
                if isinstance(event, multipart.PartData):
                    file.write(event.data)
                elif isinstance(event, multipart.PartEnd):
                    file.seek(0)
                    yield file
                    file.close()
                    file = _new()
        finally:
            file.close()


def _new() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)


def _as_part(answer: Streamed) -> Iterator[multipart.Event]:
    for chunk in answer.chunks:
        yield multipart.PartData(chunk)
    yield multipart.PartEnd()


@contextmanager
def _asked(caller: Caller, target: Target, transfer_syntax: str) -> Iterator[tuple[Streamed, bytes | None]]:
    """The answer with its boundary; None when it is a single file. The faults of `fetch`."""
    syntax = f"transfer-syntax={transfer_syntax}"
    accept = f'multipart/related; type="application/dicom"; {syntax}'
    if target.level is Level.INSTANCE:
        accept += f", application/dicom; {syntax}"
    request = Request(method="GET", path=resources.link("", target), headers={"Accept": accept})
    with caller.stream(request) as answer:
        _check(answer)
        kind = _media_type(answer.content_type)
        if kind.type not in ("application/dicom", media_types.MULTIPART):
            raise errors.UpstreamFailed("the server answers with something other than DICOM files")
        yield answer, multipart.boundary_of(kind) if kind.type == media_types.MULTIPART else None


def metadata(caller: Caller, target: Target) -> list[JSONDataset]:
    """The data sets of all instances of the target, without their large values. The faults of `Caller.send`."""
    path = resources.metadata_link("", target)
    with caller.stream(Request(method="GET", path=path, headers={"Accept": "application/dicom+json"})) as answer:
        _check(answer)
        text = _joined(answer, _LONGEST_METADATA)
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as fault:
        raise errors.UpstreamFailed("metadata was answered with something other than DICOM JSON") from fault
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise errors.UpstreamFailed("metadata was answered with something other than a list of data sets")
    return found


def rendered(caller: Caller, target: Target, frame: int, parameters: dict[str, str]) -> bytes:
    """A frame as a PNG file. NotAcceptable when there is no picture of it."""
    path = f"{resources.frame_link('', target, frame)}/rendered"
    request = Request(method="GET", path=path, headers={"Accept": "image/png"}, parameters=parameters)
    with caller.stream(request) as answer:
        _check(answer)
        return _joined(answer, _LONGEST_PICTURE)


def _joined(answer: Streamed, most: int) -> bytes:
    body = bytearray()
    for chunk in answer.chunks:
        body += chunk
        if len(body) > most:
            raise errors.UpstreamFailed(f"the server answers with more than {most >> 20} MiB")
    return bytes(body)


def _check(answer: Streamed) -> None:
    if answer.status == 406:
        raise errors.NotAcceptable("the server has it in no such form (406)")
    if answer.status != 200:
        raise errors.UpstreamFailed(f"the server answers {answer.status}")


def _media_type(text: str) -> media_types.MediaType:
    try:
        return media_types.parse(text)
    except errors.Malformed as fault:
        raise errors.UpstreamFailed("the server does not say what it answers with") from fault


def _whole(answer: Streamed, begin: Callable[[], Sink]) -> int:
    sink = begin()
    try:
        for chunk in answer.chunks:
            sink.write(chunk)
        sink.finish()
    finally:
        sink.discard()
    return 1


def _parts(answer: Streamed, boundary: bytes, begin: Callable[[], Sink]) -> int:
    count = 0
    sink: Sink | None = None
    try:
        for event in _events(answer, boundary):
            if isinstance(event, multipart.PartBegin):
                sink = begin()
            elif isinstance(event, multipart.PartData):
                assert sink is not None, "a part begins before its data"
                sink.write(event.data)
            elif sink is not None:
                sink.finish()
                sink.discard()
                sink, count = None, count + 1
    finally:
        if sink is not None:
            sink.discard()
    return count


def _events(answer: Streamed, boundary: bytes) -> Iterator[multipart.Event]:
    """UpstreamFailed when the body is no whole multipart body."""
    parser = multipart.Parser(boundary)
    try:
        for chunk in answer.chunks:
            yield from parser.feed(chunk)
        parser.finish()
    except (errors.Malformed, errors.TooLarge) as fault:
        raise errors.UpstreamFailed(f"the answer breaks off or is damaged: {fault.message}") from fault
