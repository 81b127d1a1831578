"""Dates, times, date-times and zones: one grammar (PS3.5 §6.2)."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom import moments


@given(st.datetimes(min_value=dt.datetime(1, 1, 1)))
def test_moments_are_counted_as_the_calendar_does(moment: dt.datetime) -> None:
    text = f"{moment:%m%d%H%M%S.%f}"
    since = (moment - dt.datetime(1, 1, 1)) // dt.timedelta(microseconds=1) + moments.DAY
    span = moments.find_span(f"{moment.year:04d}{text}")
    assert span is not None
    assert (span.first, span.last, span.zone) == (since, since, None)
    date = f"{moment.year:04d}{moment:%m%d}"
    assert moments.format_day(moments.day(date)) == date
    assert moments.find_moment(date + text[4:], moments.earliest) == since


@pytest.mark.parametrize(
    ("text", "first", "last", "zone"),
    [
        ("2020", "20200101000000", "20201231235959.999999", None),
        ("202002", "20200201000000", "20200229235959.999999", None),
        ("20201231-0800", "20201231000000", "20201231235959.999999", -480),
        ("2020123123+1400", "20201231230000", "20201231235959.999999", 840),
        ("202012312359", "20201231235900", "20201231235959.999999", None),
        ("9999", "99990101000000", "99991231235959.999999", None),
    ],
)
def test_a_value_names_all_moments_of_its_precision(text: str, first: str, last: str, zone: int | None) -> None:
    span = moments.find_span(text)
    low, high = moments.find_moment(first, moments.earliest), moments.find_moment(last, moments.latest)
    assert span == moments.Span(low, high, zone)


@pytest.mark.parametrize(
    ("text", "minutes"), [("+0000", 0), ("-1200", -720), ("+1400", 840), (" +0545 ", 345), ("-0330", -210)]
)
def test_zones(text: str, minutes: int) -> None:
    assert moments.parse_zone(text) == minutes
    assert moments.get_zone(text) == text.strip()


@pytest.mark.parametrize("text", ["", "0100", "+100", "+1401", "-1201", "+0160", "UTC", "+01:00", "²0100"])
def test_what_is_no_zone(text: str) -> None:
    assert moments.parse_zone(text) is None
    with pytest.raises(errors.Malformed):
        moments.get_zone(text)


@given(st.text("0123456789.:-+ ", max_size=26))
def test_any_text_is_read_or_is_none(text: str) -> None:
    span = moments.find_span(text)
    assert span is None or span.first <= span.last
    assert len(moments.date(text)) in (0, 8)
    assert moments.earliest(text) <= moments.latest(text)
