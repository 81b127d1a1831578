"""Below the services: HTTP/1.0, refusals before a request is understood, and names that point here (GEN-01, V15, T16)."""

from __future__ import annotations

import json

import pytest
from standard_service import Service, path_of

from dicomgate import config
from dicomgate.testing import instances

VIEWER = "http://localhost:3000"


def heard(service: Service, said: bytes) -> tuple[bytes, dict[str, str], bytes]:
    """Everything until the connection closes: status line, fields, body."""
    with service.served.line() as line:
        line.say(said)
        stream = line.makefile("rb")
        content = stream.read()
    head, _, body = content.partition(b"\r\n\r\n")
    first, *fields = head.decode("latin-1").split("\r\n")
    return first.encode(), {name.lower(): value for name, value in (one.split(": ", 1) for one in fields)}, body


def test_http_1_0_gets_no_chunks_GEN_01_GEN_02(service: Service, native) -> None:
    path = f"/dicomweb{path_of(native[0])}/metadata"
    whole = service.get(path)
    for _ in range(2):  # streamed, and ready
        fresh = instances.new_target()
        service.store(instances.make(fresh))
        for asked in (path, f"/dicomweb{path_of(fresh)}/metadata"):
            status, fields, body = heard(service, f"GET {asked} HTTP/1.0\r\n\r\n".encode())
            assert status == b"HTTP/1.1 200 OK"
            assert "transfer-encoding" not in fields
            assert fields["connection"] == "close"
            assert len(json.loads(body)) == 1
            if "content-length" in fields:
                assert int(fields["content-length"]) == len(body)
    assert json.loads(whole.body)


@pytest.mark.slow
def test_a_long_answer_to_http_1_0_ends_with_the_connection_GEN_01(service: Service) -> None:
    study = instances.new_target().study
    targets = [instances.new_target(study) for _ in range(40)]
    service.store(*(instances.make(target, rows=256, columns=256) for target in targets))
    accept = "Accept: multipart/related; type=application/octet-stream; transfer-syntax=*"
    status, fields, body = heard(
        service, f"GET /dicomweb/studies/{study}/bulkdata HTTP/1.0\r\n{accept}\r\n\r\n".encode()
    )
    assert status == b"HTTP/1.1 200 OK"
    assert "transfer-encoding" not in fields
    boundary = fields["content-type"].partition("boundary=")[2].strip('"').encode()
    assert body.endswith(b"\r\n--" + boundary + b"--\r\n")
    assert body.count(b"--" + boundary + b"\r\n") == 40


def test_a_chunked_body_of_http_1_0_is_refused_GEN_01(service: Service) -> None:
    status, _, _ = heard(service, b"POST /dicomweb/studies HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert status == b"HTTP/1.1 400 Bad Request"


BROKEN = {
    "a field without a colon": b"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: %b\r\nA: b\r\nx y\r\n\r\n",
    "too many fields": b"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: %b\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: localhost\r\nOrigin: %b\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\nOrigin: %b\r\n\r\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_refused_early_is_readable_across_origins_too_V15_T15(service: Service, kind: str) -> None:
    status, fields, body = heard(service, BROKEN[kind] % VIEWER.encode())
    assert status[:12] in {b"HTTP/1.1 400", b"HTTP/1.1 431"}
    assert fields["access-control-allow-origin"] == VIEWER
    assert fields["vary"] == "Origin"
    assert fields["x-content-type-options"] == "nosniff"
    assert fields["content-security-policy"].startswith("default-src 'none'")
    assert json.loads(body)["status"] == int(status[9:12])
    _, fields, _ = heard(service, BROKEN[kind] % b"https://evil.example")
    assert "access-control-allow-origin" not in fields


OURS = [
    "localhost",
    "localhost:8104",
    "LOCALHOST",
    "127.0.0.1:1",
    "127.0.0.2",
    "[::1]:8104",
    "x.localhost",
    "localhost.",
]
FOREIGN = [
    "evil.example",
    "evil.example:8104",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "[::2]",
    "a b",
    "10.0.0.1",
]


@pytest.mark.parametrize("host", OURS)
def test_this_machine_has_its_own_names_T16(service: Service, host: str) -> None:
    assert service.studies("/studies", Host=host).status in {200, 204}


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_name_that_points_here_is_refused_T16(service: Service, host: str) -> None:
    for path in ("/dicomweb/studies", "/", "/wado", "/nothing"):
        reply = service.get(path, Host=host)
        assert reply.status in {400, 403}
        assert host.encode() not in reply.body


def test_further_names_are_a_setting_T16_V12(open_service) -> None:
    named = open_service(
        server=config.Server(allowed_hosts=("pacs.example",), public_url="https://images.example/base")
    )
    for host, status in (("pacs.example", 204), ("images.example:443", 204), ("other.example", 403)):
        assert named.studies("/studies", Host=host).status == status
    for everybody in (config.Server(no_auth=True), config.Server(host="0.0.0.0")):
        assert open_service(server=everybody).studies("/studies", Host="any.example").status == 204


def test_a_trusted_proxy_says_whom_the_caller_asked_T16(open_service) -> None:
    behind = open_service(server=config.Server(trusted_proxies=("127.0.0.1",)))
    assert behind.studies("/studies", Host="any.example").status == 403
    assert behind.studies("/studies", Host="any.example", Forwarded="proto=https;host=any.example").status == 204
