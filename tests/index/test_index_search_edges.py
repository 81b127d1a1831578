"""Rare dates and times: the index and `dicom.matcher` agree about them too (QIDO-06, QIDO-07)."""

import pytest

from dicomgate.dicom import attributes, matcher
from dicomgate.dicom.matching import Between, Match, MomentBetween, OneOf, Query
from dicomgate.dicom.uids import Level
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.testing.entries import entry, refuse_nothing, target

MIDNIGHT = "20200102000000.000000"
BIRTHDAY = {"PatientBirthDate": "20200102", "PatientBirthTime": "2330", "TimezoneOffsetFromUTC": "-0500"}


@pytest.fixture
def index(tmp_path):
    index = SqliteIndex(tmp_path / "index")
    yield index
    index.close()


def between(date, time, low, high):
    return date, MomentBetween(attributes.parse_path(time), low, high)


@pytest.mark.parametrize(
    ("held", "asked", "zone", "expected"),
    [
        ({"SeriesDate": "99991231"}, ("SeriesDate", Between("20200101", None)), None, True),
        ({"SeriesDate": "20200102"}, between("SeriesDate", "SeriesTime", MIDNIGHT, None), None, True),
        ({"SeriesDate": "20200102"}, between("SeriesDate", "SeriesTime", "20200102000000.000001", None), None, False),
        ({"SeriesDate": "20200102"}, between("SeriesDate", "SeriesTime", MIDNIGHT, MIDNIGHT), None, True),
        ({"SeriesTime": "235960"}, ("SeriesTime", Between("2359", "2359")), None, True),
        ({"SeriesTime": "235960.5"}, ("SeriesTime", Between("235960", "235960")), None, True),
        ({"SeriesTime": "235960"}, ("SeriesTime", Between(None, "235958")), None, False),
        (BIRTHDAY, ("PatientBirthDate", OneOf(("20200102",))), None, True),
        (BIRTHDAY, ("PatientBirthDate", OneOf(("20200103",))), "+0000", True),
        (BIRTHDAY, ("PatientBirthDate", OneOf(("20200102",))), "+0000", False),
    ],
)
def test_the_index_agrees_with_the_definition_QIDO_06_QIDO_07(index, held, asked, zone, expected):
    made = entry(target(1, 1, 1), **held)
    index.add(made, refuse_nothing)
    keys = (Match(attributes.parse_path(asked[0]), asked[1]),)
    assert matcher.matches(made.attributes, keys, timezone=zone) == expected
    assert bool(index.find(Query(level=Level.SERIES, matches=keys, timezone=zone)).datasets) == expected
