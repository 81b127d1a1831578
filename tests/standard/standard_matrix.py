"""What the tests of the reviewer's matrix share: asking a service as anybody does, and reading what it says strictly."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from standard_service import Service

from dicomgate.dicom.uids import Target
from dicomgate.testing.serving import Reply

DICOM, JSON, XML = "application/dicom", "application/dicom+json", "application/dicom+xml"
NATIVE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"
STORED, FAILED, OTHERS = "00081199", "00081198", "0008119A"


def results(reply: Reply) -> list[dict[str, Any]]:
    if reply.status == 204:
        assert reply.body == b""
        return []
    assert (reply.status, reply.headers["content-type"]) == (200, JSON), reply.body
    rows = json.loads(reply.body)
    assert isinstance(rows, list)
    assert rows, "nothing found is 204"
    return rows


def first(dataset: Mapping[str, Any], tag: str) -> Any:
    return dataset[tag]["Value"][0]


def related(parts: Sequence[tuple[Mapping[str, str], bytes]], boundary: str) -> bytes:
    body = b""
    for headers, content in parts:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        body += f"--{boundary}\r\n{head}\r\n".encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode()


def post(archive: Service, kind: str, *parts: tuple[Mapping[str, str], bytes], study: str = "") -> Reply:
    boundary = uuid.uuid4().hex
    path = f"/dicomweb/studies{'/' + study if study else ''}"
    headers = {"Content-Type": f'multipart/related; type="{kind}"; boundary={boundary}', "Accept": JSON}
    return archive.served.ask("POST", path, headers, related(parts, boundary))


def offer(archive: Service, *contents: bytes, study: str = "") -> Reply:
    return post(archive, DICOM, *(({"Content-Type": DICOM}, content) for content in contents), study=study)


def report(reply: Reply) -> dict[str, Any]:
    assert reply.headers["content-type"] == JSON
    said = json.loads(reply.body)
    assert isinstance(said, dict)
    return said


def reported(reply: Reply, tag: str) -> list[dict[str, Any]]:
    element = report(reply).get(tag, {"vr": "SQ"})
    assert element["vr"] == "SQ"
    return element.get("Value", [])


def uids(reply: Reply, tag: str) -> list[str]:
    return [first(one, "00081155") for one in reported(reply, tag)]


def reasons(reply: Reply) -> list[int]:
    failures = reported(reply, FAILED) + reported(reply, OTHERS)
    assert all(one["00081197"]["vr"] == "US" for one in failures)
    return [first(one, "00081197") for one in failures]


def retrieved(archive: Service, target: Target) -> Reply:
    path = f"/studies/{target.study}/series/{target.series}/instances/{target.instance}"
    return archive.studies(path, f"{DICOM}; transfer-syntax=*")
