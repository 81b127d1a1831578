"""Instances fetched from a PACS: by C-GET, else by C-MOVE to ourselves (PS3.4 §C.4.2, §C.4.3, PRX-07)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from dicomgate import errors
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import Target
from dicomgate.dimse import datasets, pacs_contexts, pacs_questions, statuses
from dicomgate.dimse.associations import NotAccepted, Suboperations, Take
from dicomgate.dimse.contexts import Offer
from dicomgate.dimse.pacs_questions import Listed
from dicomgate.dimse.pool import Pool
from dicomgate.dimse.receiver import Receiver
from dicomgate.dimse.statuses import Kind, Status

Way = Literal["auto", "get", "move"]

_BATCH: Final = 500
"""UIDs in one identifier: some keep them in a buffer that is not large."""
_NOT_DONE: Final = frozenset({Status.CLASS_NOT_SUPPORTED, Status.UNRECOGNIZED_OPERATION, Status.NO_SUCH_CLASS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Instances of one series to be fetched. `is_whole`: they are all of it. `is_wanted` is asked now and then."""

    series: Target
    instances: Sequence[Listed]
    is_whole: bool
    take: Take
    is_wanted: Callable[[], bool]


class NoGet(Exception):  # noqa: N818 - a signal between two ways, not an error
    """The PACS does not do C-GET, or not for these instances."""


class Fetcher:
    """Fetches from one PACS; remembers that it does no C-GET. Safe for threads."""

    def __init__(self, pool: Pool, receiver: Receiver | None, *, way: Way = "auto") -> None:
        """`receiver`: where a C-MOVE goes; without one there is C-GET alone."""
        self._pool = pool
        self._receiver = receiver
        self._way = way
        self.does_get = way != "move"

    def fetch(self, wish: Wish) -> str:
        """Fetch; the way that was gone, "C-GET" or "C-MOVE". What did not come, the caller sees by what did.

        Raises what reaching the PACS does, and UpstreamFailed, Unavailable, Forbidden for what it answers.
        """
        if self.does_get:
            came = _Counting(wish)
            try:
                self._get(came)
            except NoGet as fault:
                if self._way == "get" or self._receiver is None:
                    raise errors.UpstreamFailed(f"{fault}, and C-MOVE is not set up here") from None
                wish = came.left()
            else:
                return "C-GET"
        self._move(wish)
        return "C-MOVE"

    def get(self, wish: Wish) -> None:
        """By C-GET alone. NoGet where that does not bring it."""
        self._get(_Counting(wish))

    def _get(self, came: _Counting) -> None:
        """Those whose class the PACS tells; then the others, in one guess after the other until they have come."""
        wish = came.wish
        told = {one.sop_class for one in wish.instances} - {""}
        plans = list(pacs_contexts.fetching(told))
        for group, contexts in plans:
            own = [one for one in wish.instances if one.sop_class in group]
            whole = wish.is_whole and len(own) == len(wish.instances)
            done = self._ask(wish, own, contexts, group, is_whole=whole)
            if done is None:
                raise NoGet(f"{self._pool.peer.title} does not accept to send by C-GET what is asked for")
            _check(done, "C-GET")
            if done.failed and not done.completed and not done.warned:
                raise NoGet(f"{self._pool.peer.title} answered C-GET {statuses.describe(done.status)}")
        for group, contexts in pacs_contexts.guesses():
            own = [one for one in came.left().instances if not one.sop_class]
            if not own or not wish.is_wanted():
                return
            self._ask(wish, own, contexts, group, is_whole=wish.is_whole and len(own) == len(wish.instances))
        if any(not one.sop_class for one in came.left().instances):
            raise NoGet(f"{self._pool.peer.title} sends by C-GET not all that was asked for")

    def _ask(
        self,
        wish: Wish,
        own: Sequence[Listed],
        contexts: Sequence[Offer],
        group: Sequence[str],
        *,
        is_whole: bool,
    ) -> Suboperations | None:
        """One association, and what the last C-GET on it came to; None where none of these classes is accepted.

        NoGet where the PACS does no C-GET.
        """
        title = self._pool.peer.title
        with self._pool.association(contexts) as association:
            if not association.syntaxes(pacs_contexts.GET):
                self.does_get = False
                raise NoGet(f"{title} does not accept C-GET")
            if not any(association.syntaxes(one) for one in group):
                return None
            for identifier in _identifiers(wish, own, is_whole=is_whole):
                done = association.get(pacs_contexts.GET, _writer(identifier), wish.take, wish.is_wanted)
                if done.status in _NOT_DONE:
                    raise NoGet(f"{title} answered C-GET {statuses.describe(done.status)}")
        return done

    def _move(self, wish: Wish) -> None:
        receiver = self._receiver
        if receiver is None:
            raise errors.UpstreamFailed("only C-MOVE was left, and it is not set up here")
        expected = [one.target.instance or "" for one in wish.instances]
        with (
            receiver.expecting(expected, wish.take) as came,
            self._pool.association(pacs_contexts.MOVING) as association,
        ):
            if not association.syntaxes(pacs_contexts.MOVE):
                raise NotAccepted(f"{self._pool.peer.title} accepts neither C-GET nor C-MOVE from {receiver.title}")
            for identifier in _identifiers(wish, wish.instances, is_whole=wish.is_whole):
                done = association.move(
                    pacs_contexts.MOVE, _writer(identifier), receiver.title, wish.is_wanted, _grows(came)
                )
                if done.status == Status.DESTINATION_UNKNOWN:
                    raise errors.UpstreamFailed(
                        f"{self._pool.peer.title} does not know the move destination {receiver.title}; "
                        f"its administrators add that title with this machine's address and port {receiver.port}"
                    )
                if done.failed and not came():
                    raise errors.UpstreamFailed(
                        f"{self._pool.peer.title} sent nothing of {done.failed} instances by C-MOVE; can it reach "
                        f"{receiver.title} on port {receiver.port} of this machine?"
                    )
                _check(done, "C-MOVE")


class _Counting:
    """Sees which instances came, so that another way is gone for the others alone."""

    def __init__(self, wish: Wish) -> None:
        self._came: set[str] = set()
        self._all = wish
        self.wish = Wish(
            series=wish.series,
            instances=wish.instances,
            is_whole=wish.is_whole,
            take=lambda incoming: self._take(incoming.instance, wish.take(incoming)),
            is_wanted=wish.is_wanted,
        )

    def left(self) -> Wish:
        """What has not come."""
        all_ = self._all
        return Wish(
            series=all_.series,
            instances=[one for one in all_.instances if one.target.instance not in self._came],
            is_whole=all_.is_whole and not self._came,
            take=all_.take,
            is_wanted=all_.is_wanted,
        )

    def _take(self, instance: str, status: int) -> int:
        self._came.add(instance)
        return status


def _identifiers(wish: Wish, instances: Sequence[Listed], *, is_whole: bool) -> Iterator[JSONDataset]:
    if is_whole:
        yield pacs_questions.retrieval_identifier(wish.series)
        return
    wanted = [one.target.instance or "" for one in instances]
    for start in range(0, len(wanted), _BATCH):
        yield pacs_questions.retrieval_identifier(wish.series, wanted[start : start + _BATCH])


def _writer(identifier: JSONDataset) -> Callable[[str], bytes]:
    return lambda syntax: datasets.write_dataset(identifier, syntax)


def _check(done: Suboperations, deed: str) -> None:
    """What failed as a whole is a fault; what failed in part is seen by what came."""
    if statuses.kind(done.status) is Kind.FAILURE and not done.completed and not done.warned:
        fault = statuses.to_fault(done.status, deed=deed)
        assert fault is not None, "a failure is one"
        raise fault


def _grows(came: Callable[[], int]) -> Callable[[], bool]:
    """True when more came since it was asked before."""
    seen = 0

    def has_grown() -> bool:
        nonlocal seen
        before, seen = seen, came()
        return seen > before

    return has_grown
