"""What the callers know: what was acknowledged, and what was under way when nobody answered any more."""

from __future__ import annotations

import enum
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from crash_client import OTHER_CONTENT, Report
from crash_instances import Specimen

from dicomgate.dicom.uids import Target


class State(enum.Enum):
    ABSENT = "absent"
    PRESENT = "present"
    OPEN = "open"  # wholly there or not at all, nobody knows which until somebody looks


@dataclass(slots=True)
class Item:
    target: Target
    digest: str
    state: State = State.ABSENT
    was_deleted: bool = False
    maybe: set[str] = field(default_factory=set)  # other contents that may have taken its place


class Ledger:
    """Safe for threads. Whoever changes an instance owns its study, but for studies that are contended."""

    def __init__(self, *, replaces: bool = False) -> None:
        self.replaces = replaces
        self.items: dict[str, Item] = {}
        self.tally: Counter[str] = Counter()
        self.touched: set[str] = set()
        self.contended: set[str] = set()  # stored and deleted by several at once: nothing is known of them
        self.together: list[frozenset[str]] = []  # went under way to be deleted together: all went, or none
        self._by_study: defaultdict[str, dict[str, Item]] = defaultdict(dict)
        self._lock = threading.Lock()

    def of(self, study: str) -> dict[str, Item]:
        """Every instance ever offered to a study."""
        with self._lock:
            return dict(self._by_study[study])

    def studies(self) -> list[str]:
        with self._lock:
            return list(self._by_study)

    def present(self, study: str) -> list[Item]:
        return [item for item in self.of(study).values() if item.state is State.PRESENT]

    def offer(self, specimens: Sequence[Specimen]) -> None:
        """These go to the server now."""
        with self._lock:
            for specimen in specimens:
                item = self.items.get(specimen.uid)
                if item is None:
                    item = self.items[specimen.uid] = Item(specimen.target, specimen.digest)
                    self._by_study[specimen.target.study][specimen.uid] = item
                if item.state is State.ABSENT:
                    item.state, item.digest = State.OPEN, specimen.digest
                elif self.replaces and specimen.digest != item.digest:
                    item.maybe.add(specimen.digest)
                self.touched.add(specimen.target.study)
            self.tally["under way"] += 1

    def reported(self, specimens: Sequence[Specimen], report: Report) -> None:
        """The server answered. What it refused stays open, unless it was there before."""
        with self._lock:
            self.tally["under way"] -= 1
            for specimen in specimens:
                item = self.items[specimen.uid]
                if specimen.uid in report.stored:
                    assert self.replaces or specimen.digest == item.digest, "other content was taken under a known UID"
                    self.tally["replaced"] += specimen.digest != item.digest
                    item.digest = specimen.digest
                    item.maybe.clear()
                    self.tally["stored"] += 1
                    if specimen.target.study not in self.contended:
                        item.state, item.was_deleted = State.PRESENT, False
                elif report.refused.get(specimen.uid) == OTHER_CONTENT:
                    assert specimen.digest != item.digest, "the same content was refused as another"
                    self.tally["other content refused"] += 1
                else:
                    self.tally["refused"] += 1

    def delete(self, targets: Iterable[str]) -> list[Item]:
        """These instances, which are all there, are asked to go together."""
        with self._lock:
            items = [self.items[uid] for uid in targets]
            for item in items:
                if item.target.study not in self.contended:
                    assert item.state is State.PRESENT
                    item.state = State.OPEN
                self.touched.add(item.target.study)
            if items:
                self.together.append(frozenset(item.target.instance or "" for item in items))
            self.tally["under way"] += 1
            return items

    def deleted(self, items: Iterable[Item], *, is_gone: bool) -> None:
        """The server answered: they are gone, or the delete was refused and nobody knows."""
        with self._lock:
            self.tally["under way"] -= 1
            if is_gone:
                uids = frozenset(item.target.instance or "" for item in items)
                self.together = [each for each in self.together if each != uids]
            for item in items:
                if is_gone and item.target.study not in self.contended:
                    item.state, item.was_deleted = State.ABSENT, True
                    self.tally["deleted"] += 1

    def broken(self) -> None:
        """One that was under way got no answer."""
        with self._lock:
            self.tally["under way"] -= 1
            self.tally["no answer"] += 1

    def seen(self, study: str, digests: dict[str, str]) -> None:
        """Somebody looked after a restart: what was open is settled, and stays so."""
        uids = digests.keys()
        for uid, item in self.of(study).items():
            item.digest = digests.get(uid, item.digest)
            item.maybe.clear()
            if item.state is State.OPEN:
                self.tally["open, proved stored" if uid in uids else "open, proved absent"] += 1
                item.state = State.PRESENT if uid in uids else State.ABSENT
                item.was_deleted = item.was_deleted and uid not in uids
