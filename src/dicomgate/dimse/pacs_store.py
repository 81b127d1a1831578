"""STOW-RS to a PACS: each instance by C-STORE, with what the PACS answers as its outcome (PRX-06, PS3.4 §B.2.3)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final

from dicomgate import errors
from dicomgate.dicom import explicit, header, names, outcomes, syntaxes
from dicomgate.dicom.header import Header, Limits
from dicomgate.dicom.outcomes import Outcome, Reason, Refused, Stored
from dicomgate.dicom.source import Source
from dicomgate.dicom.uids import Target
from dicomgate.dimse import pacs_contexts, statuses
from dicomgate.dimse.associations import Association
from dicomgate.dimse.pacs_coming import Aside
from dicomgate.dimse.pool import Pool
from dicomgate.spool import Arrival

_STEP: Final = 256 << 10


class PacsStore:
    """The Store of a PACS. Safe for threads."""

    def __init__(
        self,
        pool: Pool,
        *,
        limits: Limits = header.DEFAULT,
        changed: Callable[[Target], None],
        aside: Aside = nullcontext,
    ) -> None:
        """`changed` is told what was stored. Whoever waits for the PACS does so `aside`."""
        self._aside = aside
        self._pool = pool
        self._limits = limits
        self._changed = changed

    def require_room(self) -> None:
        """Unavailable or UpstreamFailed while it is known that the PACS cannot be reached."""
        self._pool.require()

    def accept(self, arrival: Arrival, study: str | None = None) -> Outcome:
        """Send one instance. Never raises for what the sender did wrong, nor for what the PACS does."""
        arrival.finish()
        try:
            seen = arrival.header(self._limits)
        except (errors.Malformed, errors.TooLarge) as fault:
            return Refused(outcomes.reason_of(fault), fault.message)
        target, sop_class = seen.target, seen.sop_class
        if target is None or target.instance is None or sop_class is None:
            return Refused(Reason.MISSING_UID, "", target, sop_class)
        if study is not None and target.study != study:
            return Refused(Reason.WRONG_STUDY, "", target, sop_class)
        if syntaxes.find(seen.transfer_syntax) is None:
            return Refused(Reason.SYNTAX_NOT_SUPPORTED, "", target, sop_class)
        return self._send(arrival.source(), seen, target, sop_class)

    def _send(self, source: Source, seen: Header, target: Target, sop_class: str) -> Outcome:
        contexts = pacs_contexts.storing(sop_class, seen.transfer_syntax)
        try:
            with self._aside():
                status = self._pool.ask(contexts, lambda on: _store(on, source, seen, target.instance or "", sop_class))
        except errors.Unavailable as fault:
            return Refused(Reason.OUT_OF_RESOURCES, fault.message, target, sop_class)
        except errors.UpstreamFailed as fault:
            return Refused(Reason.PROCESSING_FAILURE, fault.message, target, sop_class)
        if isinstance(status, _NotTaken):
            return Refused(status.reason, f"{self._pool.peer.title} does not take {status}", target, sop_class)
        outcome = statuses.to_outcome(status, target, sop_class)
        if isinstance(outcome, Stored):
            self._changed(target)
        return outcome


@dataclass(frozen=True, slots=True)
class _NotTaken:
    """The peer accepts no context for an instance; why, and which UID it does not take."""

    reason: Reason
    uid: str

    def __str__(self) -> str:
        return f"{names.find_uid(self.uid) or 'what is not of the standard'} ({self.uid})"


def _store(association: Association, source: Source, seen: Header, instance: str, sop_class: str) -> int | _NotTaken:
    """The status that the PACS answers; the data set goes as it is, or in Explicit VR Little Endian."""
    offered = association.syntaxes(sop_class)
    if seen.transfer_syntax in offered:
        span = range(seen.dataset_offset, source.size)
        chunks = itertools.chain(_chunks(source, span), _padding(seen, span))
        answer = association.store(sop_class, instance, seen.transfer_syntax, chunks)
    elif syntaxes.EXPLICIT_LITTLE in offered and pacs_contexts.can_be_rewritten(seen.transfer_syntax):
        rewritten = explicit.Rewriter(*explicit.find_dataset(source, seen), seen).pieces()
        answer = association.store(sop_class, instance, syntaxes.EXPLICIT_LITTLE, rewritten)
    elif association.knows(sop_class):
        return _NotTaken(Reason.SYNTAX_NOT_SUPPORTED, seen.transfer_syntax)
    else:
        return _NotTaken(Reason.CLASS_NOT_SUPPORTED, sop_class)
    return answer


def _padding(seen: Header, span: range) -> tuple[bytes, ...]:
    """What follows a deflated data set of odd length (PS3.5 §A.5): no fragment may have one (PS3.8 §E.2)."""
    return (b"\0",) if seen.is_deflated and len(span) % 2 else ()


def _chunks(source: Source, span: range) -> Iterator[bytes]:
    for offset in range(span.start, span.stop, _STEP):
        yield source.read_at(offset, min(_STEP, span.stop - offset))
