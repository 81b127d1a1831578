"""Several processes store, replace, delete and correct in one data folder at once (D2, D4, D6, T10)."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from dicomgate import assembly, config, errors
from dicomgate.archive import replaced
from dicomgate.archive.archive import Archive
from dicomgate.dicom.matching import Query
from dicomgate.dicom.uids import Level, Target
from dicomgate.testing import instances

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

STUDIES = ("1.2.840.1", "1.2.840.2")
TARGETS = [
    Target(study, f"{study}.{series}", f"{study}.{series}.{number}")
    for study in STUDIES
    for series in (1, 2)
    for number in (1, 2, 3)
]
MANNERS: dict[str, dict[str, Any]] = {
    "replace": {"duplicates": "replace", "keep_originals": False},
    "versions": {"duplicates": "keep-versions", "other_patient": "coerce", "coerce": ("InstitutionName=Clinic",)},
    "refuse": {"other_patient": "coerce"},
}


def settings(manner: str) -> config.Settings:
    return config.Settings(store=config.Store(allow_delete=True, allow_update=True, **MANNERS[manner]))


def store(archive: Archive, chance: Random) -> None:
    attributes = {"PatientID": chance.choice(("P1", "P1", "P2")), "PatientComments": str(chance.randrange(4))}
    columns = 2100 if chance.random() < 0.05 else 8  # through the spool, or not
    content = instances.make(chance.choice(TARGETS), attributes=attributes, rows=columns, columns=columns)
    arrival = archive.spool.arrival()
    try:
        for start in range(0, len(content), 1 << 20):
            arrival.write(content[start : start + (1 << 20)])
        assert archive.origin.store is not None
        archive.origin.store.accept(arrival)
    finally:
        arrival.discard()


def delete(archive: Archive, chance: Random) -> None:
    target = chance.choice(TARGETS)
    assert archive.origin.delete is not None
    archive.origin.delete.delete(chance.choice((target, Target(target.study, target.series), Target(target.study))))


def correct(archive: Archive, chance: Random) -> None:
    patient = {"vr": "LO", "Value": [chance.choice(("P1", "P2"))]}
    archive.corrector.update(chance.choice(STUDIES), {"00100020": patient})


def read(archive: Archive, chance: Random) -> None:
    with archive.origin.retrieve.retrieve(Target(chance.choice(STUDIES))) as found:
        for instance in found:
            for _ in instance.file():
                pass


def sweep(archive: Archive, chance: Random) -> None:
    archive.sweep()


def work(data: Path, manner: str, seed: int) -> None:
    """The life of one process: it opens the archive twice."""
    replaced._GRACE = 0.01
    chance = Random(seed)
    for _ in range(2):
        with assembly.open_archive(data, settings(manner)) as archive:
            for _ in range(35):
                deed = chance.choices((store, delete, correct, read, sweep), (10, 3, 3, 2, 1))[0]
                with suppress(errors.NotFound, errors.Gone, errors.Unavailable):  # others were quicker
                    deed(archive, chance)


def everything(archive: Archive) -> list[Any]:
    found = [list(archive.search(Query(level=level, relational=True, include_all=True)).datasets) for level in Level]
    rows = [row for study in STUDIES for row in archive.index.locate(Target(study))]
    versions = [[(one.digest, one.why) for one in archive.index.versions(row.target)] for row in rows]
    return [*found, archive.counts(), [row.digest for row in rows], versions]


@pytest.mark.parametrize("manner", MANNERS)
def test_what_many_processes_leave_is_whole_and_rebuilt_the_same_D2_D4_D6(tmp_path: Path, manner: str) -> None:
    data, seed = tmp_path / "data", Random().randrange(1 << 32)
    print(f"seed {seed}")
    command = [sys.executable, __file__, str(data), manner]
    processes = [subprocess.Popen([*command, str(seed + number)], stderr=subprocess.PIPE) for number in range(3)]
    said = [process.communicate()[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * 3, said
    with assembly.open_archive(data, settings(manner)) as archive:
        archive.sweep()
        assert list(archive.verify(lambda _: None)) == []
        assert set(archive.blobs.keys()) == {key for key, _, _ in archive.index.keys()}  # noqa: SIM118
        assert archive.index.garbage() == []
        for name in ("spool", "corrections"):
            assert not list((data / name).glob("*"))
        before = everything(archive)
        for study in STUDIES:
            patients = {one["00100020"]["Value"][0] for one in before[2] if one["0020000D"]["Value"] == [study]}
            assert len(patients) <= 1, "a study of two patients"
    for path in data.glob("index.sqlite*"):
        path.unlink()
    assert list(assembly.rebuild(data, settings(manner), lambda _: None)) == []
    with assembly.open_archive(data, settings(manner)) as archive:
        assert everything(archive) == before


if __name__ == "__main__":
    work(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
