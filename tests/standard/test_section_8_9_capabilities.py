"""Capabilities: OPTIONS on the root and on any resource (PS3.18 §8.9; rows 51 and 52 of the reviewer's matrix)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from standard_service import Service

from dicomgate import config
from dicomgate.dicomweb import capabilities

WADL = "application/vnd.sun.wadl+xml"


def names(node: dict[str, Any]) -> set[str]:
    found = {method["@id"] for method in node.get("method", [])}
    return found.union(*(names(below) for below in node.get("resource", [])))


@pytest.fixture(scope="module")
def reading(open_service) -> Service:
    return open_service(store=config.Store(allow_delete=False))


def ask(service: Service, path: str, **headers: str):
    return service.studies(path, method="OPTIONS", **headers)


@pytest.mark.slow
@pytest.mark.parametrize("root", ["", "/"])
def test_the_root_tells_everything_row_51_CAP_01_CAP_02(service: Service, root: str) -> None:
    reply = ask(service, root, Accept="application/json")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    told = json.loads(reply.body)["application"]["resources"]
    assert told["@base"].endswith("/dicomweb")
    assert {step["@path"] for step in told["resource"]} == {
        "studies",
        "series",
        "instances",
        "enhanced",
        "classic",
    }
    assert {"StoreInstances", "DeleteInstance", "RetrieveRenderedFrames"} <= names(told)
    xml = ask(service, root, Accept=WADL)
    assert (xml.status, xml.headers["content-type"]) == (200, WADL)
    assert xml.body.count(b"<method ") == reply.body.count(b'"@id"')


def test_what_is_not_switched_on_is_not_told_CAP_03(service: Service, reading: Service) -> None:
    more, less = (
        names(json.loads(ask(each, "/", Accept="application/json").body)["application"]["resources"])
        for each in (service, reading)
    )
    assert more - less == {"DeleteStudy", "DeleteSeries", "DeleteInstance"}


def test_a_resource_tells_what_begins_there_CAP_05(service: Service) -> None:
    reply = ask(service, "/studies/1.2.3/series/4.5", Accept="application/json")
    assert reply.headers["allow"] == "GET, HEAD, DELETE, OPTIONS"
    told = names(json.loads(reply.body)["application"]["resources"])
    assert {"RetrieveSeries", "SearchForStudySeriesInstances", "RetrieveFrames"} <= told
    assert "RetrieveStudy" not in told


@pytest.mark.slow
def test_every_method_that_is_told_is_allowed_CAP_03(service: Service) -> None:
    for each in capabilities.transactions(lambda resource: ("GET",)):
        path = "/" + each.path
        for name in ("study", "series", "instance"):
            path = path.replace(f"{{{name}}}", "1.2.3")
        path = path.replace("{frames}", "1").replace("{bulkdata}", "7FE00010").replace("{version}", "1")
        assert service.studies(path).status in {200, 204, 404, 406}, path
        assert "GET" in ask(service, path).headers["allow"], path


def test_what_is_known_is_not_sent_again_CAP_01(service: Service) -> None:
    first = ask(service, "/")
    assert first.headers["content-type"] == WADL
    again = ask(service, "/", If_None_Match=first.headers["etag"])
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert ask(service, "/", Accept="image/png").status == 406


def test_a_preflight_is_none_of_it_row_52_CAP_05(service: Service) -> None:
    reply = ask(service, "/", Origin="http://localhost:3000", Access_Control_Request_Method="GET")
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["access-control-allow-origin"] == "http://localhost:3000"


def test_the_uri_service_tells_its_parameters_URI_01(service: Service) -> None:
    reply = service.get("/wado", "application/json", method="OPTIONS")
    assert (reply.status, reply.headers["allow"]) == (200, "GET, HEAD, OPTIONS")
    (method,) = json.loads(reply.body)["application"]["resources"]["resource"][0]["method"]
    told = {param["@name"] for param in method["request"]["param"]}
    assert {"requestType", "studyUID", "seriesUID", "objectUID", "contentType", "frameNumber"} <= told


def test_the_archive_with_a_directory_is_told_CAP_06(service: Service) -> None:
    told = ask(service, "/studies/1.2.3", Accept=WADL).body
    assert b'"application/zip' in told
    assert b"; dicomdir=true" in told
