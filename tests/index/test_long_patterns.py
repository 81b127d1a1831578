"""Long patterns on long texts: answered rightly, and without work that no time-out can end (T17)."""

import pytest

from dicomgate.dicom import attributes, wildcards
from dicomgate.dicom.matching import Match, Query, Wildcard
from dicomgate.dicom.uids import Level
from dicomgate.index import texts
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.testing.entries import entry, refuse_nothing, target

COMMENTS = attributes.parse_path("PatientComments")
PHRASE = "no sign of a fracture, nor of any other injury of the bone"
STORED = [f"seen: {PHRASE}.", f"seen: {PHRASE[:40]} but", "a" * 10_000, "a" * 9_000 + "z", None]


@pytest.fixture
def index(tmp_path):
    index = SqliteIndex(tmp_path / "index")
    index.promote(COMMENTS)
    made = [entry(target(number, 1, 1), PatientComments=text) for number, text in enumerate(STORED)]
    index.add_many(made, refuse_nothing)
    yield index
    index.close()


@pytest.mark.parametrize(
    "pattern",
    [
        f"*{PHRASE}*",
        f"seen: {PHRASE}?",
        "?" * 46 + "*but",
        "*" + "?a" * 500 + "z*",
        "*" + "a" * 1000 + "*",
        "?" * 10_000,
    ],
)
def test_long_patterns_find_what_they_mean_T17(index, pattern):
    expected = sum(wildcards.prepare(pattern)(text) for text in STORED if text)
    query = Query(level=Level.STUDY, matches=(Match(COMMENTS, Wildcard(pattern)),), is_counted=True)
    found = index.find(query)
    assert (len(found.datasets), found.total) == (expected, expected)


def test_no_piece_of_a_pattern_is_long_where_texts_are_T17():
    for pattern in ("*" + "?a" * 500 + "z*", "a" * 1024, "?" * 33 + "*" + "b" * 40):
        assert max(map(len, texts.eased(pattern).split("*"))) <= 32
    assert texts.eased("*short*one?") == "*short*one?"
