"""Every Index finds what PS3.4 C.2.2.2 says a key matches, and nothing else."""

# ruff: noqa: D102, N802, E501 (tests and their tables: the names say what they show, and which rule they guard)

from __future__ import annotations

from typing import Any

import pytest

from dicomgate import errors
from dicomgate.dicom import attributes
from dicomgate.dicom.matching import Between, MomentBetween, OneOf, Query, Universal, Wildcard
from dicomgate.dicom.uids import Target
from dicomgate.index.base import Index
from dicomgate.testing.entries import CT, MR, entry, target
from dicomgate.testing.index_opened import INSTANCE, SERIES, STUDY, OpenedIndex, add, found, match


class MatchingContract(OpenedIndex):
    """Every key at every level, every kind of matching."""

    def test_keys_of_a_study_QIDO_03(self, index: Index) -> None:
        add(
            index,
            entry(target(1, 1, 1), StudyDate="20200101", StudyTime="101530.5", AccessionNumber="A1", PatientID="P1", StudyID="S1",
                  ReferringPhysicianName="House^Gregory", PatientName="Doe^John", PatientBirthDate="19700131", PatientSex="M",
                  StudyDescription="Head CT"),
            entry(target(2, 1, 1), StudyDate="20210101", StudyTime="09", AccessionNumber="A2", PatientID="P2", StudyID="S2",
                  ReferringPhysicianName="Wilson^James", PatientName="Roe^Jane", PatientBirthDate="19800131", PatientSex="F",
                  StudyDescription="Knee MR", Modality="MR"),
            entry(target(3, 1, 1), PatientID=None, Modality=None),
        )  # fmt: skip
        for key, value in {
            "StudyDate": "20200101", "StudyTime": "101530.500000", "AccessionNumber": "A1", "ModalitiesInStudy": "CT",
            "ReferringPhysicianName": "House^Gregory", "PatientName": "Doe^John", "PatientID": "P1", "StudyID": "S1",
            "StudyInstanceUID": "1.2.1", "PatientBirthDate": "19700131", "PatientSex": "M", "StudyDescription": "Head CT",
        }.items():  # fmt: skip
            assert found(index, STUDY, match(key, value)) == ["1"], key
            assert found(index, STUDY, match(key, Universal())) == ["2", "1", "3"], key
            assert found(index, SERIES, match(key, value)) == ["1.1"], key
            assert found(index, INSTANCE, match(key, value)) == ["1.1.1"], key
            assert found(index, STUDY, match(key, value), match("PatientID", "P2")) == [], key
        assert found(index, STUDY, match("PatientID", "p1")) == []
        assert found(index, STUDY, match("StudyDescription", "head CT")) == []

    def test_keys_of_a_series_QIDO_03(self, index: Index) -> None:
        add(
            index,
            entry(target(1, 1, 1), Modality="CT", SeriesNumber=1, SeriesDescription="AX", BodyPartExamined="HEAD",
                  PerformedProcedureStepStartDate="20200101", PerformedProcedureStepStartTime="0800", SeriesDate="20200101",
                  SeriesTime="0801"),
            entry(target(1, 2, 1), Modality="SR", SeriesNumber=2, SeriesDescription="report", BodyPartExamined="KNEE",
                  PerformedProcedureStepStartDate="20200102", PerformedProcedureStepStartTime="0900", SeriesDate="20200102",
                  SeriesTime="0901"),
        )  # fmt: skip
        for key, value in {
            "Modality": "CT", "SeriesInstanceUID": "1.2.1.1", "SeriesNumber": "01", "SeriesDescription": "AX",
            "BodyPartExamined": "HEAD", "PerformedProcedureStepStartDate": "20200101", "SeriesDate": "20200101",
            "PerformedProcedureStepStartTime": "08", "SeriesTime": "0801",
        }.items():  # fmt: skip
            for scope in (None, Target("1.2.1")):
                assert found(index, SERIES, match(key, value), scope=scope) == ["1.1"], key
                assert found(index, INSTANCE, match(key, value), scope=scope) == ["1.1.1"], key
            assert found(index, STUDY, match(key, value)) == ["1"], "a key of a lower level is ignored"
        assert found(index, STUDY, match("ModalitiesInStudy", "SR")) == ["1"]
        assert found(index, SERIES, match("SeriesNumber", "one")) == []

    def test_keys_of_an_instance_QIDO_03(self, index: Index) -> None:
        add(
            index,
            entry(target(1, 1, 1), sop_class=CT, InstanceNumber=1),
            entry(target(1, 1, 2), sop_class=MR, InstanceNumber=2),
            entry(target(2, 1, 1), sop_class=CT, InstanceNumber=2),
        )
        for scope in (None, Target("1.2.1"), Target("1.2.1", "1.2.1.1")):
            assert "1.1.2" in found(index, INSTANCE, match("SOPClassUID", MR), scope=scope)
            assert "1.1.1" not in found(index, INSTANCE, match("SOPClassUID", MR), scope=scope)
            assert found(index, INSTANCE, match("SOPInstanceUID", "1.2.1.1.2"), scope=scope) == ["1.1.2"]
        assert found(index, INSTANCE, match("SOPClassUID", OneOf((CT, MR)))) == ["1.1.1", "1.1.2", "2.1.1"]
        assert found(index, INSTANCE, match("InstanceNumber", "2")) == ["1.1.2", "2.1.1"]
        assert found(index, INSTANCE, match("InstanceNumber", "2"), match("SOPClassUID", CT)) == ["2.1.1"]
        assert found(index, INSTANCE, match("SOPInstanceUID", "1.2.1.1.2"), scope=Target("1.2.2")) == []

    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            ("doe^john", "1"), ("DOE^JOHN", "1"), ("Doe^John^^^", "1"), ("doe", "2"), ("Doe^", "2"), ("doe*", "12"),
            ("Doe^*", "12"), ("*john*", "1"), ("*JOHN", "1"), ("d?e^john", "1"), ("d?e", "2"), ("*o?", "24"), ("*^john", "1"),
            ("Müller^Jürgen", "3"), ("muller^jurgen", "3"), ("MÜLLER*", "3"), ("*ürg*", "3"), ("山田*", "4"), ("*太郎", "4"),
            ("*田^*", "4"), ("やまだ^たろう", "4"), ("yamada*", "4"), ("*am*", "4"), ("*a%*", "5"), ("a%b_c*", "5"), ("a_b*", ""),
            ("*[x]*", "6"), ("[x]*", "6"), ("*\"'*", "7"), ("o\"'neil", "7"), ("*^*", "1234567"), ("nobody*", ""),
            ("Yamada^Tarou=山田^太郎", "4"), ("Yamada^Tarou=佐藤", ""), ("?", ""), ("*-*", ""), ("ma*r^*", ""), ("m*r^*", "3"),
        ],
    )  # fmt: skip
    def test_names_QIDO_06(self, index: Index, pattern: str, expected: str) -> None:
        yamada = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
        names = ["Doe^John", "Doe^^^", "Müller^Jürgen", yamada, "A%B_C", "[X]^Y", "O\"'Neil"]
        add(index, *(entry(target(number, 1, 1), PatientName=name) for number, name in enumerate(names, 1)))
        condition = Wildcard(pattern) if {"*", "?"} & set(pattern) else OneOf((pattern,))
        assert "".join(sorted(found(index, STUDY, match("PatientName", condition)))) == expected

    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            ("AB*", "123"), ("ab*", "4"), ("*B1", "13"), ("*b*", "4"), ("A?1", "1"), ("A?B1", "3"), ("*[*", "5"), ("[*]", "5"),
            ("*%*", "6"), ("*_*", "6"), ("A*1", "13"), ("*A*B*1*", "13"), ("*", "123456789"), ("**", "123456789"), ("?", "8"),
            ("é?", ""), ("é??", "7"), ("*²", "7"), ("???", "14567"), ("*\0*", ""), ("*\ud800", ""), ("x" * 300 + "*", ""), ("*" * 200 + "B1", "13"),
        ],
    )  # fmt: skip
    def test_wildcards_are_case_sensitive_and_nothing_else_is_special_QIDO_06_T17(
        self, index: Index, pattern: str, expected: str
    ) -> None:
        texts = ["AB1", "AB22", "ABB1", "abc", "[x]", "%_\\", "é²²", "Z", None]
        add(index, *(entry(target(number, 1, 1), PatientID=text) for number, text in enumerate(texts, 1)))
        assert "".join(sorted(found(index, STUDY, match("PatientID", Wildcard(pattern))))) == expected

    @pytest.mark.parametrize("value", ["\0", "P1\0", "\ud800", "", "%", "_", "P_", "*", "' OR 1=1 --", "x" * 100_000])
    def test_odd_values_find_nothing_T17(self, index: Index, value: str) -> None:
        add(index, entry(target(1, 1, 1), PatientID="P1", PatientName="P1", InstanceNumber=1))
        for key in ("PatientID", "PatientName", "StudyInstanceUID"):
            assert found(index, STUDY, match(key, value)) == []
        for key in ("InstanceNumber", "SOPClassUID", "SOPInstanceUID", "Modality", "SeriesNumber"):
            assert found(index, INSTANCE, match(key, value)) == []

    def test_any_of_several_values_matches_QIDO_06(self, index: Index) -> None:
        add(
            index,
            entry(
                target(1, 1, 1),
                PatientID=["P1", "P2"],
                PatientName=["Doe^John", "Roe^Jane"],
                AccessionNumber=["A", None, "B"],
            ),
            entry(target(2, 1, 1), PatientID="P3"),
        )
        for key, value in (("PatientID", "P2"), ("PatientName", "roe^jane"), ("AccessionNumber", "B")):
            assert found(index, STUDY, match(key, value)) == ["1"]
        answer = index.find(Query(level=STUDY, matches=(match("PatientID", "P2"),))).datasets[0]
        assert answer["00100020"]["Value"] == ["P1", "P2"]

    def test_lists_AMB_19(self, index: Index) -> None:
        add(
            index,
            *(entry(target(n, series, 1), Modality=modality, StudyDate=f"2020010{n}")
              for n, modalities in enumerate(["CT", "MR", "CT MR", "SR"], 1)
              for series, modality in enumerate(modalities.split(), 1)),
        )  # fmt: skip
        assert found(index, STUDY, match("ModalitiesInStudy", OneOf(("CT", "MR")))) == ["3", "2", "1"]
        assert found(index, STUDY, match("ModalitiesInStudy", "CT"), match("ModalitiesInStudy", "MR")) == ["3"]
        assert found(index, STUDY, match("ModalitiesInStudy", Wildcard("?R"))) == ["4", "3", "2"]
        assert found(index, SERIES, match("Modality", OneOf(("SR", "CT")))) == ["4.1", "3.1", "1.1"]
        many = tuple(f"1.2.{n}" for n in range(3, 5000))
        assert found(index, STUDY, match("StudyInstanceUID", OneOf(many))) == ["4", "3"]
        assert found(index, SERIES, match("StudyInstanceUID", OneOf(many)), match("Modality", "MR")) == ["3.2"]

    @pytest.mark.parametrize(
        ("low", "high", "expected"),
        [
            ("20200101", "20200131", "12"), (None, "20200101", "1"), ("20200115", None, "234"), ("20200131", "20200131", "2"),
            ("20200101", "20191231", ""), (None, "19000101", ""), ("20200103", "20200130", ""), ("2020.01.31", "2020.02.01", "23"),
        ],
    )  # fmt: skip
    def test_ranges_of_dates_QIDO_06(self, index: Index, low: str | None, high: str | None, expected: str) -> None:
        dates = ["20200101", "20200131", "20200201", "2021.05.05", None, "notadate"]
        values: list[dict[str, Any]] = [
            {"StudyDate": date, "PatientBirthDate": date, "SeriesDate": date} for date in dates
        ]
        add(index, *(entry(target(n, 1, 1), StudyTime="235959", **value) for n, value in enumerate(values, 1)))
        for key, level in (("StudyDate", STUDY), ("PatientBirthDate", STUDY), ("SeriesDate", SERIES)):
            answers = found(index, level, match(key, Between(low, high)))
            assert "".join(sorted(answer[0] for answer in answers)) == expected

    @pytest.mark.parametrize(
        ("low", "high", "expected"),
        [
            ("10", "11", "234"), ("1015", "1015", "23"), (None, "1014", "1"), ("101530", None, "345"), ("10:15", "10:15", "23"),
            ("101500.000001", "101530.25", "3"), ("101530.3", "235959", "45"),
        ],
    )  # fmt: skip
    def test_ranges_of_times_QIDO_06(self, index: Index, low: str | None, high: str | None, expected: str) -> None:
        """A time stands for all it leaves open: until 10:15 is until 10:15:59.999999."""
        times = ["0959", "1015", "101530.25", "11", "2359", None]
        values: list[dict[str, Any]] = [{"StudyTime": time, "SeriesTime": time} for time in times]
        add(index, *(entry(target(n, 1, 1), **value) for n, value in enumerate(values, 1)))
        for key, level in (("StudyTime", STUDY), ("SeriesTime", SERIES)):
            answers = found(index, level, match(key, Between(low, high)))
            assert "".join(sorted(answer[0] for answer in answers)) == expected

    @pytest.mark.parametrize(
        ("low", "high", "expected"),
        [
            ("202001011000", "202001020900", "23"), ("20200101", "20200101", "1234"[0:2]), (None, "20200102", "123"),
            ("2020010209", None, "4"), ("2020010208", "2020010208", "3"),
        ],
    )  # fmt: skip
    def test_one_range_of_date_and_time_QIDO_07(
        self, index: Index, low: str | None, high: str | None, expected: str
    ) -> None:
        moments = [("20200101", "095959"), ("20200101", "100000"), ("20200102", "08"), ("20200103", None), (None, "10")]
        add(
            index,
            *(entry(target(n, 1, 1), StudyDate=date, StudyTime=time, PerformedProcedureStepStartDate=date,
                    PerformedProcedureStepStartTime=time) for n, (date, time) in enumerate(moments, 1)),
        )  # fmt: skip
        for word, level in (("Study", STUDY), ("PerformedProcedureStepStart", SERIES)):
            path = attributes.parse_path(f"{word}Time")
            assert path is not None
            answers = found(index, level, match(f"{word}Date", MomentBetween(path, low, high)))
            assert "".join(sorted(answer[0] for answer in answers)) == expected

    def test_all_keys_of_a_sequence_match_within_one_item_QIDO_06(self, index: Index) -> None:
        items = [{"ScheduledProcedureStepID": "S1", "RequestedProcedureID": "R1"},
                 {"ScheduledProcedureStepID": "S2", "RequestedProcedureID": "R2"}]  # fmt: skip
        add(
            index,
            entry(target(1, 1, 1), RequestAttributesSequence=items),
            entry(target(1, 2, 1), RequestAttributesSequence=[items[0] | {"RequestedProcedureID": "R2"}, {}]),
            entry(target(1, 3, 1), RequestAttributesSequence=None),
            entry(
                target(1, 4, 1),
                RequestAttributesSequence=[{"RequestedProcedureID": "R2"}, {"RequestedProcedureID": "R2"}],
            ),
        )
        step = "RequestAttributesSequence.ScheduledProcedureStepID"
        procedure = "RequestAttributesSequence.RequestedProcedureID"
        for scope in (None, Target("1.2.1")):
            assert found(index, SERIES, match(step, "S1"), scope=scope) == ["1.1", "1.2"]
            assert found(index, SERIES, match(procedure, "R2"), scope=scope) == ["1.1", "1.2", "1.4"]
            assert found(index, SERIES, match(step, "S1"), match(procedure, "R2"), scope=scope) == ["1.2"]
            assert found(index, SERIES, match(step, Wildcard("S*")), match(procedure, "R1"), scope=scope) == ["1.1"]
            assert found(index, SERIES, match(step, Universal()), match(procedure, "R1"), scope=scope) == ["1.1"]
            assert found(index, SERIES, match(step, "S3"), match(procedure, "R1"), scope=scope) == []

    def test_matching_that_a_vr_does_not_have(self, index: Index) -> None:
        add(index, entry(target(1, 1, 1)))
        for key, condition in (
            ("StudyDate", Wildcard("2020*")),
            ("StudyTime", OneOf(("noon",))),
            ("StudyDate", Between("20209999", None)),
            ("StudyInstanceUID", Wildcard("1.2.*")),
            ("PatientID", Between("A", "B")),
        ):
            with pytest.raises(errors.Malformed) as caught:
                index.find(Query(level=STUDY, matches=(match(key, condition),)))
            assert key in caught.value.message
