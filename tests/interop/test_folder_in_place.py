"""`dicomgate serve FOLDER` answers as an archive does into which the same files were stored."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dicomweb_client import DICOMwebClient
from interop_corpus import DATA, Sample, batches, needs_data, read_corpus

from dicomgate.testing import instances, processes
from dicomgate.testing.processes import Running

pytestmark = [needs_data, pytest.mark.slow]

SERIES = DATA / "series"
PATIENCE = 200.0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("in-place")


@pytest.fixture(scope="module")
def surroundings(home: Path) -> dict[str, str]:
    """The index of a folder lies in the user's cache; here in one of the test's own."""
    return {"XDG_CACHE_HOME": str(home / "cache"), "DICOMGATE__FOLDER__WATCH_SECONDS": "0.3"}


@pytest.fixture(scope="module")
def folder(home: Path, surroundings: dict[str, str]) -> Iterator[Running]:
    before = listing(SERIES)
    with processes.running(data=SERIES, log=home / "folder.log", is_folder=True, environment=surroundings) as running:
        wait_for_instances(running, len(first_samples()))
        yield running
    assert listing(SERIES) == before, "nothing is written beside the files"


@pytest.fixture(scope="module")
def archive(home: Path) -> Iterator[Running]:
    with processes.running(data=home / "archive", log=home / "archive.log") as running:
        client = DICOMwebClient(running.root)
        for batch in batches(first_samples().values()):
            client._http_post_multipart_application_dicom(f"{running.root}/studies", [one.content() for one in batch])
        assert count(running) == len(first_samples())
        yield running


def listing(folder: Path) -> list[tuple[str, int, int]]:
    found = ((path, path.stat()) for path in folder.rglob("*"))
    return sorted((str(path), facts.st_size, facts.st_mtime_ns) for path, facts in found)


@functools.cache
def first_samples() -> dict[str, Sample]:
    """Of two files of one instance a folder serves the first by name."""
    found: dict[str, Sample] = {}
    for sample in sorted(read_corpus()[0], key=lambda sample: sample.path.as_posix()):
        if sample.path.is_relative_to(SERIES):
            found.setdefault(sample.target.instance or "", sample)
    return found


def count(running: Running) -> int:
    studies = DICOMwebClient(running.root).search_for_studies(get_remaining=True)
    return sum(study["00201208"]["Value"][0] for study in studies)


def wait_for_instances(running: Running, wanted: int, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while (seen := count(running)) != wanted:
        assert time.monotonic() < deadline, f"{seen} instances instead of {wanted}"
        time.sleep(0.2)


def comparable(answer: Any, running: Running) -> Any:
    """Links lead to their own server; all else must be the same."""
    return json.loads(json.dumps(answer).replace(running.url, "http://here"))


QUESTIONS = [
    ("studies", {}),
    ("series", {}),
    ("instances", {}),
    ("studies", {"ModalitiesInStudy": "CT"}),
    ("studies", {"StudyDate": "20100101-20201231"}),
    ("studies", {"PatientName": "*a*"}),
    ("studies", {"PatientID": "*1*", "StudyDescription": "*"}),
    ("series", {"Modality": "MR"}),
    ("instances", {"InstanceNumber": "1"}),
    ("instances", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}),
]


@pytest.mark.parametrize(("level", "question"), QUESTIONS, ids=str)
def test_the_same_questions_have_the_same_answers(
    folder: Running, archive: Running, level: str, question: dict[str, str]
) -> None:
    here, there = (
        comparable(
            getattr(DICOMwebClient(one.root), f"search_for_{level}")(search_filters=question, get_remaining=True), one
        )
        for one in (folder, archive)
    )
    assert here
    assert {_uid_of(one, level) for one in here} == {_uid_of(one, level) for one in there}
    wanted = {_uid_of(one, level): one for one in there}
    for answer in here:
        uid = _uid_of(answer, level)
        assert set(answer) == set(wanted[uid])
        for tag, element in answer.items():
            # Instances of one series may contradict each other; an answer says what one of them says.
            said = set().union(*(said_by(archive)[one, tag] for one in _uids_of(answer)))
            assert element == wanted[uid][tag] or {str(element), str(wanted[uid][tag])} <= said


def _uids_of(answer: dict[str, Any]) -> list[str]:
    """Of the study, and the series: an instance's answer has what is known of these, too."""
    return [str(answer[tag]["Value"][0]) for tag in ("0020000D", "0020000E") if tag in answer]


def _uid_of(answer: dict[str, Any], level: str) -> str:
    return str(answer[{"studies": "0020000D", "series": "0020000E", "instances": "00080018"}[level]]["Value"][0])


@functools.cache
def said_by(archive: Running) -> dict[tuple[str, str], set[str]]:
    """What the instances of each study and series say, by UID and attribute."""
    client = DICOMwebClient(archive.root)
    said = defaultdict(set)
    for study in client.search_for_studies(get_remaining=True):
        for tree in client.retrieve_study_metadata(study["0020000D"]["Value"][0]):
            for level in ("studies", "series", "instances"):
                for tag, element in tree.items():
                    said[_uid_of(tree, level), tag].add(str(element))
    return said


def test_the_same_metadata_in_the_same_order(folder: Running, archive: Running) -> None:
    here, there = DICOMwebClient(folder.root), DICOMwebClient(archive.root)
    for study in {sample.target.study for sample in first_samples().values()}:
        wanted = comparable(there.retrieve_study_metadata(study), archive)
        assert comparable(here.retrieve_study_metadata(study), folder) == wanted


def test_each_file_as_it_lies_there(folder: Running) -> None:
    for sample in first_samples().values():
        target = sample.target
        path = f"/dicomweb/studies/{target.study}/series/{target.series}/instances/{target.instance}"
        reply = folder.ask("GET", path, {"Accept": "application/dicom; transfer-syntax=*"})
        assert reply.status == 200
        assert reply.body == sample.content()


def test_storing_is_refused(folder: Running) -> None:
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + instances.make() + b"\r\n--b--\r\n"
    kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
    reply = folder.ask("POST", "/dicomweb/studies", kind, body)
    assert reply.status == 405
    assert "POST" not in reply.headers["allow"]


def test_what_comes_and_goes_is_seen_within_seconds(home: Path, surroundings: dict[str, str]) -> None:
    own = home / "own"
    shutil.copytree(SERIES / "sup157-tiny", own)
    with processes.running(data=own, log=home / "own.log", is_folder=True, environment=surroundings) as running:
        wait_for_instances(running, 5)
        target = instances.new_target()
        (own / "deep" / "er").mkdir(parents=True)
        (own / "deep" / "er" / "new file").write_bytes(instances.make(target))
        wait_for_instances(running, 6)
        first = running.ask("GET", f"/dicomweb/studies/{target.study}/metadata")
        replaced = own / "deep" / "aside"
        replaced.write_bytes(instances.make(target, attributes={"StudyDescription": "changed"}))
        replaced.replace(own / "deep" / "er" / "new file")
        deadline = time.monotonic() + PATIENCE
        while running.ask("GET", f"/dicomweb/studies/{target.study}/metadata").body == first.body:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        (own / "deep" / "er" / "new file").unlink()
        wait_for_instances(running, 5)
        assert running.ask("GET", f"/dicomweb/studies/{target.study}").status in {404, 410}


def test_second_start_reads_only_what_changed(home: Path, surroundings: dict[str, str]) -> None:
    own = home / "again"
    shutil.copytree(SERIES / "ct-ibsi-noise", own)
    wanted = sum(1 for path in own.rglob("*") if path.is_file())
    log = home / "again.log"
    with processes.running(data=own, log=log, is_folder=True, environment=surroundings) as running:
        wait_for_instances(running, wanted)
    for path in sorted(own.rglob("*"))[:-1]:
        facts = path.stat()
        path.write_bytes(b"\0" * facts.st_size)  # unseen, for neither size nor time tells
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with processes.running(data=own, log=log, is_folder=True, environment=surroundings) as running:
        assert count(running) == wanted, "answers at once from what it knows"
        time.sleep(3)
        assert count(running) == wanted


def test_problems_lists_what_cannot_be_served_and_why(home: Path, surroundings: dict[str, str]) -> None:
    own = home / "mixed"
    own.mkdir()
    target = instances.new_target()
    content = instances.make(target)
    (own / "good.dcm").write_bytes(content)
    (own / "z-copy.dcm").write_bytes(content)
    (own / "cut.dcm").write_bytes(content[:-10])
    (own / "no-study.dcm").write_bytes(instances.make(attributes={"StudyInstanceUID": ""}))
    (own / "notes.txt").write_text("no DICOM here")
    (own / "empty").write_bytes(b"")
    command = [sys.executable, "-m", "dicomgate", "serve", "--problems", str(own)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=home, env={**os.environ, **surroundings}
    )
    assert done.returncode == 0, done.stderr
    listed = {one["file"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert set(listed) == {"z-copy.dcm", "cut.dcm", "no-study.dcm", "notes.txt", "empty"}
    assert "are left" in listed["cut.dcm"]["why"]
    assert "Study Instance UID" in listed["no-study.dcm"]["why"]
    assert "same SOP Instance UID" in listed["z-copy.dcm"]["why"]
    assert all(one["why"] for one in listed.values())
