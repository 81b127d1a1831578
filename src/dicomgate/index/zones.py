"""Offsets from UTC: in how far stored dates and times may differ from those of a question (PS3.4 C.2.2.2.1.3, QIDO-07).

A study (series) with its own Timezone Offset From UTC is compared in the zone of the question, one without as it is
written. The index finds all that may match in any of the zones that occur; the data sets tell which do.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from dicomgate.dicom import moments
from dicomgate.dicom.uids import Level
from dicomgate.index.columns import Columns

_MOST = 100
_WIDEST = (-26 * 60, 26 * 60)

Spread = tuple[int, int]
"""Minutes: the least and the most that a stored zone is ahead of that of the question."""
SAME: Spread = (0, 0)
Spreads = Callable[[Level], Spread]


def spreads(connection: sqlite3.Connection, timezone: str | None, matched: Columns) -> Spreads:
    """How far the zones of studies and of series are from the question's."""
    asked = None if timezone is None else moments.parse_zone(timezone)

    def spread(level: Level) -> Spread:
        if asked is None:
            return SAME
        column = matched.find_zone(level)
        if column is None:
            return _WIDEST
        sql = "SELECT text FROM value WHERE tag = ? LIMIT ?"
        texts = [text for (text,) in connection.execute(sql, (column.number, _MOST))]
        if len(texts) == _MOST:
            return _WIDEST
        ahead = [zone - asked for text in texts if (zone := moments.parse_zone(text)) is not None]
        return min(0, *ahead, 0), max(0, *ahead, 0)

    return spread


def alike(level: Level) -> Spread:  # noqa: ARG001 (a Spreads)
    """For questions that name no zone."""
    return SAME
