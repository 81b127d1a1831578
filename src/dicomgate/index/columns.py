"""Which attribute is matched how: what is built in, and what was promoted (PS3.18 Table 10.6.1-5, PS3.4 C.6.2.1)."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dicomgate.dicom import attributes
from dicomgate.dicom.matching import AttributePath
from dicomgate.dicom.uids import Level
from dicomgate.index import values
from dicomgate.index.base import ColumnState

STUDY_UID = "0020000D"
SERIES_UID = "0020000E"
INSTANCE_UID = "00080018"
SOP_CLASS = "00080016"
PATIENT_ID = "00100020"
STUDY_DATE = "00080020"
STUDY_TIME = "00080030"
MODALITY = "00080060"
MODALITIES = "00080061"
STUDY_CLASSES = "00080062"
SERIES_NUMBER = "00200011"
INSTANCE_NUMBER = "00200013"
TIMEZONE = "00080201"
AVAILABILITY = "00080056"
TRANSFER_SYNTAX = "00083002"
STUDY_SERIES = "00201206"
STUDY_INSTANCES = "00201208"
SERIES_INSTANCES = "00201209"

INSTANCE_ANSWER = (
    "00080005",  # Specific Character Set
    TIMEZONE,
    INSTANCE_NUMBER,
    "00280008",  # Number of Frames
    "00280010",  # Rows
    "00280011",  # Columns
    "00280100",  # Bits Allocated
)
"""Whose values an instance's row keeps, in this order: part of the schema, only ever appended to."""

_WORDS = 1 << 32
_OF_SERIES = 1 << 33
PROMOTED = 1 << 40
"""Promoted attributes are numbered from here; below it a column's number is its tag, for some with a bit above it."""


class Kind(enum.Enum):
    """How an attribute's values are kept and compared."""

    UID = "uid"  # the level's own UID: a column
    MOMENT = "moment"  # the study's date: a column that holds the time too
    NUMBER = "number"  # a column with a whole number
    CLASS = "class"  # SOP Class UID of instances: a column, and a value of the series
    TEXT = "text"  # as it stands
    NAME = "name"  # folded
    WORDS = "words"  # the words of a name, each a value: what fuzzy matching asks for
    DATE = "date"  # followed by the time of the same event
    TIME = "time"
    DECIMAL = "decimal"  # a number, written so that texts sort as numbers do


@dataclass(frozen=True, slots=True)
class Column:
    """One attribute that can be matched.

    `number` names it in the table of values. `time` is the attribute with the time to a date. `creator` is whose the
    path's private attributes are; their tags have 00 in place of the block.
    """

    path: AttributePath
    level: Level
    kind: Kind
    number: int
    time: str = ""
    creator: str = ""

    @property
    def longest(self) -> int:
        """Longer texts are compared by their beginning."""
        return values.LONGEST_TEXT if attributes.vr(self.path[-1]) in _LONG_VRS else values.LONGEST


def registered(path: AttributePath, level: Level, kind: Kind, number: int, creator: str) -> Column:
    """A column that came after the index was made."""
    time = attributes.TIME_OF_DATE.get(path[-1], "") if kind is Kind.DATE else ""
    return Column(path, level, kind, number, time, creator)


def _tag(path: AttributePath) -> int:
    return int(path[-1], 16)


def _columns() -> Iterator[Column]:
    def column(tags: str, level: Level, kind: Kind, time: str = "") -> Column:
        path = tuple(tags.split("."))
        return Column(path, level, kind, _tag(path), time)

    yield column(STUDY_UID, Level.STUDY, Kind.UID)
    yield column(STUDY_DATE, Level.STUDY, Kind.MOMENT, time=STUDY_TIME)
    yield column(STUDY_TIME, Level.STUDY, Kind.TIME)
    yield column("00080050", Level.STUDY, Kind.TEXT)  # Accession Number
    yield column(MODALITIES, Level.STUDY, Kind.TEXT)
    yield column("00080090", Level.STUDY, Kind.NAME)  # Referring Physician's Name
    yield column("00081030", Level.STUDY, Kind.TEXT)  # Study Description
    yield column("00100010", Level.STUDY, Kind.NAME)  # Patient's Name
    yield column(PATIENT_ID, Level.STUDY, Kind.TEXT)
    yield column("00100030", Level.STUDY, Kind.DATE)  # Patient's Birth Date
    yield column("00100040", Level.STUDY, Kind.TEXT)  # Patient's Sex
    yield column("00200010", Level.STUDY, Kind.TEXT)  # Study ID
    yield column(SERIES_UID, Level.SERIES, Kind.UID)
    yield column(MODALITY, Level.SERIES, Kind.TEXT)
    yield column(SERIES_NUMBER, Level.SERIES, Kind.NUMBER)
    yield column("00080021", Level.SERIES, Kind.DATE, time="00080031")  # Series Date
    yield column("00080031", Level.SERIES, Kind.TIME)
    yield column("0008103E", Level.SERIES, Kind.TEXT)  # Series Description
    yield column("00180015", Level.SERIES, Kind.TEXT)  # Body Part Examined
    yield column("00400244", Level.SERIES, Kind.DATE, time="00400245")  # Performed Procedure Step Start Date
    yield column("00400245", Level.SERIES, Kind.TIME)
    yield column("00400275.00400009", Level.SERIES, Kind.TEXT)  # Request Attributes > Scheduled Procedure Step ID
    yield column("00400275.00401001", Level.SERIES, Kind.TEXT)  # Request Attributes > Requested Procedure ID
    yield column(SOP_CLASS, Level.INSTANCE, Kind.CLASS)
    yield column(INSTANCE_UID, Level.INSTANCE, Kind.UID)
    yield column(INSTANCE_NUMBER, Level.INSTANCE, Kind.NUMBER)


def _later() -> Iterator[Column]:
    """What an index may lack that an earlier version filled."""
    for column in COLUMNS.values():
        if column.kind is Kind.NAME:
            yield Column(column.path, column.level, Kind.WORDS, column.number | _WORDS)
    zone = (TIMEZONE,)
    yield Column(zone, Level.STUDY, Kind.TEXT, _tag(zone))
    yield Column(zone, Level.SERIES, Kind.TEXT, _tag(zone) | _OF_SERIES)


COLUMNS: dict[AttributePath, Column] = {column.path: column for column in _columns()}
"""What every index has had from the beginning."""
LATER: dict[int, Column] = {column.number: column for column in _later()}
"""Built in as well, but an index that holds studies already must be filled with them first. By number."""

_LONG_VRS = frozenset({"LT", "ST", "UC", "UR", "UT"})
_VALUED = frozenset({Kind.TEXT, Kind.NAME, Kind.WORDS, Kind.DATE, Kind.TIME, Kind.DECIMAL})
_COUNTED = frozenset({MODALITIES})  # comes from what the study holds, not from one instance
_TRIGRAMMED = frozenset({Kind.TEXT, Kind.NAME})  # searched for what they contain; dates, times and words are not

Registered = tuple[Column, ColumnState]
"""A column that came later, and how far it is."""
_Name = tuple[AttributePath, str]


class Columns:
    """What one index can match, of one moment: what is built in and what was promoted. Never changes."""

    def __init__(self, registered: Iterable[Registered]) -> None:
        self._registered = tuple(registered)
        ready = [column for column, state in self._registered if state is ColumnState.READY]
        written = [column for column, state in self._registered if state is not ColumnState.LEAVING]
        every = [*COLUMNS.values(), *(column for column, _ in self._registered)]
        self._words = {_name(column): column for column in ready if column.kind is Kind.WORDS}
        self._zones = {column.level: column for column in ready if column.path == (TIMEZONE,)}
        self._found: dict[_Name, Column] = {
            _name(column): column
            for column in (*reversed(ready), *COLUMNS.values())  # of two levels the higher one, which comes first
            if column.kind is not Kind.WORDS
        }
        self._of_level = {
            level: tuple(
                column
                for column in (*COLUMNS.values(), *written)
                if column.level is level and column.kind in _VALUED and column.path[0] not in _COUNTED
            )
            for level in Level
        }
        self._trigrammed = frozenset(column.number for column in every if column.kind in _TRIGRAMMED)
        self.has_instance_values = any(column.level is Level.INSTANCE for column, _ in self._registered)

    @property
    def registered(self) -> tuple[Registered, ...]:
        """What came later, in order of coming."""
        return self._registered

    def find(self, path: AttributePath, creators: Sequence[tuple[AttributePath, str]] = ()) -> Column | None:
        """The column in which an attribute can be searched now; `creators` as a query gives them."""
        name = _asked_name(path, creators)
        return self._found.get(name) if name else None

    def find_words(self, path: AttributePath, creators: Sequence[tuple[AttributePath, str]] = ()) -> Column | None:
        """The column with the words of a person name."""
        name = _asked_name(path, creators)
        return self._words.get(name) if name else None

    def find_zone(self, level: Level) -> Column | None:
        """The column with Timezone Offset From UTC of a study or a series."""
        return self._zones.get(level)

    def of_level(self, level: Level) -> tuple[Column, ...]:
        """The columns whose values are taken from a data set when a study, series or instance is written."""
        return self._of_level[level]

    def has_trigrams(self, number: int) -> bool:
        """True when the column's values are searched for what they contain."""
        return number in self._trigrammed


def _name(column: Column) -> _Name:
    return column.path, column.creator


def _asked_name(path: AttributePath, creators: Sequence[tuple[AttributePath, str]]) -> _Name | None:
    """How a column of this path is called; None where there can be none: a private attribute is nobody's."""
    if not any(map(attributes.is_private, path)):
        return path, ""
    given = dict(creators)
    owners = {
        given.get((*path[:depth], f"{tag[:4]}00{tag[4:6]}"), "")
        for depth, tag in enumerate(path)
        if attributes.is_private(tag)
    }
    owner = owners.pop()
    return (without_blocks(path), owner) if owner and not owners else None


def without_blocks(path: AttributePath) -> AttributePath:
    """The path with 00 in place of the block of each private attribute, for every data set may use another."""
    return tuple(f"{tag[:4]}00{tag[6:]}" if attributes.is_private(tag) else tag for tag in path)


BUILT_IN = Columns((column, ColumnState.READY) for column in LATER.values())
"""What a new index can match."""
