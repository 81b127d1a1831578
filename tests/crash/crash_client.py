"""A caller that is sure of what it was told: an answer that is not whole is no answer."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from crash_instances import Specimen

_BOUNDARY = "7d1a9c64e0b24f0f"
_MULTIPART = re.compile(r'boundary="?([^";]+)')
_INSTANCE = re.compile(rb"(?i)content-location:[^\r\n]*/instances/([0-9.]+)")
OUT_OF_RESOURCES = 0xA700
OTHER_CONTENT = 0xC410


class Broken(Exception):
    """No whole answer: what was asked for may have been done or not."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the instances of one request, by UID."""

    status: int
    stored: frozenset[str]
    refused: dict[str, int]


class Client:
    """One connection, opened again when it was closed. Waiting too long is a TimeoutError, not Broken."""

    def __init__(self, port: int, *, timeout: float = 120.0) -> None:
        self.port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: Any = None) -> Answer:
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # he may answer before he heard us out
                self._connection.request(method, path, body, headers or {})
            response = self._connection.getresponse()
            content = response.read()
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException) as fault:
            self._connection.close()
            raise Broken from fault
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)

    def connect(self) -> int:
        """Open the connection now; our own port."""
        self._connection.connect()
        port: int = self._connection.sock.getsockname()[1]
        return port

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def store(self, specimens: Sequence[Specimen], study: str = "") -> Report:
        parts = [
            b"--%b\r\nContent-Type: application/dicom\r\n\r\n%b\r\n" % (_BOUNDARY.encode(), specimen.content)
            for specimen in specimens
        ]
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}',
            "Accept": "application/dicom+json",
        }
        path = f"/dicomweb/studies/{study}" if study else "/dicomweb/studies"
        answer = self.ask("POST", path, headers, b"".join(parts) + b"--%b--\r\n" % _BOUNDARY.encode())
        return parse_report(answer)

    def delete(self, path: str) -> int:
        return self.ask("DELETE", f"/dicomweb/{path}").status

    def search(self, path: str) -> list[dict[str, Any]]:
        answer = self.ask("GET", f"/dicomweb/{path}", {"Accept": "application/dicom+json"})
        assert answer.status in {200, 204}, (answer.status, answer.body[:300])
        return json.loads(answer.body) if answer.body else []

    def status(self, path: str) -> int:
        return self.ask("GET", f"/dicomweb/{path}", {"Accept": 'multipart/related; type="application/dicom"'}).status

    def metadata(self, path: str) -> list[dict[str, Any]]:
        answer = self.ask("GET", f"/dicomweb/{path}/metadata", {"Accept": "application/dicom+json"})
        assert answer.status in {200, 404, 410}, (answer.status, answer.body[:300])
        return json.loads(answer.body) if answer.status == 200 else []

    def digests(self, path: str) -> dict[str, str]:
        """SHA-256 of every instance of a study (series, instance), by UID; empty if there is none."""
        accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        answer = self.ask("GET", f"/dicomweb/{path}", {"Accept": accept})
        assert answer.status in {200, 404, 410}, (answer.status, answer.body[:300])
        return dict(_parts(answer)) if answer.status == 200 else {}


def parse_report(answer: Answer) -> Report:
    if answer.headers.get("content-type", "").startswith("application/dicom+json"):
        dataset = json.loads(answer.body)
        stored = frozenset(_uid(item) for item in _items(dataset, "00081199"))
        refused = {_uid(item): item["00081197"]["Value"][0] for item in _items(dataset, "00081198")}
        return Report(answer.status, stored, refused)
    assert answer.status >= 400, (answer.status, answer.body[:300])
    return Report(answer.status, frozenset(), {})


def value(dataset: dict[str, Any], tag: str) -> Any:
    values = dataset.get(tag, {}).get("Value")
    return values[0] if values else None


def _items(dataset: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    return dataset.get(tag, {}).get("Value", [])


def _uid(item: dict[str, Any]) -> str:
    uid = value(item, "00081155")
    assert isinstance(uid, str)
    return uid


def _parts(answer: Answer) -> list[tuple[str, str]]:
    found = _MULTIPART.search(answer.headers["content-type"])
    assert found is not None
    pieces = (b"\r\n" + answer.body).split(b"\r\n--" + found[1].encode())
    assert pieces[0] == b"", "text before the first part"
    assert pieces[-1].startswith(b"--"), "no end of the last part"
    parts = []
    for piece in pieces[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        instance = _INSTANCE.search(head)
        assert instance is not None
        parts.append((instance[1].decode(), hashlib.sha256(content).hexdigest()))
    assert len({uid for uid, _ in parts}) == len(parts), "an instance came twice"
    return parts
