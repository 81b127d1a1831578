"""Every Index keeps earlier files of instances out of every answer, and forgets none when it counts and deletes."""

# ruff: noqa: D102, N802 (tests: the names say what they show, and which rule they guard)

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dicomgate.dicom.matching import Query
from dicomgate.dicom.uids import Target
from dicomgate.index.base import ChangeKind, Counts, Entry, Index, Judge, Superseded, Verdict
from dicomgate.testing.entries import entry, refuse_nothing, target
from dicomgate.testing.index_opened import INSTANCE, STUDY, OpenedIndex, add


def always(verdict: Verdict) -> Judge:
    """What is known is judged so, whatever is offered; what is not known is new."""
    return lambda around, _: Verdict.INSERT if around.instance is None else verdict


def corrected(old: Entry, **values: Any) -> tuple[str, Entry]:
    """A file that takes the place of one."""
    return old.key, entry(old.target, content=f"{old.key} corrected", original_digest=old.digest, **values)


class VersionsContract(OpenedIndex):
    """Superseding, correcting, and what becomes of the files that were there before."""

    def test_superseded_files_stay_as_versions_D4(self, index: Index) -> None:
        files = [entry(target(1, 1, 1), content=f"{number}", StudyDescription=f"{number}") for number in range(3)]
        assert [index.add(file, always(Verdict.SUPERSEDE)).verdict for file in files] == [
            Verdict.INSERT,
            Verdict.SUPERSEDE,
            Verdict.SUPERSEDE,
        ]
        versions = index.versions(files[0].target)
        assert [(one.number, one.key, one.digest) for one in versions] == [
            (1, files[0].key, files[0].digest),
            (2, files[1].key, files[1].digest),
        ]
        assert {one.why for one in versions} == {Superseded.REPLACED}
        row = index.find_row(files[0].target)
        assert row is not None
        assert row.key == files[2].key
        assert index.counts() == Counts(1, 1, 1, 1000, 2, 2000)
        found = index.find(Query(level=INSTANCE, relational=True, include_all=True)).datasets
        assert len(found) == 1
        assert [change.kind for change in index.changes()] == [
            ChangeKind.STORED,
            ChangeKind.REPLACED,
            ChangeKind.REPLACED,
        ]

    def test_versions_are_of_an_instance_at_its_address(self, index: Index) -> None:
        old, new = (entry(target(1, 1, 1), content=text) for text in "ab")
        index.add_many([old, new], always(Verdict.CORRECT))
        assert [one.why for one in index.versions(old.target)] == [Superseded.CORRECTED]
        assert index.versions(Target("1.2.2", old.target.series, old.target.instance)) == []
        assert index.versions(target(1, 1, 2)) == []

    def test_an_earlier_file_that_comes_late_is_a_version(self, index: Index) -> None:
        old, new = (entry(target(1, 1, 1), content=text) for text in "ab")
        add(index, new)
        added = index.add(old, always(Verdict.EARLIER))
        assert (added.is_stored, added.is_kept) == (False, True)
        row = index.find_row(new.target)
        assert row is not None
        assert row.key == new.key
        assert [one.key for one in index.versions(new.target)] == [old.key]

    def test_the_judge_hears_of_earlier_files_and_of_the_stored_attributes_T10(self, index: Index) -> None:
        seen = []

        def judge(around, offered):  # type: ignore[no-untyped-def]
            if around.instance is not None:
                seen.append((around.instance.earlier, around.instance.attributes()))
            return always(Verdict.SUPERSEDE)(around, offered)

        first = entry(target(1, 1, 1), content="a", original_digest="ab" * 32)
        second, third = (entry(target(1, 1, 1), content=text) for text in "bc")
        for one in (first, second, third):
            index.add(one, judge)
        assert seen == [
            (frozenset(), first.attributes),
            (frozenset({first.digest, "ab" * 32}), second.attributes),
        ]

    def test_keys_and_verify_know_earlier_files_D6(self, index: Index) -> None:
        files = [entry(target(1, 1, 1), content=f"{number}") for number in range(3)]
        other = entry(target(1, 1, 2))
        index.add_many([files[0], files[1], other, files[2]], always(Verdict.SUPERSEDE))
        every = sorted([*files, other], key=lambda one: one.key)
        assert list(index.keys()) == [(one.key, one.digest, one.size) for one in every]
        assert index.known_keys([*(one.key for one in every), "nobody"]) == {one.key for one in every}
        assert index.garbage() == []

    def test_a_delete_leaves_no_earlier_file_D7(self, index: Index) -> None:
        files = [entry(target(1, 1, 1), content=f"{number}") for number in range(3)]
        other = [entry(target(2, 1, 1), content=f"other {number}") for number in range(2)]
        index.add_many([*files, *other], always(Verdict.SUPERSEDE))
        assert index.remove(Target("1.2.1")) == 1
        assert set(index.garbage()) == {one.key for one in files}
        assert index.known_keys(one.key for one in files) == set()
        assert index.counts() == Counts(1, 1, 1, 1000, 1, 1000)

    def test_replacing_leaves_no_earlier_file(self, index: Index) -> None:
        files = [entry(target(1, 1, 1), content=f"{number}") for number in range(3)]
        index.add_many(files[:2], always(Verdict.SUPERSEDE))
        index.add(files[2], always(Verdict.REPLACE))
        assert set(index.garbage()) == {one.key for one in files[:2]}
        assert index.versions(files[0].target) == []

    def test_a_study_is_exchanged_at_once_RET_09(self, index: Index) -> None:
        places = [target(1, series, number) for series in (1, 2) for number in (1, 2)]
        olds = [entry(place, content=str(place)) for place in places]
        add(index, *olds, entry(target(2, 1, 1)))
        before, _ = index.metadata(Target("1.2.1"))
        news = [corrected(one, PatientID="P2") for one in olds]
        done = index.exchange("1.2.1", news, [one.key for one in olds], keep=True)
        assert (done.missing, done.unused, done.count) == ((), (), 4)
        assert {row.key for row in index.locate(Target("1.2.1"))} == {new.key for _, new in news}
        version, texts = index.metadata(Target("1.2.1"))
        assert version != before
        assert all(b'"P2"' in text for text in texts)
        attributes = index.study_attributes("1.2.1")
        assert attributes is not None
        assert attributes["00100020"]["Value"] == ["P2"]
        (study,) = (
            one
            for one in index.find(Query(level=STUDY, include_all=True)).datasets
            if one["0020000D"]["Value"] == ["1.2.1"]
        )
        assert study["00100020"]["Value"] == ["P2"]
        assert index.counts() == Counts(2, 3, 5, 5000, 4, 4000)
        assert [change.kind for change in index.changes()].count(ChangeKind.CORRECTED) == 4
        assert [one.why for one in index.versions(olds[0].target)] == [Superseded.CORRECTED]

    def test_without_keeping_what_was_exchanged_is_garbage(self, index: Index) -> None:
        old = entry(target(1, 1, 1))
        add(index, old)
        index.exchange("1.2.1", [corrected(old)], [old.key], keep=False)
        assert index.garbage() == [old.key]
        assert index.versions(old.target) == []

    def test_nothing_is_exchanged_while_an_instance_is_missing_D4(self, index: Index) -> None:
        old, late, same = (entry(target(1, 1, number)) for number in (1, 2, 3))
        add(index, old, late, same)
        new = corrected(old, PatientID="P2")
        assert index.exchange("1.2.1", [new], [old.key, same.key], keep=True).missing == (late.key,)
        row = index.find_row(old.target)
        assert row is not None
        assert row.key == old.key
        known = [old.key, late.key, same.key]
        assert index.exchange("1.2.1", [new, corrected(late, PatientID="P2")], known, keep=True).missing == ()

    def test_what_went_meanwhile_is_not_brought_back(self, index: Index) -> None:
        gone, stays = (entry(target(1, 1, number)) for number in (1, 2))
        add(index, gone, stays)
        index.remove(gone.target)
        news = [corrected(gone), corrected(stays)]
        done = index.exchange("1.2.1", news, [gone.key, stays.key], keep=True)
        assert (done.unused, done.count) == ((news[0][1].key,), 1)
        assert index.find_row(gone.target) is None

    def test_no_study_has_no_attributes(self, index: Index) -> None:
        assert index.study_attributes("1.2.1") is None
        one = entry(target(1, 1, 1), PatientID="P7")
        index.add(replace(one), refuse_nothing)
        assert index.study_attributes("1.2.1") == one.attributes
