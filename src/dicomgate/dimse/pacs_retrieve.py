"""What a PACS has, given back: from what is kept of it, as it comes, one instance after the other (PS3.18 §10.4).

The one place where the current turns: a PACS pushes, a caller pulls. What comes goes into the cache, and from there to
as many callers as wait for it; the first instance leaves while later ones still arrive.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from dicomgate import errors
from dicomgate.dicom.uids import Level, Target
from dicomgate.dimse.pacs_library import Library
from dicomgate.dimse.pacs_questions import Questions
from dicomgate.dimse.pacs_stream import Stream
from dicomgate.origin import Instance, Origin, Underway


class PacsRetriever:
    """Retrieval over a library: the Retrieve of a PACS."""

    def __init__(self, library: Library, questions: Questions, cache: Origin, *, patience: float) -> None:
        """`cache`: the archive that the library keeps its series in. `patience`: seconds that metadata may take."""
        self._library = library
        self._questions = questions
        self._cache = cache
        self._patience = patience

    @contextmanager
    def retrieve(self, target: Target) -> Iterator[Iterator[Instance]]:
        """The instances of a target as they come. NotFound where the PACS has none, UpstreamFailed where it fails."""
        with ExitStack() as held:
            if target.level is Level.INSTANCE:
                yield iter([self._instance(target, held)])
                return
            stream = Stream(self._library, self._all_series(target), held)
            stream.begin()  # so that its fault is the answer
            yield stream.underway()

    def metadata(self, target: Target) -> tuple[str, Iterator[bytes]]:
        """The text of each instance, with a version that changes with the answer where all can be had.

        What takes long is given as it comes, so that nobody between us and the caller thinks that we are silent.
        """
        with ExitStack() as held:
            if target.level is Level.INSTANCE:
                self._instance(target, held)
                return self._cache.retrieve.metadata(target)
            deadline = time.monotonic() + self._patience
            stream = Stream(self._library, self._all_series(target), held)
            if stream.gather(deadline):
                self._library.keep_only(target, [one.series or "" for one in stream.targets])
                version, texts = self._cache.retrieve.metadata(target)
                if not stream.lacking:
                    return version, texts
                return "", Underway(texts, is_coming=False, lacking=stream.lacking)
            stream.begin()  # a fault before the first is the answer
            return "", _texts(stream, held.pop_all())

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

    def _all_series(self, target: Target) -> list[Target]:
        if target.level is Level.SERIES:
            return [target]
        return [one.target for one in self._questions.series(target.study)]


def _texts(stream: Stream, held: ExitStack) -> Underway[bytes]:
    """Of each instance when it has come; what is held goes with the last, or with who wants no more."""

    def texts() -> Iterator[bytes]:
        with held:
            yield b""
            for instance in stream:
                yield instance.metadata()

    begun = texts()
    next(begun)  # a generator that was never begun would not let go when it is closed
    return Underway(begun, lacking=stream.lacking, wait=stream.wait)
