"""Readers of what comes back from a real service, and the words that its tests share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from dicomgate.dicom.uids import Target
from dicomgate.testing.serving import Reply, Served

J2K = "1.2.840.10008.1.2.4.90"
JPEG = "1.2.840.10008.1.2.4.50"
EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
FRAMES = [bytes([number]) * (100 + 2 * number) for number in range(1, 11)]
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
