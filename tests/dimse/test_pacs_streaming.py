"""What comes leaves at once, whoever only waits holds nobody up, and who has gone stops the work (RET-03, T20, T21)."""

from __future__ import annotations

import gzip
import json
import threading
import time
import zlib
from collections.abc import Callable, Iterator

import httpx2
import pytest
from pacs_made import MadePacs, over, running

pytestmark = pytest.mark.slow
WHOLE = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
JSON = {"Accept": "application/dicom+json", "Accept-Encoding": "identity"}


@pytest.fixture
def pacs() -> Iterator[MadePacs]:
    with running(MadePacs()) as made:
        yield made


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_small_instances_leave_when_they_are_there(pacs, tmp_path):
    """A kilobyte does not wait for the megabyte that a step may have."""
    study, series = pacs.fill(4)
    pacs.waits_after = 2
    with (
        over(pacs.port, tmp_path / "kept") as caller,
        caller.stream("GET", f"/studies/{study}/series/{series}", headers=WHOLE) as answer,
    ):
        chunks = answer.iter_raw()
        seen = b""
        while seen.count(b"DICM") < 2:
            seen += next(chunks)
        assert _got(pacs) == ["GET SERIES"], "the PACS still holds the rest back"
        pacs.go_on.set()
        seen += b"".join(chunks)
    assert seen.count(b"DICM") == 4
    assert seen.endswith(b"--\r\n")


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_metadata_leaves_instance_by_instance_while_others_come(pacs, tmp_path, coding):
    """What is there can be read at the other end, compressed or not; the whole is one JSON array."""
    study, series = pacs.fill(4)
    pacs.waits_after = 2
    path = f"/studies/{study}/series/{series}/metadata"
    asked = {**JSON, "Accept-Encoding": coding}
    with over(pacs.port, tmp_path / "kept", metadata_seconds=0.0) as caller:
        with caller.stream("GET", path, headers=asked) as answer:
            assert (answer.status_code, "etag" in answer.headers) == (200, False)
            chunks = answer.iter_raw()
            seen, plain = b"", b""
            while plain.count(b'"00080018"') < 2:
                seen += next(chunks)
                plain = zlib.decompressobj(31).decompress(seen) if coding == "gzip" else seen
            assert _got(pacs) == ["GET SERIES"], "the PACS still holds the rest back"
            pacs.go_on.set()
            seen += b"".join(chunks)
        told = json.loads(gzip.decompress(seen) if coding == "gzip" else seen)
        assert sorted(one["00200013"]["Value"][0] for one in told) == [1, 2, 3, 4]
        again = caller.get(path, headers=JSON)
        assert again.headers["etag"]
        assert sorted(again.json(), key=_number) == sorted(told, key=_number)
    assert pacs.asked.count("GET SERIES") == 1, "one retrieval for metadata and pixels"


def test_metadata_as_xml_leaves_so_too(pacs, tmp_path):
    study, series = pacs.fill(3)
    pacs.waits_after = 1
    asked = {"Accept": 'multipart/related; type="application/dicom+xml"', "Accept-Encoding": "identity"}
    with (
        over(pacs.port, tmp_path / "kept", metadata_seconds=0.0) as caller,
        caller.stream("GET", f"/studies/{study}/series/{series}/metadata", headers=asked) as answer,
    ):
        chunks = answer.iter_raw()
        seen = b""
        while b"</NativeDicomModel>" not in seen:
            seen += next(chunks)
        assert _got(pacs) == ["GET SERIES"], "the PACS still holds the rest back"
        pacs.go_on.set()
        seen += b"".join(chunks)
    assert seen.count(b"</NativeDicomModel>") == 3
    boundary = answer.headers["content-type"].partition("boundary=")[2].strip('"').encode()
    assert seen.split(b"--" + boundary)[0] == b"", "the first part begins without an empty line"
    assert seen.endswith(b"--" + boundary + b"--\r\n")


def test_of_what_the_pacs_lists_and_does_not_send_metadata_warns(pacs, tmp_path):
    """200, for viewers show nothing of a 206; and it is not kept by its caller, who would not ask again."""
    study, series = pacs.fill(3)
    pacs.withholds = 2
    with over(pacs.port, tmp_path / "kept") as caller:
        for path in (f"/studies/{study}/series/{series}/metadata", f"/studies/{study}/metadata"):
            answer = caller.get(path, headers=JSON)
            assert (answer.status_code, len(answer.json())) == (200, 2)
            assert "1 instances could not be had" in answer.headers["Warning"]
            assert "etag" not in answer.headers


def test_what_turns_out_to_be_lacking_when_others_have_left_breaks_the_answer_off(pacs, tmp_path):
    """Nobody may take it for the whole; who asks again is told before."""
    study, series = pacs.fill(4)
    pacs.withholds, pacs.waits_after = 4, 2
    path = f"/studies/{study}/series/{series}"
    with over(pacs.port, tmp_path / "kept") as caller:
        with caller.stream("GET", path, headers=WHOLE) as answer:
            assert answer.status_code == 200
            chunks = answer.iter_raw()
            assert next(chunks)
            pacs.go_on.set()
            with pytest.raises(httpx2.RemoteProtocolError):
                list(chunks)
        again = caller.get(path, headers=WHOLE)
        assert (again.status_code, again.content.count(b"DICM")) == (206, 3)


def test_a_study_in_part_is_206_whichever_series_lacks(pacs, tmp_path):
    study, _ = pacs.fill(2)
    pacs.fill(3, StudyInstanceUID=study)
    pacs.withholds = 3
    with over(pacs.port, tmp_path / "kept") as caller:
        assert caller.get(f"/studies/{study}/metadata").headers["Warning"]
        answer = caller.get(f"/studies/{study}", headers=WHOLE)
        assert (answer.status_code, answer.content.count(b"DICM")) == (206, 4)
        assert "1 instances could not be had" in answer.headers["Warning"]


def test_a_study_that_is_here_has_a_length_and_a_tag(pacs, tmp_path):
    study, _ = pacs.fill(2)
    pacs.fill(3, StudyInstanceUID=study)
    with over(pacs.port, tmp_path / "kept") as caller:
        first = caller.get(f"/studies/{study}", headers=WHOLE)
        assert (first.status_code, first.content.count(b"DICM"), "etag" in first.headers) == (200, 5, False)
        again = caller.get(f"/studies/{study}", headers=WHOLE)
        assert (again.status_code, again.content.count(b"DICM")) == (200, 5)
        assert again.headers["etag"]
        assert int(again.headers["content-length"]) == len(again.content)


def test_many_who_wait_for_a_slow_pacs_hold_up_nobody_else(pacs, tmp_path):
    """More of them than the server has threads for reading (T20)."""
    here = pacs.fill(2)
    coming = pacs.fill(2)
    with over(pacs.port, tmp_path / "kept") as caller:
        assert caller.get(f"/studies/{here[0]}/series/{here[1]}/metadata").status_code == 200
        pacs.waits_after = 0
        answers: list[int] = []

        def ask() -> None:
            with httpx2.Client(base_url=caller.base_url, timeout=60, trust_env=False) as other:
                answers.append(other.get(f"/studies/{coming[0]}/series/{coming[1]}", headers=WHOLE).status_code)

        waiting = [threading.Thread(target=ask) for _ in range(20)]
        for one in waiting:
            one.start()
        until(lambda: "GET SERIES" in pacs.asked[-1])
        for _ in range(20):
            assert caller.get(f"/studies/{here[0]}/series/{here[1]}", headers=WHOLE).status_code == 200
        assert not answers
        assert not pacs.go_on.is_set()
        pacs.go_on.set()
        for one in waiting:
            one.join()
    assert answers == [200] * 20
    assert pacs.asked.count("GET SERIES") == 2, "20 requests are one retrieval"


def test_who_leaves_ends_the_retrieval_and_what_came_stays(pacs, tmp_path):
    """The PACS is told to stop (T21); the next who asks gets the rest alone."""
    study, series = pacs.fill(200)
    pacs.pause = 0.05
    path = f"/studies/{study}/series/{series}"
    with over(pacs.port, tmp_path / "kept") as caller:
        with caller.stream("GET", path, headers=WHOLE) as answer:
            assert b"DICM" in next(answer.iter_raw())
        until(lambda: pacs.cancelled > 0)
        came = pacs.sent_in_last
        pacs.pause = 0.0
        assert len(caller.get(f"{path}/metadata").json()) == 200
    assert 0 < came < 200
    assert pacs.asked.count("GET SERIES") == 1
    assert pacs.sent_in_last == 200 - came


def _got(pacs: MadePacs) -> list[str]:
    return [one for one in pacs.asked if one.startswith("GET")]


def _number(dataset: dict) -> int:
    return dataset["00200013"]["Value"][0]
