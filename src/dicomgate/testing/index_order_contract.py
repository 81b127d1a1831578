"""Every Index sorts by what is asked, counts on request, and goes on where a page ended (PS3.18 §8.3.4.4)."""

# ruff: noqa: D102, N802, E501 (tests and their tables: the names say what they show, and which rule they guard)

from __future__ import annotations

import base64
import dataclasses
import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dicomgate import errors
from dicomgate.dicom import attributes
from dicomgate.dicom.matching import Between, Match, OneOf, Order, Query, Wildcard
from dicomgate.dicom.uids import Level, Target
from dicomgate.index.base import Entry, Found, Index
from dicomgate.testing.entries import CT, MR, entry, refuse_nothing, target
from dicomgate.testing.index_opened import INSTANCE, SERIES, STUDY, UIDS, OpenedIndex, add, match


def by(*words: str) -> tuple[Order, ...]:
    """Keywords, falling where a hyphen stands before one."""
    found = []
    for word in words:
        path = attributes.parse_path(word.removeprefix("-"))
        assert path is not None
        found.append(Order(path, word.startswith("-")))
    return tuple(found)


def numbers(page: Found, level: Level = STUDY) -> list[str]:
    """The numbers behind the UIDs of a page."""
    return [answer[UIDS[level]]["Value"][0].removeprefix("1.2.") for answer in page.datasets]


def pages(index: Index, query: Query) -> Iterator[list[str]]:
    """Page by page, until nothing follows."""
    page = index.find(query)
    yield numbers(page, query.level)
    while page.next is not None:
        page = index.find(dataclasses.replace(query, after=page.next))
        yield numbers(page, query.level)


def whole(found: Iterator[list[str]]) -> list[str]:
    """All pages as one list."""
    return list(itertools.chain.from_iterable(found))


class OrderContract(OpenedIndex):
    """Order, places, counts."""

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ("", "4 2 1 3 5"), ("StudyDate", "1 2 4 3 5"), ("-StudyDate", "4 2 1 3 5"), ("PatientName", "2 4 1 5 3"),
            ("-PatientName", "5 1 4 2 3"), ("PatientID", "4 2 1 3 5"), ("-PatientID", "1 2 4 3 5"), ("StudyTime", "4 1 2 3 5"),
            ("StudyInstanceUID", "1 2 3 4 5"), ("-StudyInstanceUID", "5 4 3 2 1"), ("-NumberOfStudyRelatedInstances", "4 3 2 1 5"),
            ("NumberOfStudyRelatedSeries,PatientName", "2 1 5 4 3"), ("ModalitiesInStudy", "4 2 1 5 3"), ("-ModalitiesInStudy", "3 4 2 1 5"),
            ("PatientSex", "2 4 3 1 5"), ("PatientSex,-PatientName", "2 4 3 5 1"), ("-PatientSex,StudyDate", "4 3 2 1 5"),
        ],
    )  # fmt: skip
    def test_order(self, index: Index, words: str, expected: str) -> None:
        """A date counts with its time, a name without case; what has no value comes last either way."""
        add(
            index,
            entry(target(1, 1, 1), StudyDate="20200101", StudyTime="10", PatientName="noe", PatientID="P3"),
            entry(target(2, 1, 1), StudyDate="20200101", StudyTime="11", PatientName="ABE", PatientID="P2", PatientSex="F"),
            entry(target(3, 1, 1), StudyDate=None, PatientName=None, PatientID=None, PatientSex="M", Modality="US"),
            entry(target(3, 2, 1), StudyDate=None, PatientName=None, PatientID=None, PatientSex="M", Modality="US"),
            entry(target(4, 1, 1), StudyDate="20200102", StudyTime="09", PatientName="Bea", PatientID="P1", PatientSex="M"),
            entry(target(4, 2, 1), StudyDate="20200102", StudyTime="09", PatientName="Bea", PatientID="P1", PatientSex="M", Modality="MR"),
            entry(target(5, 1, 1), StudyDate=None, PatientName="zoe", PatientID=None),
        )  # fmt: skip
        order = by(*words.split(",")) if words else ()
        query = Query(level=STUDY, order=order)
        assert " ".join(numbers(index.find(query))) == expected
        for limit in (1, 2, 3):
            assert " ".join(whole(pages(index, dataclasses.replace(query, limit=limit)))) == expected

    def test_order_of_series_and_instances(self, index: Index) -> None:
        add(
            index,
            *(entry(target(study, series, n), PatientName=f"N{9 - study}", SeriesNumber=number, InstanceNumber=n if n != 2 else None,
                    Modality="CT" if series == 1 else "MR", SeriesDescription=f"s{series}", sop_class=CT if n == 1 else MR)
              for study in (1, 2) for series, number in ((1, 5), (2, None)) for n in (1, 2, 3)),
        )  # fmt: skip
        for level, scope, words, expected in (
            (SERIES, None, "PatientName", "2.1 2.2 1.1 1.2"),
            (SERIES, None, "-Modality", "1.2 2.2 1.1 2.1"),
            (SERIES, None, "SeriesNumber", "1.1 2.1 1.2 2.2"),
            (SERIES, None, "-SeriesNumber", "1.1 2.1 1.2 2.2"),
            (SERIES, Target("1.2.1"), "-SeriesDescription", "1.2 1.1"),
            (SERIES, Target("1.2.1"), "PatientName,-Modality", "1.2 1.1"),
            (INSTANCE, Target("1.2.1", "1.2.1.1"), "-InstanceNumber", "1.1.3 1.1.1 1.1.2"),
            (INSTANCE, Target("1.2.1"), "SOPClassUID,-SOPInstanceUID", "1.2.1 1.1.1 1.2.3 1.2.2 1.1.3 1.1.2"),
            (
                INSTANCE,
                None,
                "PatientName,Modality,InstanceNumber",
                "2.1.1 2.1.3 2.1.2 2.2.1 2.2.3 2.2.2 1.1.1 1.1.3 1.1.2 1.2.1 1.2.3 1.2.2",
            ),
        ):
            query = Query(level=level, scope=scope, order=by(*words.split(",")))
            assert " ".join(numbers(index.find(query), level)) == expected, words
            for limit in (1, 2):
                assert " ".join(whole(pages(index, dataclasses.replace(query, limit=limit)))) == expected, words

    def test_what_nothing_is_sorted_by(self, index: Index) -> None:
        """Said with what there is; attributes of a lower level, too."""
        for level, words in ((STUDY, "PatientComments"), (STUDY, "Modality"), (SERIES, "InstanceNumber"), (INSTANCE, "Rows"),
                             (SERIES, "RequestAttributesSequence.RequestedProcedureID"), (STUDY, "00091001")):  # fmt: skip
            with pytest.raises(errors.Malformed) as caught:
                index.find(Query(level=level, order=by(words)))
            assert "PatientName" in caught.value.see
            assert ("Modality" in caught.value.see) == (level is not STUDY)
        with pytest.raises(errors.TooLarge):
            index.find(Query(level=STUDY, order=by("PatientName", "PatientID", "StudyID", "PatientSex", "StudyDate")))

    def test_pages_go_on_where_the_last_one_ended_QIDO_16(self, index: Index) -> None:
        add(
            index,
            *(entry(target(study, series, n), StudyDate=f"2020010{1 + study % 3}" if study else None, PatientName=f"N^{study % 4}")
              for study in range(8) for series in (1, 2) for n in (1, 2)),
        )  # fmt: skip
        matches: list[tuple[Match, ...]] = [
            (), (match("PatientName", Wildcard("n*")),), (match("StudyDate", Between("20200101", "20200102")),),
            (match("PatientID", "P1"),), (match("ModalitiesInStudy", OneOf(("CT", "MR"))), match("PatientName", Wildcard("*1"))),
        ]  # fmt: skip
        scopes: list[tuple[Level, Target | None]] = [
            (STUDY, None), (SERIES, None), (INSTANCE, None), (SERIES, Target("1.2.3")), (INSTANCE, Target("1.2.3")),
            (INSTANCE, Target("1.2.3", "1.2.3.2")),
        ]  # fmt: skip
        for keys, (level, scope), words in itertools.product(
            matches, scopes, ("", "PatientName", "-StudyDate", "StudyDate")
        ):
            query = Query(level=level, scope=scope, matches=keys, order=by(words) if words else ())
            expected = numbers(index.find(query), level)
            for limit in (1, 3, 5, len(expected) or 1):
                assert whole(pages(index, dataclasses.replace(query, limit=limit))) == expected
            first = index.find(dataclasses.replace(query, limit=2))
            if first.next is not None:
                further = index.find(dataclasses.replace(query, limit=2, offset=1, after=first.next))
                assert numbers(further, level) == expected[3:5]
                assert further.remaining == max(0, len(expected) - 5)

    def test_what_is_there_during_a_walk_is_seen_once(self, index: Index) -> None:
        """Others store and delete meanwhile, also the very row at which the page ended."""
        dice = random.Random(1)
        stays = [f"{n}" for n in range(0, 60, 2)]
        add(index, *(self._any_entry(n, dice) for n in range(60)))
        for words in ((), ("PatientName",), ("-PatientID", "StudyDate"), ("StudyDate",)):
            seen: list[str] = []
            for page in pages(index, Query(level=STUDY, order=by(*words), limit=4)):
                seen += page
                last = int(page[-1]) if page else 0
                for gone in {last, dice.randrange(60)}:
                    if gone % 2:
                        index.remove(Target(f"1.2.{gone}"))
                index.add(self._any_entry(dice.randrange(1, 60, 2), dice), refuse_nothing)
            assert sorted((one for one in seen if one in stays), key=int) == stays

    def test_what_remains_is_what_follows_whatever_was_stored_meanwhile(self, index: Index) -> None:
        """Newer studies come before the place, and do not remain; older ones do, and what is deleted does not."""
        add(index, *(entry(target(n, 1, 1), StudyDate=f"202001{10 + n}", PatientName="A") for n in range(10)))
        questions: tuple[tuple[Match, ...], ...] = (
            (),
            (match("PatientName", "A"),),
            (match("PatientName", Wildcard("*a*")),),
        )
        for keys in questions:
            query = Query(level=STUDY, matches=keys, limit=3)
            first = index.find(query)
            for number, date in ((100, "20200131"), (101, "20200102"), (102, "20200103")):
                index.add(entry(target(number, 1, 1), StudyDate=date, PatientName="A"), refuse_nothing)
            index.remove(Target("1.2.102"))
            second = index.find(dataclasses.replace(query, after=first.next))
            third = index.find(dataclasses.replace(query, after=second.next))
            left = index.find(dataclasses.replace(query, after=third.next, limit=100))
            assert (first.remaining, second.remaining, third.remaining) == (7, 5, 2)
            assert (len(left.datasets), left.remaining) == (2, 0)
            for number in (100, 101):
                index.remove(Target(f"1.2.{number}"))

    def _any_entry(self, number: int, dice: random.Random) -> Entry:
        fixed = random.Random(number) if number % 2 == 0 else dice
        date, name = fixed.choice(["20200101", "20200102", None]), fixed.choice(["A", "B", "山田", None])
        return entry(target(number, 1, fixed.randrange(3)), content=str(fixed.random()), StudyDate=date, PatientName=name,
                     PatientID=fixed.choice(["1", "2", None]))  # fmt: skip

    def test_a_place_is_nobody_elses(self, index: Index, tmp_path: Path) -> None:
        """Made up, of another index, of another order, level or scope: refused, and nothing is said of what it holds."""
        add(index, *(entry(target(n, 1, m), PatientName="Secret^Name") for n in range(4) for m in range(3)))
        query = Query(level=STUDY, limit=2, order=by("PatientName"))
        place = index.find(query).next
        assert place is not None
        assert place == index.find(query).next, "the same question, the same answer"
        held = base64.urlsafe_b64decode(place + "=" * (-len(place) % 4)).lower()
        assert b"secret" not in held
        assert b"1.2." not in held
        assert place.isascii()
        assert set(place) & set("/+=&?#%") == set()
        other = self.open_index(tmp_path / "other")
        add(other, *(entry(target(n, 1, 1), PatientName="Secret^Name") for n in range(4)))
        foreign = other.find(query).next
        other.close()
        assert foreign is not None
        forged: list[str] = [
            foreign,
            "",
            "x",
            "AAAA",
            place[:-1],
            place + "A",
            place.swapcase(),
            "é",
            "\0",
            "A" * 100_000,
            place[4:],
        ]
        turned = ("A" if place[20] != "A" else "B").join((place[:20], place[21:]))
        for text in (*forged, turned):
            with pytest.raises(errors.Malformed) as caught:
                index.find(dataclasses.replace(query, after=text))
            assert len(caught.value.message) < 200
        changes: list[dict[str, Any]] = [
            {"order": ()}, {"order": by("-PatientName")}, {"level": SERIES}, {"level": INSTANCE, "scope": Target("1.2.1")},
        ]  # fmt: skip
        for change in changes:
            with pytest.raises(errors.Malformed):
                index.find(dataclasses.replace(query, after=place, **change))
        narrowed = dataclasses.replace(query, after=place, matches=(match("PatientID", "P1"),), limit=9)
        assert numbers(index.find(narrowed)) == ["2", "3"], "the conditions may change"

    def test_counting_on_request_QIDO_16(self, index: Index) -> None:
        add(index, *(entry(target(n, series, 1), PatientName=f"N{n % 3}", PatientAge="030Y" if n % 2 else None)
                     for n in range(10) for series in (1, 2)))  # fmt: skip
        for level, scope, keys, expected in (
            (STUDY, None, (), 10), (SERIES, None, (), 20), (INSTANCE, None, (), 20), (SERIES, Target("1.2.1"), (), 2),
            (INSTANCE, Target("1.2.1", "1.2.1.2"), (), 1), (SERIES, Target("1.2.99"), (), 0), (STUDY, None, (match("PatientName", "n1"),), 3),
            (SERIES, None, (match("PatientName", Wildcard("*1")),), 6), (STUDY, None, (match("PatientAge", "030Y"),), 5),
            (STUDY, None, (match("PatientID", "nobody"),), 0), (STUDY, None, (match("StudyInstanceUID", ""),), 0),
        ):  # fmt: skip
            query = Query(level=level, scope=scope, matches=keys, is_counted=True, limit=2)
            page = index.find(query)
            assert page.total == expected
            assert page.remaining == max(0, expected - 2)
            assert index.find(dataclasses.replace(query, offset=3)).total == expected
            assert index.find(dataclasses.replace(query, limit=0)).total == expected
            assert index.find(dataclasses.replace(query, is_counted=False)).total is None
            if page.next is not None:
                further = index.find(dataclasses.replace(query, after=page.next))
                assert (further.total, further.remaining) == (expected, max(0, expected - 4))

    def test_counts_follow_what_is_stored_and_removed(self, index: Index, tmp_path: Path) -> None:
        """Also what another process changes."""
        other = self.open_index(tmp_path / "index")

        def totals() -> list[int | None]:
            return [index.find(Query(level=level, limit=1, is_counted=True)).total for level in Level]

        assert totals() == [0, 0, 0]
        add(index, *(entry(target(study, series, n)) for study in (1, 2) for series in (1, 2) for n in (1, 2, 3)))
        assert totals() == [2, 4, 12]
        add(other, entry(target(1, 1, 1), content="new"), entry(target(1, 3, 1)))
        assert totals() == [2, 5, 13]
        other.remove(target(1, 3, 1))
        assert totals() == [2, 4, 12]
        other.remove(Target("1.2.1", "1.2.1.2"))
        assert totals() == [2, 3, 9]
        index.remove(Target("1.2.1"))
        assert totals() == [1, 2, 6]
        other.remove(Target("1.2.2"))
        assert totals() == [0, 0, 0]
        other.close()
