"""A server is probed: every probe in turn, on what is there or on what was stored for it (PS3.18)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from dicomgate.client import (
    probes_every_service,
    probes_pictures,
    probes_retrieve,
    probes_search,
    probes_store,
    subjects,
)
from dicomgate.client.probing import Ask, Asker, Finding, Probe, Unexpected, Verdict, settle
from dicomgate.client.subjects import Subject

PROBES: Final[tuple[Probe, ...]] = (
    *probes_every_service.PROBES,
    *probes_search.PROBES,
    *probes_retrieve.PROBES,
    *probes_pictures.PROBES,
    *probes_store.PROBES,
)
"""All of them, in the order in which they are run."""
_SILENT: Final = 5


def chosen(items: Sequence[str]) -> list[Probe]:
    """The probes whose items begin so; all without any."""
    wanted = tuple(item.upper() for item in items)
    return [probe for probe in PROBES if not wanted or probe.item.startswith(wanted)]


def run(subject: Subject, probes: Iterable[Probe]) -> Iterator[Finding]:
    """What becomes of each probe, one after the other, each with as long as the asker gives one answer.

    A server that was silent so many times in a row is not asked any more: the rest is skipped.
    """
    silent = 0
    for probe in probes:
        if silent >= _SILENT:
            yield Finding(probe, Verdict.SKIPPED, f"not asked: {_SILENT} times in a row no answer came in time", 0.0)
            continue
        subject.asker.begin()
        finding = settle(probe, subject)
        silent = silent + 1 if finding.is_silent else 0
        yield finding


def delete(subject: Subject) -> list[str]:
    """Delete the studies that were stored; the UIDs of those that are left, for the server does not delete."""
    return [study for study in dict.fromkeys(subject.stored) if not _is_deleted(subject.asker, study)]


def _is_deleted(asker: Asker, study: str) -> bool:
    """True when nothing of it is there: it is deleted now, or was never stored."""
    asker.begin()
    try:
        return asker.ask(Ask(path=f"/studies/{study}", method="DELETE")).status in (200, 202, 204, 404, 410)
    except Unexpected:
        return False


def counts(findings: Iterable[Finding]) -> Counter[Verdict]:
    """How many probes ended how."""
    return Counter(finding.verdict for finding in findings)


store, find = subjects.store, subjects.find
