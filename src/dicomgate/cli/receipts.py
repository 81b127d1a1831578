"""What became of files that were to be stored: lines into a pipe, a table on a terminal."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from dicomgate.cli import output
from dicomgate.client.offers import Became, Receipt

_MOST_ROWS: Final = 40


class Receipts:
    """Gathers receipts: into a pipe each goes at once, on a terminal there is a table at the end."""

    def __init__(self) -> None:
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
            Became.KNOWN: "there already",
            Became.REFUSED: "refused",
            Became.UNREADABLE: "unreadable",
            Became.FOREIGN: "not DICOM",
        }
        told = [f"{self.counts[became]:,} {word}" for became, word in words.items() if self.counts[became]]
        output.message(", ".join(told) or "no files")


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
