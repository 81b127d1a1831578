"""What every Index must do with attributes of one's own choice: the same answers before, while and after."""

# ruff: noqa: D102 (a test is described by its name)

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dicomgate import errors
from dicomgate.dicom import attributes
from dicomgate.dicom.matching import AttributePath, Fuzzy, OneOf, Wildcard
from dicomgate.dicom.uids import Target
from dicomgate.index.base import ColumnState, Index
from dicomgate.testing.entries import entry, target
from dicomgate.testing.index_opened import INSTANCE, SERIES, STUDY, OpenedIndex, add, found, match


def path(text: str) -> AttributePath:
    """An attribute by its keywords."""
    parsed = attributes.parse_path(text)
    assert parsed is not None
    return parsed


def fill(index: Index) -> int:
    """Do all that is to be done; in how many steps."""
    return sum(1 for _ in index.fill())


def states(index: Index) -> list[tuple[str, ColumnState]]:
    """What was promoted, and how far it is."""
    return [(attributes.format_path(one.path), one.state) for one in index.promoted()]


class PromotingContract(OpenedIndex):
    """Subclasses give `open_index`."""

    def test_answers_are_the_same_before_while_and_after_it_is_promoted(self, index: Index) -> None:
        uid = "SourceImageSequence.ReferencedSOPInstanceUID"
        chosen = ("InstitutionName", "PatientAge", "OperatorsName", "Rows", uid)
        one: dict[str, Any] = {
            "InstitutionName": "North",
            "PatientAge": "054Y",
            "OperatorsName": ["Müller^Jörg", "Roe"],
            "Rows": 512,
        }
        source = [{"ReferencedSOPInstanceUID": "1.2.3"}, {"ReferencedSOPInstanceUID": "1.2.4"}]
        add(index, entry(target(1, 1, 1), **one), entry(target(2, 1, 1), Rows=64, SourceImageSequence=source))

        def check(*more: str) -> None:
            names = ["1.1", *(f"{study}.1" for study in more)]
            assert found(index, SERIES, match("InstitutionName", "North")) == names
            assert found(index, SERIES, match("InstitutionName", Wildcard("*ort*"))) == names
            assert found(index, STUDY, match("PatientAge", "054Y")) == ["1", *more]
            assert found(index, SERIES, match("OperatorsName", "muller^jorg")) == names
            assert found(index, SERIES, match("OperatorsName", Fuzzy(("jorg", "mull")))) == names
            assert found(index, SERIES, match("OperatorsName", Fuzzy(("jorg", "roe")))) == []
            assert found(index, INSTANCE, match("Rows", "512.0"), scope=Target("1.2.1")) == ["1.1.1"]
            assert found(index, INSTANCE, match("Rows", OneOf(("64",)))) == ["2.1.1"]
            assert found(index, INSTANCE, match(uid, "1.2.4")) == ["2.1.1"]

        check()
        assert all(index.promote(path(name)) for name in chosen)
        check()
        assert states(index) == [(name, ColumnState.BUILDING) for name in chosen]
        add(index, entry(target(3, 1, 1), **one))
        check("3")
        assert fill(index)
        assert states(index) == [(name, ColumnState.READY) for name in chosen]
        check("3")
        for name in chosen:
            index.demote(path(name))
        check("3")
        assert states(index) == [(name, ColumnState.LEAVING) for name in chosen]
        assert fill(index)
        assert states(index) == []
        check("3")
        assert not fill(index)

    def test_what_changes_meanwhile_is_right_afterwards(self, index: Index) -> None:
        index.promote(path("InstitutionName"))
        assert states(index) == [("InstitutionName", ColumnState.READY)]
        add(index, entry(target(1, 1, 1), key="b", InstitutionName="North"))
        add(index, entry(target(2, 1, 1), InstitutionName="North"))
        assert found(index, SERIES, match("InstitutionName", "North")) == ["1.1", "2.1"]
        add(index, entry(target(1, 1, 2), key="a", InstitutionName="South"))
        assert found(index, SERIES, match("InstitutionName", "North")) == ["2.1"]
        assert found(index, SERIES, match("InstitutionName", "South")) == ["1.1"]
        index.remove(target(1, 1, 2))
        assert found(index, SERIES, match("InstitutionName", "North")) == ["1.1", "2.1"]
        index.remove(Target("1.2.2"))
        assert found(index, SERIES, match("InstitutionName", "North")) == ["1.1"]

    def test_others_on_the_same_place_see_it(self, index: Index, tmp_path: Path) -> None:
        other = self.open_index(tmp_path / "index")
        add(index, entry(target(1, 1, 1), Rows=1))
        other.promote(path("Rows"))
        assert states(index) == [("Rows", ColumnState.BUILDING)]
        add(index, entry(target(1, 1, 2), Rows=1))
        assert fill(other)
        add(index, entry(target(1, 1, 3), Rows=1))
        assert found(other, INSTANCE, match("Rows", "1")) == ["1.1.1", "1.1.2", "1.1.3"]
        other.close()

    def test_promoted_twice_or_built_in_or_never(self, index: Index) -> None:
        assert index.promote(path("Rows"))
        assert not index.promote(path("Rows"))
        assert not index.promote(path("PatientName"))
        for name in ("Columns", "PatientName"):
            with pytest.raises(errors.NotFound):
                index.demote(path(name))

    @pytest.mark.parametrize("name", ["PixelData", "RequestAttributesSequence", "00191004", "RetrieveURL"])
    def test_what_cannot_be_promoted(self, index: Index, name: str) -> None:
        with pytest.raises(errors.Malformed):
            index.promote(path(name))
        assert states(index) == []
