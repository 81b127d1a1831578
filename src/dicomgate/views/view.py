"""An origin as a view shows it, searched and retrieved as any other by any door (PS3.4 C.3.4; LC-33, LC-34)."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final, NoReturn

from dicomgate import errors
from dicomgate.dicom.limits import DEFAULT, Limits
from dicomgate.dicom.matching import OneOf, Query
from dicomgate.dicom.uids import Level, Target
from dicomgate.index.base import Index
from dicomgate.origin import Found, Instance, Origin
from dicomgate.views import afar, classic, enhanced, instances
from dicomgate.views.afar import Afar
from dicomgate.views.preparing import Preparation, Show, no_fetch

_STUDY: Final = ("0020000D",)
EDITION: Final = 3
"""Of what is listed; what was listed in another way is listed again."""


class Name(enum.StrEnum):
    """Query/Retrieve View (0008,0053), as an address names it."""

    ENHANCED = "enhanced"
    CLASSIC = "classic"


_SHOW: Final[dict[Name, Show]] = {Name.ENHANCED: enhanced.show, Name.CLASSIC: classic.show}


@dataclass
class View:
    """Search and Retrieve of a view. Its list is opened when it is first needed: a fault of it is nobody else's.

    `afar` brings studies here, where the origin is a distant one.
    """

    of: Origin
    open: Callable[[], Preparation]
    discard: Callable[[], None]
    afar: Afar | None = None
    _opened: Preparation | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def prepared(self) -> Preparation:
        """The list; begun anew where what is kept of it turned out to be broken. All of it can be told again."""
        with self._turn:
            if self._opened is not None and self._opened.index.is_damaged:
                self._opened.index.close()
                self._opened = None
                self.discard()
            if self._opened is None:
                self._opened = self.open()
            return self._opened

    def close(self) -> None:
        """Let go of the list, if it was opened."""
        with self._turn:
            if self._opened is not None:
                self._opened.index.close()

    @property
    def _index(self) -> Index:
        return self.prepared.index

    @property
    def origin(self) -> Origin:
        """What a door may ask of it: nothing is stored or deleted in a view."""
        return Origin(search=self, retrieve=self)

    def search(self, query: Query) -> Found:
        """One page. Unavailable while the studies that it may be in are not all listed.

        TooLarge where too many of them would have to be brought here first.
        """
        studies = _studies(query)
        if studies is None and self.afar is not None:
            if query.level is Level.STUDY:
                return afar.find_studies(self.of.search, self.prepared, query)
            query = afar.narrowed(self.of.search, self.prepared, query)
        elif studies is None:
            self.prepared.bring_all()
        for study in studies or ():
            try:
                self.prepared.bring(study)
            except (errors.NotFound, errors.Gone):
                continue  # then nothing of it is found
        found = self._index.find(query)
        return Found(datasets=found.datasets, remaining=found.remaining, total=found.total, next=found.next)

    @contextmanager
    def retrieve(self, target: Target) -> Iterator[Iterator[Instance]]:
        """The instances of a target in the view. NotFound and Gone as the origin's."""
        self.prepared.bring(target.study)
        found = self._instances(target)
        first = next(found, None)
        if first is None:
            self._miss(target)
        yield chain([first], found)

    def _instances(self, target: Target) -> Iterator[Instance]:
        prepared = self.prepared
        for row in self._index.locate(target):
            found = instances.find(row, self._index, prepared.origin.retrieve, prepared.find_making)
            if found is not None:
                yield found

    def metadata(self, target: Target) -> tuple[str, Iterator[bytes]]:
        """A version that changes with the answer, and the DICOM JSON text of each instance."""
        self.prepared.bring(target.study)
        version, texts = self._index.metadata(target)
        first = next(texts, None)
        if first is None:
            self._miss(target)
        return version, chain([first], texts)

    def _miss(self, target: Target) -> NoReturn:
        """Deleted is what the origin says was; what only this view does not have was never here."""
        try:
            with self.of.retrieve.retrieve(target):
                pass
        except errors.NotFound:
            pass
        raise errors.NotFound(f"no such {target.level.name.lower()} in this view")

    def changed(self, study: str, since: int) -> tuple[int, bool]:
        """As the origin's: what changes a study changes what a view shows of it.

        What has to be compared with a distant origin counts as changed: whoever asks then asks anew.
        """
        number, is_changed = self.of.retrieve.changed(study, since)
        return number, is_changed or (self.afar is not None and not self.afar.is_here(study))

    def is_quiet(self, since: int) -> bool:
        """As the origin's."""
        return self.of.retrieve.is_quiet(since)


def _studies(query: Query) -> tuple[str, ...] | None:
    """The studies that a search is about, where it names them."""
    if query.scope is not None:
        return (query.scope.study,)
    for match in query.matches:
        if match.path == _STUDY and isinstance(match.condition, OneOf):
            return match.condition.values
    return None


def make(
    name: Name,
    origin: Origin,
    open_index: Callable[[], Index],
    folder: Path,
    limits: Limits = DEFAULT,
    *,
    afar: Afar | None = None,
    discard: Callable[[], None] = lambda: None,
) -> View:
    """A view over an origin, listed in an index of its own; `folder` is where processes wait for each other.

    `afar`: brings studies here that the origin only finds. `discard` puts a list away that is damaged.
    """
    fetch = no_fetch if afar is None else afar.fetch

    def begin() -> Preparation:
        return Preparation(origin, open_index(), _SHOW[name], folder / f"{name}.lock", limits, fetch)

    return View(origin, begin, discard, afar)
