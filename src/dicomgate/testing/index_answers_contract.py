"""Every Index answers with what PS3.18 §10.6.3 asks for, in a stable order, page by page."""

# ruff: noqa: D102, N802, E501 (tests and their tables: the names say what they show, and which rule they guard)

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import orjson
import pytest

from dicomgate import errors
from dicomgate.dicom import attributes
from dicomgate.dicom.matching import Match, OneOf, Query, Universal, Wildcard
from dicomgate.dicom.uids import Level, Target
from dicomgate.index.base import Entry, Index
from dicomgate.testing.entries import CT, entry, refuse_nothing, target
from dicomgate.testing.index_opened import INSTANCE, SERIES, STUDY, OpenedIndex, add, found, match


class AnswersContract(OpenedIndex):
    """Returned attributes, order, paging, metadata."""

    def test_answers_do_not_depend_on_the_order_of_arrival_D6(self, tmp_path: Path) -> None:
        dates = ["20200102", "20200101", None]
        entries = [
            entry(target(1, 1 + number % 2, number), key=f"k{number}", StudyDate=dates[number % 3], Modality=f"M{number % 2}",
                  PatientName=f"Name{number}", SeriesNumber=number, StudyDescription=f"d{number}", SeriesDescription=f"s{number}")
            for number in range(4)
        ]  # fmt: skip
        answers = []
        for turn, order in enumerate(itertools.permutations(entries)):
            index = self.open_index(tmp_path / f"index{turn}")
            for one in order:
                index.add(one, refuse_nothing)
            pages = [index.find(Query(level=level, include_all=True)).datasets for level in Level]
            named = [found(index, STUDY, match("PatientName", f"name{n}")) for n in range(4)]
            answers.append((pages, named, index.metadata(Target("1.2.1"))[0]))
            index.close()
        assert answers[0][1] == [["1"], [], [], []]
        assert all(answer == answers[0] for answer in answers[1:])

    def test_attributes_come_from_the_next_when_their_instance_goes_D6(self, index: Index) -> None:
        entries = [
            entry(
                target(1, 1, number),
                StudyDate=f"2020010{number}",
                PatientName=f"N{number}",
                BodyPartExamined=f"B{number}",
            )
            for number in (1, 2, 3)
        ]
        add(index, *entries)
        index.remove(target(1, 1, 1))
        assert found(index, STUDY, match("PatientName", "n2"), match("StudyDate", "20200102")) == ["1"]
        assert found(index, SERIES, match("BodyPartExamined", "B2")) == ["1.1"]
        assert found(index, SERIES, match("BodyPartExamined", "B1")) == []
        add(index, entry(target(1, 1, 2), content="replaced", StudyDate="20200109", PatientName="N9"))
        answer = index.find(Query(level=STUDY)).datasets[0]
        assert answer["00100010"]["Value"] == [{"Alphabetic": "N3"}]
        assert answer["00080020"]["Value"] == ["20200103"]

    def test_order_of_instances_QIDO_17(self, index: Index) -> None:
        numbers = {(2, 1): None, (1, 5): 2, (1, 4): 10, (1, 3): 1, (1, 2): 1, (1, 1): "x"}
        series = {1: 7, 2: 3}
        entries = [
            entry(target(1, one, number), SeriesNumber=series[one], InstanceNumber=value)
            for (one, number), value in numbers.items()
        ]
        random.Random(1).shuffle(entries)
        add(index, *entries)
        order = ["2.1", "1.2", "1.3", "1.5", "1.4", "1.1"]
        assert [str(row.target.instance).removeprefix("1.2.1.") for row in index.locate(Target("1.2.1"))] == order
        assert found(index, INSTANCE, scope=Target("1.2.1")) == [f"1.{one}" for one in order]
        assert found(index, INSTANCE) == [f"1.{one}" for one in order]
        texts = [orjson.loads(text)["00080018"]["Value"][0] for text in index.metadata(Target("1.2.1"))[1]]
        assert texts == [f"1.2.1.{one}" for one in order]

    def test_the_version_of_metadata_changes_with_it(self, index: Index) -> None:
        versions = []
        add(index, entry(target(1, 1, 1)), entry(target(2, 1, 1)))
        versions.append(index.metadata(Target("1.2.1"))[0])
        add(index, entry(target(2, 1, 2)))
        assert index.metadata(Target("1.2.1"))[0] == versions[0]
        add(index, entry(target(1, 1, 2)))
        versions.append(index.metadata(Target("1.2.1"))[0])
        add(index, entry(target(1, 1, 1), content="other"))
        versions.append(index.metadata(Target("1.2.1"))[0])
        index.remove(target(1, 1, 2))
        versions.append(index.metadata(Target("1.2.1"))[0])
        assert len(set(versions)) == 4

    def test_large_metadata_is_fetched_in_pieces_of_what_still_is_there(self, index: Index) -> None:
        """A slow client holds nothing up; what is deleted meanwhile is left out, or was already under way."""
        text = "x" * 300_000
        add(index, *(entry(target(1, 1 + n % 2, n), InstanceNumber=n, PatientComments=f"{n}{text}") for n in range(40)))
        _, texts = index.metadata(Target("1.2.1"))
        first = [orjson.loads(next(texts)) for _ in range(3)]
        rows = index.locate(Target("1.2.1"))
        assert next(rows).target == target(1, 1, 0)
        index.remove(target(1, 2, 39))
        rest = [orjson.loads(text) for text in texts]
        instances = [one["00080018"]["Value"][0] for one in (*first, *rest)]
        assert instances == [f"1.2.1.{1 + n % 2}.{n}" for n in (*range(0, 40, 2), *range(1, 39, 2))]

    def test_a_row_that_is_gone_is_not_taken_for_another(self, index: Index) -> None:
        add(index, entry(target(1, 1, 1), layout=b"first", frame_chunks=(b"first",)))
        row = index.find_row(target(1, 1, 1))
        assert row is not None
        index.remove(Target("1.2.1"))
        add(index, entry(target(2, 1, 1), layout=b"second", frame_chunks=(b"second",)))
        with pytest.raises(errors.NotFound):
            index.layout(row)
        with pytest.raises(errors.NotFound):
            index.frame_chunk(row, 0)

    def test_a_study_answer_QIDO_12(self, index: Index) -> None:
        add(
            index,
            entry(target(1, 1, 1), Modality="MR", PatientName="Doe^John", StudyDescription="d", PatientAge="030Y", Rows=512,
                  SeriesDescription="s", TimezoneOffsetFromUTC="+0100"),
            entry(target(1, 2, 1), Modality="CT"), entry(target(1, 2, 2), Modality="CT"), entry(target(1, 3, 1), Modality=None),
        )  # fmt: skip
        page = index.find(Query(level=STUDY))
        assert page.remaining == 0
        assert page.datasets == [
            {
                "00080020": {"vr": "DA"}, "00080030": {"vr": "TM"}, "00080050": {"vr": "SH"},
                "00080056": {"vr": "CS", "Value": ["ONLINE"]}, "00080061": {"vr": "CS", "Value": ["CT", "MR"]},
                "00080090": {"vr": "PN"}, "00080201": {"vr": "SH", "Value": ["+0100"]}, "00081030": {"vr": "LO", "Value": ["d"]},
                "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^John"}]}, "00100020": {"vr": "LO", "Value": ["P1"]},
                "00100030": {"vr": "DA"}, "00100040": {"vr": "CS"}, "0020000D": {"vr": "UI", "Value": ["1.2.1"]},
                "00200010": {"vr": "SH"}, "00201206": {"vr": "IS", "Value": [3]}, "00201208": {"vr": "IS", "Value": [4]},
            }
        ]  # fmt: skip
        assert list(page.datasets[0]) == sorted(page.datasets[0])

    def test_series_and_instance_answers_QIDO_13_QIDO_14(self, index: Index) -> None:
        add(
            index,
            entry(target(1, 1, 1), SeriesNumber=5, InstanceNumber=1, Rows=512, Columns=256, BitsAllocated=16, NumberOfFrames=7,
                  PatientName="Doe^John", SeriesDescription="s", ImageType=["A", "B"]),
        )  # fmt: skip
        uids = {"0020000D": {"vr": "UI", "Value": ["1.2.1"]}, "0020000E": {"vr": "UI", "Value": ["1.2.1.1"]}}
        online = {"00080056": {"vr": "CS", "Value": ["ONLINE"]}}
        series = online | uids | {
            "00080060": {"vr": "CS", "Value": ["CT"]}, "0008103E": {"vr": "LO", "Value": ["s"]},
            "00200011": {"vr": "IS", "Value": [5]}, "00201209": {"vr": "IS", "Value": [1]},
        }  # fmt: skip
        instance = online | uids | {
            "00080016": {"vr": "UI", "Value": [CT]}, "00080018": {"vr": "UI", "Value": ["1.2.1.1.1"]},
            "00083002": {"vr": "UI", "Value": ["1.2.840.10008.1.2.1"]}, "00200013": {"vr": "IS", "Value": [1]},
            "00280008": {"vr": "IS", "Value": [7]}, "00280010": {"vr": "US", "Value": [512]},
            "00280011": {"vr": "US", "Value": [256]}, "00280100": {"vr": "US", "Value": [16]},
        }  # fmt: skip
        study = index.find(Query(level=STUDY)).datasets[0]
        one_study, one_series = Target("1.2.1"), Target("1.2.1", "1.2.1.1")
        for query, expected in (
            (Query(level=SERIES, scope=one_study), series),
            (Query(level=SERIES, relational=True), study | series),
            (Query(level=INSTANCE, scope=one_series), instance),
            (Query(level=INSTANCE, scope=one_study, relational=True), series | instance),
            (Query(level=INSTANCE, relational=True), study | series | instance),
        ):
            answer = index.find(query).datasets[0]
            assert answer == expected
            assert list(answer) == sorted(answer)

    def test_what_is_required_is_there_without_a_value(self, index: Index) -> None:
        add(index, entry(target(1, 1, 1), Modality=None, InstanceNumber=None, Rows=[1, 2], BitsAllocated=None))
        series = index.find(Query(level=SERIES, scope=Target("1.2.1"))).datasets[0]
        assert (series["00080060"], series["00200011"]) == ({"vr": "CS"}, {"vr": "IS"})
        instance = index.find(Query(level=INSTANCE, scope=Target("1.2.1", "1.2.1.1"))).datasets[0]
        assert instance["00200013"] == {"vr": "IS"}
        assert instance["00280010"] == {"vr": "US", "Value": [1, 2]}
        assert instance["00280100"] == {"vr": "US"}
        assert "00280011" not in instance
        # Only this one is left out: OHIF counts its values unseen, and shows no study at all for want of them.
        assert "00080061" not in index.find(Query(level=STUDY)).datasets[0]

    def test_includefield_QIDO_10(self, index: Index) -> None:
        add(
            index,
            entry(target(1, 1, 1), PatientAge="030Y", PatientComments="c" * 2000, StationName="ST", ImageType=["A", "B"],
                  ReferencedStudySequence=[{"ReferencedSOPInstanceUID": "1.9"}], PatientName="Doe"),
        )  # fmt: skip

        def wanting(level: Level, scope: Target | None, *names: str, **more: Any) -> set[str]:
            paths = tuple(path for name in names if (path := attributes.parse_path(name)))
            answer = index.find(Query(level=level, scope=scope, include=paths, **more)).datasets[0]
            bare = index.find(Query(level=level, scope=scope)).datasets[0]
            assert list(answer) == sorted(answer)
            assert bare.items() <= answer.items()
            return {attributes.find_keyword(tag) or tag for tag in answer.keys() - bare.keys()}

        every = (
            "PatientAge",
            "PatientComments",
            "StationName",
            "ImageType",
            "ReferencedStudySequence",
            "Rows",
            "PatientName",
        )
        study, series = Target("1.2.1"), Target("1.2.1", "1.2.1.1")
        of_study = {"PatientAge", "PatientComments", "ReferencedStudySequence"}
        assert wanting(STUDY, None, *every) == of_study
        assert wanting(SERIES, study, *every) == of_study | {"StationName", "PatientName"}
        assert wanting(SERIES, None, *every) == of_study | {"StationName"}
        assert wanting(INSTANCE, series, *every) == of_study | {"StationName", "ImageType", "PatientName"}
        assert wanting(STUDY, None, "ReferencedStudySequence.ReferencedSOPInstanceUID") == {"ReferencedStudySequence"}
        assert wanting(STUDY, None, include_all=True) == of_study | {"SOPClassesInStudy"}
        assert wanting(SERIES, study, include_all=True) == {"StationName"}
        assert wanting(INSTANCE, series, include_all=True) == {"ImageType"}
        assert wanting(INSTANCE, None, include_all=True) == {*of_study, "SOPClassesInStudy", "StationName", "ImageType"}
        matched = (match("PatientAge", Universal()), match("ImageType", Universal()))
        assert wanting(STUDY, None, matches=matched) == {"PatientAge"}
        assert wanting(INSTANCE, series, matches=matched) == {"PatientAge", "ImageType"}

    def test_bulk_data_stays_in_the_metadata(self, index: Index) -> None:
        held = entry(target(1, 1, 1))
        bulk = {"vr": "OW", "BulkDataURI": "/x"}
        held.attributes.update(
            {"7FE00010": bulk, "00091001": {"vr": "UN", "Value": []}, "00090010": {"vr": "LO", "Value": ["me"]}}
        )
        held.attributes["00540220"] = {
            "vr": "SQ",
            "Value": [{"00480200": bulk, "00280010": {"vr": "US", "Value": [1]}}, {}],
        }
        add(index, entry(held.target, content="x"))
        index.add(self._again(held), refuse_nothing)
        answer = index.find(Query(level=INSTANCE, include_all=True)).datasets[0]
        assert "7FE00010" not in answer
        assert answer["00540220"] == {"vr": "SQ", "Value": [{"00280010": {"vr": "US", "Value": [1]}}, {}]}
        private = index.find(Query(level=INSTANCE, include=(("00091001",), ("7FE00010",)))).datasets[0]
        assert private["00090010"]["Value"] == ["me"]
        assert "00091001" in private
        assert "7FE00010" not in private

    def _again(self, held: Entry) -> Entry:
        return Entry(
            target=held.target, sop_class=held.sop_class, transfer_syntax=held.transfer_syntax, size=held.size, digest=held.digest,
            key=held.key + "x", received=held.received, attributes=held.attributes, metadata=orjson.dumps(held.attributes),
        )  # fmt: skip

    def test_answers_are_not_spoiled_by_who_got_them(self, index: Index) -> None:
        """A door sets RetrieveURL on what it was given."""
        add(index, entry(target(1, 1, 1)))
        for level in Level:
            for more in (False, True):
                before = index.find(Query(level=level, include_all=more))
                for answer in index.find(Query(level=level, include_all=more)).datasets:
                    answer["00081190"] = {"vr": "UR", "Value": ["http://x"]}
                    answer.pop("0020000D")
                assert index.find(Query(level=level, include_all=more)) == before

    def test_pages_QIDO_16_QIDO_17(self, index: Index) -> None:
        moments = [
            ("20200101", "10"),
            ("20200101", "10"),
            ("20200101", "11"),
            ("20210101", None),
            (None, "10"),
            (None, None),
        ]
        add(
            index,
            *(entry(target(n, series, 1), StudyDate=date, StudyTime=time, PatientName=f"Doe^{n}")
              for n, (date, time) in enumerate(moments, 1) for series in (1, 2)),
        )  # fmt: skip
        order = ["4", "3", "1", "2", "5", "6"]
        conditions: list[tuple[Match, ...]] = [
            (), (match("PatientID", "P1"),), (match("PatientName", Wildcard("doe*")),), (match("PatientName", Wildcard("*oe*")),),
            (match("ModalitiesInStudy", OneOf(("CT", "MR"))),), (match("PatientID", "P1"), match("ModalitiesInStudy", "CT")),
        ]  # fmt: skip
        for matches in conditions:
            assert found(index, STUDY, *matches) == order
            for limit, offset in itertools.product((0, 1, 2, 5, 6, 7), (0, 1, 5, 6, 7, 10**30)):
                page = index.find(Query(level=STUDY, matches=matches, limit=limit, offset=offset))
                uids = [answer["0020000D"]["Value"][0].removeprefix("1.2.") for answer in page.datasets]
                assert uids == order[offset : offset + limit] if offset < 100 else uids == []
                if limit:
                    assert page.remaining == max(0, len(order) - offset - limit)
            series = [f"{one}.{number}" for one in order for number in (1, 2)]
            assert found(index, SERIES, *matches) == series
            assert found(index, SERIES, *matches, limit=5, offset=3) == series[3:8]
            assert found(index, INSTANCE, *matches, limit=5, offset=3) == [f"{one}.1" for one in series[3:8]]

    def test_very_many_remaining_are_never_none(self, index: Index) -> None:
        add(index, *(entry(target(n // 40, 1, n), InstanceNumber=n) for n in range(2000)))
        assert index.find(Query(level=STUDY, limit=10)).remaining == 40
        remaining = index.find(Query(level=INSTANCE, limit=10)).remaining
        assert remaining is not None
        assert 0 < remaining <= 1990
        assert index.find(Query(level=INSTANCE, limit=10, offset=1985)).remaining == 5
