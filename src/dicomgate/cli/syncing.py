"""What another place has, what it lacks, and how it is brought there: a folder, a data folder, a server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dicomgate import errors
from dicomgate.cli import local
from dicomgate.cli.places import Local, Place
from dicomgate.client import offers
from dicomgate.client.getting import Failure, Job
from dicomgate.client.landing import LandingPlace
from dicomgate.client.offers import Offer, Receipt
from dicomgate.dicom.uids import Target
from dicomgate.dicomweb import resources
from dicomgate.origin import Delete, JSONDataset

if TYPE_CHECKING:
    from dicomgate.archive.archive import Archive
    from dicomgate.client.caller import Caller

_OF_THE_PLACE: Final = frozenset({"00080005", "00080054", "00080056", "00081190", "00083002"})
"""What says where and how an instance is kept, not what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where things are brought. `there` is None for a folder that does not exist yet.

    `staged`: where files come first; for a folder of files that is where they stay. `keep` takes files that have come;
    `delete` removes instances and says which it could not.
    """

    there: Place | None
    staged: LandingPlace
    keep: Callable[[list[Path]], list[Receipt]] | None
    delete: Callable[[Target], None]

    def instances(self, series: Target) -> set[str]:
        """What it has of a series."""
        return set() if self.there is None else instances(self.there, series)

    def pass_on(self, series: Target, uids: set[str]) -> list[Failure]:
        """Bring what has come to where it stays."""
        if self.keep is None:
            return []
        paths = {self.staged.path(Target(series.study, series.series, uid)): uid for uid in sorted(uids)}
        try:
            receipts = self.keep(list(paths))
        finally:
            for path in paths:
                path.unlink(missing_ok=True)
        return [
            Failure(Target(series.study, series.series, paths[one.path]), one.detail or "refused")
            for one in receipts
            if one.became.is_failure
        ]


def differing(source: Place, there: Place, series: Target, both: set[str]) -> set[str]:
    """Which of the instances that both have are not the same, by what their metadata says."""
    if not both:
        return set()
    first, second = (_described(place.metadata(series)) for place in (source, there))
    return {uid for uid in both if first.get(uid) != second.get(uid)}


def _described(found: Iterable[JSONDataset]) -> dict[str, Any]:
    return {str(_uid(dataset, "00080018")): _plain(dataset) for dataset in found}


def _plain(dataset: JSONDataset) -> dict[str, Any]:
    """An item without what depends on the place: links and values that may become such, elements without a value."""
    found = {
        tag: [_plain(item or {}) for item in element.get("Value") or ()]
        if element.get("vr") == "SQ"
        else element.get("Value") or []
        for tag, element in dataset.items()
        if tag not in _OF_THE_PLACE and "InlineBinary" not in element and "BulkDataURI" not in element
    }
    return {tag: values for tag, values in found.items() if any(value not in (None, "", {}) for value in values)}


def instances(place: Place, series: Target) -> set[str]:
    """What a place has of a series; nothing where it has none of it."""
    pairs = (("StudyInstanceUID", series.study), ("SeriesInstanceUID", series.series or ""))
    return {uid for dataset in place.search("/instances", pairs) if isinstance(uid := _uid(dataset, "00080018"), str)}


def surplus(source: Place, there: Place, jobs: Iterable[Job]) -> Iterator[Target]:
    """The instances of these series of a place that the source does not have."""
    for job in jobs:
        found = instances(there, job.series) if job.only is None else set(job.only)
        for uid in sorted(found - instances(source, job.series)):
            yield Target(job.series.study, job.series.series, uid)


def _uid(dataset: JSONDataset, tag: str) -> object:
    return (dataset.get(tag, {}).get("Value") or [None])[0]


def folder(staged: LandingPlace, there: Place | None) -> Destination:
    """A folder of files, where things come to stay."""

    def delete(target: Target) -> None:
        try:
            staged.path(target).unlink()
        except FileNotFoundError:
            raise errors.NotAllowed("a file that was not put there by dicomgate stays") from None

    return Destination(there=there, staged=staged, keep=None, delete=delete)


def archive(opened: Archive, staged: LandingPlace) -> Destination:
    """A data folder."""
    origin = opened.origin

    def keep(paths: list[Path]) -> list[Receipt]:
        with contextlib.closing(local.keep_all(opened, paths)) as kept:
            return list(kept)

    def make() -> Any:
        raise errors.NotAllowed("nothing is made of what is stored there")

    def delete(target: Target) -> None:
        deleting: Delete | None = origin.delete
        assert deleting is not None, "the archive was opened so that it deletes"
        deleting.delete(target)

    return Destination(there=Local(origin, make), staged=staged, keep=keep, delete=delete)


def server(caller: Caller, there: Place, staged: LandingPlace, *, side_by_side: int) -> Destination:
    """A DICOMweb server."""
    from dicomgate.client import store
    from dicomgate.client.caller import Request

    def keep(paths: list[Path]) -> list[Receipt]:
        offered = [offers.read(path) for path in paths]
        wrong = [one for one in offered if isinstance(one, Receipt)]
        good = [one for one in offered if isinstance(one, Offer)]
        with contextlib.closing(store.store(caller, good, store.Pace(requests=side_by_side))) as sent:
            return [*wrong, *sent]

    def delete(target: Target) -> None:
        answer = caller.send(Request(method="DELETE", path=resources.link("", target), headers={}))
        if answer.status not in (200, 202, 204):
            raise errors.NotAllowed(f"the server answers {answer.status}")

    return Destination(there=there, staged=staged, keep=keep, delete=delete)
