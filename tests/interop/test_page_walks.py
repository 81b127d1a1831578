"""A walk over a thousand studies meets each exactly once while another process stores older and newer ones (V7, QIDO-17)."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from dicomweb_client import DICOMwebClient

from dicomgate.testing import instances, processes
from dicomgate.testing.processes import Running

pytestmark = pytest.mark.slow

STORER = Path(__file__).with_name("interop_storer.py")
STUDIES = 1000
UID = "0020000D"
Walk = Callable[[Running], list[str]]


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("walk")
    options = ("--workers", str(request.param))
    pages = {"DICOMGATE__SEARCH__MOST": "150"}  # so that who asks for all gets it in parts
    with processes.running(*options, data=home / "data", log=home / "log", environment=pages) as running:
        yield running


@pytest.fixture(scope="module")
def known(archive: Running) -> set[str]:
    """Of sixty years, some on the same day, in no order."""
    targets = [instances.new_target() for _ in range(STUDIES)]
    for start in range(0, STUDIES, 100):
        contents = [
            instances.make(target, rows=1, columns=1, attributes={"StudyDate": date_of(start + number)})
            for number, target in enumerate(targets[start : start + 100])
        ]
        parts = b"".join(b"--b\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n" for content in contents)
        kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
        assert archive.ask("POST", "/dicomweb/studies", kind, parts + b"--b--\r\n").status == 200
    return {target.study for target in targets}


def date_of(number: int) -> str:
    return f"{1980 + number * 7 % 60}{1 + number % 12:02}{1 + number % 5:02}"


@pytest.fixture
def storer(archive: Running) -> Iterator[Callable[[], int]]:
    """Another process that stores; called, it tells how many it has stored by now."""
    with subprocess.Popen(
        [sys.executable, str(STORER), str(archive.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"

        def stored() -> int:
            reply = archive.ask("GET", "/dicomweb/studies?PatientID=LATE*&limit=1")
            others = re.search(r"(\d+) additional", reply.headers.get("warning", ""))
            return 1 + (int(others[1]) if others else 0)

        yield stored
        process.stdin.close()
        process.stdout.read()
        assert process.wait(processes.PATIENCE) == 0


def by_the_client(**filters: str) -> Walk:
    """dicomweb-client as it is: page after page by offset until one is empty."""

    def walk(archive: Running) -> list[str]:
        found = DICOMwebClient(archive.root).search_for_studies(get_remaining=True, search_filters=filters)
        return [study[UID]["Value"][0] for study in found]

    return walk


def by_the_client_in_pages(limit: int) -> Walk:
    def walk(archive: Running) -> list[str]:
        found = DICOMwebClient(archive.root).search_for_studies(get_remaining=True, limit=limit)
        return [study[UID]["Value"][0] for study in found]

    return walk


def by_links(query: str) -> Walk:
    """Each page where the one before says, on a connection of its own: any worker may answer."""

    def walk(archive: Running) -> list[str]:
        found: list[str] = []
        address = f"{archive.root}/studies?{query}"
        while address:
            answer = requests.get(address, headers={"Accept": "application/dicom+json"}, timeout=processes.PATIENCE)
            if answer.status_code == 204:
                break
            assert answer.status_code == 200, answer.text
            found += [study[UID]["Value"][0] for study in answer.json()]
            address = answer.links.get("next", {}).get("url", "")
        return found

    return walk


WALKS = {
    "client": by_the_client(),
    "client, 40 at a time": by_the_client_in_pages(40),
    "client, by a range of dates": by_the_client(StudyDate="19800101-20391231"),
    "links": by_links(""),
    "links, 40 at a time": by_links("limit=40"),
    "links, newest first": by_links("limit=64&orderby=-StudyDate"),
    "links, a name": by_links("limit=33&PatientName=*o*&includefield=StudyDescription"),
}


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS.keys())
def test_each_study_exactly_once_while_another_process_stores(
    archive: Running, known: set[str], storer: Callable[[], int], walk: Walk
) -> None:
    met_in_between = 0
    for _ in range(20):
        before = storer()
        found = Counter(walk(archive))
        after = storer()
        assert not [uid for uid, times in found.items() if times > 1], "met twice"
        assert known <= found.keys(), f"{len(known - found.keys())} of {STUDIES} not met"
        assert STUDIES <= len(found) <= STUDIES + after + 1
        met_in_between += after - before
        if met_in_between > 20:
            return
    pytest.fail("the other process hardly stores")
