"""What stored values stand for (PS3.3 §C.11.1, §C.7.6.16.2.9, §C.7.6.16.2.11)."""

from __future__ import annotations

import math
import struct
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom.value_mappings import IDENTITY, Mappings


def el(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)}


def rescale(slope: Any, intercept: Any) -> dict[str, Any]:
    return {"00281053": el("DS", slope), "00281052": el("DS", intercept), "00281054": el("LO", "HU")}


def test_rescale_of_the_object_of_all_frames_and_of_one() -> None:
    plain = rescale(2, -1024)
    assert Mappings({}).modality() == IDENTITY
    assert Mappings(plain).modality().apply(10) == -1004
    assert Mappings(plain).modality().units == "HU"
    grouped = {
        **plain,
        "52009229": el("SQ", {"00289145": el("SQ", rescale(3, 0))}),
        "52009230": el("SQ", {}, {"00289145": el("SQ", rescale("4", "1"))}),
    }
    mappings = Mappings(grouped)
    assert [mappings.modality(frame).apply(1) for frame in (1, 2, 3)] == [3, 5, 3]


@pytest.mark.parametrize(
    "element",
    [
        el("US", 5, 7, 9),
        {"vr": "OW", "InlineBinary": b64encode(struct.pack("<3H", 5, 7, 9)).decode()},
        {"vr": "OW", "BulkDataURI": "http://host/bulk/1"},
        {"vr": "OW", "InlineBinary": b64encode(struct.pack("<4H", 5, 7, 9, 0)).decode()},
    ],
)
def test_a_table_wherever_its_entries_are(element: dict[str, Any]) -> None:
    table = {"00283002": el("US", 3, 100, 16), "00283006": element, "00283004": el("LO", "US")}
    found = Mappings({"00283000": el("SQ", table), **rescale(9, 9)}, lambda uri: struct.pack("<3H", 5, 7, 9)).modality()
    assert [found.apply(stored) for stored in (0, 100, 101, 102, 103)] == [5, 5, 7, 9, 9]
    assert found.units == "US"


def test_a_table_of_bytes() -> None:
    table = {"00283002": el("US", 3, 0, 8), "00283006": {"vr": "OW", "InlineBinary": b64encode(b"\1\2\3\0").decode()}}
    assert Mappings({"00283000": el("SQ", table)}).modality().entries == (1, 2, 3)


def real(units: str, **more: Any) -> dict[str, Any]:
    return {"004008EA": el("SQ", {"00080100": el("SH", units)}), **more}


def test_real_world_values_linear_or_by_table_and_by_their_units() -> None:
    linear = real("{SUVbw}g/ml", **{"00409225": el("FD", 0.5), "00409224": el("FD", 1)})
    table = real("mm", **{"00409216": el("US", 4), "00409211": el("US", 5), "00409212": el("FD", 0.25, 0.75)})
    mappings = Mappings({"00409096": el("SQ", linear, table)})
    assert mappings.real_world().apply(4) == 3
    found = mappings.real_world(units="mm")
    assert (found.apply(4), found.apply(5), found.within, found.units) == (0.25, 0.75, (4, 5), "mm")
    in_groups = {"52009229": el("SQ", {"00409096": el("SQ", table)})}
    assert Mappings(in_groups).real_world(7) == found
    with pytest.raises(errors.NotFound, match="units"):
        mappings.real_world(units="kPa")
    with pytest.raises(errors.NotFound):
        Mappings({}).real_world()


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"00283002": el("US", 3, 0, 16)},
        {"00283002": el("US", 3, 0, 16), "00283006": {"vr": "OW", "InlineBinary": "!"}},
        {"00283002": el("US", 3, 0, 16), "00283006": {"vr": "OW", "InlineBinary": 7}},
        {"00283002": el("US", 3, 0, 16), "00283006": {"vr": "OW", "BulkDataURI": "x" * 999}},
        {"00283002": el("US", 3, 0, 16), "00283006": el("US", 1, math.nan)},
    ],
)
def test_a_table_that_is_none_is_malformed(table: dict[str, Any]) -> None:
    with pytest.raises(errors.Malformed):
        Mappings({"00283000": el("SQ", table)}).modality()


ANY = st.one_of(st.none(), st.floats(), st.integers(), st.text(max_size=5), st.just("NaN"), st.just(10**400))


@given(ANY, ANY)
def test_any_slope_and_intercept_give_a_finite_mapping(slope: Any, intercept: Any) -> None:
    found = Mappings(rescale(slope, intercept)).modality()
    assert math.isfinite(found.apply(65535))
    assert found.slope != 0
