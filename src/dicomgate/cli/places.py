"""Where objects are: a folder, a data folder or a server, behind the same few deeds."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import click
import orjson

from dicomgate import config, errors
from dicomgate.dicom import syntaxes
from dicomgate.dicom.uids import Target
from dicomgate.dicomweb import query, resources
from dicomgate.origin import Instance, JSONDataset, Origin

if TYPE_CHECKING:
    from dicomgate.client.caller import Caller
    from dicomgate.client.fetch import Sink
    from dicomgate.client.identity import Identity
    from dicomgate.dicom.presentation import Presentation
    from dicomgate.representations.maker import Maker

ANY = "*"
"""The transfer syntax in which it is stored."""
_PAGE = 1000


class Place(Protocol):
    """Objects that can be found and had. Any number of threads may use one at once."""

    def search(self, path: str, pairs: Sequence[tuple[str, str]], limit: int | None = None) -> Iterator[JSONDataset]:
        """Every match, or so many, of a QIDO-RS resource and its parameters."""
        ...

    def fetch(self, target: Target, transfer_syntax: str, begin: Callable[[], Sink]) -> int:
        """Every file of a target into a sink of its own; how many came whole."""
        ...

    def metadata(self, target: Target) -> list[JSONDataset]:
        """The data sets of a target's instances without their large values."""
        ...

    def render(self, target: Target, frame: int, wanted: Presentation) -> bytes:
        """A frame as a PNG file."""
        ...


@contextmanager
def opened(
    where: str,
    settings: config.Settings,
    token_file: Path | None = None,
    warn: Callable[[str], object] | None = None,
) -> Iterator[Place]:
    """The place that a word names: an address, the name of a remote, a data folder, or a folder of files.

    `warn` hears what a server warns of, else standard error. click.UsageError when it is none of these; the faults of
    the place itself when it cannot be used.
    """
    remote = find_remote(where, settings, token_file)
    if remote is not None:
        with calling(remote) as caller:
            yield Remote(caller, warn or _warn)
        return
    if not Path(where).is_dir():
        names = ", ".join(settings.remotes) or "none is named in the settings"
        raise click.UsageError(f"no folder, address or remote {where!r} (remotes: {names})")
    with ExitStack() as stack:
        yield _open_folder(Path(where), settings, stack)


def _warn(text: str) -> None:
    from dicomgate.cli import output

    output.message(f"the server says: {text}")


def find_remote(where: str, settings: config.Settings, token_file: Path | None) -> config.Remote | None:
    """The server that a word names, None for a folder; a folder of the same name needs a ./ before it."""
    if where in settings.remotes:
        found = settings.remotes[where]
    elif where.startswith(("http://", "https://")):
        found = config.Remote(url=where)
        for one in settings.remotes.values():
            if one.url.rstrip("/") == where.rstrip("/"):
                found = one
    else:
        return None
    if token_file is None:
        return found
    return config.Remote(url=found.url, token_file=str(token_file), authorities=found.authorities)


@contextmanager
def calling(remote: config.Remote) -> Iterator[Caller]:
    """A caller of a server, as who the settings say."""
    from dicomgate.client.caller import Caller

    if urlsplit(remote.url).scheme not in {"http", "https"}:
        raise errors.Malformed("expected an address like http://host:8104/dicomweb")
    with Caller(remote.url, identity=identify(remote)) as caller:
        yield caller


def identify(remote: config.Remote) -> Identity:
    """Who we are there, as the settings say."""
    from dicomgate.client.identity import Identity

    return Identity.of(remote)


def _open_folder(folder: Path, settings: config.Settings, stack: ExitStack) -> Local:
    from dicomgate import assembly
    from dicomgate.cli import folder_report

    if assembly.is_archive(folder):
        origin = stack.enter_context(assembly.open_archive(folder, settings, create=False)).origin
    else:
        opened = stack.enter_context(assembly.open_folder(folder, settings))
        with folder_report.bar() as report:
            opened.scan(report)
        origin = opened.origin
    return Local(origin, functools.partial(_make, settings, stack))


def _make(settings: config.Settings, stack: ExitStack) -> Maker:
    from dicomgate.pixels.processes import Workers
    from dicomgate.representations.maker import Maker

    return Maker(workers=stack.enter_context(Workers()), limits=settings.limits.bounds())


@dataclass
class Local:
    """A folder of files, or a data folder: no server is needed."""

    origin: Origin
    make: Callable[[], Maker]
    _maker: Maker | None = field(default=None, init=False)

    def search(self, path: str, pairs: Sequence[tuple[str, str]], limit: int | None = None) -> Iterator[JSONDataset]:
        """Every match, or so many."""
        resource = resources.parse(path)
        if resource.target is not None:
            self._require(resource.target)
        asked = query.parse(resource, [*pairs], strict=True).query
        left = limit
        while left is None or left > 0:
            page = replace(asked, limit=_PAGE if left is None else min(left, _PAGE))
            found = self.origin.search.search(page)
            count = 0
            for dataset in found.datasets:
                count += 1
                yield dict(dataset)
            left = None if left is None else left - count
            if found.next is None or not count:
                return
            asked = replace(asked, after=found.next)

    def _require(self, target: Target) -> None:
        with self.origin.retrieve.retrieve(target):
            return

    def fetch(self, target: Target, transfer_syntax: str, begin: Callable[[], Sink]) -> int:
        """Every file of a target, read or made."""
        count = 0
        with self.origin.retrieve.retrieve(target) as instances:
            for instance in instances:
                sink = begin()
                try:
                    for chunk in self._chunks(instance, transfer_syntax):
                        sink.write(chunk)
                    sink.finish()
                finally:
                    sink.discard()
                count += 1
        return count

    def _chunks(self, instance: Instance, transfer_syntax: str) -> Iterator[bytes]:
        if transfer_syntax in (ANY, instance.facts.transfer_syntax):
            return instance.file()
        from dicomgate.representations import transcoding

        return transcoding.make_file(self.maker, instance, transfer_syntax).chunks

    @property
    def maker(self) -> Maker:
        """Made when it is first needed: by one thread, before others are."""
        if self._maker is None:
            self._maker = self.make()
        return self._maker

    def metadata(self, target: Target) -> list[JSONDataset]:
        """As it was prepared; links of bulk data begin at the services' root, which is nowhere."""
        _, texts = self.origin.retrieve.metadata(target)
        return [orjson.loads(text) for text in texts]

    def render(self, target: Target, frame: int, wanted: Presentation) -> bytes:
        """By the same steps as a server's /rendered."""
        from dicomgate.representations import pictures

        with self.origin.retrieve.retrieve(target) as instances:
            return pictures.render(self.maker, next(instances), frame, wanted, "image/png").content


@dataclass(frozen=True)
class Remote:
    """A DICOMweb server."""

    caller: Caller
    warn: Callable[[str], object] = _warn
    """Hears what the server warns of."""

    def search(self, path: str, pairs: Sequence[tuple[str, str]], limit: int | None = None) -> Iterator[JSONDataset]:
        """Every match, or so many, page by page."""
        from dicomgate.client import search

        return search.search(self.caller, path, pairs, limit, self.warn)

    def fetch(self, target: Target, transfer_syntax: str, begin: Callable[[], Sink]) -> int:
        """Every file of a target, in one request."""
        from dicomgate.client import fetch

        return fetch.fetch(self.caller, target, transfer_syntax, begin)

    def metadata(self, target: Target) -> list[JSONDataset]:
        """The data sets without their large values."""
        from dicomgate.client import fetch

        return fetch.metadata(self.caller, target)

    def render(self, target: Target, frame: int, wanted: Presentation) -> bytes:
        """As the server shows it."""
        from dicomgate.client import fetch

        return fetch.rendered(self.caller, target, frame, _rendering(wanted))


def _rendering(wanted: Presentation) -> dict[str, str]:
    """The parameters of a picture (PS3.18 §8.3.5.1)."""
    found = {}
    if wanted.viewport is not None:
        found["viewport"] = f"{wanted.viewport.width},{wanted.viewport.height}"
    if wanted.window is not None:
        window = wanted.window
        found["window"] = f"{window.center:g},{window.width:g},{window.function.value}"
    return found


def parse_syntax(text: str) -> str:
    """A transfer syntax: its UID, or `*` for the stored one. click.UsageError for one that is not known."""
    if text == ANY or syntaxes.find(text) is not None:
        return text
    raise click.UsageError("--transfer-syntax: expected the UID of one, or * for that in which it is stored")
