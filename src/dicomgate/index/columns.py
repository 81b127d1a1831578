"""Which attribute is matched how: one table (PS3.18 Table 10.6.1-5, PS3.4 C.6.2.1)."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from dicomgate.dicom.matching import AttributePath
from dicomgate.dicom.uids import Level
from dicomgate.index import values
from dicomgate.index.base import JSONDataset

STUDY_UID = "0020000D"
SERIES_UID = "0020000E"
INSTANCE_UID = "00080018"
SOP_CLASS = "00080016"
PATIENT_ID = "00100020"
STUDY_DATE = "00080020"
STUDY_TIME = "00080030"
MODALITY = "00080060"
MODALITIES = "00080061"
SERIES_NUMBER = "00200011"
INSTANCE_NUMBER = "00200013"
AVAILABILITY = "00080056"
TRANSFER_SYNTAX = "00083002"
RETRIEVE_URL = "00081190"
STUDY_SERIES = "00201206"
STUDY_INSTANCES = "00201208"
SERIES_INSTANCES = "00201209"

INSTANCE_ANSWER = (
    "00080005",  # Specific Character Set
    "00080201",  # Timezone Offset From UTC
    INSTANCE_NUMBER,
    "00280008",  # Number of Frames
    "00280010",  # Rows
    "00280011",  # Columns
    "00280100",  # Bits Allocated
)
"""Whose values an instance's row keeps, in this order: part of the schema, only ever appended to."""


class Kind(enum.Enum):
    """How an attribute's values are kept and compared."""

    UID = "uid"  # the level's own UID: a column
    MOMENT = "moment"  # the study's date: a column that holds the time too
    NUMBER = "number"  # a column with a whole number
    CLASS = "class"  # SOP Class UID of instances: a column, and a value of the series
    TEXT = "text"  # as it stands
    NAME = "name"  # folded
    DATE = "date"  # followed by the time of the same event
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Column:
    """One attribute that can be matched. `time` is the attribute with the time to a date."""

    path: AttributePath
    level: Level
    kind: Kind
    time: str = ""

    @property
    def number(self) -> int:
        """The innermost tag as a number: how the value table names the column."""
        return int(self.path[-1], 16)


def _columns() -> Iterator[Column]:
    yield Column((STUDY_UID,), Level.STUDY, Kind.UID)
    yield Column((STUDY_DATE,), Level.STUDY, Kind.MOMENT, time=STUDY_TIME)
    yield Column((STUDY_TIME,), Level.STUDY, Kind.TIME)
    yield Column(("00080050",), Level.STUDY, Kind.TEXT)  # Accession Number
    yield Column((MODALITIES,), Level.STUDY, Kind.TEXT)
    yield Column(("00080090",), Level.STUDY, Kind.NAME)  # Referring Physician's Name
    yield Column(("00081030",), Level.STUDY, Kind.TEXT)  # Study Description
    yield Column(("00100010",), Level.STUDY, Kind.NAME)  # Patient's Name
    yield Column((PATIENT_ID,), Level.STUDY, Kind.TEXT)
    yield Column(("00100030",), Level.STUDY, Kind.DATE)  # Patient's Birth Date
    yield Column(("00100040",), Level.STUDY, Kind.TEXT)  # Patient's Sex
    yield Column(("00200010",), Level.STUDY, Kind.TEXT)  # Study ID
    yield Column((SERIES_UID,), Level.SERIES, Kind.UID)
    yield Column((MODALITY,), Level.SERIES, Kind.TEXT)
    yield Column((SERIES_NUMBER,), Level.SERIES, Kind.NUMBER)
    yield Column(("00080021",), Level.SERIES, Kind.DATE, time="00080031")  # Series Date
    yield Column(("00080031",), Level.SERIES, Kind.TIME)
    yield Column(("0008103E",), Level.SERIES, Kind.TEXT)  # Series Description
    yield Column(("00180015",), Level.SERIES, Kind.TEXT)  # Body Part Examined
    yield Column(("00400244",), Level.SERIES, Kind.DATE, time="00400245")  # Performed Procedure Step Start Date
    yield Column(("00400245",), Level.SERIES, Kind.TIME)
    yield Column(("00400275", "00400009"), Level.SERIES, Kind.TEXT)  # Request Attributes > Scheduled Procedure Step ID
    yield Column(("00400275", "00401001"), Level.SERIES, Kind.TEXT)  # Request Attributes > Requested Procedure ID
    yield Column((SOP_CLASS,), Level.INSTANCE, Kind.CLASS)
    yield Column((INSTANCE_UID,), Level.INSTANCE, Kind.UID)
    yield Column((INSTANCE_NUMBER,), Level.INSTANCE, Kind.NUMBER)


COLUMNS: dict[AttributePath, Column] = {column.path: column for column in _columns()}

_VALUED = frozenset({Kind.TEXT, Kind.NAME, Kind.DATE, Kind.TIME})
_COUNTED = frozenset({MODALITIES})  # comes from what the study holds, not from one instance
TRIGRAMMED = frozenset(column.number for column in COLUMNS.values() if column.kind in {Kind.TEXT, Kind.NAME})
"""Columns that are searched for what they contain; dates and times are not."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value that can be matched. `item` numbers a sequence's items from 1; 0: no sequence."""

    column: int
    text: str
    item: int = 0


def level_values(level: Level, attributes: JSONDataset) -> frozenset[Value]:
    """What of a data set can be matched at a level, in the form in which it is compared."""
    found: set[Value] = set()
    for column in COLUMNS.values():
        if column.level is level and column.kind in _VALUED and column.path[0] not in _COUNTED:
            found.update(_column_values(column, attributes))
    return frozenset(found)


def _column_values(column: Column, attributes: JSONDataset) -> Iterator[Value]:
    if len(column.path) == 1:
        for text in _compared(column, attributes):
            yield Value(column.number, text)
        return
    sequence = attributes.get(column.path[0]) or {}
    for number, item in enumerate(sequence.get("Value") or (), 1):
        for text in _compared(column, item or {}):
            yield Value(column.number, text, number)


def _compared(column: Column, attributes: JSONDataset) -> list[str]:
    """The texts of one column in one data set or item."""
    texts = values.texts(attributes.get(column.path[-1]))
    match column.kind:
        case Kind.NAME:
            return [text for text in map(values.fold, texts) if text != values.NAMELESS]
        case Kind.TIME:
            return [text for text in map(values.earliest, texts) if text]
        case Kind.DATE:
            times = [text for text in map(values.earliest, values.texts(attributes.get(column.time))) if text]
            return [text + "".join(times[:1]) for text in map(values.date, texts) if text]
        case _:
            return texts


def study_moment(attributes: JSONDataset) -> int:
    """Study Date and Time as one number."""
    dates = [values.date(text) for text in values.texts(attributes.get(STUDY_DATE))]
    times = [values.earliest(text) for text in values.texts(attributes.get(STUDY_TIME))]
    return values.moment(dates[0] if dates else "", times[0] if times else "")


def first_text(attributes: JSONDataset, tag: str) -> str:
    """The first value of an attribute as text, or nothing."""
    return "".join(values.texts(attributes.get(tag))[:1])
