"""Studies of a PACS, brought here whole before anything is told of them: for views, which need all of one (LC-33).

A view lists what becomes of a study, so a study that is half here would be listed wrongly. Whoever asks `fetch`es it
first; everything else is read from what is kept.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from dicomgate import errors
from dicomgate.dicom.uids import Level, Target
from dicomgate.dimse.pacs_library import Library
from dicomgate.dimse.pacs_questions import Questions
from dicomgate.origin import Instance, Origin

_MOST_REMEMBERED: Final = 1000


class WholeStudies:
    """The Retrieve of what is kept of a PACS, study by study. Safe for threads."""

    def __init__(
        self,
        library: Library,
        questions: Questions,
        cache: Origin,
        *,
        check_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`cache`: the archive that the library keeps its series in. For `check_seconds` the PACS's word is good."""
        self._library = library
        self._questions = questions
        self._cache = cache.retrieve
        self._check_seconds = check_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._compared: OrderedDict[str, tuple[float, tuple[Target, ...]]] = OrderedDict()

    def is_here(self, study: str) -> bool:
        """True while nothing of a study has to be compared with the PACS."""
        compared = self._known(study)
        if compared is None or self._clock() - compared[0] >= self._check_seconds:
            return False
        return self._library.is_checked(study) and all(map(self._library.is_here, compared[1]))

    def fetch(self, study: str) -> None:
        """See that all of a study is here as the PACS has it; series that are kept and unchanged do not come again.

        While the PACS cannot be asked, what was whole is good. NotFound where it has no such study, UpstreamFailed
        where it does not send all that it lists, and what reaching it raises.
        """
        if self.is_here(study):
            return
        try:
            series = [one.target for one in self._questions.series(study)]
        except errors.NotFound:
            self._forget(study)
            raise
        except (errors.Unavailable, errors.UpstreamFailed):
            if self._was_whole(study):
                return
            raise
        began = self._clock()
        with ExitStack() as held:
            for target in series:
                coming = held.enter_context(self._library.series(target))
                if coming is not None:
                    coming.wait()
            self._require_whole(series)
        self._library.keep_only(Target(study), [one.series or "" for one in series])
        with self._lock:
            self._compared[study] = (began, tuple(series))
            self._compared.move_to_end(study)
            if len(self._compared) > _MOST_REMEMBERED:
                self._compared.popitem(last=False)

    def _known(self, study: str) -> tuple[float, tuple[Target, ...]] | None:
        with self._lock:
            return self._compared.get(study)

    def _was_whole(self, study: str) -> bool:
        compared = self._known(study)
        return compared is not None and all(map(self._library.is_kept, compared[1]))

    def _require_whole(self, series: Sequence[Target]) -> None:
        lacking = sum(map(self._library.lacking, series))
        if lacking:
            raise errors.UpstreamFailed(f"the PACS did not send {lacking} of the instances that it lists")

    def _forget(self, study: str) -> None:
        self._library.keep_only(Target(study), [])
        with self._lock:
            self._compared.pop(study, None)

    # Retrieve.

    @contextmanager
    def retrieve(self, target: Target) -> Iterator[Iterator[Instance]]:
        """The instances that are kept of a target. NotFound when there is none; of a study that went: Unavailable."""
        with ExitStack() as held:
            try:
                found = held.enter_context(self._cache.retrieve(target))
            except errors.NotFound:
                if target.level is Level.STUDY:
                    raise errors.Unavailable("the study was here and has gone meanwhile; ask again") from None
                raise
            yield found

    def metadata(self, target: Target) -> tuple[str, Iterator[bytes]]:
        """The text of each instance that is kept."""
        return self._cache.metadata(target)

    def changed(self, study: str, since: int) -> tuple[int, bool]:
        """As of what is kept; whether that is what the PACS has says `is_here`."""
        return self._cache.changed(study, since)

    def is_quiet(self, since: int) -> bool:  # noqa: ARG002 (the joint's)
        """Never: whether a PACS has changed cannot be told in no time."""
        return False
