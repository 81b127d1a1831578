"""Several processes on one data folder, and callers who contradict one another through all of them (T10, T11, T19)."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hostile_files as made
import pytest
from hostile_victim import Victim, path_of

from dicomgate.dicom.uids import Target
from dicomgate.testing import instances, processes

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

CLIENTS = 16


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Victim, Victim]]:
    """Two servers on one folder, one of them of three processes."""
    home = tmp_path_factory.mktemp("crowd")
    with (
        processes.running("--workers", "3", "--allow-delete", data=home / "data", log=home / "log") as many,
        processes.running("--allow-delete", data=home / "data", log=home / "other log") as one,
    ):
        yield Victim(many), Victim(one)


def at_once(deeds: int, deed: object) -> list[int]:
    gate = threading.Barrier(deeds)

    def start(number: int) -> int:
        gate.wait()
        return deed(number)  # type: ignore[operator]

    with ThreadPoolExecutor(deeds) as pool:
        return list(pool.map(start, range(deeds)))


def test_the_same_instance_at_once_is_one_row_T11(crowd: tuple[Victim, Victim]) -> None:
    for _ in range(10):
        target = made.new_target()
        content = made.make(target)
        assert set(at_once(CLIENTS, lambda n, it=content: crowd[n % 2].store(it).status)) == {200}
        for victim in crowd:
            (study,) = victim.search(f"/studies?StudyInstanceUID={target.study}")
            assert study["00201208"]["Value"] == [1]
            assert victim.file(target) == content


def test_first_instances_of_one_new_study_at_once_T11(crowd: tuple[Victim, Victim]) -> None:
    for _ in range(10):
        first = made.new_target()
        family = [Target(first.study, made.new_target().series, made.new_target().instance) for _ in range(CLIENTS)]
        contents = [made.make(target) for target in family]
        assert set(at_once(CLIENTS, lambda n, it=contents: crowd[n % 2].store(it[n]).status)) == {200}
        (study,) = crowd[0].search(f"/studies?StudyInstanceUID={first.study}")
        assert study["00201206"]["Value"] == [CLIENTS]
        assert study["00201208"]["Value"] == [CLIENTS]


def test_one_of_those_who_contradict_wins_whole_T10(crowd: tuple[Victim, Victim]) -> None:
    for _ in range(10):
        target = made.new_target()
        contents = [made.make(target, between=made.element(0x00081030, "LO", b"%04d" % n)) for n in range(CLIENTS)]
        statuses = at_once(CLIENTS, lambda n, it=contents: crowd[n % 2].store(it[n]).status)
        assert sorted(statuses) == [200] + [409] * (CLIENTS - 1)
        for victim in crowd:
            assert victim.file(target) == contents[statuses.index(200)]


def test_two_patients_cannot_share_a_new_study_T10(crowd: tuple[Victim, Victim]) -> None:
    for _ in range(10):
        study = made.new_target().study
        contents = [
            made.make(
                Target(study, made.new_target().series, made.new_target().instance),
                between=made.element(0x00100020, "LO", b"%d" % (n % 2)),
            )
            for n in range(CLIENTS)
        ]
        statuses = at_once(CLIENTS, lambda n, it=contents: crowd[n // 2 % 2].store(it[n]).status)
        even, odd = set(statuses[::2]), set(statuses[1::2])
        assert sorted([even, odd], key=max) == [{200}, {409}]


def test_stored_deleted_and_read_at_once_is_never_half_there(crowd: tuple[Victim, Victim]) -> None:
    """Every answer is one that some order of the deeds gives; no 5xx, and at the end file and row agree."""
    target = made.new_target()
    content = instances.make(target)

    def deed(number: int) -> int:
        victim = crowd[number % 2]
        seen = set()
        for _ in range(15):
            match number % 4:
                case 0:
                    seen.add(victim.store(content).status)
                case 1:
                    seen.add(victim.running.ask("DELETE", f"/dicomweb/studies/{target.study}").status)
                case 2:
                    reply = victim.get(path_of(target), {"Accept": "application/dicom; transfer-syntax=*"})
                    assert reply.status != 200 or reply.body == content
                    seen.add(reply.status)
                case _:
                    seen.add(victim.get(path_of(target) + "/metadata").status)
        return max(seen)

    assert max(at_once(CLIENTS, deed)) < 500
    crowd[0].store(content)
    assert crowd[1].file(target) == content


def test_afterwards_file_and_row_agree(crowd: tuple[Victim, Victim]) -> None:
    for victim in crowd:
        victim.assert_sound()
    command = [sys.executable, "-m", "dicomgate", "admin", "verify", str(crowd[0].running.data)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", ""])
def test_beyond_loopback_only_when_told_T19(tmp_path: Path, host: str) -> None:
    command = [
        sys.executable,
        "-m",
        "dicomgate",
        "serve",
        "--data",
        str(tmp_path / "data"),
        "--host",
        host,
        "--port",
        "0",
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 2
    assert "--no-auth" in done.stderr
    assert not (tmp_path / "data").exists()
