"""Attributes without a column: what is looked at is bounded, what need not be looked at is not (T17, QIDO-18)."""

import pytest

from dicomgate import errors
from dicomgate.dicom import wildcards
from dicomgate.dicom.matching import Match, OneOf, Query, Wildcard
from dicomgate.dicom.uids import Level, Target
from dicomgate.index import metadata
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.testing.entries import entry, refuse_nothing, target
from dicomgate.testing.index_opened import add, found, match

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

AGE, ROWS, PROTOCOL = (
    match(key, value) for key, value in (("PatientAge", "030Y"), ("Rows", "7"), ("ProtocolName", "p"))
)


@pytest.fixture
def opened(tmp_path):
    """Opens an index of 1000 instances in 200 studies with bounds; every tenth study is of the age asked for."""
    made = []

    def open_with(**bounds):
        index = SqliteIndex(tmp_path / "index", **bounds)
        made.append(index)
        if not index.counts().studies:
            index.add_many(
                [entry(target(study, 1, n), StudyDate=f"2020{1 + study % 12:02d}01", PatientAge="030Y" if study % 10 == 0 else "031Y",
                       PatientID=f"P{study % 50}", Rows=n, ProtocolName=None) for study in range(200) for n in range(5)],
                refuse_nothing,
            )  # fmt: skip
        return index

    yield open_with
    for index in made:
        index.close()


def test_too_broad_says_what_was_done_and_what_helps_QIDO_18(opened):
    index = opened(scan_rows=50)
    with pytest.raises(errors.TooLarge) as caught:
        index.find(Query(level=Level.STUDY, matches=(AGE,), limit=100))
    message = caught.value.message
    assert "PatientAge" in message
    assert "dicomgate admin index add PatientAge" in message
    assert any(f" {looked} data sets" in message for looked in range(50, 200))
    assert "030Y" not in message


def test_what_narrows_helps_QIDO_18(opened):
    index = opened(scan_rows=50)
    narrow = (
        match("StudyDate", "20200101"),
        match("PatientID", "P0"),
        match("StudyInstanceUID", OneOf(("1.2.0", "1.2.1"))),
    )
    for other in narrow:
        assert index.find(Query(level=Level.STUDY, matches=(AGE, other), limit=100)).datasets
    assert index.find(Query(level=Level.INSTANCE, scope=Target("1.2.0"), matches=(ROWS,))).datasets == []


def test_a_page_that_is_full_early_is_a_good_answer(opened):
    index = opened(scan_rows=150)
    page = index.find(Query(level=Level.STUDY, matches=(AGE,), limit=3))
    assert len(page.datasets) == 3
    assert page.next is not None
    assert page.remaining is None or 0 < page.remaining <= 17
    with pytest.raises(errors.TooLarge):
        index.find(Query(level=Level.STUDY, matches=(AGE,), limit=30))
    assert index.find(Query(level=Level.STUDY, matches=(AGE,), limit=3, is_counted=True)).total is None


def test_a_walk_gets_to_the_end_page_by_page(opened):
    """Each page looks at no more than the bound; together they look at everything."""
    index = opened(scan_rows=120)
    seen, place = [], None
    for _ in range(20):
        page = index.find(Query(level=Level.STUDY, matches=(AGE,), limit=2, after=place))
        seen += [answer["0020000D"]["Value"][0] for answer in page.datasets]
        place = page.next
        if place is None:
            break
    assert sorted(seen) == sorted(f"1.2.{study}" for study in range(0, 200, 10))


def test_the_bound_holds_in_time(opened):
    index = opened(scan_seconds=1e-9)
    with pytest.raises(errors.TooLarge):
        index.find(Query(level=Level.INSTANCE, matches=(ROWS,)))


def test_exactly_as_many_as_the_bound_is_no_fault(opened):
    assert len(opened(scan_rows=200).find(Query(level=Level.STUDY, matches=(AGE,), limit=100)).datasets) == 20


def test_metadata_is_left_packed_when_a_study_or_series_decides(opened, monkeypatch):
    index = opened(scan_rows=1000)

    def unpacked(self, packed):
        raise AssertionError("nobody needs the metadata")

    monkeypatch.setattr(metadata.Packer, "unpack", unpacked)
    assert len(index.find(Query(level=Level.INSTANCE, matches=(AGE,))).datasets) == 100
    nobody = match("PatientAge", "099Y")
    assert index.find(Query(level=Level.INSTANCE, matches=(nobody, ROWS))).datasets == []
    assert index.find(Query(level=Level.INSTANCE, matches=(PROTOCOL, ROWS))).datasets == []


def test_instances_of_a_study_that_does_not_match_count_once(opened):
    """1000 instances, but 200 studies are all that must be looked at."""
    assert len(opened(scan_rows=250).find(Query(level=Level.INSTANCE, matches=(AGE,))).datasets) == 100


@pytest.mark.parametrize(
    "pattern",
    ["*" * 10_000, "*?" * 100 + "*x", "?" * 250 + "*", "*a" * 100, "*a*?" * 60 + "b", "*" + "[a" * 100, "*%_*'\"*", "*" * 200 + "030" + "*" * 200],
)  # fmt: skip
def test_patterns_made_to_be_slow_are_not_T17(opened, pattern):
    """One that took time to the power of its stars would run into the time-out, whatever the machine."""
    index = opened()
    texts = ["a" * 60, "a" * 30 + "b", "P030", "x"]
    add(index, *(entry(target(300 + n, 1, 1), PatientID=text, PatientAge=text) for n, text in enumerate(texts)))
    is_any = not pattern.strip("*")
    expected = sorted(f"{300 + n}" for n, text in enumerate(texts) if wildcards.prepare(pattern)(text))
    for key in ("PatientID", "PatientAge"):
        answers = found(index, Level.STUDY, match(key, Wildcard(pattern)))
        assert sorted(one for one in answers if int(one) >= 300) == expected
        assert (len(answers) == 204) == is_any


def test_an_attribute_is_promoted_and_found_the_same(opened):
    index = opened(scan_rows=50)
    with pytest.raises(errors.TooLarge):
        index.find(Query(level=Level.STUDY, matches=(AGE,), limit=100))
    index.promote(("00101010",))
    for _ in index.fill():
        pass
    assert len(index.find(Query(level=Level.STUDY, matches=(AGE,), limit=100)).datasets) == 20
    index.promote(("00280010",))
    for _ in index.fill():
        pass
    page = index.find(Query(level=Level.INSTANCE, matches=(Match(("00280010",), OneOf(("4",))),), limit=500))
    assert (len(page.datasets), page.remaining) == (200, 0)
