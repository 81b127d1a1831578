"""What one matching key asks of the values that a column keeps, by the kind of column (PS3.4 C.2.2.2)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dicomgate import errors
from dicomgate.dicom import attributes
from dicomgate.dicom.matching import Condition, Fuzzy, OneOf, Wildcard
from dicomgate.dicom.uids import Level
from dicomgate.index import decimals, texts, times, values
from dicomgate.index.asked import Asked, Classes, Either, Lacking, Moments, Never, Numbers, Uids, Valued
from dicomgate.index.columns import Column, Kind

_LONGEST_NUMBER = 64


@dataclass(frozen=True, slots=True)
class Part:
    """What one key asks. Not `is_exact`: rows may fulfil it that do not match."""

    asked: tuple[Asked, ...]
    is_exact: bool = True


def lacking(column: Column) -> Part:
    """Values that are none of their kind are not kept, so all but texts must be looked at."""
    match column.kind:
        case Kind.UID | Kind.CLASS:
            return Part((Never(),))
        case Kind.MOMENT:
            return Part((Moments(0, 0),), is_exact=False)
        case Kind.NUMBER:
            return Part((Numbers(column.level, (values.NUMBERLESS,)),), is_exact=False)
        case kind:
            return Part((Lacking(column.level, column.number),), is_exact=kind is Kind.TEXT)


def fuzzy(column: Column, condition: Fuzzy) -> Part:
    """Words of one name, each with any end; nothing where a word is none that is stored."""
    words = [word for word in condition.words if texts.is_searchable(word)]
    if not words or len(words) < len(condition.words):
        return Part((Never(),))
    return Part((Valued(column.level, texts.beginning(column.number, words), has_items=True),))


def _uid(column: Column, condition: Condition) -> Part:
    kept = _kept(column, condition)
    return Part((Uids(column.level, kept) if kept else Never(),))


def _class(column: Column, condition: Condition) -> Part:
    kept = _kept(column, condition)
    if not kept:
        return Part((Never(),))
    return Part((Classes(kept), Valued(Level.SERIES, (texts.one_of(column.number, kept),))))


def _number(column: Column, condition: Condition) -> Part:
    if not isinstance(condition, OneOf):
        raise undefined(column)
    numbers = {values.parse_number(text) for text in condition.values if values.is_storable(text)}
    kept = tuple(sorted(number for number in numbers if number is not None))
    return Part((Numbers(column.level, kept) if kept else Never(),))


def _decimal(column: Column, condition: Condition) -> Part:
    if not isinstance(condition, OneOf):
        raise undefined(column)
    numbers = [text for text in condition.values if text.isascii() and len(text) <= _LONGEST_NUMBER]
    if attributes.vr(column.path[-1]) == "FL":
        numbers = [_single(text) for text in numbers]
    kept = tuple(dict.fromkeys(text for text in map(decimals.sortable, numbers) if text))
    return Part((Valued(column.level, (texts.one_of(column.number, kept),)) if kept else Never(),))


def _single(text: str) -> str:
    """The number as four bytes hold it, which is another one for most fractions."""
    try:
        return str(struct.unpack("<f", struct.pack("<f", float(text)))[0])
    except (ValueError, OverflowError):
        return ""


def moment(_: Column, spans: Sequence[times.Span]) -> tuple[Asked, ...]:
    """The study's moment is in one of the ranges."""
    found = [Moments(*each) for each in map(times.numbers, spans)]
    if len(found) > 1:
        return (Either(tuple((one,) for one in found)),)
    return (found[0] if found else Never(),)


def value_between(column: Column, spans: Sequence[times.Span]) -> tuple[Asked, ...]:
    """A date or time is in one of the ranges."""
    tests = [texts.between(column.number, low, high) for low, high in spans]
    return (Valued(column.level, (texts.any_of(tests),)) if tests else Never(),)


def _text(column: Column, condition: Condition) -> Part:
    if isinstance(condition, Wildcard):
        eased = condition.pattern if column.longest <= values.LONGEST else texts.eased(condition.pattern)
        return Part((_glob(column, eased),), is_exact=eased == condition.pattern)
    kept = _kept(column, condition)
    return Part((Valued(column.level, (texts.one_of(column.number, kept),)) if kept else Never(),))


def _name(column: Column, condition: Condition) -> Part:
    """Each component group given must be there; whether in one name, only the name can tell."""
    if isinstance(condition, Wildcard):
        groups = [group for group in condition.pattern.split("=") if group.strip("* ")]
        patterns = [values.fold_pattern(group) for group in groups]
        return Part(tuple(_glob(column, one) for one in patterns), is_exact="=" not in condition.pattern)
    if not isinstance(condition, OneOf):
        raise undefined(column)
    known = [text for text in condition.values if values.is_storable(text)]
    folded = [_groups(text) for text in known]
    kept = [groups for groups in folded if groups]
    if not kept:
        return Part((Never(),))
    is_exact = all(len(groups) == 1 for groups in kept)
    if len(kept) > 1:
        first = tuple(dict.fromkeys(groups[0] for groups in kept))
        return Part((Valued(column.level, (texts.one_of(column.number, first),)),), is_exact)
    return Part(tuple(Valued(column.level, (texts.one_of(column.number, (one,)),)) for one in kept[0]), is_exact)


def _groups(name: str) -> tuple[str, ...]:
    folded = (values.fold(values.clean(group)) for group in name.split("="))
    return tuple(dict.fromkeys(group for group in folded if group != values.NAMELESS))


def _glob(column: Column, pattern: str) -> Asked:
    collapsed = texts.collapsed(pattern)
    if not texts.is_searchable(collapsed, column.longest):
        return Never()
    return Valued(column.level, (texts.glob(column.number, collapsed),))


def _kept(column: Column, condition: Condition) -> tuple[str, ...]:
    """The values that something stored can equal."""
    if not isinstance(condition, OneOf):
        raise undefined(column)
    longest = column.longest
    return tuple(
        dict.fromkeys(values.clean(text, longest) for text in condition.values if text and values.is_storable(text))
    )


def undefined(column: Column) -> errors.Malformed:
    """For a kind of matching that the attribute's VR does not have."""
    return errors.Malformed(f"{attributes.format_path(column.path)}: this kind of matching is not defined for its VR")


WHEN = frozenset({Kind.MOMENT, Kind.DATE, Kind.TIME})
"""Kinds that are matched by ranges, and shifted by zones."""
_READ: dict[Kind, Callable[[Column, Condition], Part]] = {
    Kind.UID: _uid,
    Kind.CLASS: _class,
    Kind.NUMBER: _number,
    Kind.TEXT: _text,
    Kind.NAME: _name,
    Kind.DECIMAL: _decimal,
}


def read(column: Column, condition: Condition) -> Part:
    """What a condition asks of a column that holds no dates or times. Malformed where its VR has no such matching."""
    return _READ[column.kind](column, condition)
