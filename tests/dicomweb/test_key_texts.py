"""Matching keys as parameters: what is written is read back as the same condition, or as one that lets more pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom import conditions
from dicomgate.dicom.matching import AnyOf, Empty, Match, MomentBetween, OneOf, Universal
from dicomgate.dicomweb import key_texts

TAGS = {"UI": "0020000D", "PN": "00100010", "DA": "00080020", "TM": "00080030", "DT": "0008002A", "LO": "00081030"}
TEXTS = st.one_of(
    st.text(alphabet="0123456789.-*?^, ", max_size=20),
    st.dates().map(lambda day: f"{day:%Y%m%d}"),
    st.tuples(st.dates(), st.dates()).map(lambda days: f"{min(days):%Y%m%d}-{max(days):%Y%m%d}"),
    st.times().map(lambda time: f"{time:%H%M%S}-"),
    st.lists(st.integers(0, 10**9).map(lambda number: f"1.2.{number}"), min_size=1, max_size=5).map(",".join),
    st.sampled_from(["*Doe*", "Doe^Jane", "Ärger^?nna", "a?c*"]),
)


@given(st.sampled_from(sorted(TAGS)), TEXTS)
def test_what_is_written_is_read_back(vr: str, text: str) -> None:
    try:
        condition = conditions.parse(vr, text)
    except errors.Fault:
        return
    said = key_texts.format_text(Match((TAGS[vr],), condition))
    if said:
        assert conditions.parse(vr, said) == condition
    else:
        assert isinstance(condition, Universal | AnyOf)


@pytest.mark.parametrize("condition", [Universal(), Empty(), OneOf(("CT", "MR")), AnyOf((OneOf(("CT",)),))])
def test_what_not_every_server_understands_is_not_written(condition: Universal | Empty | OneOf | AnyOf) -> None:
    assert key_texts.format_text(Match(("00080060",), condition)) == ""


def test_of_a_moment_the_days_are_written_and_both_are_wanted() -> None:
    match = Match((TAGS["DA"],), MomentBetween((TAGS["TM"],), "20200101100000", None))
    assert key_texts.format_text(match) == "20200101-"
    assert list(key_texts.paths([match])) == [(TAGS["DA"],), (TAGS["TM"],)]


def test_dates_in_a_zone_are_compared_here() -> None:
    match = Match((TAGS["DA"],), conditions.parse("DA", "20200101-"))
    assert key_texts.format_text(match, "+0100") == ""
