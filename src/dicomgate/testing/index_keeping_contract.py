"""Every Index keeps and forgets exactly what it is told to, durably and for everybody at once."""

# ruff: noqa: D102, N802, ARG001 (tests and their tables: the names say what they show, and which rule they guard)

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dicomgate import errors
from dicomgate.dicom.matching import Query
from dicomgate.dicom.outcomes import Reason, Refused
from dicomgate.dicom.uids import Target
from dicomgate.index.base import Added, ChangeKind, Entry, FileRecord, FileState, Index, Sent, Surroundings, Verdict
from dicomgate.testing.entries import entry, keep_old, refuse_nothing, target
from dicomgate.testing.index_opened import INSTANCE, SERIES, STUDY, OpenedIndex, add, found


class KeepingContract(OpenedIndex):
    """Adding, replacing, removing, counting; a folder's files."""

    def test_empty(self, index: Index) -> None:
        assert index.counts().instances == 0
        assert list(index.locate(target(1, 1, 1))) == []
        version, texts = index.metadata(Target("1.2"))
        assert (version, list(texts)) == ("", [])
        assert index.find(Query(level=STUDY)).datasets == []
        assert index.remove(Target("1.2")) == 0
        assert index.garbage() == []
        assert not index.was_deleted(Target("1.2"))

    def test_what_was_added_comes_back(self, index: Index) -> None:
        offered = entry(target(1, 1, 1), layout=b"\0layout", frame_chunks=(b"zero", b"one"), InstanceNumber=3)
        added = index.add(offered, refuse_nothing)
        assert added == Added(Verdict.INSERT, None)
        assert added.is_stored
        row = index.find_row(offered.target)
        assert row is not None
        assert list(index.locate(Target("1.2.1"))) == [row]
        for name in ("key", "target", "sop_class", "transfer_syntax", "size", "digest", "original_digest", "received"):
            assert getattr(row, name) == getattr(offered, name)
        assert index.layout(row) == b"\0layout"
        assert [index.frame_chunk(row, number) for number in (1, 0)] == [b"one", b"zero"]
        with pytest.raises(errors.NotFound):
            index.frame_chunk(row, 2)
        assert list(index.metadata(offered.target)[1]) == [offered.metadata]
        assert index.instance_metadata(row) == offered.metadata

    def test_a_target_needs_all_its_uids_right(self, index: Index) -> None:
        add(index, entry(target(1, 1, 1)), entry(target(2, 1, 1)))
        for wrong in (Target("1.2.1", "1.2.2.1"), Target("1.2.2", "1.2.2.1", "1.2.1.1.1"), Target("1.2.3")):
            assert list(index.locate(wrong)) == []
            assert list(index.metadata(wrong)[1]) == []
            assert index.remove(wrong) == 0
        assert index.find_row(Target("1.2.1", "1.2.2.1", "1.2.1.1.1")) is None

    def test_the_same_again_changes_nothing_T10(self, index: Index) -> None:
        first = entry(target(1, 1, 1))
        again = entry(target(1, 1, 1), StudyDescription="changed?")
        add(index, first)
        before = index.find(Query(level=INSTANCE, include_all=True))
        added = index.add(again, refuse_nothing)
        assert added.verdict is Verdict.SAME
        assert added.known is not None
        assert (added.known.key, added.known.digest, added.known.target) == (first.key, first.digest, first.target)
        assert not added.is_stored
        assert index.add(again, keep_old).verdict is Verdict.KEEP_OLD
        assert index.find(Query(level=INSTANCE, include_all=True)) == before
        assert index.garbage() == []
        assert index.known_keys([first.key, again.key]) == {first.key}

    def test_replaced_D4(self, index: Index) -> None:
        old = entry(target(1, 1, 1), layout=b"old", Modality="CT", frame_chunks=(b"a", b"b"))
        add(index, old, entry(target(1, 2, 1), Modality="MR"))
        row = index.find_row(old.target)
        assert row is not None
        new = entry(target(1, 1, 1), content="new", layout=b"new", Modality="PT", StudyDescription="new")
        added = index.add(new, refuse_nothing)
        assert added.verdict is Verdict.REPLACE
        assert index.garbage() == [old.key]
        assert list(index.metadata(new.target)[1]) == [new.metadata]
        answer = index.find(Query(level=STUDY)).datasets[0]
        assert answer["00080061"]["Value"] == ["MR", "PT"]
        assert answer["00201208"]["Value"] == [2]
        with pytest.raises(errors.NotFound):
            index.layout(row)
        with pytest.raises(errors.NotFound):
            index.instance_metadata(row)
        with pytest.raises(errors.NotFound):
            index.frame_chunk(row, 0)
        index.forget_garbage([old.key])
        assert index.garbage() == []

    def test_replaced_into_another_study(self, index: Index) -> None:
        add(index, entry(target(1, 1, 1)))
        moved = entry(Target("1.2.9", "1.2.9.9", "1.2.1.1.1"), content="moved")
        assert index.add(moved, refuse_nothing).verdict is Verdict.REPLACE
        assert found(index, STUDY) == ["9"]
        assert index.counts().series == 1

    def test_refused_is_not_stored_and_spoils_nothing(self, index: Index) -> None:
        refusal = Refused(Reason.OTHER_CONTENT)

        def judge(around: Surroundings, offered: Entry) -> Verdict | Refused:
            return refusal if offered.target.instance == "1.2.1.1.2" else Verdict.INSERT

        verdicts = index.add_many([entry(target(1, 1, number)) for number in (1, 2, 3)], judge)
        assert [added.verdict for added in verdicts] == [Verdict.INSERT, refusal, Verdict.INSERT]
        assert found(index, INSTANCE) == ["1.1.1", "1.1.3"]

    def test_the_judge_sees_what_is_there_also_what_came_with_it_T11(self, index: Index) -> None:
        seen: list[Surroundings] = []

        def judge(around: Surroundings, offered: Entry) -> Verdict:
            seen.append(around)
            return refuse_nothing(around, offered)

        index.add_many([entry(target(1, 1, 1), PatientID="P7"), entry(target(1, 1, 2), PatientID="P8")], judge)
        index.add(entry(Target("1.2.2", "1.2.1.1", "1.2.5"), PatientID=None), judge)
        index.add(entry(Target("1.2.2", "1.2.2.2", "1.2.1.1.1")), judge)
        patients = [(around.series_study, around.study_patient) for around in seen]
        assert patients == [(None, None), ("1.2.1", "P7"), ("1.2.1", None), (None, "")]
        assert [around.instance and around.instance.target for around in seen] == [None, None, None, target(1, 1, 1)]

    def test_a_series_uid_in_two_studies(self, index: Index) -> None:
        add(index, entry(target(1, 1, 1)), entry(Target("1.2.2", "1.2.1.1", "1.2.2.1.1")))
        assert index.counts().series == 2
        assert [row.target.instance for row in index.locate(Target("1.2.2", "1.2.1.1"))] == ["1.2.2.1.1"]
        assert index.remove(Target("1.2.1", "1.2.1.1")) == 1
        assert found(index, SERIES) == ["1.1"]
        assert found(index, INSTANCE) == ["2.1.1"]

    def test_a_judge_that_fails_spoils_only_its_own(self, index: Index) -> None:
        def judge(around: Surroundings, offered: Entry) -> Verdict:
            raise ZeroDivisionError

        def store(number: int) -> bool:
            if number % 3:
                return index.add(entry(target(1, number % 2, number)), refuse_nothing).is_stored
            with pytest.raises(ZeroDivisionError):
                index.add(entry(target(1, 1, number)), judge)
            return False

        with ThreadPoolExecutor(12) as pool:
            stored = list(pool.map(store, range(60)))
        assert sum(stored) == 40 == index.counts().instances == len(found(index, INSTANCE))

    @pytest.mark.parametrize("depth", [1, 2, 3])
    def test_removed_D4_D7(self, index: Index, depth: int) -> None:
        entries = [entry(target(study, series, number), Modality=f"M{series}") for study in (1, 2) for series in (1, 2)
                   for number in (1, 2)]  # fmt: skip
        add(index, *entries)
        uids = ("1.2.1", "1.2.1.1", "1.2.1.1.1")[:depth]
        gone = [one for one in entries if (one.target.study, one.target.series, one.target.instance)[:depth] == uids]
        assert index.remove(Target(*uids)) == len(gone)
        assert index.garbage() == sorted(one.key for one in gone)
        assert index.known_keys(one.key for one in entries) == {one.key for one in entries} - {one.key for one in gone}
        left = 8 - len(gone)
        counts = index.counts()
        assert (counts.instances, counts.size) == (left, left * 1000)
        assert sum(answer["00201208"]["Value"][0] for answer in index.find(Query(level=STUDY)).datasets) == left
        assert sum(answer["00201209"]["Value"][0] for answer in index.find(Query(level=SERIES)).datasets) == left
        assert index.remove(Target(*uids)) == 0
        assert [change.kind for change in index.changes(8)] == [ChangeKind.REMOVED] * len(gone)

    def test_deleted_is_remembered_at_each_level_until_stored_again(self, index: Index) -> None:
        all_of_it = [Target("1.2.1"), Target("1.2.1", "1.2.1.1"), target(1, 1, 1)]
        add(index, entry(target(1, 1, 1)), entry(target(1, 1, 2)), entry(target(1, 2, 1)))
        index.remove(target(1, 1, 1))
        assert [index.was_deleted(one) for one in all_of_it] == [False, False, True]
        index.remove(target(1, 1, 2))
        assert [index.was_deleted(one) for one in all_of_it] == [False, True, True]
        index.remove(Target("1.2.1"))
        assert [index.was_deleted(one) for one in all_of_it] == [True, True, True]
        assert index.was_deleted(target(1, 2, 1))
        assert not index.was_deleted(Target("1.2.7", "1.2.1.1", "1.2.1.1.1"))
        add(index, entry(target(1, 2, 2)))
        assert [index.was_deleted(one) for one in all_of_it] == [False, True, True]
        add(index, entry(target(1, 1, 1)))
        assert [index.was_deleted(one) for one in all_of_it] == [False, False, False]
        assert index.was_deleted(target(1, 1, 2))

    def test_what_was_deleted_is_remembered_by_the_next_index_but_for_what_it_holds_D6(
        self, index: Index, tmp_path: Path
    ) -> None:
        add(index, *(entry(target(study, 1, number)) for study in (1, 2, 3) for number in (1, 2)))
        for gone in (Target("1.2.1"), target(2, 1, 1), Target("1.2.3")):
            index.remove(gone)
        add(index, entry(target(3, 1, 1)))
        removed = list(index.removed())
        assert Target("1.2.1") in removed
        assert Target("1.2.3") not in removed
        other = self.open_index(tmp_path / "other")
        add(other, entry(target(2, 1, 2)), entry(target(3, 1, 1)), entry(target(1, 1, 1)))
        other.remember_removed(removed)
        try:
            asked = [
                Target("1.2.1"),
                target(1, 1, 1),
                target(1, 1, 2),
                target(2, 1, 1),
                target(2, 1, 2),
                Target("1.2.3"),
            ]
            assert [other.was_deleted(one) for one in asked] == [False, False, True, True, False, False]
            add(other, entry(target(1, 1, 2)))
            assert not other.was_deleted(target(1, 1, 2))
        finally:
            other.close()

    def test_many_that_were_deleted_are_listed_once(self, index: Index) -> None:
        add(index, *(entry(target(1, 1, number)) for number in range(1, 1203)))
        index.remove(Target("1.2.1"))
        removed = list(index.removed())
        assert len(removed) == len(set(removed)) == 1204

    def test_what_was_sent_is_told_by_key(self, index: Index) -> None:
        plain, changed = entry(target(1, 1, 1)), entry(target(1, 1, 2), original_digest="ab" * 32)
        add(index, plain, changed)
        assert index.sent([plain.key, changed.key, "other"]) == {changed.key: Sent(changed.digest, "ab" * 32)}

    def test_a_group_whose_end_undoes_its_beginning(self, index: Index) -> None:
        """What is added and replaced within one transaction is counted once."""
        offered = [entry(target(1, 1, 1), content=text, Modality=text) for text in ("A", "B", "C")]
        assert [one.verdict for one in add(index, *offered)] == [Verdict.INSERT, Verdict.REPLACE, Verdict.REPLACE]
        answer = index.find(Query(level=STUDY)).datasets[0]
        assert (answer["00080061"]["Value"], answer["00201206"]["Value"], answer["00201208"]["Value"]) == (
            ["C"],
            [1],
            [1],
        )
        assert index.garbage() == [offered[0].key, offered[1].key]

    def test_sixteen_at_once_T11(self, index: Index, tmp_path: Path) -> None:
        other = self.open_index(tmp_path / "index")

        def store(number: int) -> list[Added]:
            mine = (index, other)[number % 2]
            return [mine.add(entry(target(1, 1, one)), refuse_nothing) for one in (1, 2, 3)]

        with ThreadPoolExecutor(16) as pool:
            added = [one for many in pool.map(store, range(16)) for one in many]
        assert sum(one.verdict is Verdict.INSERT for one in added) == 3
        assert sum(one.verdict is Verdict.SAME for one in added) == 45
        for one in (index, other):
            assert (one.counts().studies, one.counts().series, one.counts().instances) == (1, 1, 3)
            assert one.find(Query(level=STUDY)).datasets[0]["00201208"]["Value"] == [3]
        other.close()

    def test_whether_a_study_changed_is_told_by_the_last_change(self, index: Index) -> None:
        one, other = entry(target(1, 1, 1)), entry(target(2, 1, 1))
        assert index.changed("1.2.1", 0) == (0, False)
        add(index, one)
        first, is_changed = index.changed("1.2.1", 0)
        assert is_changed
        assert index.changed("1.2.1", first) == (first, False)
        add(index, other)
        second, is_changed = index.changed("1.2.1", first)
        assert (second > first, is_changed) == (True, False)
        assert index.changed("1.2.2", first) == (second, True)
        assert index.remove(Target("1.2.1")) == 1
        third, is_changed = index.changed("1.2.1", second)
        assert (third > second, is_changed) == (True, True)
        assert index.changed("1.2.1", third + 1) == (third, True)  # of an index that was there before

    def test_whether_there_was_any_change_is_told_at_once(self, index: Index, tmp_path: Path) -> None:
        assert index.is_quiet(0)
        add(index, entry(target(1, 1, 1)))
        last, _ = index.changed("1.2.1", 0)
        assert (index.is_quiet(0), index.is_quiet(last), index.is_quiet(last + 1)) == (False, True, False)
        other = self.open_index(tmp_path / "index")
        add(other, entry(target(2, 1, 1)))
        assert not index.is_quiet(last)
        other.close()
        index.close()
        assert not index.is_quiet(last)

    def test_the_journal_tells_every_change_in_order(self, index: Index) -> None:
        add(index, entry(target(1, 1, 1)))
        add(index, entry(target(1, 1, 2)), entry(target(1, 1, 1), content="other"), entry(target(1, 1, 2)))
        index.remove(target(1, 1, 2))
        changes = index.changes()
        assert [(change.kind.value, str(change.target.instance)[-1]) for change in changes] == [
            ("stored", "1"), ("stored", "2"), ("replaced", "1"), ("removed", "2"),
        ]  # fmt: skip
        assert index.changes(changes[1].number, 1) == changes[2:3]

    def test_keys(self, index: Index) -> None:
        entries = [entry(target(1, 1, number)) for number in range(1, 6)]
        add(index, *reversed(entries))
        assert list(index.keys()) == [(one.key, one.digest, one.size) for one in entries]
        assert index.known_keys([]) == set()

    def test_files_of_a_folder(self, index: Index) -> None:
        assert index.known_files() == {}
        first = FileRecord(path="a.dcm", size=1, mtime_ns=10**18, state=FileState.INDEXED, instance="1.2.1.1.1")
        second = FileRecord(path="b.dcm", size=1, mtime_ns=2, state=FileState.DUPLICATE, instance="1.2.1.1.1")
        third = FileRecord(path="ç/ü", size=3, mtime_ns=3, state=FileState.UNREADABLE, reason="ends early")
        fourth = FileRecord(path="notes.txt", size=4, mtime_ns=4, state=FileState.FOREIGN)
        add(index, entry(target(1, 1, 1), key="a.dcm"))
        index.record_files([first, second, third, fourth])
        assert index.known_files() == {one.path: one for one in (first, second, third, fourth)}
        assert list(index.problems()) == [second, fourth, third]
        assert index.file_counts() == dict.fromkeys(FileState, 1)
        changed = FileRecord(path="ç/ü", size=5, mtime_ns=5, state=FileState.FOREIGN)
        index.record_files([changed])
        assert index.known_files()["ç/ü"] == changed
        assert index.forget_files(["a.dcm", "notes.txt", "never.seen"]) == ["b.dcm"]
        assert index.counts().instances == 0
        assert index.garbage() == []
        assert not index.was_deleted(target(1, 1, 1))
        assert sorted(index.known_files()) == ["b.dcm", "ç/ü"]

    def test_a_file_replaces_itself_in_place(self, index: Index) -> None:
        add(index, entry(target(1, 1, 1), key="a.dcm"))
        version = index.metadata(Target("1.2.1"))[0]
        assert add(index, entry(target(1, 1, 1), key="a.dcm", content="changed"))[0].verdict is Verdict.REPLACE
        assert index.garbage() == []
        assert index.known_keys(["a.dcm"]) == {"a.dcm"}
        assert index.metadata(Target("1.2.1"))[0] != version

    def test_closed_and_opened_again(self, index: Index, tmp_path: Path) -> None:
        offered = entry(target(1, 1, 1))
        add(index, offered)
        index.close()
        index.close()
        for deed in (lambda: index.add(offered, refuse_nothing), lambda: index.find(Query(level=STUDY)), index.counts):
            with pytest.raises(errors.Unavailable):
                deed()
        again = self.open_index(tmp_path / "index")
        assert found(again, INSTANCE) == ["1.1.1"]
        again.close()
