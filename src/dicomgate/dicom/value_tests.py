"""Conditions on the values of one attribute, by its value representation (PS3.4 C.2.2.2.1 to C.2.2.2.5)."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from dataclasses import dataclass

from dicomgate import errors
from dicomgate.dicom import attributes, conditions, elements, moments, person_names, wildcards
from dicomgate.dicom.elements import Element, Item
from dicomgate.dicom.matching import AnyOf, Between, Condition, Fuzzy, MomentBetween, OneOf, Wildcard

_END = "~"
"""Behind every date: there are stored dates of the year 9999."""


@dataclass(frozen=True, slots=True)
class Zones:
    """Offsets from UTC in minutes: of the question, and of the data set. None: not said."""

    asked: int | None
    stored: int | None

    @property
    def shift(self) -> int:
        """What is added to a stored time to have it in the zone of the question."""
        if self.asked is None or self.stored is None:
            return 0
        return (self.asked - self.stored) * moments.MINUTE


@dataclass(frozen=True, slots=True)
class Seen:
    """The elements that a key means in one data set or item, with what stands around them."""

    item: Item
    elements: list[Element]
    zones: Zones


Test = Callable[[Seen], bool]
TextTest = Callable[[str], bool]


def prepare(tag: str, condition: Condition) -> Test:
    """A test of an attribute's values: true when any of them fulfils the condition."""
    vr = attributes.vr(tag)
    if vr != attributes.UNKNOWN:
        return _by_vr(tag, vr, condition)
    return lambda seen: any(
        _by_stored_vr(tag, element.get("vr", "UN"), condition)(Seen(seen.item, [element], seen.zones))
        for element in seen.elements
    )


@functools.lru_cache(maxsize=64)
def _by_stored_vr(tag: str, vr: str, condition: Condition) -> Test:
    """A private attribute's VR is known only when it is seen, so what was asked is read again as a value of it."""
    match condition:
        case OneOf((text,)) | Wildcard(text) if vr in conditions.MATCHED_VRS:
            try:
                return _by_vr(tag, vr, conditions.parse(vr, text))
            except (errors.Malformed, errors.TooLarge):
                return _never
    return _by_vr(tag, vr, condition)


def _by_vr(tag: str, vr: str, condition: Condition) -> Test:
    if isinstance(condition, AnyOf):  # what was asked of a private attribute may turn out to be a list
        tests = [_by_vr(tag, vr, each) for each in condition.conditions]
        return lambda seen: any(test(seen) for test in tests)
    if vr == "PN":
        return _any_text(_name_test(condition))
    if vr == "DA":
        return _date_test(tag, condition)
    if vr == "TM":
        return _time_test(condition)
    if vr == "DT":
        return _date_time_test(condition)
    if vr in conditions.NUMBER_VRS:
        return _number_test(vr, condition)
    return _any_text(_text_test(condition))


def _any_text(test: TextTest) -> Test:
    return lambda seen: any(test(text) for element in seen.elements for text in elements.texts(element))


def _never(_: object) -> bool:
    return False


def _text_test(condition: Condition) -> TextTest:
    match condition:
        case OneOf(texts):
            return frozenset(texts).__contains__
        case Wildcard(pattern):
            return wildcards.prepare(pattern)
    return _never


# Names.


def _name_test(condition: Condition) -> TextTest:
    match condition:
        case OneOf(names):
            wanted = [groups for name in names if (groups := _folded(name))]
            return lambda text: any(groups <= _folded(text) for groups in wanted)
        case Wildcard(pattern):
            return _name_pattern_test(pattern)
        case Fuzzy(words):
            tests = [wildcards.prepare(word + "*") for word in words]
            return lambda text: _holds_words(person_names.words(text), tests)
    return _never


def _folded(name: str) -> frozenset[str]:
    groups = (person_names.fold(group) for group in name.split("="))
    return frozenset(group for group in groups if group != person_names.NAMELESS)


def _name_pattern_test(pattern: str) -> TextTest:
    groups = [group for group in pattern.split("=") if group.strip("* ")]
    tests = [wildcards.prepare(person_names.fold_pattern(group)) for group in groups]
    return lambda text: all(any(map(test, _folded(text))) for test in tests)


def _holds_words(words: tuple[str, ...], tests: list[TextTest]) -> bool:
    return bool(tests) and all(any(map(test, words)) for test in tests)


# Numbers.


def _number_test(vr: str, condition: Condition) -> Test:
    if not isinstance(condition, OneOf):
        return _never
    numbers = [number for text in condition.values if (number := elements.parse_number(text)) is not None]
    wanted = frozenset(_single(number) for number in numbers) if vr == "FL" else frozenset(numbers)
    return lambda seen: any(
        (_single(number) if vr == "FL" else number) in wanted
        for element in seen.elements
        for number in elements.numbers(element)
    )


def _single(number: float) -> float | None:
    """As a float of four bytes holds it; None when none can."""
    try:
        found: float = struct.unpack("<f", struct.pack("<f", number))[0]
    except (OverflowError, struct.error):
        return None
    return found


# Dates and times.


def _date_test(tag: str, condition: Condition) -> Test:
    low, high, wanted = _bounds(condition)

    def fits(day: str) -> bool:
        return day in wanted if wanted is not None else low <= day <= high

    time_tag = attributes.TIME_OF_DATE.get(tag, "")
    # Only a zone can move a day, so only then its time counts.
    return lambda seen: any(fits(day) for day, _ in _days(time_tag if seen.zones.shift else "", seen))


def _bounds(condition: Condition) -> tuple[str, str, frozenset[str] | None]:
    match condition:
        case OneOf(texts):
            return "", "", frozenset(map(moments.date, texts))
        case Between(low, high):
            return moments.date(low or ""), moments.date(high) if high else _END, None
    return "", "", frozenset()


def _days(time_tag: str, seen: Seen) -> list[tuple[str, int | None]]:
    """Dates with the times that belong to them, both in the zone of the question; a date alone belongs to none."""
    days = [day for element in seen.elements for text in elements.texts(element) if (day := moments.date(text))]
    element = seen.item.get(time_tag)
    times = [time for text in elements.texts(element) if (time := moments.earliest(text))] if element else []
    found: list[tuple[str, int | None]] = []
    for number, day in enumerate(days):
        moment = moments.time_of_day(times[min(number, len(times) - 1)]) if times else None
        found.append(_shifted(day, moment, seen.zones.shift))
    return found


def _shifted(day: str, time: int | None, shift: int) -> tuple[str, int | None]:
    if time is None or not shift:
        return day, time
    days, rest = divmod(moments.day(day) + time + shift, moments.DAY)
    return moments.format_day(days * moments.DAY), rest


def _time_test(condition: Condition) -> Test:
    match condition:
        case Between(low, high):
            first = moments.time_of_day(moments.earliest(low)) if low else 0
            last = moments.time_of_day(moments.latest(high)) if high else moments.DAY
        case _:
            return _never

    def test(seen: Seen) -> bool:
        texts = (moments.earliest(text) for element in seen.elements for text in elements.texts(element))
        times = ((moments.time_of_day(text) + seen.zones.shift) % moments.DAY for text in texts if text)
        return any(first <= time <= last for time in times)

    return test


def moment_between(condition: MomentBetween) -> Test:
    """A test of dates with their times; a date without a time is its beginning."""
    low = moments.find_moment(condition.low, moments.earliest) if condition.low else 0
    high = moments.find_moment(condition.high, moments.latest) if condition.high else None
    time_tag = condition.time_path[-1]

    def test(seen: Seen) -> bool:
        found = (moments.day(day) + (time or 0) for day, time in _days(time_tag, seen))
        return any(low <= moment and (high is None or moment <= high) for moment in found)

    return test


def _date_time_test(condition: Condition) -> Test:
    if not isinstance(condition, Between):
        return _never
    low = moments.find_span(condition.low) if condition.low else None
    high = moments.find_span(condition.high) if condition.high else None

    def test(seen: Seen) -> bool:
        texts = (text for element in seen.elements for text in elements.texts(element))
        spans = (span for text in texts if (span := moments.find_span(text)) is not None)
        return any(
            (low is None or low.first <= _as_asked(span, low, seen.zones))
            and (high is None or _as_asked(span, high, seen.zones) <= high.last)
            for span in spans
        )

    return test


def _as_asked(stored: moments.Span, bound: moments.Span, zones: Zones) -> int:
    """The stored moment in the zone of what was asked; as it stands where one of the two zones is not known."""
    asked_zone = zones.asked if bound.zone is None else bound.zone
    stored_zone = zones.stored if stored.zone is None else stored.zone
    if asked_zone is None or stored_zone is None:
        return stored.first
    return stored.first + (asked_zone - stored_zone) * moments.MINUTE
