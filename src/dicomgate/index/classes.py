"""SOP Classes in Study (0008,0062), which is counted, not stored (PS3.18 Table 10.6.3-3, PS3.4 §C.3.4)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from dicomgate.index import columns
from dicomgate.index.base import JSONDataset
from dicomgate.index.sql import json_list

TAG: Final = columns.STUDY_CLASSES
_TEXTS: Final = """
SELECT DISTINCT e.study, v.text FROM series e
CROSS JOIN series_value f ON f.series = e.id CROSS JOIN value v ON v.id = f.value
WHERE e.study IN (SELECT value FROM json_each(?)) AND v.tag = ? ORDER BY 1, 2
"""
_CLASS: Final = int(columns.SOP_CLASS, 16)


def of_studies(connection: sqlite3.Connection, ids: Iterable[int]) -> dict[int, JSONDataset]:
    """The attribute for each study, as a data set that has it alone."""
    found: dict[int, list[str]] = {}
    for study, uid in connection.execute(_TEXTS, (json_list(ids), _CLASS)).fetchall():
        found.setdefault(study, []).append(uid)
    return {study: {TAG: {"vr": "UI", "Value": uids}} for study, uids in found.items()}
