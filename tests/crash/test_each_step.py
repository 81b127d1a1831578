"""D2, D8: storing, deleting, sweeping and rebuilding are killed before each single step; what was told stays true."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from crash_instances import LARGE, Maker, Specimen

from dicomgate import assembly, config, errors
from dicomgate.archive.archive import Archive
from dicomgate.dicom.uids import Target

PROGRAM = Path(__file__).with_name("crash_steps.py")
State = dict[str, str]  # digest by SOP Instance UID
Deed = dict[str, Any]


class Stepper:
    """Does deeds on copies of a data folder, killed where one wants."""

    def __init__(self, here: Path, duplicates: str, *, keeps: bool = True) -> None:
        self.base, self.data = here / "base", here / "data"
        self.base.mkdir()
        self.settings = config.read(
            environment={},
            options={"store.allow_delete": True, "store.duplicates": duplicates, "store.keep_originals": keeps},
        )
        self._program = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(self.data), duplicates, "keep" if keeps else "drop"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def close(self) -> None:
        self._program.communicate(timeout=120)

    def run(self, deeds: list[Deed], kill_at: int | None = None) -> dict[str, Any]:
        """On a fresh copy of the base."""
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.copytree(self.base, self.data)
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        print(json.dumps({"deeds": deeds, "kill_at": kill_at}), file=self._program.stdin, flush=True)
        done: dict[str, Any] = json.loads(self._program.stdout.readline())
        assert (done["signal"], done["code"]) in {(9, None), (0, 0)}, done
        return done

    def keep(self) -> None:
        """What lies there now is the next base."""
        shutil.rmtree(self.base)
        shutil.copytree(self.data, self.base)

    def killed_everywhere(self, deeds: list[Deed]) -> Iterator[tuple[str, int]]:
        """The step before which it was killed, and how many deeds had been told of; the folder lies there as it was."""
        steps = self.run(deeds)["steps"]
        assert steps, "nothing was done"
        for number, step in enumerate(steps):
            done = self.run(deeds, number)
            assert done["signal"] == 9, f"the steps are not the same each time: {step}"
            yield f"{number} {step}", len(done["facts"])

    def observed(self) -> State:
        """What the archive holds after a restart; everything about it was compared."""
        with assembly.open_archive(self.data, self.settings) as archive:
            archive.sweep()
            found = dict(_retrieve(archive))
            assert not list(archive.verify(lambda size: None))
            assert archive.counts().instances == len(found)
            assert not list((self.data / "spool").iterdir())
            assert not list(self.data.glob("blobs/*/*.part"))
            assert not list(self.data.glob("index.rebuilt*"))
        return found


def _retrieve(archive: Archive) -> Iterator[tuple[str, str]]:
    for study in {change.target.study for change in archive.index.changes(0, 1000)}:
        try:
            with archive.origin.retrieve.retrieve(Target(study)) as instances:
                listed = {each.facts.target.instance: each.facts.digest for each in instances}
        except errors.NotFound:
            listed = {}
        assert len(list(archive.origin.retrieve.metadata(Target(study))[1]) if listed else []) == len(listed)
        yield from ((uid, digest) for uid, digest in listed.items() if uid is not None)


@pytest.fixture
def stepper(here: Path) -> Iterator[Callable[[str], Stepper]]:
    made: list[Stepper] = []

    def make(duplicates: str = "refuse", *, keeps: bool = True) -> Stepper:
        made.append(Stepper(here, duplicates, keeps=keeps))
        return made[-1]

    yield make
    for each in made:
        each.close()


def store(specimen: Specimen) -> Deed:
    return {
        "do": "store",
        "content": base64.b64encode(specimen.content).decode(),
        "specimen": [specimen.uid, specimen.digest],
    }


def delete(target: Target) -> Deed:
    return {"do": "delete", "target": [target.study, target.series, target.instance]}


def states(start: State, deeds: list[Deed], specimens: list[Specimen], duplicates: str) -> list[State]:
    """What is held before the first deed and after each."""
    studies = {specimen.uid: specimen.target for specimen in specimens}
    found = [start]
    for deed in deeds:
        state = dict(found[-1])
        if deed["do"] == "store":
            uid, digest = deed["specimen"]
            if uid not in state or duplicates == "replace":
                state[uid] = digest
        elif deed["do"] == "delete":
            wanted = [part for part in deed["target"] if part]
            state = {
                uid: digest for uid, digest in state.items()
                if wanted != [studies[uid].study, studies[uid].series, uid][: len(wanted)]
            }  # fmt: skip
        found.append(state)
    return found


def check(stepper: Stepper, start: State, deeds: list[Deed], specimens: list[Specimen], duplicates: str) -> int:
    expected = states(start, deeds, specimens, duplicates)
    points = 0
    for step, told in stepper.killed_everywhere(deeds):
        assert stepper.observed() in expected[told : told + 2], f"killed before step {step}, {told} deeds told"
        points += 1
    stepper.run(deeds)
    assert stepper.observed() == expected[-1]
    return points


@pytest.mark.parametrize("duplicates", ["refuse", "replace"])
def test_killed_at_each_step_of_storing_and_deleting(
    stepper: Callable[[str], Stepper], chance: Random, duplicates: str
) -> None:
    maker, at = Maker(chance), stepper(duplicates)
    study, series = maker.uid(), maker.uid()
    first, second, third = (maker.new(study, series) for _ in range(3))
    other = maker.like(first.target)
    deeds = [
        store(first), store(first), store(other), store(second), store(third),
        delete(second.target), store(second), delete(Target(study)), store(first),
    ]  # fmt: skip
    points = check(at, {}, deeds, [first, second, third], duplicates)
    print(f"{points} points")
    assert points > 60


def test_killed_at_each_step_of_storing_what_went_through_the_spool(
    stepper: Callable[[str], Stepper], chance: Random
) -> None:
    maker, at = Maker(chance), stepper("refuse")
    large, small = maker.new(maker.uid(), maker.uid(), LARGE), maker.new(maker.uid(), maker.uid())
    check(at, {}, [store(large), store(small), delete(large.target)], [large, small], "refuse")


def test_killed_at_each_step_of_sweeping(stepper: Callable[[str], Stepper], chance: Random) -> None:
    """What a killed process left is cleared by one that is killed too, and so on."""
    maker, at = Maker(chance), stepper("replace")
    first, second = (maker.new(maker.uid(), maker.uid()) for _ in range(2))
    at.run([store(first), store(second)])
    at.keep()
    deeds = [store(maker.like(first.target)), delete(second.target), store(maker.new(maker.uid(), maker.uid()))]
    steps = at.run(deeds)["steps"]
    held: list[State] = []
    for number in [index for index, step in enumerate(steps) if step.startswith("SqliteIndex")]:
        at.run(deeds, number)
        at.keep()
        for step, _ in at.killed_everywhere([{"do": "sweep"}]):
            held.append(at.observed())
            assert held[-1] == held[0], f"{step}: a sweep changed what is stored"
        held.clear()
        shutil.rmtree(at.base)
        at.base.mkdir()
        at.run([store(first), store(second)])
        at.keep()


def test_killed_at_each_step_of_rebuilding(stepper: Callable[[str], Stepper], chance: Random) -> None:
    """Afterwards the old index answers or the new one does, and both alike; it can always be done again (D6, D8)."""
    maker, at = Maker(chance), stepper("refuse")
    study, series = maker.uid(), maker.uid()
    specimens = [maker.new(study, series) for _ in range(5)]
    gone = specimens.pop()
    deeds = [*map(store, specimens), store(gone), delete(gone.target)]
    told = [number for number, step in enumerate(at.run(deeds)["steps"]) if step == "SqliteIndex.forget_garbage done"]
    assert len(at.run(deeds, told[-1])["facts"]) == len(specimens) + 1  # killed: the index's log is not merged
    assert (at.data / "index.sqlite-wal").stat().st_size > 0
    at.keep()
    expected = {specimen.uid: specimen.digest for specimen in specimens}
    for step, _ in at.killed_everywhere([{"do": "reindex"}]):
        assert at.observed() == expected, f"killed before step {step}"
    done = at.run([{"do": "reindex"}])
    assert done["facts"] == [{"damages": []}]
    assert at.observed() == expected


def test_killed_at_each_step_of_replacing_a_damaged_index(stepper: Callable[[str], Stepper], chance: Random) -> None:
    """Until the new one is there nobody is answered from what is left of the old one."""
    maker, at = Maker(chance), stepper("refuse")
    specimens = [maker.new(maker.uid(), maker.uid()) for _ in range(3)]
    at.run([store(specimen) for specimen in specimens], 20)
    at.run([store(specimen) for specimen in specimens])
    for name in ("index.sqlite", "index.sqlite-wal"):
        (at.data / name).write_bytes(b"no database" * 1000)
    at.keep()
    expected = {specimen.uid: specimen.digest for specimen in specimens}
    for step, _ in at.killed_everywhere([{"do": "reindex"}]):
        try:
            assert at.observed() == expected, f"killed before step {step}"
        except errors.Fault:
            list(assembly.rebuild(at.data, at.settings, lambda size: None))
        assert at.observed() == expected, f"killed before step {step}"


def test_without_its_index_an_archive_is_not_swept_but_rebuilt(
    stepper: Callable[[str], Stepper], chance: Random
) -> None:
    """An empty index would take all that a killed server stored for left-overs."""
    maker, at = Maker(chance), stepper("refuse")
    specimens = [maker.new(maker.uid(), maker.uid()) for _ in range(3)]
    deeds = [store(specimen) for specimen in specimens]
    assert len(at.run(deeds, len(at.run(deeds)["steps"]) - 1)["facts"]) == len(specimens)
    for path in at.data.glob("index.sqlite*"):
        path.unlink()
    with pytest.raises(errors.Unavailable, match="reindex"):
        at.observed()
    list(assembly.rebuild(at.data, at.settings, lambda size: None))
    assert at.observed() == {specimen.uid: specimen.digest for specimen in specimens}


def test_a_rebuild_after_a_kill_brings_nothing_deleted_back(stepper: Callable[[str], Stepper], chance: Random) -> None:
    """D6, D7: also when nobody served, and swept, in between. What was never acknowledged may be there or not."""
    maker, at = Maker(chance), stepper("replace")
    study, series = maker.uid(), maker.uid()
    first, second, third = (maker.new(study, series) for _ in range(3))
    other = maker.like(first.target)
    at.run([store(first), store(second)])
    at.keep()
    start = {specimen.uid: specimen.digest for specimen in (first, second)}
    deeds = [store(third), store(other), delete(second.target)]
    expected = states(start, deeds, [first, second, third], "replace")
    for step, told in at.killed_everywhere(deeds):
        seen_before = _seen_without_sweep(at)
        list(assembly.rebuild(at.data, at.settings, lambda size: None))
        observed = at.observed()
        assert observed in expected[told : told + 2], f"killed before step {step}, {told} deeds told"
        gone = set(start) - set(seen_before)
        assert not gone & set(observed), f"killed before step {step}: what nobody saw any more came back"


def _seen_without_sweep(at: Stepper) -> State:
    with assembly.open_archive(at.data, at.settings) as archive:
        return dict(_retrieve(archive))
