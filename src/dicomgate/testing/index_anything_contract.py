"""Every Index finds by any attribute, by words of names, by what is empty, and in time zones (PS3.4 C.2.2.2)."""

# ruff: noqa: D102, N802, E501 (tests and their tables: the names say what they show, and which rule they guard)

from __future__ import annotations

import dataclasses
from typing import Any

import orjson
import pytest

from dicomgate import errors
from dicomgate.dicom import attributes
from dicomgate.dicom.matching import (
    AnyOf,
    AttributePath,
    Between,
    Condition,
    Empty,
    Fuzzy,
    Match,
    MomentBetween,
    OneOf,
    Query,
    Wildcard,
)
from dicomgate.dicom.uids import Level, Target
from dicomgate.index.base import Entry, Index
from dicomgate.testing.entries import entry, refuse_nothing, target
from dicomgate.testing.index_opened import INSTANCE, SERIES, STUDY, OpenedIndex, add, found, match


def with_elements(held: Entry, **elements: dict[str, Any]) -> Entry:
    """The entry with elements as they stand: `x` and the tag."""
    dataset = dict(sorted((held.attributes | {name[1:]: value for name, value in elements.items()}).items()))
    return dataclasses.replace(held, attributes=dataset, metadata=orjson.dumps(dataset))


class AnythingContract(OpenedIndex):
    """What is asked beyond the standard's own keys."""

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ("doe", "12"), ("john", "23"), ("doe john", "2"), ("john doe", "2"), ("do jo", "2"), ("jane", "1"), ("jane poe", ""),
            ("muller", "4"), ("jorg muller", "4"), ("太郎", "5"), ("tarou 山田", "5"), ("たろう", "5"), ("ohn", ""), ("*ohn", "23"),
            ("j?hn", "23"), ("nobody", ""), ("\ud800", ""), ("x" * 300, ""), ("poe ann", "6"), ("doe ann", ""),
        ],
    )  # fmt: skip
    def test_words_of_names_QIDO_08(self, index: Index, words: str, expected: str) -> None:
        """Every word begins a word of one name, of whichever of its groups."""
        yamada = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
        names = ["Doe^Jane", "DOE^John^^Dr.", "Roe-John", "Müller^Jörg", yamada, ["Poe^Ann", "Dee^Jim"], None]
        add(index, *(entry(target(n, 1, 1), PatientName=name, OperatorsName=name) for n, name in enumerate(names, 1)))
        condition = Fuzzy(tuple(words.split()))
        assert "".join(sorted(found(index, STUDY, match("PatientName", condition)))) == expected
        series = found(index, SERIES, match("OperatorsName", condition))
        assert "".join(sorted(one[0] for one in series)) == expected

    def test_empty_values(self, index: Index) -> None:
        keys: dict[str, Any] = {"PatientName": "Doe", "PatientID": "P1", "StudyDate": "20200101", "StudyTime": "10", "PatientBirthDate": "19700101",
                "StudyDescription": "d", "PatientComments": "c", "BodyPartExamined": "HEAD", "SeriesNumber": 1, "SeriesDate": "20200101",
                "ProtocolName": "p", "InstanceNumber": 1, "Rows": 512, "ImageType": ["A"]}  # fmt: skip
        nothing: dict[str, Any] = dict.fromkeys(keys)
        add(
            index,
            entry(target(1, 1, 1), **keys),
            entry(target(2, 1, 1), **nothing),
            entry(target(3, 1, 1), PatientID=None),
        )
        for key in keys:
            path = attributes.parse_path(key)
            assert path is not None
            for level in Level:
                if attributes.level(path[0]) <= level:
                    answers = found(index, level, match(key, Empty()))
                    assert [one[0] for one in answers] == ["2", "3"], key
        assert found(index, STUDY, match("StudyInstanceUID", Empty())) == []
        assert found(index, INSTANCE, match("SOPClassUID", Empty())) == []
        assert found(index, STUDY, match("PatientID", Empty()), match("PatientName", Empty())) == ["2", "3"]

    def test_a_value_that_is_none_of_its_kind_is_not_empty(self, index: Index) -> None:
        add(index, entry(target(1, 1, 1), StudyDate="notadate"), entry(target(2, 1, 1), StudyDate=None))
        assert found(index, STUDY, match("StudyDate", Empty())) == ["2"]

    def test_any_of_several_conditions_AMB_19(self, index: Index) -> None:
        names = ["Doe^John", "Roe^Jane", "Poe^Ann", "Noe^X"]
        add(index, *(entry(target(n, 1, 1), PatientName=name, PatientID=f"P{n}", StudyDate=f"2020010{n}", PatientComments=f"c{n}")
                     for n, name in enumerate(names, 1)))  # fmt: skip
        conditions: list[tuple[str, AnyOf, str]] = [
            ("PatientName", AnyOf((OneOf(("doe^john", "nobody")), Wildcard("*ane"), Fuzzy(("ann",)))), "123"),
            ("PatientID", AnyOf((Wildcard("P1*"), Wildcard("*4"), Wildcard("?2"))), "124"),
            ("StudyDate", AnyOf((OneOf(("20200102",)), Between("20200104", None))), "24"),
            ("PatientComments", AnyOf((OneOf(("c1",)), Wildcard("*3"))), "13"),
            ("PatientID", AnyOf((OneOf(("\0",)), Wildcard("\ud800*"))), ""),
        ]
        for key, condition, expected in conditions:
            assert "".join(sorted(found(index, STUDY, match(key, condition)))) == expected
        many = AnyOf(tuple(Wildcard(f"{n}*") for n in range(1000)))
        with pytest.raises(errors.TooLarge):
            index.find(Query(level=STUDY, matches=(match("PatientID", many),)))
        assert found(
            index, STUDY, match("PatientID", AnyOf((OneOf(tuple(f"P{n}" for n in range(3, 3000))), Wildcard("P1"))))
        ) == ["4", "3", "1"]

    def test_any_attribute_at_its_level(self, index: Index) -> None:
        """Nothing is registered beforehand; keys of a lower level are left out."""
        codes = [{"CodeValue": "C1", "CodeMeaning": "one"}, {"CodeValue": "C2", "CodeMeaning": "two"}]
        add(
            index,
            entry(target(1, 1, 1), PatientAge="030Y", ProtocolName="head", Rows=512, ImageType=["ORIGINAL", "PRIMARY"], PatientWeight=70.5,
                  ProcedureCodeSequence=codes, AcquisitionDateTime="20200101101530+0100"),
            entry(target(1, 2, 1), PatientAge="030Y", ProtocolName="knee", Rows=256, ImageType=["DERIVED"], PatientWeight=70.5,
                  ProcedureCodeSequence=codes),
            entry(target(2, 1, 1), PatientAge="031Y", ProtocolName="head", Rows=512, PatientWeight=71),
        )  # fmt: skip
        for key, condition, studies, series, instances in (
            ("PatientAge", "030Y", "1", "1.1 1.2", "1.1.1 1.2.1"),
            ("PatientAge", Wildcard("03?Y"), "1 2", "1.1 1.2 2.1", "1.1.1 1.2.1 2.1.1"),
            ("PatientWeight", "7.05e1", "1", "1.1 1.2", "1.1.1 1.2.1"),
            ("ProtocolName", "head", "1 2", "1.1 2.1", "1.1.1 2.1.1"),
            ("Rows", "512", "1 2", "1.1 1.2 2.1", "1.1.1 2.1.1"),
            ("ImageType", "PRIMARY", "1 2", "1.1 1.2 2.1", "1.1.1"),
            ("AcquisitionDateTime", Between("202001010915+0000", "202001010915+0000"), "1 2", "1.1 1.2 2.1", "1.1.1"),
            ("NumberOfStudyRelatedSeries", "2", "1", "1.1 1.2", "1.1.1 1.2.1"),
            ("ProcedureCodeSequence.CodeValue", "C1", "1", "1.1 1.2", "1.1.1 1.2.1"),
            ("ProcedureCodeSequence.CodeValue", Empty(), "2", "2.1", "2.1.1"),
        ):
            key_match = match(key, condition)
            for level, expected in zip(Level, (studies, series, instances), strict=True):
                assert " ".join(found(index, level, key_match)) == expected, key
        assert (
            found(
                index,
                STUDY,
                match("ProcedureCodeSequence.CodeValue", "C1"),
                match("ProcedureCodeSequence.CodeMeaning", "two"),
            )
            == []
        )
        assert found(
            index,
            STUDY,
            match("ProcedureCodeSequence.CodeValue", "C2"),
            match("ProcedureCodeSequence.CodeMeaning", "two"),
        ) == ["1"]
        assert found(
            index, INSTANCE, match("PatientAge", "030Y"), match("Rows", "256"), match("ProtocolName", "knee")
        ) == ["1.2.1"]
        assert found(index, INSTANCE, match("Rows", "512"), scope=Target("1.2.1")) == ["1.1.1"]

    def test_what_is_looked_for_is_in_the_answer_QIDO_15(self, index: Index) -> None:
        add(index, entry(target(1, 1, 1), PatientAge="030Y", Rows=512, ImageType=["A", "B"]))
        answer = index.find(
            Query(level=INSTANCE, matches=(match("ImageType", "B"), match("PatientAge", "030Y")))
        ).datasets[0]
        assert answer["00080008"]["Value"] == ["A", "B"]
        assert answer["00101010"]["Value"] == ["030Y"]

    def test_private_attributes_by_their_creator_QIDO_05(self, index: Index) -> None:
        """Whichever block was reserved; the answer holds the attribute and what reserves its block."""
        plain = [entry(target(n, 1, 1)) for n in range(1, 5)]
        value = {"vr": "LO", "Value": ["x"]}
        me, you = {"vr": "LO", "Value": ["ME"]}, {"vr": "LO", "Value": ["YOU"]}
        add(
            index,
            with_elements(plain[0], x00090010=me, x00091001=value),
            with_elements(plain[1], x00090010=you, x00090011=me, x00091101=value, x00091001=value),
            with_elements(plain[2], x00090010=you, x00091001=value),
            with_elements(plain[3], x00090010=me, x00091001={"vr": "LO", "Value": ["y"]}),
        )
        path: AttributePath = ("00091001",)
        creators = (((("00090010",)), "ME"),)
        asked = Match(path, OneOf(("x",)))
        assert found(index, INSTANCE, asked, creators=creators) == ["1.1.1", "2.1.1"]
        assert found(index, INSTANCE, asked) == ["1.1.1", "2.1.1", "3.1.1"], "without its creator the tag as it stands"
        answer = index.find(Query(level=INSTANCE, matches=(asked,), creators=creators)).datasets[1]
        assert answer["00091101"] == value
        assert answer["00090011"] == me
        assert "00091001" not in answer
        wanted = index.find(Query(level=INSTANCE, include=(path,), creators=creators)).datasets
        assert ["00091101" in one or "00091001" in one for one in wanted] == [True, True, False, True]

    @pytest.mark.parametrize(
        ("zone", "low", "high", "expected"),
        [
            (None, "20200101", "20200101", "1234"), ("+0000", "20200101", "20200101", "134"), ("+0000", "20191231", "20191231", "2"),
            ("+0100", "20200101", "20200101", "124"), ("-0500", "20191231", "20191231", "23"), ("+0100", "20200102", None, "3"),
            ("+1000", "20200102", None, "34"),
        ],
    )  # fmt: skip
    def test_dates_in_the_zone_of_the_question_QIDO_07(
        self, index: Index, zone: str | None, low: str, high: str | None, expected: str
    ) -> None:
        """A study that says its zone is compared in the question's; one that does not, or has no time, as written."""
        stored = [("0030", None), ("0030", "+0100"), ("2330", "+0000"), (None, "-0500")]
        stored[2] = ("0330", "+0000") if zone == "-0500" else ("2330", "+0000")
        stored[3] = ("1830", "-0500") if zone == "+1000" else (None, "-0500")
        add(index, *(entry(target(n, 1, 1), StudyDate="20200101", StudyTime=time, SeriesDate="20200101", SeriesTime=time, TimezoneOffsetFromUTC=own)
                     for n, (time, own) in enumerate(stored, 1)))  # fmt: skip
        for key, level in (("StudyDate", STUDY), ("SeriesDate", SERIES)):
            answers = found(index, level, match(key, Between(low, high)), timezone=zone)
            assert "".join(sorted(one[0] for one in answers)) == expected, key

    def test_times_and_joined_ranges_in_zones_QIDO_07(self, index: Index) -> None:
        stored = [
            ("20200101", "2330", "+0000"),
            ("20200102", "0030", "+0100"),
            ("20200101", "2330", None),
            ("20200101", "1830", "-0500"),
        ]
        add(index, *(entry(target(n, 1, 1), StudyDate=day, StudyTime=time, TimezoneOffsetFromUTC=own)
                     for n, (day, time, own) in enumerate(stored, 1)))  # fmt: skip
        joined: Condition = MomentBetween(("00080030",), "202001012315", "20200102000000")
        assert sorted(found(index, STUDY, match("StudyDate", joined), timezone="+0000")) == ["1", "2", "3", "4"]
        late: Condition = MomentBetween(("00080030",), "202001020015", "202001020045")
        assert sorted(found(index, STUDY, match("StudyDate", late), timezone="+0100")) == ["1", "2", "4"]
        assert sorted(found(index, STUDY, match("StudyTime", Between("0000", "0100")), timezone="+0100")) == [
            "1",
            "2",
            "4",
        ]
        assert sorted(found(index, STUDY, match("StudyTime", Between("2300", None)), timezone="+0000")) == [
            "1",
            "2",
            "3",
            "4",
        ]

    def test_values_that_searches_do_not_keep_are_not_compared(self, index: Index) -> None:
        """Study and series attributes beyond 64 KiB, and bulk data: the metadata has them."""
        long = "c" * 70_000
        bulk = {"vr": "UN", "BulkDataURI": "/x"}
        add(
            index,
            with_elements(entry(target(1, 1, 1), PatientComments=long), x00091001=bulk),
            entry(target(2, 1, 1), PatientComments="short"),
        )
        assert found(index, STUDY, match("PatientComments", Wildcard("c*"))) == []
        assert found(index, STUDY, match("PatientComments", Wildcard("s*"))) == ["2"]
        assert found(index, INSTANCE, Match(("00091001",), OneOf(("x",)))) == []
        assert found(index, INSTANCE, Match(("00091001",), Empty())) == ["2.1.1"]

    def test_what_was_looked_for_changes_with_what_is_stored(self, index: Index) -> None:
        add(index, entry(target(1, 1, 1), PatientAge="030Y", Rows=1), entry(target(1, 1, 2), PatientAge="031Y", Rows=2))
        assert found(index, STUDY, match("PatientAge", "030Y")) == ["1"]
        index.remove(target(1, 1, 1))
        assert found(index, STUDY, match("PatientAge", "030Y")) == []
        index.add(entry(target(1, 1, 2), content="new", PatientAge="032Y", Rows=3), refuse_nothing)
        assert found(index, STUDY, match("PatientAge", "032Y")) == ["1"]
        assert found(index, INSTANCE, match("Rows", "3")) == ["1.1.2"]
