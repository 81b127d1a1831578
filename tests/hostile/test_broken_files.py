"""Every file under ../shared/data/broken ends as a failure of its own, or is stored and comes back byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile_victim import BYTES, STORED, Victim, read_json

from dicomgate.testing import processes

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "broken"
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())
PREAMBLE = 128
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

pytestmark = pytest.mark.skipif(not FILES, reason="no ../shared/data here")


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """A server that may delete, so that files of the same UID do not hide one another."""
    home = tmp_path_factory.mktemp("broken")
    with processes.running("--allow-delete", data=home / "data", log=home / "log") as running:
        yield Victim(running)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_is_refused_with_a_reason_or_kept_as_it_came(forgetful: Victim, path: Path) -> None:
    content = path.read_bytes()
    before = forgetful.running.memory()
    report = forgetful.store(content)
    assert report.status in {200, 400, 409}
    if report.status == 200:
        (uid,) = report.stored
        assert report.reasons == []
        read_everything(forgetful, uid, content)
        study = forgetful.search(f"/instances?SOPInstanceUID={uid}")[0]["0020000D"]["Value"][0]
        assert forgetful.running.ask("DELETE", f"/dicomweb/studies/{study}").status == 204
        assert forgetful.get(f"/dicomweb/studies/{study}").status == 410
    else:
        assert len(report.reasons) == 1
        assert report.explanation
    assert forgetful.bugs() == []
    assert forgetful.running.memory() - before < 64 << 20
    assert forgetful.search("/instances") == []


def read_everything(victim: Victim, uid: str, content: bytes) -> None:
    """Every way to read it works or is refused with a reason; the bytes are those that came."""
    (found,) = victim.search(f"/instances?SOPInstanceUID={uid}&includefield=all")
    study, series = found["0020000D"]["Value"][0], found["0020000E"]["Value"][0]
    place = f"/dicomweb/studies/{study}/series/{series}/instances/{uid}"
    reply = victim.get(place, STORED)
    assert reply.status == 200
    assert is_same_file(reply.body, content)
    (metadata,) = victim.search(place.removeprefix("/dicomweb") + "/metadata")
    assert metadata["00080018"]["Value"] == [uid]
    assert list(metadata) == sorted(metadata)
    for path in ("", "/frames/1", "/frames/2", "/bulkdata", "/pixeldata"):
        for accept in (
            "*/*",
            "application/dicom",
            'multipart/related; type="application/octet-stream"',
            BYTES["Accept"],
        ):
            answer = victim.get(place + path, {"Accept": accept})
            assert answer.status in {200, 404, 406}, (path, accept, answer.body)
            assert answer.status == 200 or read_json(answer.body)["detail"]
    for uri in links(metadata):
        answer = victim.get(uri.removeprefix(victim.running.url), {"Accept": "*/*"})
        assert answer.status in {200, 406}, uri
    query = f"requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={uid}&contentType=application/dicom"
    assert victim.get(f"/wado?{query}").status in {200, 406}
    assert victim.search(f"/studies?StudyInstanceUID={study}&includefield=all")
    assert victim.search(f"/series?SeriesInstanceUID={series}&includefield=all")


def links(tree: dict[str, Any]) -> Iterator[str]:
    for element in tree.values():
        if "BulkDataURI" in element:
            yield element["BulkDataURI"]
        for item in element.get("Value", ()) if element["vr"] == "SQ" else ():
            yield from links(item)


def is_same_file(got: bytes, sent: bytes) -> bool:
    """Only a preamble that could be a program's beginning is cleared (T12)."""
    if sent[PREAMBLE : PREAMBLE + 4] != b"DICM" or not any(sent[:PREAMBLE]) or sent.startswith(TIFF):
        return got == sent
    return got == bytes(PREAMBLE) + sent[PREAMBLE:]


def test_all_at_once_and_the_server_goes_on(victim: Victim) -> None:
    """In one body: each part for itself. Many share UIDs and contradict each other, so which are stored is open."""
    report = victim.store(*(path.read_bytes() for path in FILES))
    assert report.status == 202
    assert len(report.stored) + len(report.reasons) == len(FILES)
    assert report.stored
    for uid in report.stored:
        assert len(victim.search(f"/instances?SOPInstanceUID={uid}")) == 1


def test_memory_stays_bounded_over_many_rounds(forgetful: Victim) -> None:
    """What they cost is given back."""
    contents = [path.read_bytes() for path in FILES]
    forgetful.store(*contents)
    forgetful.running.forget_most()
    before = forgetful.running.memory()
    for _ in range(3):
        forgetful.store(*contents)
    assert forgetful.running.memory(at_most=True) - before < 64 << 20
    assert forgetful.bugs() == []
