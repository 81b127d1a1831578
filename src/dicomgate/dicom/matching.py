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
    """`*` is any run of characters, `?` is any one; case counts.

    Of a person name every component group that is given, apart by `=`, matches some group of one name, folded.
    """

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


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """Every word begins some word of one person name, in any order, in any of its component groups, folded.

    The words are folded already: without case and diacritics (`person_names.wanted_words`). In a word `*` stands for
    any characters and `?` for any one, so `*smi` is in the midst of some word; at the end of a word neither is needed.
    """

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Empty:
    """The attribute is absent or has no value (Empty Value Matching, PS3.4 C.2.2.2.7).

    Within a sequence: of one item. A sequence without items has one in which everything is absent.
    """


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of several conditions on one attribute: a list of values (AMB-19).

    Multiple Value Matching (PS3.4 C.2.2.2.8), where every value must be there, is several matches of one path.
    """

    conditions: tuple[OneOf | Wildcard | Between | Fuzzy, ...]


Condition = Universal | OneOf | Wildcard | Between | MomentBetween | Fuzzy | Empty | AnyOf


@dataclass(frozen=True, slots=True)
class Match:
    """One matching key. All matches of a query hold at once; those below one sequence hold within one item of it."""

    path: AttributePath
    condition: Condition


@dataclass(frozen=True, slots=True)
class Order:
    """One attribute by whose first value answers are sorted; those without a value come last either way."""

    path: AttributePath
    descending: bool = False


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
    order: tuple[Order, ...] = ()
    """Before the standing order (newest study first; series and instances by number; UIDs), which breaks ties."""
    after: str | None = None
    """The place where an earlier page ended, as its `next` named it; `offset` counts from there."""
    is_counted: bool = False
    """The number of all matches is wanted too."""
    timezone: str | None = None
    """Offset from UTC, as "+0100", in which the dates and times of `matches` are meant (C.2.2.2.5, QIDO-07)."""
    creators: tuple[tuple[AttributePath, str], ...] = ()
    """Private Creator elements (gggg,00bb) that were given, with their value: attributes of that block anywhere in the
    query mean those of this creator, whichever block a stored data set has reserved for it (PS3.5 §7.8)."""
    relational: bool = False
    """The resource is searched across its parents (`/series`, `/instances`, `/studies/{s}/instances`), so the
    parents' attributes may be matched and are returned."""
