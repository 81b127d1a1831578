"""A real archive behind the door on a real socket, and readers of what comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dicomgate import assembly, config
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances
from dicomgate.testing.serving import Reply, Served, serving

DATA = Path(__file__).parents[2] / "../shared/data"
J2K = "1.2.840.10008.1.2.4.90"
JPEG = "1.2.840.10008.1.2.4.50"
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
RELATED = 'multipart/related; type="application/dicom"; boundary=standard-boundary'


@dataclass(frozen=True)
class Part:
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __getitem__(self, name: str) -> str:
        return dict(self.headers)[name]


@dataclass(frozen=True)
class Service:
    served: Served

    @property
    def root(self) -> str:
        return f"{self.served.url}/dicomweb"

    def get(self, path: str, accept: str | None = None, method: str = "GET", **headers: str) -> Reply:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if accept is not None:
            fields["Accept"] = accept
        return self.served.ask(method, path.removeprefix(self.served.url), fields)

    def studies(self, path: str, accept: str | None = None, **headers: str) -> Reply:
        return self.get("/dicomweb" + path, accept, **headers)

    def post(self, *contents: bytes, study: str = "", **headers: str) -> Reply:
        body = b"".join(
            b"--standard-boundary\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n"
            for content in contents
        )
        path = f"/dicomweb/studies{'/' + study if study else ''}"
        fields = {"Content-Type": RELATED, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.served.ask("POST", path, fields, body + b"--standard-boundary--\r\n")

    def store(self, *contents: bytes) -> None:
        reply = self.post(*contents)
        assert reply.status == 200, reply.body


def path_of(target: Target) -> str:
    parts = [f"/studies/{target.study}"]
    if target.series:
        parts.append(f"series/{target.series}")
    if target.instance:
        parts.append(f"instances/{target.instance}")
    return "/".join(parts)


def parts_of(reply: Reply) -> list[Part]:
    """The parts of a multipart answer, read as the narrowest clients read it (V4, CLI-04, MP-08)."""
    content_type = reply.headers["content-type"]
    assert content_type.startswith("multipart/related; ")
    boundary = content_type.partition("boundary=")[2].split(";")[0].strip('"').encode()
    assert 20 <= len(boundary) <= 70
    delimiter = b"--" + boundary
    assert reply.body.startswith(delimiter + b"\r\n"), "the first line is the boundary"
    assert reply.body.endswith(b"\r\n" + delimiter + b"--\r\n")
    pieces = reply.body.removesuffix(b"\r\n" + delimiter + b"--\r\n").split(b"\r\n" + delimiter + b"\r\n")
    pieces[0] = pieces[0].removeprefix(delimiter + b"\r\n")
    return [_read_part(piece) for piece in pieces]


def _read_part(piece: bytes) -> Part:
    head, _, body = piece.partition(b"\r\n\r\n")
    assert len(head) < 1000
    assert head.startswith(b"Content-Type: ")
    headers = tuple(tuple(line.split(": ", 1)) for line in head.decode().split("\r\n"))
    part = Part(headers, body)
    if "Content-Length" in dict(headers):
        assert int(part["Content-Length"]) == len(body)
    return part


def values(dataset: dict[str, Any], tag: str) -> list[Any]:
    return dataset[tag].get("Value", [])


def found(reply: Reply) -> list[dict[str, Any]]:
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "application/dicom+json"
    return json.loads(reply.body)


def bulk_links(dataset: Any) -> list[str]:
    if isinstance(dataset, dict):
        here = [dataset["BulkDataURI"]] if "BulkDataURI" in dataset else []
        return here + [link for value in dataset.values() for link in bulk_links(value)]
    return [link for item in dataset for link in bulk_links(item)] if isinstance(dataset, list) else []


@pytest.fixture(scope="session")
def open_service(tmp_path_factory: pytest.TempPathFactory):
    """Starts a service over a fresh archive, with settings of one's own."""
    with ExitStack() as stack:

        def start(**sections: Any) -> Service:
            settings = config.Settings(**sections)
            application = assembly.application(settings, data=tmp_path_factory.mktemp("data"))
            return Service(stack.enter_context(serving(application)))

        yield start


@pytest.fixture(scope="session")
def service(open_service) -> Service:
    return open_service(store=config.Store(allow_delete=True))


@pytest.fixture(scope="session")
def strict(open_service) -> Service:
    return open_service(search=config.Search(strict=True))


@pytest.fixture(scope="session")
def native(service: Service) -> Iterator[tuple[Target, bytes]]:
    """One uncompressed single-frame instance, stored."""
    target = instances.new_target()
    content = instances.make(target)
    service.store(content)
    return target, content


FRAMES = [bytes([number]) * (100 + 2 * number) for number in range(1, 11)]


@pytest.fixture(scope="session")
def compressed(service: Service) -> tuple[Target, bytes]:
    """Ten frames of JPEG 2000 codestreams."""
    target = instances.new_target()
    content = instances.make(target, syntax=J2K, frames=[b"\xff\x4f\xff\x51" + frame for frame in FRAMES])
    service.store(content)
    return target, content


@pytest.fixture(scope="session")
def multiframe(service: Service) -> tuple[Target, bytes]:
    """Three native frames of 8 x 8 words."""
    target = instances.new_target()
    frames = [bytes([number, 0]) * 64 for number in range(3)]
    content = instances.make(target, frames=frames)
    service.store(content)
    return target, content


@pytest.fixture(scope="session")
def study(service: Service) -> Target:
    """Two series, of two instances and of one."""
    uid = instances.new_target().study
    first, second = instances.new_target(uid), instances.new_target(uid)
    again = instances.new_target(uid, first.series)
    service.store(*(instances.make(target) for target in (first, again, second)))
    return first
