"""The server that is attacked: how it is asked, and what must be true of it afterwards."""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hostile_files

from dicomgate.dicom.uids import Target
from dicomgate.testing import processes
from dicomgate.testing.processes import Running
from dicomgate.testing.serving import Reply

STUDIES = "/dicomweb/studies"
STORED = {"Accept": "application/dicom; transfer-syntax=*"}
BYTES = {"Accept": "application/octet-stream; transfer-syntax=*"}


@dataclass(frozen=True)
class Report:
    """An answer to a store, taken apart."""

    reply: Reply
    stored: list[str] = field(default_factory=list)
    failed: list[tuple[str, int]] = field(default_factory=list)
    others: list[int] = field(default_factory=list)

    @property
    def status(self) -> int:
        return self.reply.status

    @property
    def reasons(self) -> list[int]:
        return [*(reason for _, reason in self.failed), *self.others]

    @property
    def explanation(self) -> str:
        """What a person is told: the Warning header, or the detail of an error body."""
        if "warning" in self.reply.headers:
            return self.reply.headers["warning"].partition(": ")[2]
        return str(read_json(self.reply.body).get("detail", ""))


@dataclass(frozen=True)
class Victim:
    """The server that is attacked, and what is asked of it afterwards. Its log counts from `log_from` on."""

    running: Running
    log_from: int = 0

    def store(
        self, *contents: bytes, study: str = "", content_type: str = "application/dicom", boundary: str = ""
    ) -> Report:
        """Offer instances, one part each."""
        boundary = boundary or uuid.uuid4().hex
        body = b"".join(
            f"\r\n--{boundary}\r\nContent-Type: {content_type}\r\n\r\n".encode() + content for content in contents
        )
        return self.post(body + f"\r\n--{boundary}--\r\n".encode(), boundary=boundary, study=study)

    def post(self, body: bytes, *, boundary: str, study: str = "") -> Report:
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        path = f"{STUDIES}/{study}" if study else STUDIES
        return read_report(self.running.ask("POST", path, {"Content-Type": kind}, body))

    def get(self, path: str, headers: dict[str, str] | None = None) -> Reply:
        return self.running.ask("GET", path, headers)

    def file(self, target: Target) -> bytes:
        reply = self.get(path_of(target), STORED)
        assert reply.status == 200, reply.body
        return reply.body

    def count(self, target: Target) -> int:
        """Instances that a search finds of it."""
        return len(self.search(f"/instances?SOPInstanceUID={target.instance}"))

    def search(self, query: str) -> list[dict[str, Any]]:
        reply = self.get("/dicomweb" + query)
        assert reply.status in {200, 204}, reply.body
        return list(read_json(reply.body)) if reply.body else []

    def log(self) -> str:
        return self.running.log.read_bytes()[self.log_from :].decode()

    def bugs(self) -> list[str]:
        return [line for line in self.log().splitlines() if '"event":"error"' in line]

    def blobs(self) -> int:
        """Files under the data folder's blobs, whatever their names, but for the marks of running processes."""
        places = os.walk(self.running.data / "blobs")  # directories may go while they are looked through
        return sum(len(names) for place, _, names in places if Path(place).name != "open")

    def assert_sound(self) -> None:
        """It lives, takes and finds another instance, and what is on disk is what is listed; nothing half done."""
        assert self.running.is_alive
        assert self.get("/healthz").status == 200
        target = hostile_files.new_target()
        assert self.store(hostile_files.make(target)).status == 200
        assert self.count(target) == 1
        assert wait_until(lambda: not list((self.running.data / "spool").iterdir())), "something lies in the spool"
        assert wait_until(lambda: len({*self.counts(), self.blobs()}) == 1), f"{self.counts()}, {self.blobs()} files"
        assert self.bugs() == []

    def counts(self) -> tuple[int, int]:
        """Instances by the studies' counts and by a list; what callers who have gone had begun may still change both."""
        studies = self.search("/studies")
        return sum(study["00201208"]["Value"][0] for study in studies), len(self.search("/instances"))


def wait_until(is_so: Any, seconds: float = processes.PATIENCE) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_so():
            return True
        time.sleep(0.02)
    return bool(is_so())


def path_of(target: Target) -> str:
    return f"{STUDIES}/{target.study}/series/{target.series}/instances/{target.instance}"


def read_json(text: bytes) -> Any:
    """Strictly: no NaN tokens, no duplicate keys, valid UTF-8 (T8)."""

    def refuse(token: str) -> None:
        raise ValueError(token)

    def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    return json.loads(text.decode("utf-8"), parse_constant=refuse, object_pairs_hook=once)


def read_report(reply: Reply) -> Report:
    if reply.headers.get("content-type") != "application/dicom+json":
        return Report(reply)
    tree = read_json(reply.body)
    stored = [item["00081155"]["Value"][0] for item in tree.get("00081199", {}).get("Value", ())]
    failed = [
        (item["00081155"]["Value"][0], item["00081197"]["Value"][0])
        for item in tree.get("00081198", {}).get("Value", ())
    ]
    others = [item["00081197"]["Value"][0] for item in tree.get("0008119A", {}).get("Value", ())]
    return Report(reply, stored, failed, others)


def assert_clean_log(log: str) -> None:
    """T18: JSON lines but for the announcement, nothing of what callers sent, no line of theirs."""
    lines = [line for line in log.splitlines() if not re.match(r"(Web page|DICOMweb) +http://", line)]
    for line in lines:
        assert set(read_json(line.encode())) >= {"time", "event"}, line
    assert lines
    assert not re.search(r"Secret|passwd|script|evil|Injected", log)
