"""What `dicomgate.connect` gives: find, retrieve, store and delete, at a server or in a folder alike (PS3.18 §10).

What `find_...` gives, or any data set with these UIDs, says which study, series or instance is meant, as does a
`Target`. Data sets are in the DICOM JSON model (PS3.18 Annex F); `retrieve` gives pydicom's.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

from dicomgate import errors
from dicomgate.client import arrays, fetch, offers, search, store
from dicomgate.client.arrays import AHEAD, Values, Wishes
from dicomgate.client.caller import Caller, Request
from dicomgate.client.offers import Offer, Receipt
from dicomgate.client.server_reader import ServerReader
from dicomgate.dicom import elements
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import Level, Target, parse_uid
from dicomgate.dicomweb import resources

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

Which = Target | JSONDataset
"""A study, series or instance: its UIDs, or a data set that has them."""
Wanted = str | int | float | Sequence[str]
"""What a search asks of an attribute: with wildcards and ranges as the standard has them; several mean any of them."""

_TAGS = ("0020000D", "0020000E", "00080018")


class Archive:
    """A DICOMweb server, or a folder that answers like one. A context manager; any number of threads may use it.

    Every method raises Forbidden (401, 403) and UpstreamFailed (it cannot be reached, or fails) beside what it says.
    """

    def __init__(self, caller: Caller, close: Callable[[], None] = lambda: None) -> None:
        """`close` is called at the end, after the caller has been closed."""
        self._caller = caller
        self._reader = ServerReader(caller)
        self._close = close

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of connections, files and threads."""
        self._caller.close()
        self._close()

    def find_studies(
        self, *, limit: int | None = None, fields: Sequence[str] = (), **keys: Wanted
    ) -> Iterator[JSONDataset]:
        """Studies whose attributes, by keyword, are as wanted; page by page, as they are taken (PS3.18 §10.6).

        `fields`: further attributes to give, by keyword or tag. `limit`: no more than so many.
        """
        return self._find("/studies", limit, fields, keys)

    def find_series(
        self, study: Which | None = None, *, limit: int | None = None, fields: Sequence[str] = (), **keys: Wanted
    ) -> Iterator[JSONDataset]:
        """Series, of one study or of all. See `find_studies`."""
        return self._find(f"{self._link(study, Level.STUDY)}/series", limit, fields, keys)

    def find_instances(
        self, within: Which | None = None, *, limit: int | None = None, fields: Sequence[str] = (), **keys: Wanted
    ) -> Iterator[JSONDataset]:
        """Instances, of one study, of one series or of all. See `find_studies`."""
        return self._find(f"{self._link(within, Level.SERIES)}/instances", limit, fields, keys)

    def metadata(self, which: Which) -> list[JSONDataset]:
        """The data set of each instance, without its large values (PS3.18 §10.4.1.1.2)."""
        return fetch.metadata(self._caller, target_of(which))

    def retrieve(self, which: Which, transfer_syntax: str = fetch.ANY) -> Generator[FileDataset, None, None]:
        """The instances, whole, as pydicom's data sets, in one request; each is in memory while it is held.

        In the transfer syntax in which they are stored, or in another one: NotAcceptable when that cannot be had.
        """
        from pydicom import dcmread  # noqa: PLC0415 - few need it, and it takes its time

        for file in fetch.files(self._caller, target_of(which), transfer_syntax):
            yield dcmread(file)

    def files(self, which: Which, transfer_syntax: str = fetch.ANY) -> Generator[IO[bytes], None, None]:
        """The instances as PS3.10 files, each open for reading until the next is taken. See `retrieve`."""
        return fetch.files(self._caller, target_of(which), transfer_syntax)

    def rendered(self, instance: Which, frame: int = 1, **parameters: str) -> bytes:
        """A frame as a PNG file; `viewport="256,256"`, `window="40,400,linear"` (PS3.18 §8.3.5). NotAcceptable."""
        return fetch.rendered(self._caller, _instance(instance), frame, parameters)

    def bulk_data(self, instance: Which, uri: str) -> bytes:
        """The value that the instance's metadata names by this BulkDataURI; asked for at this server in any case."""
        return self._reader.bulk(_instance(instance), uri)

    def frames(
        self,
        instance: Which,
        numbers: Iterable[int] | None = None,
        *,
        ahead: int = AHEAD,
        values: Values = "stored",
    ) -> Generator[tuple[int, Any], None, None]:
        """Frames with their numbers as arrays, in the order asked for, fetched side by side: see `arrays.frames`."""
        return arrays.frames(self._reader, _instance(instance), numbers, ahead=ahead, values=values)

    def volume(self, which: Which, number: int | None = None, **wishes: Any) -> Any:
        """A series, or an instance of several frames, as one block (slices, rows, columns): see `arrays.volume`.

        `wishes` are the fields of `arrays.Wishes`: values, dtype, fill, largest.
        """
        return arrays.volume(self._reader, _at_least(which, Level.SERIES), number, Wishes(**wishes))

    def volumes(self, which: Which, **wishes: Any) -> Iterator[Any]:
        """All blocks of a series, the largest first: see `arrays.volumes`."""
        return arrays.volumes(self._reader, _at_least(which, Level.SERIES), Wishes(**wishes))

    def store(self, paths: Iterable[Path | str]) -> Generator[Receipt, None, None]:
        """Store files, and all below folders; what became of each, as the server says it (PS3.18 §10.5).

        What is there already is stored again, which changes nothing. Memory does not grow with the files.
        """
        aside: list[Receipt] = []
        for receipt in store.store(self._caller, _offered(paths, aside)):
            yield receipt
            while aside:
                yield aside.pop()
        yield from aside

    def delete(self, which: Which) -> None:
        """Remove a study, series or instance, where the server lets this be done (405 is UpstreamFailed)."""
        path = resources.link("", target_of(which))
        answer = self._caller.send(Request(method="DELETE", path=path, headers={}))
        if answer.status not in (200, 202, 204):
            raise errors.UpstreamFailed(f"the deletion was answered with {answer.status}")

    def _find(
        self, path: str, limit: int | None, fields: Sequence[str], keys: dict[str, Wanted]
    ) -> Iterator[JSONDataset]:
        pairs = [(keyword, _text(wanted)) for keyword, wanted in keys.items()]
        pairs += [("includefield", field) for field in fields]
        return search.search(self._caller, path, pairs, limit)

    def _link(self, within: Which | None, deepest: Level) -> str:
        if within is None:
            return ""
        target = target_of(within)
        if deepest is Level.STUDY or target.series is None:
            return resources.link("", Target(target.study))
        return resources.link("", Target(target.study, target.series))


def target_of(which: Which) -> Target:
    """The study, series or instance that is meant. Malformed when its UIDs are missing or are none."""
    if isinstance(which, Target):
        return which
    uids = [next(iter(elements.texts(which.get(tag, {}))), "") for tag in _TAGS]
    depth = uids.index("") if "" in uids else len(uids)
    if not depth or any(uids[depth:]):
        raise errors.Malformed("expected a data set with the UID of a study and of what is below it")
    return Target(*(parse_uid(uid) for uid in uids[:depth]))


def _at_least(which: Which, level: Level) -> Target:
    target = target_of(which)
    if target.level < level:
        raise errors.Malformed(f"expected a{'n' if level is Level.INSTANCE else ''} {level.name.lower()}, saw a study")
    return target


def _instance(which: Which) -> Target:
    target = target_of(which)
    if target.level is not Level.INSTANCE:
        raise errors.Malformed(f"expected an instance, saw a {target.level.name.lower()}")
    return target


def _text(wanted: Wanted) -> str:
    if isinstance(wanted, str | int | float):
        return str(wanted)
    return ",".join(wanted)


def _offered(paths: Iterable[Path | str], aside: list[Receipt]) -> Iterator[Offer]:
    """The files that hold instances; what the others are is put aside."""
    for path in offers.walk(map(Path, paths)):
        found = offers.read(path)
        if isinstance(found, Offer):
            yield found
        else:
            aside.append(found)
