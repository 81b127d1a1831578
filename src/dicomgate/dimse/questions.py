"""Questions to a peer: a Query -> the identifier of a C-FIND, with what the two sides have agreed on (PS3.4 §C.2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from dicomgate.dicom import attributes, conditions
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.matching import (
    AttributePath,
    Between,
    Condition,
    Empty,
    Fuzzy,
    Match,
    MomentBetween,
    OneOf,
    Query,
    Universal,
    Wildcard,
)
from dicomgate.dicom.uids import Level
from dicomgate.dimse.identifiers import (
    CHARSET,
    LEVEL,
    LEVEL_WORDS,
    PATIENT_ID,
    SERIES_UID,
    STUDY_UID,
    TIMEZONE,
    UNIQUE_KEYS,
)
from dicomgate.dimse.negotiation import NONE, Wishes

_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_BINARY: Final = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT"})
_NEVER_SEVERAL: Final = frozenset({"LT", "ST", "UT", "UR"})


@dataclass(frozen=True, slots=True)
class Asked:
    """An identifier to be sent, and the matches that it cannot say exactly: they are looked at in the answers.

    What the identifier asks includes all that `rest` would let pass, and the attributes that it is looked at by.
    """

    identifier: JSONDataset
    rest: tuple[Match, ...] = ()


def format_question(query: Query, wishes: Wishes = NONE, *, patient_id: str = "") -> Asked:
    """The identifier that asks a peer the query, in the study root; with what the two have agreed on in `wishes`.

    Wanted are the keys of the query and what answers of the level hold unasked. `patient_id` is for the patient root.
    """
    identifier: JSONDataset = {}
    for upper in (upper for upper in Level if upper <= query.level):
        own = attributes.RETURNED[upper] if upper == query.level else (UNIQUE_KEYS[upper],)
        for tag in own:
            _set(identifier, (tag,), "")
    for path in query.include:
        _set(identifier, path, "")
    for path, creator in query.creators:
        _set(identifier, path, creator)
    inexact = {path for path, several in _grouped(query).items() if not _say(identifier, path, several, wishes)}
    rest = tuple(match for match in query.matches if match.path in inexact)
    if query.scope is not None:
        _set(identifier, (STUDY_UID,), query.scope.study)
        _set(identifier, (SERIES_UID,), query.scope.series or "")
    if query.timezone is not None and wishes.timezone:
        _set(identifier, (TIMEZONE,), query.timezone)
    if patient_id:
        _set(identifier, (PATIENT_ID,), patient_id)
    for tag in (CHARSET, "00081190"):
        identifier.pop(tag, None)
    identifier[LEVEL] = {"vr": "CS", "Value": [LEVEL_WORDS[query.level]]}
    return Asked(dict(sorted(identifier.items())), rest)


def _grouped(query: Query) -> dict[AttributePath, list[Condition]]:
    grouped: dict[AttributePath, list[Condition]] = {}
    for match in query.matches:
        grouped.setdefault(match.path, []).append(match.condition)
    return grouped


def _say(identifier: JSONDataset, path: AttributePath, several: list[Condition], wishes: Wishes) -> bool:
    """Put the conditions of one attribute into the identifier; False when it says less than they do."""
    texts = [format_condition(attributes.vr(path[-1]), condition, wishes) for condition in several]
    said = [text for text in texts if text is not None]
    is_exact = len(said) == len(texts)
    if len(said) > 1 and not wishes.multiple_value:
        said, is_exact = said[:1], False
    _set(identifier, path, "\\".join(said))
    for condition in several:
        if isinstance(condition, MomentBetween):
            times = (None if end is None else end[8:] for end in (condition.low, condition.high))
            _set(identifier, condition.time_path, _format_range(*times) if wishes.combined_moments else "")
    return is_exact


def format_condition(vr: str, condition: Condition, wishes: Wishes) -> str | None:
    """The value of a key that states the condition: the inverse of `dicom.conditions.parse`.

    None where no value can, among those that the two sides have agreed on. Of a MomentBetween that of the date; without
    an agreement it would say less, and is None.
    """
    match condition:
        case Universal():
            return ""
        case OneOf(values):
            return "\\".join(values) if len(values) == 1 or vr == "UI" else None
        case Wildcard(pattern):
            return pattern
        case Between(low, high):
            return low if low is not None and low == high and vr == "TM" else _format_range(low, high)
        case MomentBetween(_, low, high) if wishes.combined_moments:
            return _format_range(*(None if end is None else end[:8] for end in (low, high)))
        case Fuzzy(words) if wishes.fuzzy:
            return " ".join(words)
        case Empty() if wishes.empty_value and vr not in _BINARY:
            return conditions.EMPTY
    return None


def _format_range(low: str | None, high: str | None) -> str:
    return f"{low or ''}-{high or ''}"


def _set(identifier: JSONDataset, path: AttributePath, text: str) -> None:
    """A key at its place; a wish to have it changes none that has a value."""
    item = identifier
    for tag in path[:-1]:
        sequence = item.setdefault(tag, {"vr": "SQ"})
        if sequence.get("vr") != "SQ":
            sequence.clear()
            sequence["vr"] = "SQ"
        item = sequence.setdefault("Value", [{}])[0]
    if text or path[-1] not in item:
        item[path[-1]] = format_key(attributes.vr(path[-1]), text)


def format_key(vr: str, text: str) -> dict[str, Any]:
    """A key with a value, or without one, as an element of the JSON model."""
    if not text:
        return {"vr": vr}
    values: list[Any] = text.split("\\") if vr not in _NEVER_SEVERAL else [text]
    if vr == "PN":
        values = [dict(zip(_GROUPS, value.split("="), strict=False)) for value in values]
    elif vr in _BINARY - {"AT"}:
        values = [float(value) if vr in ("FL", "FD") else int(value) for value in values]
    elif vr == attributes.UNKNOWN:
        vr = "LO"
    return {"vr": vr, "Value": values}
