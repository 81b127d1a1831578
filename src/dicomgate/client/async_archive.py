"""What `dicomgate.connect_async` gives: find, retrieve, store and delete, at a server or in a folder (PS3.18 §10).

What `find_...` gives, or any data set with these UIDs, pydicom's too, says which study, series or instance is meant, as
does a `Target` or the UID of a study.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Final, Self

from dicomgate import errors
from dicomgate.client import (
    arrays,
    download,
    fetch,
    given,
    quirks,
    retrieving,
    search,
    server_reader,
    store,
    threads,
    wishes,
    zipped,
)
from dicomgate.client.arrays import AHEAD, Values, Wishes
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.bridge import Bridge
from dicomgate.client.caller import Caller
from dicomgate.client.getting import Outcome
from dicomgate.client.given import Given
from dicomgate.client.offered_services import Capabilities, read_capabilities
from dicomgate.client.offers import Receipt
from dicomgate.client.request import Request
from dicomgate.client.results import Result
from dicomgate.client.server_reader import ServerReader
from dicomgate.client.targets import Which, at_least, several_async, target_of
from dicomgate.client.wishes import Wanted
from dicomgate.dicom.uids import Level, Target
from dicomgate.dicomweb import resources

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset


_THUMBNAIL: Final = "studies/{}/series/{}/instances/{}/thumbnail"


async def _nothing() -> None:
    """There is nothing else to let go of."""


class AsyncArchive:
    """A DICOMweb server, or a folder that answers like one. An asynchronous context manager, of one event loop.

    Every method raises Forbidden (401, 403), NotFound and Gone (404, 410), and UpstreamFailed (it cannot be reached, or
    fails) beside what it says. Whoever is cancelled leaves nothing half written.
    """

    def __init__(self, calls: AsyncCaller, close: Callable[[], Awaitable[None]] = _nothing) -> None:
        """`close` is awaited at the end, after the caller has been closed."""
        self._calls = calls
        self._close = close
        self._known: Capabilities | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._calls.host!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of connections, files and threads."""
        await self._calls.aclose()
        await self._close()

    def find_studies(
        self,
        *,
        limit: int | None = None,
        fields: Sequence[str] = (),
        order_by: Sequence[str] = (),
        fuzzy: bool = False,
        **keys: Wanted,
    ) -> AsyncGenerator[Result, None]:
        """Studies whose attributes, by keyword, are as wanted; page by page, as they are taken (PS3.18 §10.6).

        `fields`: further attributes to give, by keyword or tag. `limit`: no more than so many. `order_by`: by these
        keywords, descending with - before one, where the server can. `fuzzy`: names that sound alike, where it can.
        """
        pairs = wishes.pairs(keys, fields=fields, order_by=order_by, fuzzy=fuzzy)
        return self._find("/studies", pairs, limit)

    def find_series(
        self,
        study: Which | None = None,
        *,
        limit: int | None = None,
        fields: Sequence[str] = (),
        order_by: Sequence[str] = (),
        fuzzy: bool = False,
        **keys: Wanted,
    ) -> AsyncGenerator[Result, None]:
        """Series, of one study or of all. See `find_studies`."""
        pairs = wishes.pairs(keys, fields=fields, order_by=order_by, fuzzy=fuzzy)
        return self._find(f"{_link(study, Level.STUDY)}/series", pairs, limit)

    def find_instances(
        self,
        within: Which | None = None,
        *,
        limit: int | None = None,
        fields: Sequence[str] = (),
        order_by: Sequence[str] = (),
        fuzzy: bool = False,
        **keys: Wanted,
    ) -> AsyncGenerator[Result, None]:
        """Instances, of one study, of one series or of all. See `find_studies`."""
        pairs = wishes.pairs(keys, fields=fields, order_by=order_by, fuzzy=fuzzy)
        return self._find(f"{_link(within, Level.SERIES)}/instances", pairs, limit)

    async def _find(self, path: str, pairs: list[tuple[str, str]], limit: int | None) -> AsyncGenerator[Result, None]:
        async with aclosing(search.find(self._calls, path, pairs, limit)) as found:
            async for dataset in found:
                yield Result(dataset)

    async def metadata(self, which: Which) -> list[Result]:
        """The data set of each instance, without its large values (PS3.18 §10.4.1.1.2)."""
        return [Result(dataset) for dataset in await fetch.described(self._calls, target_of(which))]

    async def retrieve(self, which: Which, transfer_syntax: str = fetch.ANY) -> AsyncGenerator[FileDataset, None]:
        """The instances, whole, as pydicom's data sets; each is in memory while it is held. See `files`."""
        async with aclosing(self._retrieve_together(which, transfer_syntax)) as found:
            async for batch in found:
                for dataset in batch:
                    yield dataset

    def _retrieve_together(
        self, which: Which, transfer_syntax: str = fetch.ANY
    ) -> AsyncGenerator[list[FileDataset], None]:
        """The same, as many at a time as came together: what is cheaper to take than one after the other."""
        return retrieving.data_sets(self._calls, target_of(which), transfer_syntax)

    def files(self, which: Which, transfer_syntax: str = fetch.ANY) -> AsyncGenerator[IO[bytes], None]:
        """The instances as PS3.10 files, each once and checked, open for reading until the next is taken.

        In the transfer syntax in which they are stored, or in another one: NotAcceptable when that cannot be had. What
        did not come with the others is asked for alone; UpstreamFailed, at the end, when some did not come at all.
        """
        return retrieving.files(self._calls, target_of(which), transfer_syntax)

    async def download(
        self,
        which: Which | Iterable[Which] | AsyncIterable[Which],
        folder: Path | str,
        *,
        transfer_syntax: str = fetch.ANY,
        jobs: int = 4,
        tell: Callable[[int], None] = lambda _: None,
    ) -> list[Outcome]:
        """Studies or series into a folder, `STUDY/SERIES/INSTANCE.dcm`; what became of each series.

        A file has its name when it is whole and checked, and is not asked for again the next time. `jobs` series come
        side by side; `tell` hears, in threads, of bytes as they come. Unavailable while somebody else fills the folder.
        """
        wanted = await several_async(which)
        bridge = Bridge(asyncio.get_running_loop())
        run = download.Run(Caller.over(self._calls, bridge), Path(folder), transfer_syntax, jobs, tell)

        def stop() -> None:
            run.stop()
            bridge.end()

        try:
            return await threads.in_own_thread(run.all, wanted, told=stop)
        finally:
            run.stop()

    async def zip(self, which: Which, path: Path | str, transfer_syntax: str = fetch.ANY) -> Path:
        """A ZIP file of all instances, as the server makes it; no file when it did not come whole. NotAcceptable."""
        return await zipped.fetch(self._calls, target_of(which), Path(path), transfer_syntax)

    async def rendered(
        self, which: Which, frame: int | None = 1, *, media_type: str = "image/png", **parameters: str
    ) -> bytes:
        """A frame as a picture; `viewport="256,256"`, `window="40,400,linear"` (PS3.18 §8.3.5). NotAcceptable.

        `frame=None`: all that the instance, or the series, shows, in a media type that can hold it.
        """
        target = target_of(which)
        if frame is not None:
            target = at_least(which, Level.INSTANCE)
        link = resources.link("", target) if frame is None else resources.frame_link("", target, frame)
        return await fetch.picture(self._calls, f"{link}/rendered", media_type, parameters)

    async def thumbnail(self, which: Which, *, media_type: str = "image/jpeg", **parameters: str) -> bytes:
        """A small picture that stands for a study, series or instance (PS3.18 §10.4.1.1.4).

        Of an instance of a server that makes none, its rendered first frame.
        """
        target = target_of(which)
        is_instance = target.level is Level.INSTANCE
        if not (is_instance and self._lacks("thumbnail", "GET", _THUMBNAIL)):
            try:
                path = f"{resources.link('', target)}/thumbnail"
                return await fetch.picture(self._calls, path, media_type, parameters)
            except (errors.NotFound, errors.UpstreamFailed):
                if not is_instance:
                    raise
        path = f"{resources.frame_link('', target, 1)}/rendered"
        return await fetch.picture(self._calls, path, media_type, parameters)

    async def bulk_data(self, instance: Which, uri: str) -> bytes:
        """The value that the instance's metadata names by this BulkDataURI; asked for at this server in any case."""
        return await server_reader.read_bulk(self._calls, at_least(instance, Level.INSTANCE), uri)

    async def frame_data(self, instance: Which, numbers: Sequence[int]) -> list[tuple[bytes, str]]:
        """The bytes of frames as they are stored, each with its transfer syntax, in the order asked for."""
        return await server_reader.read_frames(self._calls, at_least(instance, Level.INSTANCE), numbers)

    async def frames(
        self,
        instance: Which,
        numbers: Iterable[int] | None = None,
        *,
        ahead: int = AHEAD,
        values: Values = "stored",
    ) -> AsyncGenerator[tuple[int, Any], None]:
        """Frames with their numbers as arrays, in the order asked for, fetched side by side: see `arrays.frames`."""
        target = at_least(instance, Level.INSTANCE)
        reader, end = self._reader()
        frames = arrays.frames(reader, target, numbers, ahead=ahead, values=values)
        async with aclosing(threads.taken(frames, end)) as found:
            async for one in found:
                yield one

    async def volume(self, which: Which, number: int | None = None, **wishes: Any) -> Any:
        """A series, or an instance of several frames, as one block (slices, rows, columns): see `arrays.volume`.

        `wishes` are the fields of `arrays.Wishes`: values, dtype, fill, largest.
        """
        target = at_least(which, Level.SERIES)
        reader, end = self._reader()
        return await threads.in_own_thread(arrays.volume, reader, target, number, Wishes(**wishes), told=end)

    async def volumes(self, which: Which, **wishes: Any) -> AsyncGenerator[Any, None]:
        """All blocks of a series, the largest first: see `arrays.volumes`."""
        target = at_least(which, Level.SERIES)
        reader, end = self._reader()
        async with aclosing(threads.taken(arrays.volumes(reader, target, Wishes(**wishes)), end)) as found:
            async for one in found:
                yield one

    def _reader(self) -> tuple[ServerReader, Callable[[], None]]:
        """For threads, whose questions are asked on this loop; and what ends these questions."""
        bridge = Bridge(asyncio.get_running_loop())
        return ServerReader(Caller.over(self._calls, bridge)), bridge.end

    async def store(
        self, what: Iterable[Given], *, study: Which | None = None, pace: store.Pace | None = None
    ) -> AsyncGenerator[Receipt, None]:
        """Store files, all below folders, PS3.10 files in memory and pydicom's data sets (PS3.18 §10.5).

        What became of each, as the server says it. What is there already is stored again, which changes nothing. Memory
        does not grow with files. `study`: refuse what is of another one.
        """
        aside: list[Receipt] = []
        uid = None if study is None else target_of(study).study
        async with aclosing(store.send(self._calls, given.offers(what, aside), pace, uid)) as receipts:
            async for receipt in receipts:
                yield receipt
                while aside:
                    yield aside.pop(0)
        for receipt in aside:
            yield receipt

    async def delete(self, which: Which) -> None:
        """Remove a study, series or instance, where the server lets this be done (405 is UpstreamFailed)."""
        path = resources.link("", target_of(which))
        answer = await self._calls.send(Request(method="DELETE", path=path, headers={}, is_about_a_thing=True))
        if answer.status not in (200, 202, 204):
            raise errors.UpstreamFailed(f"the deletion was answered with {answer.status}")

    async def wado_uri(
        self, instance: Which, content_type: str = "application/dicom", *, address: str = "", **parameters: str
    ) -> bytes:
        """An instance by the older grammar (PS3.18 §9): a file, or a picture. NotAcceptable.

        `address`: of the URI service, where it is not `wado` beside the services' root.
        """
        target = at_least(instance, Level.INSTANCE)
        if not address and not quirks.has(self._calls.root, "wado-uri"):
            raise errors.UpstreamFailed(f"{self._calls.host} has no URI service")
        where = address or quirks.wado_uri(self._calls.root)
        named = {"studyUID": target.study, "seriesUID": target.series or "", "objectUID": target.instance or ""}
        asked = {"requestType": "WADO", **named, "contentType": content_type, **parameters}
        return await fetch.picture(self._calls, where, content_type, asked, most=server_reader.LARGEST)

    async def capabilities(self) -> Capabilities:
        """What the server says it offers (PS3.18 §8.9); nothing known, where it says nothing.

        Once this was asked, the other verbs go by it.
        """
        self._known = await read_capabilities(self._calls)
        return self._known

    def _lacks(self, service: str, method: str, template: str) -> bool:
        """True of what such servers are known to lack, or this one says it has not."""
        said = None if self._known is None else self._known.offers(method, template)
        return said is False or not quirks.has(self._calls.root, service)


def _link(within: Which | None, deepest: Level) -> str:
    if within is None:
        return ""
    target = target_of(within)
    if deepest is Level.STUDY or target.series is None:
        return resources.link("", Target(target.study))
    return resources.link("", Target(target.study, target.series))
