"""STOW-RS to a PACS: each instance's outcome is what the PACS says of it, or why it was not asked (PRX-06)."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from pacs_made import MadePacs, over, running, wrong

from dicomgate.testing import instances

pytestmark = pytest.mark.slow
JPEG_2000 = "1.2.840.10008.1.2.4.90"
CT = "1.2.840.10008.5.1.4.1.1.2"
FAILED, REFERENCED, WHY = "00081198", "00081199", "00081197"


@pytest.fixture
def pacs() -> Iterator[MadePacs]:
    with running(MadePacs()) as made:
        yield made


def store(caller: httpx2.Client, *files: bytes) -> httpx2.Response:
    body = b"".join(b"--x\r\nContent-Type: application/dicom\r\n\r\n" + one + b"\r\n" for one in files) + b"--x--\r\n"
    kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=x'}
    return caller.post("/studies", content=body, headers=kind)


def test_what_the_pacs_does_not_take_is_named_and_the_others_are_stored(pacs, tmp_path):
    """A compressed transfer syntax, a class; neither costs the next one an association."""
    study = instances.new_target().study
    well = instances.make(instances.new_target(study))
    packed = instances.make(instances.new_target(study), syntax=JPEG_2000, frames=[b"\xff\x4f\xff\x51\0\0"])
    scan = instances.make(instances.new_target(study), attributes={"SOPClassUID": CT})
    with over(pacs.port, tmp_path / "kept") as caller:
        answer = store(caller, packed, well, scan)
        assert answer.status_code == 202
        told = answer.json()
    assert len(told[REFERENCED]["Value"]) == len(pacs.stored) == 1
    assert [one[WHY]["Value"] for one in told[FAILED]["Value"]] == [[0xC122], [0x0122]]
    said = " ".join(answer.headers.get_list("Warning"))
    assert f"PACS does not take JPEG 2000 Image Compression (Lossless Only) ({JPEG_2000})" in said
    assert f"PACS does not take CT Image Storage ({CT})" in said


def test_the_status_of_the_pacs_is_the_outcome(pacs, tmp_path):
    """Failures and warnings have one code space (PS3.4 Table B.2-1)."""
    with over(pacs.port, tmp_path / "kept") as caller:
        for status, http in ((0xA700, 503), (0xA900, 409), (0xC000, 400), (0x0122, 409), (0x0110, 409)):
            pacs.store_status = status
            answer = store(caller, instances.make())
            assert answer.json()[FAILED]["Value"][0][WHY]["Value"] == [status]
            assert answer.status_code in {http, 409}, (hex(status), answer.status_code)
        for status in (0xB000, 0xB006, 0xB007):
            pacs.store_status = status
            answer = store(caller, instances.make())
            assert answer.status_code in {200, 202}
            assert answer.json()[REFERENCED]["Value"][0]["00081196"]["Value"] == [status]


def test_a_pacs_that_cannot_be_reached_is_503_when_nothing_could_be_tried(tmp_path):
    server = wrong("nobody")
    port = server.getsockname()[1]
    server.close()
    with over(port, tmp_path / "kept") as caller:
        first = store(caller, instances.make())
        again = store(caller, instances.make())
    assert first.status_code == again.status_code == 503
    assert "no connection to PACS@127.0.0.1" in first.headers["Warning"]
    assert "no connection to PACS@127.0.0.1" in again.json()["detail"]


def test_what_was_stored_is_seen_by_the_next_search_and_retrieval(pacs, tmp_path):
    """What is kept of a study is compared with the PACS after something was stored into it."""
    study, series = pacs.fill(2)
    path = f"/studies/{study}/series/{series}"
    with over(pacs.port, tmp_path / "kept") as caller:
        assert len(caller.get(f"{path}/metadata").json()) == 2
        assert len(caller.get(f"{path}/instances").json()) == 2
        assert store(caller, instances.make(instances.new_target(study, series))).status_code == 200
        pacs.has.append(pacs.stored[-1])
        pacs.has[-1].file_meta = pacs.has[0].file_meta
        assert len(caller.get(f"{path}/instances").json()) == 3
        assert len(caller.get(f"{path}/metadata").json()) == 3
