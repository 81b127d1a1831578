"""A gateway over a PACS that is well or badly behaved: what callers get, and what the PACS is asked (PRX-01 to -07)."""

from __future__ import annotations

import socket
import threading

import pytest
from pacs_made import MadePacs, over, running, wrong

from dicomgate.testing import instances

WHOLE = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}


@pytest.fixture
def pacs():
    with running(MadePacs()) as made:
        yield made


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.slow
def test_what_was_seen_once_is_not_fetched_again_nor_after_a_restart(pacs, tmp_path):
    study, series = pacs.fill(3)
    path = f"/studies/{study}/series/{series}"
    for _ in range(2):
        with over(pacs.port, tmp_path / "kept") as caller:
            assert len(caller.get(f"{path}/metadata").json()) == 3
            before = len(pacs.asked)
            assert caller.get(path, headers=WHOLE).content.count(b"DICM") == 3
            assert caller.get(f"{path}/metadata").status_code == 200
            assert len(pacs.asked) == before, "a second viewing does not touch the PACS"
    assert pacs.asked.count("GET SERIES") == 1


@pytest.mark.slow
def test_a_changed_count_brings_what_is_missing_alone(pacs, tmp_path):
    study, series = pacs.fill(2)
    with over(pacs.port, tmp_path / "kept", check_seconds=0.0) as caller:
        path = f"/studies/{study}/series/{series}/metadata"
        assert len(caller.get(path).json()) == 2
        one = pacs.has[0]
        pacs.fill(1, StudyInstanceUID=one.StudyInstanceUID, SeriesInstanceUID=one.SeriesInstanceUID)
        assert len(caller.get(path).json()) == 3
        assert pacs.asked.count("GET SERIES") == 1
        assert pacs.asked.count("GET IMAGE") == 1
        pacs.has.clear()
        assert caller.get(path).status_code == 404, "what the PACS has no longer is gone here too"


@pytest.mark.slow
def test_the_first_instance_is_served_while_later_ones_still_come_in_one_retrieval(pacs, tmp_path):
    study, series = pacs.fill(4, side=1000)
    pacs.waits_after = 2
    path = f"/studies/{study}/series/{series}"
    with over(pacs.port, tmp_path / "kept") as caller, caller.stream("GET", path, headers=WHOLE) as answer:
        assert answer.status_code == 200
        chunks = answer.iter_raw()
        seen = b""
        while b"DICM" not in seen:
            seen += next(chunks)
        others = [threading.Thread(target=caller.get, args=(f"{path}/metadata",)) for _ in range(3)]
        for one in others:
            one.start()
        assert not pacs.go_on.is_set(), "the PACS still holds the rest back"
        pacs.go_on.set()
        seen += b"".join(chunks)
        for one in others:
            one.join()
    assert seen.count(b"DICM") == 4
    assert [one for one in pacs.asked if one.startswith("GET")] == ["GET SERIES"]


@pytest.mark.slow
def test_without_c_get_instances_come_by_c_move(tmp_path):
    port = free_port()
    with running(MadePacs(does_get=False, move_to=port)) as pacs:
        study, series = pacs.fill(3)
        with over(pacs.port, tmp_path / "kept", move_port=port, move_host="127.0.0.1") as caller:
            assert len(caller.get(f"/studies/{study}/series/{series}/metadata").json()) == 3
            pacs.knows_destination = False
            study, series = pacs.fill(1)
            refused = caller.get(f"/studies/{study}/series/{series}/metadata")
            assert refused.status_code == 502
            assert "does not know the move destination GATEWAY" in refused.json()["detail"]
    assert pacs.asked.count("MOVE SERIES") >= 1


@pytest.mark.slow
def test_a_pacs_that_goes_in_the_midst_is_asked_once_more_for_the_rest_then_it_is_502(pacs, tmp_path):
    study, series = pacs.fill(4)
    pacs.sends = 1
    with over(pacs.port, tmp_path / "kept") as caller:
        answer = caller.get(f"/studies/{study}/series/{series}/metadata")
        assert answer.status_code == 502
        assert "PACS" in answer.json()["detail"]
        pacs.sends = None
        assert len(caller.get(f"/studies/{study}/series/{series}/metadata").json()) == 4
    assert pacs.asked.count("GET SERIES") == 1
    assert pacs.asked.count("GET IMAGE") >= 2, "what came stayed"


@pytest.mark.slow
def test_what_the_pacs_lists_and_does_not_send_makes_the_answer_one_in_part_PRX_07(pacs, tmp_path):
    study, series = pacs.fill(3)
    pacs.withholds = 2
    path = f"/studies/{study}/series/{series}"
    with over(pacs.port, tmp_path / "kept") as caller:
        assert len(caller.get(f"{path}/metadata").json()) == 2
        answer = caller.get(path, headers=WHOLE)
        assert (answer.status_code, answer.content.count(b"DICM")) == (206, 2)
        assert "1 instances could not be had" in answer.headers["Warning"]


@pytest.mark.slow
def test_a_pacs_that_lies_about_its_counts_is_believed_once(pacs, tmp_path):
    study, series = pacs.fill(2)
    pacs.counts = 7
    with over(pacs.port, tmp_path / "kept", check_seconds=0.0) as caller:
        for _ in range(2):
            assert len(caller.get(f"/studies/{study}/series/{series}/metadata").json()) == 2
    assert [one for one in pacs.asked if one.startswith("GET")] == ["GET SERIES"]


@pytest.mark.slow
def test_searches_across_studies_ask_study_by_study_within_bounds(pacs, tmp_path):
    for number in range(3):
        pacs.fill(2, PatientID=f"P{number}", Modality="CT" if number else "MR")
    with over(pacs.port, tmp_path / "kept") as caller:
        assert len(caller.get("/series", params={"Modality": "CT"}).json()) == 2
        assert len(caller.get("/instances", params={"PatientID": "P1"}).json()) == 2
        page = caller.get("/studies", params={"limit": 1, "offset": 1})
        assert len(page.json()) == 1
        assert "1 additional" in page.headers["Warning"]
        study = page.json()[0]
        assert study["00201206"]["Value"] == [1]
        assert study["00201208"]["Value"] == [2]
        assert caller.get("/studies", params={"PatientID": "NOBODY"}).status_code == 204
    with over(pacs.port, tmp_path / "kept", fan_out=2) as caller:
        refused = caller.get("/series")
        assert refused.status_code == 413
        assert "narrow" in refused.json()["detail"]


@pytest.mark.slow
def test_store_goes_to_the_pacs_and_its_status_comes_back(pacs, tmp_path):
    kind = {"Content-Type": "application/dicom"}
    with over(pacs.port, tmp_path / "kept") as caller:
        assert caller.post("/studies", content=instances.make(), headers=kind).status_code == 200
        pacs.store_status = 0xA900
        failed = caller.post("/studies", content=instances.make(), headers=kind)
        assert failed.status_code == 409
        assert failed.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xA900]
    assert len(pacs.stored) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "status", "why"),
    [
        ("garbage", 502, "does not speak DICOM"),
        ("calling", 502, "does not know our title GATEWAY"),
        ("busy", 503, "as many associations are open"),
        ("abort", 502, "aborted"),
        ("silent", 504, "PACS said nothing"),
        ("nobody", 503, "no connection to PACS@127.0.0.1"),
    ],
)
def test_a_pacs_that_cannot_be_asked_is_502_503_or_504_with_the_reason(tmp_path, kind, status, why):
    server = wrong(kind)
    port = server.getsockname()[1]
    if kind == "nobody":
        server.close()
    with over(port, tmp_path / "kept", connect_seconds=0.3 if kind == "silent" else 20.0) as caller:
        for path in ("/studies", "/studies/1.2/series/1.3/metadata", "/studies"):
            answer = caller.get(path)
            assert (answer.status_code, why in answer.json()["detail"]) == (status, True), answer.text
    server.close()
