"""Date-times as keys, alone and in ranges (PS3.4 C.2.2.2.5)."""

from __future__ import annotations

import pytest

from dicomgate import errors
from dicomgate.dicom import conditions
from dicomgate.dicom.matching import Between


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2020", "2020", "2020"),
        ("20200102030405.5+0100", "20200102030405.5+0100", "20200102030405.5+0100"),
        ("20200102 0100", "20200102+0100", "20200102+0100"),
        ("2020-0500", "2020-0500", "2020-0500"),
        ("2020-2021", "2020", "2021"),
        ("202001-", "202001", None),
        ("-202001", None, "202001"),
        ("20200101-0500-20210101-0500", "20200101-0500", "20210101-0500"),
        ("20200101-0500-", "20200101-0500", None),
    ],
)
def test_date_times_and_their_ranges_QIDO06(text: str, low: str | None, high: str | None) -> None:
    assert conditions.parse("DT", text) == Between(low, high)


@pytest.mark.parametrize("text", ["-", "20", "20201301", "2020-20", "2020010125", "x" * 1000, "-" * 1000])
def test_other_texts_are_malformed(text: str) -> None:
    with pytest.raises(errors.Malformed):
        conditions.parse("DT", text)
