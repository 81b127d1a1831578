"""Files of a study, series or instance of another server, each streamed to where it is kept (PS3.18 §10.4.1.1.1)."""

from __future__ import annotations

import io
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import IO, Any, Final, Generic, Protocol, TypeVar

import orjson

from dicomgate import collector, errors
from dicomgate.client import threads
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.caller import Caller
from dicomgate.client.request import Answer, Request, Streamed
from dicomgate.dicom.uids import Level, Target
from dicomgate.dicomweb import media_types, multipart, resources
from dicomgate.origin import JSONDataset

_Item = TypeVar("_Item")

ANY: Final = "*"
"""The transfer syntax in which it is stored, whichever that is."""

_IN_MEMORY: Final = 4 << 20
_LONGEST_METADATA: Final = 1 << 30
_LONGEST_PICTURE: Final = 64 << 20
_LEAST: Final = 256 << 10
_MOST: Final = 4 << 20
"""Bytes that go to a thread at once."""


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
    """What `files` does, without an event loop."""
    return caller.run(files(caller.calls, target, transfer_syntax, begin))


async def files(calls: AsyncCaller, target: Target, transfer_syntax: str, begin: Callable[[], Sink]) -> int:
    """Every file of the target into a sink of its own, in one request; how many came whole.

    Sinks are used in threads, one at a time. NotFound, Gone, NotAcceptable in this transfer syntax, UpstreamFailed when
    the answer breaks off or is none of files; what was finished before stays so.
    """
    count = 0
    async with aclosing(_steps(calls, target, transfer_syntax, begin)) as steps:
        async for done in steps:
            count = done
    return count


@dataclass(frozen=True, slots=True)
class Come(Generic[_Item]):
    """What was made of a file that came; `target` is None of one that is damaged."""

    target: Target | None
    item: _Item
    let_go: Callable[[], None]


Reading = Callable[[IO[bytes]], Come[_Item]]


async def held(
    calls: AsyncCaller, target: Target, transfer_syntax: str, read: Reading[_Item]
) -> AsyncGenerator[list[Come[_Item]], None]:
    """What is read from every file of the target, in one request: of as many at a time as have come together.

    `read` is called in a thread, with a file to be kept, or closed. A small one is held in memory, a large one in a
    file without a name. The faults of `files`, as they are noticed: what was given before came whole.
    """
    done: list[Come[_Item]] = []

    def begin() -> _Held:
        return _Held(lambda file: done.append(read(file)))

    def taken() -> list[Come[_Item]]:
        found, done[:] = done[:], []
        return found

    try:
        async with aclosing(_steps(calls, target, transfer_syntax, begin)) as steps:
            async for _ in steps:
                if done:
                    yield taken()
    except errors.UpstreamFailed:
        if done:
            yield taken()
        raise
    finally:
        for one in done:
            one.let_go()


class _Held:
    """A file that is handed on when it is whole."""

    def __init__(self, hand_on: Callable[[IO[bytes]], None]) -> None:
        self._hand_on = hand_on
        self._pieces: list[bytes | memoryview] = []
        self._size = 0
        self._large: IO[bytes] | None = None

    def write(self, data: bytes | memoryview) -> None:
        self._size += len(data)
        if self._large is None and self._size > _IN_MEMORY:
            self._large = tempfile.TemporaryFile()  # noqa: SIM115 - closed by who gets it
            self._large.writelines(self._pieces)
            self._pieces.clear()
        if self._large is None:
            self._pieces.append(data)
        else:
            self._large.write(data)

    def finish(self) -> None:
        file, self._large = self._large, None
        if file is None:
            file = io.BytesIO(b"".join(self._pieces))
            self._pieces.clear()
        file.seek(0)
        self._hand_on(file)

    def discard(self) -> None:
        self._pieces.clear()
        if self._large is not None:
            self._large.close()


async def _steps(
    calls: AsyncCaller, target: Target, transfer_syntax: str, begin: Callable[[], Sink]
) -> AsyncGenerator[int, None]:
    """How many files have come, after each step."""
    syntax = f"transfer-syntax={transfer_syntax}"
    accept = f'multipart/related; type="application/dicom"; {syntax}'
    if target.level is Level.INSTANCE:
        accept += f", application/dicom; {syntax}"
    request = Request(path=resources.link("", target), headers={"Accept": accept}, is_about_a_thing=True)
    async with calls.stream(request) as answer:
        check(answer)
        filling = _Filling(_media_type(answer.content_type), begin)
        try:
            async with aclosing(in_steps(filling.feed_all, answer.chunks, filling.feed_last)) as counts:
                async for count in counts:
                    yield count
        finally:
            filling.discard()


def in_steps(
    work: Callable[[list[bytes]], _Item],
    chunks: AsyncIterator[bytes],
    last: Callable[[list[bytes]], _Item] | None = None,
) -> AsyncGenerator[_Item, None]:
    """What a thread does with a body, step by step, while the rest comes; `last` with the end of it."""
    return threads.beside(work, chunks, _LEAST, _MOST, last)


class _Filling:
    """Takes an answer to pieces, and each file to its sink."""

    def __init__(self, kind: media_types.MediaType, begin: Callable[[], Sink]) -> None:
        self._begin = begin
        self._parser: multipart.Parser | None = None
        self._sink: Sink | None = None
        self._count = 0
        if kind.type == "application/dicom":
            self._sink = begin()
        elif kind.type == media_types.MULTIPART:
            self._parser = multipart.Parser(_boundary(kind))
        else:
            raise errors.UpstreamFailed("the server answers with something other than DICOM files")

    def feed_all(self, chunks: list[bytes]) -> int:
        """What `feed` does with each."""
        with collector.paused():  # data sets may be made of what comes
            for chunk in chunks:
                self.feed(chunk)
        return self._count

    def feed_last(self, chunks: list[bytes]) -> int:
        """The end of the body; how many files there were. UpstreamFailed when it is not whole."""
        self.feed_all(chunks)
        return self._finish()

    def feed(self, chunk: bytes) -> int:
        """The next bytes; how many files are whole by now. UpstreamFailed when they are no multipart body."""
        if self._parser is None:
            assert self._sink is not None, "a whole file has one from the beginning"
            self._sink.write(chunk)
            return 0
        try:
            events = self._parser.feed(chunk)
        except (errors.Malformed, errors.TooLarge) as fault:
            raise errors.UpstreamFailed(f"the answer breaks off or is damaged: {fault.message}") from fault
        for event in events:
            if isinstance(event, multipart.PartBegin):
                self._sink = self._begin()
            elif isinstance(event, multipart.PartData):
                assert self._sink is not None, "a part begins before its data"
                self._sink.write(event.data)
            else:
                self._end()
        return self._count

    def _end(self) -> None:
        if self._sink is not None:
            self._sink.finish()
            self.discard()
            self._count += 1

    def _finish(self) -> int:
        if self._parser is None:
            self._end()
            return self._count
        try:
            self._parser.finish()
        except (errors.Malformed, errors.TooLarge) as fault:
            raise errors.UpstreamFailed(f"the answer breaks off or is damaged: {fault.message}") from fault
        return self._count

    def discard(self) -> None:
        """Leave what has not come whole."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.discard()


def _boundary(kind: media_types.MediaType) -> bytes:
    try:
        return multipart.boundary_of(kind)
    except errors.Malformed as fault:
        raise errors.UpstreamFailed("the server does not say where the parts of its answer begin") from fault


def metadata(caller: Caller, target: Target) -> list[JSONDataset]:
    """What `described` gives, without an event loop."""
    return caller.run(described(caller.calls, target))


async def described(calls: AsyncCaller, target: Target) -> list[JSONDataset]:
    """The data sets of all instances of the target, without their large values. The faults of `AsyncCaller.send`."""
    headers = {"Accept": "application/dicom+json", "Accept-Encoding": "gzip"}
    path = resources.metadata_link("", target)
    request = Request(path=path, headers=headers, is_about_a_thing=True, may_be_kept=True)
    answer = await calls.send(request, most=_LONGEST_METADATA)
    check(answer)
    found = await threads.in_thread(_load, answer.body)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise errors.UpstreamFailed("metadata was answered with something other than a list of data sets")
    return found


def _load(text: bytes) -> Any:
    """What JSON says."""
    try:
        with collector.paused():
            return orjson.loads(text)
    except orjson.JSONDecodeError as fault:
        raise errors.UpstreamFailed("metadata was answered with something other than DICOM JSON") from fault


def rendered(caller: Caller, target: Target, frame: int, parameters: dict[str, str]) -> bytes:
    """A frame as a PNG file. NotAcceptable when there is no picture of it."""
    path = f"{resources.frame_link('', target, frame)}/rendered"
    return caller.run(picture(caller.calls, path, "image/png", parameters))


async def picture(
    calls: AsyncCaller, path: str, media_type: str, parameters: Mapping[str, str], most: int = _LONGEST_PICTURE
) -> bytes:
    """What is shown at a path. NotAcceptable when there is no such form of it; the faults of `AsyncCaller.send`."""
    request = Request(
        path=path, headers={"Accept": media_type}, parameters=parameters, is_about_a_thing=True, may_be_kept=True
    )
    answer = await calls.send(request, most=most)
    check(answer)
    return answer.body


def check(answer: Streamed | Answer) -> None:
    """NotAcceptable, or UpstreamFailed for anything but 200."""
    if answer.status == 406:
        raise errors.NotAcceptable("the server has it in no such form (406)")
    if answer.status != 200:
        raise errors.UpstreamFailed(f"the server answers {answer.status}")


def _media_type(text: str) -> media_types.MediaType:
    try:
        return media_types.parse(text)
    except errors.Malformed as fault:
        raise errors.UpstreamFailed("the server does not say what it answers with") from fault
