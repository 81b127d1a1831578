"""Over HTTP/2 the services answer as they do over HTTP/1.1 (GEN-01; PS3.18 §8.1.1, RFC 9113)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx2
import pytest
from standard_service import RELATED, Service, path_of

from dicomgate import assembly, config
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances
from dicomgate.testing.serving import PATIENCE, serving

RELATED_FRAMES = "multipart/related; type=application/octet-stream; transfer-syntax=*"
VIEWER = "http://localhost:3000"
_CHANGING = {"date", "connection", "transfer-encoding", "last-modified"}
"""The last is said as soon as it is certain, a moment after something was stored (RFC 9110 §8.8.2.2)."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The same archive for callers of both."""
    settings = config.Settings(
        server=config.Server(trusted_proxies=("127.0.0.1",)), store=config.Store(allow_delete=True)
    )
    application = assembly.application(settings, data=tmp_path_factory.mktemp("data"))
    with serving(application, http2=True) as served:
        yield Service(served)


@pytest.fixture(scope="module")
def caller(service: Service) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=service.root, http1=False, http2=True, timeout=PATIENCE) as client:
        yield client


@pytest.fixture(scope="module")
def stored(service: Service) -> Target:
    target = instances.new_target()
    service.store(instances.make(target, frames=[bytes([number, 0]) * 64 for number in range(3)]))
    return target


ASKED = {
    "search": ("GET", "/studies", {}),
    "preflight": ("OPTIONS", "/studies", {"Origin": VIEWER, "Access-Control-Request-Method": "POST"}),
    "capabilities": ("OPTIONS", "/", {"Accept": "application/json"}),
    "instance": ("GET", "{instance}", {}),
    "metadata": ("GET", "{instance}/metadata", {"Origin": VIEWER}),
    "its head": ("HEAD", "{instance}/metadata", {}),
    "frames": ("GET", "{instance}/frames/1,3", {"Accept": RELATED_FRAMES}),
    "a range": ("GET", "{instance}/frames/2", {"Accept": RELATED_FRAMES, "Range": "bytes=5-60"}),
    "ranges": ("GET", "{instance}/frames/2", {"Accept": RELATED_FRAMES, "Range": "bytes=5-60,70-80"}),
    "a range that is none": ("GET", "{instance}/frames/2", {"Accept": RELATED_FRAMES, "Range": "bytes=99999-"}),
    "a picture": ("GET", "{instance}/frames/1/rendered", {"Accept": "image/png"}),
    "nothing there": ("GET", "/studies/1.2.3/metadata", {"Origin": "https://evil.example"}),
    "nothing that is done": ("PATCH", "{instance}", {}),
    "nothing acceptable": ("GET", "{instance}/metadata", {"Accept": "image/jpeg"}),
    "a foreign name": ("GET", "/studies", {"Host": "evil.example"}),
    "a proxy's word": ("GET", "/studies", {"Host": "any.example", "Forwarded": "proto=https;host=any.example"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ASKED)
def test_the_answer_is_the_same_GEN_01(service: Service, caller: httpx2.Client, stored: Target, kind: str) -> None:
    method, path, headers = ASKED[kind]
    path = path.format(instance=path_of(stored))
    answer = caller.request(method, service.root + path, headers=headers)
    with httpx2.Client(timeout=PATIENCE) as plain:
        same = plain.request(method, service.root + path, headers=headers)
    assert (answer.http_version, same.http_version) == ("HTTP/2", "HTTP/1.1")
    assert answer.status_code == same.status_code
    assert _fields(answer) == _fields(same)
    assert answer.content == same.content


def test_what_is_known_is_not_sent_again(service: Service, caller: httpx2.Client, stored: Target) -> None:
    path = f"{service.root}{path_of(stored)}/metadata"
    tag = caller.get(path).headers["etag"]
    again = caller.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_what_is_stored_is_found_and_forgotten(service: Service, caller: httpx2.Client) -> None:
    """A body without a length, in pieces of any size."""
    target = instances.new_target()
    content = instances.make(target, rows=256, columns=256)
    body = (
        b"--standard-boundary\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--standard-boundary--\r\n"
    )
    pieces = (body[start : start + 1000] for start in range(0, len(body), 1000))
    stored = caller.post(f"{service.root}/studies", content=pieces, headers={"Content-Type": RELATED})
    assert stored.status_code == 200
    found = caller.get(f"{service.root}/studies", params={"StudyInstanceUID": target.study})
    assert [one["0020000D"]["Value"] for one in json.loads(found.content)] == [[target.study]]
    assert content in caller.get(f"{service.root}{path_of(target)}", headers={"Accept": "*/*"}).content
    assert caller.delete(f"{service.root}{path_of(target)}").status_code == 204
    assert caller.get(f"{service.root}{path_of(target)}").status_code == 410


def test_what_is_not_taken_is_refused_before_it_has_come(service: Service, caller: httpx2.Client) -> None:
    refused = caller.post(f"{service.root}/studies", content=bytes(100_000), headers={"Content-Type": "text/plain"})
    assert refused.status_code == 415
    assert caller.get(f"{service.root}/studies").status_code in {200, 204}


def _fields(answer: httpx2.Response) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in answer.headers.items() if name not in _CHANGING)
