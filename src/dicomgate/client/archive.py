"""What `dicomgate.connect` gives: `AsyncArchive` for who has no event loop, verb for verb the same (PS3.18 §10)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

from dicomgate.client import fetch, quirks, store
from dicomgate.client.arrays import AHEAD, Values
from dicomgate.client.async_archive import AsyncArchive
from dicomgate.client.bridge import Bridge
from dicomgate.client.getting import Outcome
from dicomgate.client.given import Given
from dicomgate.client.offered_services import Capabilities
from dicomgate.client.offers import Receipt
from dicomgate.client.results import Result
from dicomgate.client.targets import Which, several
from dicomgate.client.wishes import Wanted

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

_ONE_AHEAD = 1
"""Where each thing may be large."""


class Archive:
    """A DICOMweb server, or a folder that answers like one. A context manager; any number of threads may use it.

    Each verb is that of `AsyncArchive`, done on an event loop in a thread of its own; what it says there holds here.
    What is found or read is read ahead, a little; whoever stops taking it stops the reading.
    """

    def __init__(self, archive: AsyncArchive, bridge: Bridge | None = None) -> None:
        self._archive = archive
        self._bridge = bridge or Bridge()
        self._run = self._bridge.run

    def __repr__(self) -> str:
        return repr(self._archive).removeprefix("Async")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of connections, files and threads."""
        self._bridge.close(self._archive.aclose)

    def find_studies(
        self,
        *,
        limit: int | None = None,
        fields: Sequence[str] = (),
        order_by: Sequence[str] = (),
        fuzzy: bool = False,
        **keys: Wanted,
    ) -> Generator[Result, None, None]:
        """Studies whose attributes, by keyword, are as wanted; page by page, as they are taken (PS3.18 §10.6).

        `fields`: further attributes to give, by keyword or tag. `limit`: no more than so many. `order_by`: by these
        keywords, descending with - before one, where the server can. `fuzzy`: names that sound alike, where it can.
        """
        found = self._archive.find_studies(limit=limit, fields=fields, order_by=order_by, fuzzy=fuzzy, **keys)
        return self._bridge.iterate(found, quirks.PAGE)

    def find_series(
        self,
        study: Which | None = None,
        *,
        limit: int | None = None,
        fields: Sequence[str] = (),
        order_by: Sequence[str] = (),
        fuzzy: bool = False,
        **keys: Wanted,
    ) -> Generator[Result, None, None]:
        """Series, of one study or of all. See `find_studies`."""
        found = self._archive.find_series(study, limit=limit, fields=fields, order_by=order_by, fuzzy=fuzzy, **keys)
        return self._bridge.iterate(found, quirks.PAGE)

    def find_instances(
        self,
        within: Which | None = None,
        *,
        limit: int | None = None,
        fields: Sequence[str] = (),
        order_by: Sequence[str] = (),
        fuzzy: bool = False,
        **keys: Wanted,
    ) -> Generator[Result, None, None]:
        """Instances, of one study, of one series or of all. See `find_studies`."""
        found = self._archive.find_instances(within, limit=limit, fields=fields, order_by=order_by, fuzzy=fuzzy, **keys)
        return self._bridge.iterate(found, quirks.PAGE)

    def metadata(self, which: Which) -> list[Result]:
        """The data set of each instance, without its large values (PS3.18 §10.4.1.1.2)."""
        return self._run(self._archive.metadata(which))

    def retrieve(self, which: Which, transfer_syntax: str = fetch.ANY) -> Generator[FileDataset, None, None]:
        """The instances, whole, as pydicom's data sets; each is in memory while it is held. See `files`."""
        together = self._archive._retrieve_together(which, transfer_syntax)  # noqa: SLF001 - we are its other face
        for batch in self._bridge.iterate(together, _ONE_AHEAD):
            yield from batch

    def files(self, which: Which, transfer_syntax: str = fetch.ANY) -> Generator[IO[bytes], None, None]:
        """The instances as PS3.10 files, each once and checked, open for reading until the next is taken.

        In the transfer syntax in which they are stored, or in another one: NotAcceptable when that cannot be had. What
        did not come with the others is asked for alone; UpstreamFailed, at the end, when some did not come at all.
        """
        return self._bridge.step(self._archive.files(which, transfer_syntax))

    def download(
        self,
        which: Which | Iterable[Which],
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
        return self._run(
            self._archive.download(several(which), folder, transfer_syntax=transfer_syntax, jobs=jobs, tell=tell)
        )

    def zip(self, which: Which, path: Path | str, transfer_syntax: str = fetch.ANY) -> Path:
        """A ZIP file of all instances, as the server makes it; no file when it did not come whole. NotAcceptable."""
        return self._run(self._archive.zip(which, path, transfer_syntax))

    def rendered(
        self, which: Which, frame: int | None = 1, *, media_type: str = "image/png", **parameters: str
    ) -> bytes:
        """A frame as a picture; `viewport="256,256"`, `window="40,400,linear"` (PS3.18 §8.3.5). NotAcceptable.

        `frame=None`: all that the instance, or the series, shows, in a media type that can hold it.
        """
        return self._run(self._archive.rendered(which, frame, media_type=media_type, **parameters))

    def thumbnail(self, which: Which, *, media_type: str = "image/jpeg", **parameters: str) -> bytes:
        """A small picture that stands for a study, series or instance (PS3.18 §10.4.1.1.4).

        Of an instance of a server that makes none, its rendered first frame.
        """
        return self._run(self._archive.thumbnail(which, media_type=media_type, **parameters))

    def bulk_data(self, instance: Which, uri: str) -> bytes:
        """The value that the instance's metadata names by this BulkDataURI; asked for at this server in any case."""
        return self._run(self._archive.bulk_data(instance, uri))

    def frame_data(self, instance: Which, numbers: Sequence[int]) -> list[tuple[bytes, str]]:
        """The bytes of frames as they are stored, each with its transfer syntax, in the order asked for."""
        return self._run(self._archive.frame_data(instance, numbers))

    def frames(
        self,
        instance: Which,
        numbers: Iterable[int] | None = None,
        *,
        ahead: int = AHEAD,
        values: Values = "stored",
    ) -> Generator[tuple[int, Any], None, None]:
        """Frames with their numbers as arrays, in the order asked for, fetched side by side: see `arrays.frames`."""
        found = self._archive.frames(instance, numbers, ahead=ahead, values=values)
        return self._bridge.iterate(found, _ONE_AHEAD)

    def volume(self, which: Which, number: int | None = None, **wishes: Any) -> Any:
        """A series, or an instance of several frames, as one block (slices, rows, columns): see `arrays.volume`.

        `wishes` are the fields of `arrays.Wishes`: values, dtype, fill, largest.
        """
        return self._run(self._archive.volume(which, number, **wishes))

    def volumes(self, which: Which, **wishes: Any) -> Generator[Any, None, None]:
        """All blocks of a series, the largest first: see `arrays.volumes`."""
        return self._bridge.step(self._archive.volumes(which, **wishes))

    def store(
        self, what: Iterable[Given], *, study: Which | None = None, pace: store.Pace | None = None
    ) -> Generator[Receipt, None, None]:
        """Store files, all below folders, PS3.10 files in memory and pydicom's data sets (PS3.18 §10.5).

        What became of each, as the server says it. What is there already is stored again, which changes nothing. Memory
        does not grow with files. `study`: refuse what is of another one.
        """
        return self._bridge.iterate(self._archive.store(what, study=study, pace=pace))

    def delete(self, which: Which) -> None:
        """Remove a study, series or instance, where the server lets this be done (405 is UpstreamFailed)."""
        self._run(self._archive.delete(which))

    def wado_uri(
        self, instance: Which, content_type: str = "application/dicom", *, address: str = "", **parameters: str
    ) -> bytes:
        """An instance by the older grammar (PS3.18 §9): a file, or a picture. NotAcceptable.

        `address`: of the URI service, where it is not `wado` beside the services' root.
        """
        return self._run(self._archive.wado_uri(instance, content_type, address=address, **parameters))

    def capabilities(self) -> Capabilities:
        """What the server says it offers (PS3.18 §8.9); nothing known, where it says nothing."""
        return self._run(self._archive.capabilities())
