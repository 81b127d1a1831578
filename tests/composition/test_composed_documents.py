"""A document part and what the metadata may say beside it (PS3.3 §C.24.2, PS3.18 §10.5.1.4, STOW-08)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_parts import bulk, collect

from dicomgate.composition import documents
from dicomgate.composition.content import Unfit
from dicomgate.dicom.outcomes import Reason

MIME_TYPE, LENGTH = "00420012", "00420015"
CONTENT = b"%PDF-1.7 hello"
EMPTY = {MIME_TYPE: {"vr": "LO"}, LENGTH: {"vr": "UL"}}


def describe(folder: Path, attributes: dict[str, Any], media_type: str) -> dict[str, Any]:
    made = collect(folder, bulk("d", CONTENT, media_type))
    documents.describe(attributes, made.find("d"), made)
    return attributes


@pytest.mark.parametrize("media_type", ["application/pdf", "text/plain"])
@pytest.mark.parametrize("given", [{}, EMPTY])
def test_what_is_said_without_a_value_is_completed(
    tmp_path: Path, media_type: str, given: dict[str, dict[str, Any]]
) -> None:
    """Also where no class of the standard is for this media type."""
    found = describe(tmp_path, dict(given), media_type)
    assert found[MIME_TYPE]["Value"] == [media_type]
    assert found[LENGTH]["Value"] == [len(CONTENT)]


@pytest.mark.parametrize("media_type", ["application/pdf", "text/plain"])
@pytest.mark.parametrize(
    "wrong", [{LENGTH: {"vr": "UL", "Value": [99]}}, {MIME_TYPE: {"vr": "LO", "Value": ["image/png"]}}]
)
def test_another_length_or_type_is_another_document(
    tmp_path: Path, media_type: str, wrong: dict[str, dict[str, Any]]
) -> None:
    with pytest.raises(Unfit) as caught:
        describe(tmp_path, dict(wrong), media_type)
    assert caught.value.reason is Reason.DOES_NOT_MATCH_CLASS


def test_octets_of_a_kind_that_nobody_names_only_have_a_length(tmp_path: Path) -> None:
    assert describe(tmp_path, {}, "application/octet-stream") == {LENGTH: {"vr": "UL", "Value": [len(CONTENT)]}}
