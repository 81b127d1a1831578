"""What can be asked of the index's rows: on UIDs, moments, numbers, values."""

from __future__ import annotations

from dataclasses import dataclass

from dicomgate.dicom.uids import Level


@dataclass(frozen=True, slots=True)
class Uids:
    """The row's own UID is one of these."""

    level: Level
    uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """The row is one of these, by the index's own names."""

    level: Level
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Moments:
    """The study's date and time lie between these, both included; 0 is a study without a date."""

    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class Numbers:
    """Series or Instance Number is one of these."""

    level: Level
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Classes:
    """SOP Class UID of the instance is one of these."""

    uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Test:
    """A test of one column's value: SQL on `{v}.text` with its parameters.

    `exact` is set when one text alone passes; `trigrams` is a full text query that finds all that may pass. `ids` are
    the values that pass, where somebody has looked. Not `is_searched`: every text of the column must be tested.
    """

    column: int
    sql: str
    parameters: tuple[str, ...]
    exact: str | None = None
    trigrams: str = ""
    ids: tuple[int, ...] | None = None
    is_searched: bool = True


@dataclass(frozen=True, slots=True)
class Valued:
    """The study (series, instance) has values that pass the tests: if several, all of one item.

    `has_items`: one value may be there more than once, in several items of a sequence or in several names.
    """

    level: Level
    tests: tuple[Test, ...]
    has_items: bool = False


@dataclass(frozen=True, slots=True)
class Lacking:
    """The study (series, instance) has no value in this column."""

    level: Level
    column: int


@dataclass(frozen=True, slots=True)
class Either:
    """All that one of the alternatives asks is fulfilled."""

    alternatives: tuple[tuple[Asked, ...], ...]


@dataclass(frozen=True, slots=True)
class Never:
    """Nothing stored can match."""


Asked = Uids | Rows | Moments | Numbers | Classes | Valued | Lacking | Either | Never
