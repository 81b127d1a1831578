"""One instance, many senders, over HTTP and two worker processes: rules T10, T11, T12, and coercion beside them."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from standard_service import RELATED, Service, found, parts_of, path_of, values

from dicomgate import config
from dicomgate.dicom.outcomes import Reason
from dicomgate.testing import instances, processes
from dicomgate.testing.serving import Served

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

CLIENTS = 16
REFERENCED, FAILED, WARNING_REASON, ORIGINALS = "00081199", "00081198", "00081196", "04000561"


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory):
    folder: Path = tmp_path_factory.mktemp("two")
    coercing = {"DICOMGATE__STORE__COERCE": "IssuerOfPatientID=HOSPITAL"}
    with processes.running("--workers", "2", data=folder / "data", log=folder / "log", environment=coercing) as running:
        yield Service(Served(running.port))


def at_once(deed, count: int = CLIENTS) -> list:
    gate = threading.Barrier(count)

    def begin(number: int):
        gate.wait(100)
        return deed(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(begin, range(count)))


def test_sixteen_clients_store_the_same_instance_at_once_T11(two_workers: Service) -> None:
    target = instances.new_target()
    content = instances.make(target)
    replies = at_once(lambda _: two_workers.post(content))
    assert [reply.status for reply in replies] == [202] * CLIENTS  # coerced: B000
    assert all(len(json.loads(reply.body)[REFERENCED]["Value"]) == 1 for reply in replies)
    (study,) = found(two_workers.studies(f"/studies?StudyInstanceUID={target.study}"))
    assert (values(study, "00201206"), values(study, "00201208")) == ([1], [1])


def test_sixteen_clients_store_first_instances_of_one_new_study_at_once_T11(two_workers: Service) -> None:
    first = instances.new_target()
    targets = [instances.new_target(first.study, first.series if number % 2 else None) for number in range(CLIENTS)]
    replies = at_once(lambda number: two_workers.post(instances.make(targets[number])))
    assert [reply.status for reply in replies] == [202] * CLIENTS
    (study,) = found(two_workers.studies(f"/studies?StudyInstanceUID={first.study}"))
    assert values(study, "00201208") == [CLIENTS]
    assert values(study, "00201206") == [1 + CLIENTS // 2]
    assert len(found(two_workers.studies(f"/studies/{first.study}/metadata"))) == CLIENTS


def test_sixteen_contents_of_one_instance_at_once_T10_T11(two_workers: Service) -> None:
    target = instances.new_target()
    contents = [instances.make(target, attributes={"StudyDescription": f"{number}"}) for number in range(CLIENTS)]
    statuses = [reply.status for reply in at_once(lambda number: two_workers.post(contents[number]))]
    assert sorted(statuses) == [202] + [409] * (CLIENTS - 1)
    (metadata,) = found(two_workers.studies(path_of(target) + "/metadata"))
    assert values(metadata, "00081030") == [str(statuses.index(202))]


def test_the_same_again_is_success_other_content_is_not_T10(two_workers: Service) -> None:
    target = instances.new_target()
    content = instances.make(target)
    first = json.loads(two_workers.post(content).body)[REFERENCED]["Value"][0]
    assert values(first, WARNING_REASON) == [0xB000]
    assert first[ORIGINALS]["Value"][0]["04000550"]["Value"][0]["00100021"] == {"vr": "LO"}
    (stored,) = parts_of(two_workers.studies(path_of(target)))
    for _ in range(4):  # both workers
        again = json.loads(two_workers.post(content).body)[REFERENCED]["Value"][0]
        assert values(again, WARNING_REASON) == [0xB000]
    assert two_workers.post(stored.body).status == 200
    refused = json.loads(two_workers.post(instances.make(target, columns=16)).body)[FAILED]["Value"][0]
    assert values(refused, "00081197") == [Reason.OTHER_CONTENT]
    (after,) = parts_of(two_workers.studies(path_of(target)))
    assert after.body == stored.body


def test_a_preamble_that_could_run_is_cleared_and_the_file_known_again_T12(two_workers: Service) -> None:
    target = instances.new_target()
    content = b"MZ" + b"\x90" * 126 + instances.make(target)[128:]
    assert [two_workers.post(content).status for _ in range(2)] == [202, 202]
    (stored,) = parts_of(two_workers.studies(path_of(target)))
    assert stored.body[:132] == bytes(128) + b"DICM"


def test_a_used_up_quota_is_503_before_the_body_is_read_D3(open_service) -> None:
    content = instances.make()
    full = open_service(store=config.Store(quota_bytes=len(content)))
    full.store(content)
    body = b"--standard-boundary\r\nContent-Type: application/dicom\r\n\r\n" + instances.make()
    reply = full.served.ask("POST", "/dicomweb/studies", {"Content-Type": RELATED}, body)
    assert reply.status == 503
    assert int(reply.headers["retry-after"]) > 0
    assert full.studies("/studies").status == 200


def test_what_passes_the_quota_is_A700_and_503_D3(open_service) -> None:
    content = instances.make()
    small = open_service(store=config.Store(quota_bytes=len(content) + 100))
    reply = small.post(content, instances.make())
    assert reply.status == 202
    assert values(json.loads(reply.body)[FAILED]["Value"][0], "00081197") == [0xA700]
    smaller = open_service(store=config.Store(quota_bytes=100))
    reply = smaller.post(content)
    assert (reply.status, values(json.loads(reply.body)[FAILED]["Value"][0], "00081197")) == (503, [0xA700])
    assert reply.headers["retry-after"]
