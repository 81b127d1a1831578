"""What a key's text asks, for every value representation (PS3.4 C.2.2.2; QIDO-05 to -09, AMB-19, T17)."""

from __future__ import annotations

import contextlib
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.valuerep import VR

from dicomgate import errors
from dicomgate.dicom import conditions
from dicomgate.dicom.matching import AnyOf, Between, Condition, Fuzzy, MomentBetween, OneOf, Universal, Wildcard

VRS = sorted(vr.value for vr in VR if len(vr.value) == 2)
PLAIN = st.text(st.characters(categories=["L", "N"]) | st.sampled_from(" ^=%_[]"), min_size=1, max_size=20).map(
    str.strip
)


@pytest.mark.parametrize(
    ("vr", "text", "expected"),
    [
        ("CS", "CT,MR", OneOf(("CT", "MR"))),
        ("CS", "CT\\MR,CT", OneOf(("CT", "MR"))),
        ("CS", "CT, M?", AnyOf((OneOf(("CT",)), Wildcard("M?")))),
        ("CS", "C*,M*", AnyOf((Wildcard("C*"), Wildcard("M*")))),
        ("CS", "CT,", OneOf(("CT",))),
        ("LO", "CT,MR", OneOf(("CT,MR",))),
        ("LO", "CT\\MR", OneOf(("CT\\MR",))),
        ("AT", "0018106a,00181063", OneOf(("0018106A", "00181063"))),
        ("AS", "032Y,033Y", OneOf(("032Y", "033Y"))),
        ("IS", "+007,-0", OneOf(("7", "0"))),
        ("UV", "18446744073709551615", OneOf(("18446744073709551615",))),
        ("DS", "1.50", OneOf(("1.50",))),
        ("FD", "-.5e-3", OneOf(("-.5e-3",))),
        ("UN", "20200101-", OneOf(("20200101-",))),
        ("UN", "a*", Wildcard("a*")),
        ("UR", "http://a/*", Wildcard("http://a/*")),
        ("DA", "*", Universal()),
        ("PN", "***", Universal()),
        ("UI", "1.2\\\\1.3,", OneOf(("1.2", "1.3"))),
    ],
)
def test_values_by_their_representation(vr: str, text: str, expected: Condition) -> None:
    assert conditions.parse(vr, text) == expected


@pytest.mark.parametrize(
    ("vr", "text"),
    [
        ("IS", "1.5"),
        ("IS", "1" * 21),
        ("DS", "1,5"),
        ("DS", "nan"),
        ("DS", "1e9999"),
        ("FL", "0x10"),
        ("US", "\u0661"),
        ("AT", "0018,106A"),
        ("AT", "FrameTime"),
        ("OB", "AA=="),
        ("SQ", "x"),
        ("CS", ",\\,"),
        ("UI", "1.*"),
    ],
)
def test_what_no_value_can_be_is_malformed_GEN_03(vr: str, text: str) -> None:
    with pytest.raises(errors.Malformed) as caught:
        conditions.parse(vr, text)
    assert text not in caught.value.message


@pytest.mark.parametrize(("vr", "text"), [("LO", "x" * 1025), ("CS", "A," * 101), ("UI", "1," * 10_001)])
def test_values_and_lists_are_bounded_T17(vr: str, text: str) -> None:
    with pytest.raises(errors.TooLarge):
        conditions.parse(vr, text)
    with pytest.raises(errors.TooLarge):
        conditions.parse_all(vr, text)


def test_several_values_must_all_be_there_QIDO_09() -> None:
    assert conditions.parse_all("CS", "CT,PT\\CT") == (OneOf(("CT",)), OneOf(("PT",)))
    assert conditions.parse_all("LO", "a, b\\c*") == (OneOf(("a, b",)), Wildcard("c*"))
    assert conditions.parse_all("PN", "doe\\roe", is_fuzzy=True) == (Fuzzy(("doe",)), Fuzzy(("roe",)))
    assert conditions.parse_all("LO", "") == (Universal(),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("M\u00fcller^J\u00f6rg", ("muller", "jorg")),
        ("O'Neil, Smith-Jones", ("oneil", "smith", "jones")),
        ("*do* j?hn**", ("*do", "j?hn")),
        ("\u5c71\u7530^\u592a\u90ce", ("\u5c71\u7530", "\u592a\u90ce")),
        ("Stra\u00dfe \u00c6sir", ("strasse", "aesir")),
        ("a=b a", ("a", "b")),
    ],
)
def test_fuzzy_names_are_words_QIDO_08(text: str, words: tuple[str, ...]) -> None:
    assert conditions.parse("PN", text, is_fuzzy=True) == Fuzzy(words)
    assert conditions.parse("LO", "Doe", is_fuzzy=True) == OneOf(("Doe",))


@given(st.sampled_from(VRS), st.text(max_size=40), st.booleans())
def test_any_text_is_a_condition_or_a_fault_of_the_caller(vr: str, text: str, is_fuzzy: bool) -> None:
    for parse in (conditions.parse, conditions.parse_all):
        with contextlib.suppress(errors.Malformed, errors.TooLarge):
            parse(vr, text, is_fuzzy=is_fuzzy)


@given(st.sampled_from(["AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"]), PLAIN.filter(bool))
def test_a_text_without_wildcards_is_itself(vr: str, text: str) -> None:
    assert conditions.parse(vr, f" {text} ") == OneOf((text,))
    assert conditions.parse(vr, f"{text}*") == Wildcard(f"{text}*")


DATES = st.dates(min_value=dt.date(1000, 1, 1)).map(lambda day: day.strftime("%Y%m%d"))
TIMES = st.times().map(lambda time: time.strftime("%H%M%S.%f"))
ZONES = st.sampled_from(["", "+0000", "-0500", "+1400"])


MOMENTS = st.tuples(DATES, TIMES, ZONES).map("".join)


@given(MOMENTS, MOMENTS)
def test_ranges_of_date_times_read_back_what_was_written(low: str, high: str) -> None:
    assert conditions.parse("DT", low) == Between(low, low)
    assert conditions.parse("DT", f"{low}-{high}") == Between(low, high)
    assert conditions.parse("DT", f"{low}-") == Between(low, None)
    assert conditions.parse("DT", f"-{high}") == Between(None, high)


def test_dates_and_times_joined_QIDO_07() -> None:
    joined = conditions.join_moments(("00080030",), Between("20200101", "20200102"), Between("10", None))
    assert joined == MomentBetween(("00080030",), "20200101100000.000000", "20200102235959.999999")
