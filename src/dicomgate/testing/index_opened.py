"""What the suites of an index share: how one is opened, and short words for asking it."""

# ruff: noqa: ARG002

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dicomgate.dicom import attributes
from dicomgate.dicom.matching import Condition, Match, OneOf, Query
from dicomgate.dicom.uids import Level
from dicomgate.index.base import Added, Entry, Index
from dicomgate.testing.entries import refuse_nothing

STUDY, SERIES, INSTANCE = Level
UIDS = {STUDY: "0020000D", SERIES: "0020000E", INSTANCE: "00080018"}


def match(path: str, condition: Condition | str) -> Match:
    """A match by keywords; a str stands for one value."""
    parsed = attributes.parse_path(path)
    assert parsed is not None
    return Match(parsed, OneOf((condition,)) if isinstance(condition, str) else condition)


def found(index: Index, level: Level, *matches: Match, **more: Any) -> list[str]:
    """The numbers behind the UIDs of what is found: 1.2.7.3 is 7.3."""
    page = index.find(Query(level=level, matches=matches, **more))
    return [answer[UIDS[level]]["Value"][0].removeprefix("1.2.") for answer in page.datasets]


def add(index: Index, *entries: Entry) -> list[Added]:
    """Add together, refusing nothing."""
    return index.add_many(entries, refuse_nothing)


class OpenedIndex:
    """Subclasses give `open_index`; indexes opened on one place share what they hold, as processes do."""

    def open_index(self, place: Path) -> Index:
        """An index on this place."""
        raise AssertionError("the subclass opens its index")

    @pytest.fixture
    def index(self, tmp_path: Path) -> Iterator[Index]:
        """A new, empty index."""
        index = self.open_index(tmp_path / "index")
        yield index
        index.close()
