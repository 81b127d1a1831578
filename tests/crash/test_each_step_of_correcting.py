"""RET-09, D8: a correction killed before each single step leaves all the old or all the new, and nothing beside."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import orjson
import pytest
from crash_instances import LARGE, Maker
from test_each_step import Deed, Stepper, store
from test_each_step import stepper as stepper  # noqa: PLC0414 - a fixture

from dicomgate import assembly
from dicomgate.dicom.matching import Query
from dicomgate.dicom.uids import Level, Target

NEW = "CORRECTED"


def correct(study: str, patient: str = NEW) -> Deed:
    return {"do": "correct", "study": study, "patient": patient}


def observed(at: Stepper, study: str) -> set[str]:
    """The patients that search, metadata and files tell of, after a restart; whole and swept."""
    held = at.observed()
    told: set[str] = set()
    with assembly.open_archive(at.data, at.settings) as archive:
        for level in Level:
            query = Query(level=level, relational=True, include_all=True)
            told |= {one["00100020"]["Value"][0] for one in archive.search(query).datasets}
        _, texts = archive.origin.retrieve.metadata(Target(study))
        patients = [orjson.loads(text)["00100020"]["Value"][0] for text in texts]
        told |= set(patients)
        assert len(patients) == len(held)
        with archive.origin.retrieve.retrieve(Target(study)) as instances:
            for each in instances:
                content = b"".join(each.file())
                assert (NEW.encode() in content) == (NEW in patients)
                versions = archive.origin.versions.versions(each.facts.target)
                assert [one.why for one in versions][:-1] in ([], ["corrected"])
        assert not list((at.data / "corrections").glob("*"))
    assert len(told) == 1, f"half of a correction: {told}"
    return told


def filled(at: Stepper, chance: Random) -> str:
    maker = Maker(chance)
    study, series = maker.uid(), maker.uid()
    specimens = [maker.new(study, series), maker.new(study, series, LARGE), maker.new(study, maker.uid())]
    at.run([store(specimen) for specimen in specimens])
    at.keep()
    return study


@pytest.mark.parametrize("keeps", [True, False])
def test_killed_at_each_step_of_correcting_RET_09_D8(
    stepper: Callable[..., Stepper], chance: Random, keeps: bool
) -> None:
    at = stepper("refuse", keeps=keeps)
    study = filled(at, chance)
    (old,) = observed_before(at, study)
    seen = set()
    for step, told in at.killed_everywhere([correct(study)]):
        (patient,) = observed(at, study)
        assert patient in ({NEW} if told else {old, NEW}), f"killed before step {step}"
        seen.add(patient)
    assert seen == {old, NEW}


def observed_before(at: Stepper, study: str) -> set[str]:
    at.run([])
    return observed(at, study)


@pytest.mark.parametrize("keeps", [True, False])
def test_an_archive_without_its_index_is_rebuilt_whole_whenever_a_correction_was_killed_D6_D8(
    stepper: Callable[..., Stepper], chance: Random, keeps: bool
) -> None:
    at = stepper("refuse", keeps=keeps)
    study = filled(at, chance)
    (old,) = observed_before(at, study)
    for step, told in at.killed_everywhere([correct(study)]):
        for path in at.data.glob("index.sqlite*"):
            path.unlink()
        list(assembly.rebuild(at.data, at.settings, lambda size: None))
        (patient,) = observed(at, study)
        assert patient in ({NEW} if told else {old, NEW}), f"killed before step {step}"
