"""What a PACS has, given back: from what is kept of it, as it comes, one instance after the other (PS3.18 §10.4).

The one place where the current turns: a PACS pushes, a caller pulls. What comes goes into the cache, and from there to
as many callers as wait for it; the first instance leaves while later ones still arrive.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from dicomgate import errors
from dicomgate.dicom.uids import Level, Target
from dicomgate.dimse.pacs_coming import Coming
from dicomgate.dimse.pacs_library import Library
from dicomgate.dimse.pacs_questions import Questions
from dicomgate.origin import Instance, Origin, Underway


class PacsRetriever:
    """Retrieval over a library: the Retrieve of a PACS."""

    def __init__(self, library: Library, questions: Questions, cache: Origin) -> None:
        """`cache`: the archive that the library keeps its series in."""
        self._library = library
        self._questions = questions
        self._cache = cache

    @contextmanager
    def retrieve(self, target: Target) -> Iterator[Iterator[Instance]]:
        """The instances of a target as they come. NotFound where the PACS has none, UpstreamFailed where it fails."""
        with ExitStack() as held:
            if target.level is Level.INSTANCE:
                yield iter([self._instance(target, held)])
            elif target.level is Level.SERIES:
                yield self._series(target, held)
            else:
                yield self._study(target, held)

    def metadata(self, target: Target) -> tuple[str, Iterator[bytes]]:
        """A version that changes with the answer, and the text of each instance, when all have come."""
        with ExitStack() as held:
            if target.level is Level.INSTANCE:
                self._instance(target, held)
            else:
                whole = [self._whole(series, held) for series in self._all_series(target)]
                self._library.keep_only(target, whole)
            return self._cache.retrieve.metadata(target)

    def changed(self, study: str, since: int) -> tuple[int, bool]:
        """The number of the last change here, and whether one after `since` may concern the study.

        What has to be compared with the PACS counts as changed: whoever asks then asks anew.
        """
        number, is_changed = self._cache.retrieve.changed(study, since)
        return number, is_changed or not self._library.is_checked(study)

    def is_quiet(self, since: int) -> bool:  # noqa: ARG002 (the joint's)
        """Never: whether a PACS has changed cannot be told in no time."""
        return False

    def _instance(self, target: Target, held: ExitStack) -> Instance:
        coming = held.enter_context(self._library.instance(target))
        if coming is not None and not coming.wait_for_instance(target.instance or ""):
            raise errors.NotFound("the PACS has no such instance")
        return self._library.cached(target, held)

    def _series(self, target: Target, held: ExitStack) -> Iterator[Instance]:
        coming = held.enter_context(self._library.series(target))
        if coming is None or coming.wait_for(0) is None or coming.is_done:
            return self._from_cache(target, held)
        return Underway(self._streamed(coming, held))

    def _from_cache(self, target: Target, held: ExitStack) -> Iterator[Instance]:
        found = held.enter_context(self._cache.retrieve.retrieve(target))
        lacking = self._library.lacking(target)
        return Underway(found, is_coming=False, lacking=lacking) if lacking else found

    def _streamed(self, coming: Coming, held: ExitStack) -> Iterator[Instance]:
        place = 0
        while (instance := coming.wait_for(place)) is not None:
            self._library.sent(coming, place)
            yield self._library.cached(Target(coming.target.study, coming.target.series, instance), held)
            place += 1
        if coming.lacking:
            raise errors.UpstreamFailed(f"the PACS did not send {coming.lacking} of {coming.expected} instances")

    def _study(self, target: Target, held: ExitStack) -> Iterator[Instance]:
        """The series one after the other; the first is begun at once, so that its fault is the answer."""
        series = [one.target for one in self._questions.series(target.study)]
        first = self._series(series[0], held)
        return Underway(self._chained(first, series[1:], held))

    def _chained(self, first: Iterator[Instance], others: list[Target], held: ExitStack) -> Iterator[Instance]:
        yield from first
        for one in others:
            yield from self._series(one, held)

    def _all_series(self, target: Target) -> list[Target]:
        if target.level is Level.SERIES:
            return [target]
        return [one.target for one in self._questions.series(target.study)]

    def _whole(self, series: Target, held: ExitStack) -> str:
        coming = held.enter_context(self._library.series(series))
        if coming is not None:
            coming.wait()
        return series.series or ""
