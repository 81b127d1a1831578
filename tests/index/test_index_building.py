"""While a column that came later is still being filled, questions for it are answered all the same: by looking."""

import pytest

from dicomgate import errors
from dicomgate.dicom.matching import Between, Fuzzy, MomentBetween, Order, Query
from dicomgate.dicom.uids import Level
from dicomgate.index import zones
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.testing.entries import entry, refuse_nothing, target
from dicomgate.testing.index_opened import found, match

STUDY = Level.STUDY


@pytest.fixture
def index(tmp_path):
    index = SqliteIndex(tmp_path / "index")
    offsets = [f"{sign}{hours:02d}{minutes:02d}" for sign in "+-" for hours in range(12) for minutes in (0, 15, 30, 45)]
    index.add_many(
        [entry(target(n, 1, 1), PatientName=f"Doe{n}^John", StudyDate="20200101", StudyTime="2330", TimezoneOffsetFromUTC=zone)
         for n, zone in enumerate(offsets)],
        refuse_nothing,
    )  # fmt: skip
    yield index
    index.close()


def answers(index):
    """Of questions that the later columns help with."""
    late = MomentBetween(("00080030",), "202001020010", "202001020050")
    return (
        found(index, STUDY, match("PatientName", Fuzzy(("john", "doe1")))),
        found(index, STUDY, match("StudyDate", late), timezone="+0100"),
        found(index, STUDY, match("StudyTime", Between("0000", "0030")), timezone="+0000"),
        found(index, STUDY, match("TimezoneOffsetFromUTC", "+0100")),
    )


def test_what_is_not_filled_yet_is_looked_for(index):
    filled = answers(index)
    assert all(filled)

    def build(changes):
        changes.connection.execute("UPDATE registered_column SET state = 'building'")

    index._writer.do(build)
    assert answers(index) == filled
    with pytest.raises(errors.Malformed) as caught:
        index.find(Query(level=STUDY, order=(Order(("00080201",)),)))
    assert "TimezoneOffsetFromUTC" not in caught.value.see


def test_more_zones_than_anybody_has_are_one_wide_range(index, monkeypatch):
    filled = answers(index)
    monkeypatch.setattr(zones, "_MOST", 5)
    assert answers(index) == filled
