"""What became of files that were to be stored: lines into a pipe, a table on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from dicomgate.cli import output
from dicomgate.client.offers import Became, Receipt

_MOST_ROWS: Final = 40


class Receipts:
    """Gathers receipts: into a pipe each goes at once, on a terminal there is a table at the end."""

    def __init__(self, *, is_silent: bool = False) -> None:
        self._is_silent = is_silent  # on a terminal: only what to look at, and the sum
        self.counts: Counter[Became] = Counter()
        self._rows: list[Receipt] = []
        self._shows_all = True

    def add(self, receipt: Receipt) -> None:
        """One more file is settled."""
        self.counts[receipt.became] += 1
        if not output.is_terminal():
            output.line(_facts(receipt))
            return
        self._rows.append(receipt)
        self._shows_all = self._shows_all and not self._is_silent
        if self._shows_all and len(self._rows) > _MOST_ROWS:
            self._shows_all = False
        if not self._shows_all:
            self._rows = [kept for kept in self._rows if kept.became.is_failure or kept.code is not None]

    def finish(self) -> None:
        """Show what is left to show: every file, or the ones to look at when there are many."""
        if self._rows:
            rows = ((str(one.path), one.became.value, one.detail) for one in self._rows)
            output.table(("FILE", "OUTCOME", "WHY"), rows)
        words = {
            Became.STORED: "stored",
            Became.OFFERED: "would be sent",
            Became.KNOWN: "there already",
            Became.REFUSED: "refused",
            Became.UNREADABLE: "unreadable",
            Became.FOREIGN: "not DICOM",
        }
        told = [f"{self.counts[became]:,} {word}" for became, word in words.items() if self.counts[became]]
        output.message(", ".join(told) or "no files")


class Teller:
    """How far it is, on standard error: a bar for a person, JSON Lines for a program."""

    def __init__(self, *, is_json: bool) -> None:
        self.is_json = is_json
        self._step: output.Step | None = None

    @contextmanager
    def shown(self, what: str, files: int) -> Iterator[None]:
        """A bar while inside, or the first event."""
        if self.is_json:
            output.event("start", files=files)
            yield
            return
        with output.progress(what, files) as step:
            self._step = step
            yield

    def add(self, receipt: Receipt) -> None:
        """One more file is settled."""
        if self.is_json:
            output.event("file", **_facts(receipt))
        elif self._step is not None:
            self._step()

    def end(self, receipts: Receipts, code: int) -> None:
        """All are, with this exit code."""
        if self.is_json:
            output.event("end", **{became.value: count for became, count in receipts.counts.items()}, code=code)


def _facts(receipt: Receipt) -> dict[str, Any]:
    target = receipt.target
    facts = {
        "file": str(receipt.path),
        "outcome": receipt.became.value,
        "code": receipt.code,
        "why": receipt.detail or None,
        "StudyInstanceUID": target.study if target else None,
        "SeriesInstanceUID": target.series if target else None,
        "SOPInstanceUID": target.instance if target else None,
    }
    return {name: value for name, value in facts.items() if value is not None}
