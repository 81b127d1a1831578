"""What is known of a kind of server, or what one says of itself, is gone by."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import httpx2
import pytest

from dicomgate import errors
from dicomgate.client import quirks, search
from dicomgate.client.async_archive import AsyncArchive
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.caller import Caller
from dicomgate.client.offered_services import Capabilities, read_capabilities
from dicomgate.client.request import Patience, warnings_of
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances

AZURE = "https://w-d.dicom.azurehealthcareapis.com/v2"
GOOGLE = "https://healthcare.googleapis.com/v1/projects/p/locations/l/datasets/d/dicomStores/s/dicomWeb"
AWS = "https://dicom-medical-imaging.us-east-1.amazonaws.com/datastore/1"
JSON = {"Content-Type": "application/dicom+json"}
INSTANCE = Target("1.2", "1.3", "1.4")


class Answers(httpx2.AsyncBaseTransport):
    """Stands where the network is: what would be asked of whom, without asking them."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked = answer, []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(f"{request.method} {request.url.path}?{request.url.query.decode()}")
        return self.answer(request)


def archive(root: str, answer: Any) -> tuple[AsyncArchive, Answers]:
    transport = Answers(answer)
    return AsyncArchive(AsyncCaller(root, transport=transport, patience=Patience(tries=1))), transport


def picture(request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, headers={"Content-Type": "image/jpeg"}, content=b"a picture")


def found(*uids: str) -> bytes:
    tags = ("0020000D", "0020000E", "00080018")
    return json.dumps([{tags[-1]: {"vr": "UI", "Value": [uid]}} for uid in uids]).encode()


def test_each_row_says_where_it_is_written_and_names_what_we_go_by() -> None:
    assert all(row.source and row.lacks <= {"wado-uri", "thumbnail", "capabilities"} for row in quirks.TABLE)
    names = [row.name if (row := quirks.find(root)) else None for root in (AZURE, GOOGLE, AWS, "http://127.0.0.1:1/d")]
    assert names == ["Azure Health Data Services", "Google Cloud Healthcare API", "AWS HealthImaging", None]
    assert quirks.find("https://s3.us-east-1.amazonaws.com/bucket") is None
    assert quirks.pages(AZURE) == [200, 100]
    assert quirks.pages(GOOGLE) == [1000, 200, 100]


@pytest.mark.parametrize(
    ("root", "address"),
    [
        ("http://h:8080/dcm4chee-arc/aets/DCM4CHEE/rs", "http://h:8080/dcm4chee-arc/aets/DCM4CHEE/wado"),
        ("http://h:8042/dicom-web", "http://h:8042/wado"),
    ],
)
def test_the_uri_services_of_others_are_where_they_are_looked_for(root: str, address: str) -> None:
    assert quirks.wado_uri(root) == address


def test_a_server_that_makes_no_small_pictures_is_asked_for_the_frame_at_once() -> None:
    asking, transport = archive(AZURE, picture)
    assert asyncio.run(asking.thumbnail(INSTANCE)) == b"a picture"
    assert [one.partition("?")[0].rsplit("/", 3)[1:] for one in transport.asked] == [["frames", "1", "rendered"]]


def test_what_is_known_to_be_lacking_is_not_asked_for() -> None:
    asking, transport = archive(GOOGLE, picture)
    with pytest.raises(errors.UpstreamFailed, match="no URI service"):
        asyncio.run(asking.wado_uri(INSTANCE))
    known = asyncio.run(asking.capabilities())
    assert (known.offered, transport.asked) == (None, [])
    assert known.quirk is not None


def test_a_server_that_does_not_send_series_is_asked_for_instances() -> None:
    contents = {one.instance: instances.make(one) for one in (instances.new_target("1.2", "1.3") for _ in range(3))}

    def answer(request: httpx2.Request) -> httpx2.Response:
        last = request.url.path.rpartition("/")[2]
        if last == "instances":
            is_first = b"offset=0" in request.url.query
            return httpx2.Response(200, headers=JSON, content=found(*contents) if is_first else b"[]")
        if last not in contents:
            return httpx2.Response(404)
        return httpx2.Response(200, headers={"Content-Type": "application/dicom"}, content=contents[last])

    asking, transport = archive(AWS, answer)

    async def read() -> list[bytes]:
        return [file.read() async for file in asking.files(Target("1.2", "1.3"))]

    assert sorted(asyncio.run(read())) == sorted(contents.values())
    assert not any(one.partition("?")[0].endswith("/series/1.3") for one in transport.asked)


def test_more_than_a_server_gives_is_told(caplog: pytest.LogCaptureFixture) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        offset = int(request.url.params["offset"])
        some = range(offset, min(offset + 1000, 10_000))
        return httpx2.Response(200, headers=JSON, content=found(*(f"1.{number}" for number in some)))

    async def count() -> int:
        return len([1 async for _ in search.find(AsyncCaller(AWS, transport=Answers(answer)), "/instances")])

    caplog.set_level(logging.WARNING, "dicomgate.client")
    assert asyncio.run(count()) == 10_000
    assert "no more than 10000 results" in caplog.text


def described(*templates: str) -> bytes:
    offered = [{"@path": one, "method": {"@name": "GET"}} for one in templates]
    return json.dumps({"application": {"resources": {"@base": "/", "resource": offered}}}).encode()


def test_the_names_of_parameters_do_not_matter() -> None:
    body = described("studies/{StudyInstanceUID}/metadata", "/studies{?query*,limit}")
    asking, _ = archive("http://a/d", lambda _: httpx2.Response(200, headers=JSON, content=body))
    known: Capabilities = asyncio.run(asking.capabilities())
    assert known.offers("GET", "studies/{study}/metadata") is True
    assert known.offers("GET", "studies") is True
    assert known.offers("GET", "studies/{study}/thumbnail") is False


def test_what_a_server_says_it_has_not_is_not_asked_for() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "OPTIONS":
            return httpx2.Response(200, headers=JSON, content=described("studies/{study}"))
        return picture(request)

    asking, transport = archive("http://a/d", answer)

    async def both() -> None:
        await asking.thumbnail(INSTANCE)
        await asking.capabilities()
        await asking.thumbnail(INSTANCE)

    asyncio.run(both())
    assert [one.partition("?")[0].rpartition("/")[2] for one in transport.asked] == ["thumbnail", "", "rendered"]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"application": 1}', b'{"application": {"resources": [1, {}]}}'])
def test_what_is_no_description_says_nothing(body: bytes) -> None:
    calls = AsyncCaller("http://a/d", transport=Answers(lambda _: httpx2.Response(200, content=body)))
    assert asyncio.run(read_capabilities(calls)).offered is None


def test_what_a_search_warns_of_is_told_once(server: Any, caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    said = "299 http://h/d: The fuzzymatching parameter is not supported."
    more = "299 http://h/d: There are 5 additional results that can be requested"
    first = {**JSON, "Warning": f"{said}, {more}"}
    server.answers.extend([(200, first, found("1")), (200, first, found("2")), (204, {}, b"")])
    told: list[str] = []
    assert len(list(search.search(caller, "/instances", warn=told.append))) == 2
    assert told == ["The fuzzymatching parameter is not supported."]
    server.answers.extend([(200, first, found("1")), (204, {}, b"")])
    server.answers.popleft()
    list(search.search(caller, "/instances"))
    assert "fuzzymatching" in caplog.text


def test_what_a_warning_says_is_short_and_printable() -> None:
    texts = warnings_of({"warning": '299 - "a\x1b[2Jb"'})
    assert texts == ["a?[2Jb"]
    assert [len(text) for text in warnings_of({"warning": ", ".join(["299 x: " + "w" * 10_000] * 100)})] == [300] * 8
    assert warnings_of({}) == warnings_of({"warning": ""}) == warnings_of({"warning": "299 x"}) == []
