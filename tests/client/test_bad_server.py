"""A thousand instances from a server that resets, truncates, lies about lengths, asks to come later, ignores offsets,
sends elsewhere, forgets its boundary and repeats itself: all come whole and once, or are reported."""

from __future__ import annotations

import collections
import json
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

import dicomgate
from dicomgate import config, errors
from dicomgate.client.request import Patience
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances

pytestmark = pytest.mark.slow

SERIES, EACH = 10, 100
FAULTS = ("reset", "later", "busy", "short", "short without length", "too long", "no boundary", "twice", "elsewhere")
PATIENCE = Patience(tries=8, first=0.001, longest=0.01)


class Bad(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].removeprefix("/dicomweb")
        path = path.removeprefix("/moved")
        server: Any = self.server
        with server.lock:
            server.asked[path] += 1
            is_spoilt = server.asked[path] <= 3 and server.chance.random() < server.rate
            fault = server.chance.choice(FAULTS) if is_spoilt else ""
            server.faults[fault] += 1
        try:
            kind, body = server.content(path)
        except KeyError:
            self.answer(404, "text/plain", b"")
            return
        self.spoil(fault, path, kind, body)

    def spoil(self, fault: str, path: str, kind: str, body: bytes) -> None:
        if fault == "reset":
            self.close_connection = True
        elif fault in ("later", "busy"):
            self.answer(429 if fault == "later" else 503, "text/plain", b"", ("Retry-After", "0"))
        elif fault == "elsewhere":
            self.answer(307, "text/plain", b"", ("Location", f"/dicomweb/moved{path}"))
        elif fault == "short":
            self.answer(200, kind, body[: 2 * len(body) // 3], length=len(body))
        elif fault == "short without length" and kind.startswith("multipart"):
            self.answer(200, kind, body[: 2 * len(body) // 3], ("Connection", "close"), length=None)
        elif fault == "too long":
            self.answer(200, kind, body, length=len(body) + 10)
        elif fault == "no boundary" and kind.startswith("multipart"):
            self.answer(200, "multipart/related", body)
        elif fault == "twice" and kind.startswith("multipart"):
            first = body.partition(b"\r\n--x")[0]
            self.answer(200, kind, first + b"\r\n" + body)
        else:
            self.answer(200, kind, body)

    def answer(self, status: int, kind: str, body: bytes, *headers: Any, length: int | None = -1) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers:
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(len(body) if length < 0 else length))
        self.end_headers()
        self.wfile.write(body)
        if length is None or length >= 0:
            self.close_connection = True

    def log_message(self, *arguments: Any) -> None:
        pass


class BadServer(ThreadingHTTPServer):
    """Has `SERIES` series of `EACH` instances; every search is answered whole, whatever its offset."""

    daemon_threads = True

    def __init__(self, files: dict[Target, bytes], seed: int) -> None:
        super().__init__(("127.0.0.1", 0), Bad)
        self.files, self.chance, self.rate = files, random.Random(seed), 0.7
        self.lock = threading.Lock()
        self.asked: collections.Counter[str] = collections.Counter()
        self.faults: collections.Counter[str] = collections.Counter()

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/dicomweb"

    def content(self, path: str) -> tuple[str, bytes]:
        words = path.strip("/").split("/")
        uids = dict(zip(words[::2], words[1::2], strict=False))
        fitting = [
            (target, content)
            for target, content in self.files.items()
            if uids.get("studies", target.study) == target.study
            and uids.get("series", target.series) == target.series
            and uids.get("instances", target.instance) == target.instance
        ]
        if not fitting:
            raise KeyError(path)
        if len(words) % 2:
            depth = {"studies": 1, "series": 2, "instances": 3}[words[-1]]
            every = {(one.study, one.series, one.instance)[:depth]: None for one, _ in fitting}
            tags = ("0020000D", "0020000E", "00080018")
            found = [{tag: {"vr": "UI", "Value": [uid]} for tag, uid in zip(tags, one, strict=False)} for one in every]
            return "application/dicom+json", json.dumps(found).encode()
        parts = [b"--x\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n" for _, content in fitting]
        return 'multipart/related; type="application/dicom"; boundary=x', b"".join(parts) + b"--x--\r\n"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that breaks off is no matter."""


@pytest.fixture(scope="module")
def files() -> dict[Target, bytes]:
    made = {}
    study = instances.new_target()
    for _ in range(SERIES):
        series = instances.new_target(study.study)
        for _ in range(EACH):
            target = instances.new_target(study.study, series.series)
            made[target] = instances.make(target, rows=8, columns=8)
    return made


@pytest.fixture
def bad(files: Any) -> Any:
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    server = BadServer(files, seed)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_thousand_files_come_whole_or_are_reported_and_never_twice(bad: Any, files: Any, tmp_path: Any) -> None:
    folder = tmp_path / "out"
    with dicomgate.connect(bad.root, patience=PATIENCE, settings=config.Settings()) as archive:
        for _ in range(10):
            study = next(archive.find_studies())
            outcomes = archive.download(study, folder)
            come = {path.stem: path.read_bytes() for path in folder.rglob("*.dcm")}
            failed = {one.target.instance for outcome in outcomes for one in outcome.failures}
            assert all(files[target] == come[target.instance] for target in files if target.instance in come)
            if not any(outcome.failures for outcome in outcomes):
                break
            assert failed  # what is not there is told, by instance or by series
        print(dict(bad.faults))
        assert len(come) == SERIES * EACH
        before = bad.asked.copy()
        outcomes = archive.download(study, folder)
    assert sum(outcome.fetched for outcome in outcomes) == 0
    assert sum(outcome.there for outcome in outcomes) == SERIES * EACH
    assert all(path.endswith(("/series", "/instances")) for path in bad.asked - before)


def test_a_series_read_one_after_the_other_comes_whole_and_once(bad: Any, files: Any) -> None:
    with dicomgate.connect(bad.root, patience=PATIENCE, settings=config.Settings()) as archive:
        for series in list(archive.find_series())[:3]:
            wanted = sorted(content for target, content in files.items() if target.series == series.target.series)
            assert sorted(file.read() for file in archive.files(series)) == wanted


def test_what_never_comes_is_told_at_the_end(bad: Any, files: Any) -> None:
    bad.rate = 0.0
    lost = next(iter(files))
    bad.files = {target: content if target != lost else content[:200] for target, content in files.items()}
    with dicomgate.connect(bad.root, patience=PATIENCE, settings=config.Settings()) as archive:
        come: list[bytes] = []
        with pytest.raises(errors.UpstreamFailed, match=f"1 of {EACH} instances did not come"):
            come.extend(file.read() for file in archive.files(Target(lost.study, lost.series)))
    assert len(set(come)) == len(come) == EACH - 1
