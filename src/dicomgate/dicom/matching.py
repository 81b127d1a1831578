"""A question about what is stored: level, attribute matching, wanted attributes, paging (PS3.4 C.2.2.2)."""

from __future__ import annotations

from dataclasses import dataclass

from dicomgate.dicom.uids import Level, Target

AttributePath = tuple[str, ...]
"""Tags as 8 upper-case hex digits, outermost first: ("00400275", "00400009")."""


@dataclass(frozen=True, slots=True)
class Universal:
    """Matches whatever is there, also nothing; the attribute is wanted in the answer."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """Any of the values, exactly: single value matching, and list of UID matching."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`*` is any run of characters, `?` is any one."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Between:
    """A range of DA, TM or DT as text of the standard, both ends included; None is open."""

    low: str | None
    high: str | None


@dataclass(frozen=True, slots=True)
class MomentBetween:
    """A date range and a time range of one pair of attributes, read as one continuous range (C.2.2.2.5.4).

    `low` and `high` are DA followed by TM ("20200101100000"), None is open. The match's path is the date's,
    `time_path` the time's.
    """

    time_path: AttributePath
    low: str | None
    high: str | None


Condition = Universal | OneOf | Wildcard | Between | MomentBetween


@dataclass(frozen=True, slots=True)
class Match:
    """One matching key."""

    path: AttributePath
    condition: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked for.

    `scope` is the study, or the series of it, that the resource's path fixes. `include` are wanted attributes
    beyond the standard set; `include_all` wants every attribute known at the level. `limit` None: as many as the
    origin gives at once.
    """

    level: Level
    scope: Target | None = None
    matches: tuple[Match, ...] = ()
    include: tuple[AttributePath, ...] = ()
    include_all: bool = False
    limit: int | None = None
    offset: int = 0
    relational: bool = False
    """The resource is searched across its parents (`/series`, `/instances`, `/studies/{s}/instances`), so the
    parents' attributes may be matched and are returned."""
