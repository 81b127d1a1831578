"""`dicomgate get` from a server that breaks off, resets, asks to come later, repeats itself and ignores offsets."""

import collections
import http.client
import http.server
import json
import random
import threading
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from dicomgate.cli import main
from dicomgate.testing import instances
from dicomgate.testing.processes import running

pytestmark = pytest.mark.slow

FAULTS = ("reset", "later", "busy", "short", "short without length", "no boundary", "twice", "none", "none", "none")


class Bad(http.server.BaseHTTPRequestHandler):
    """Passes on what a good server says, and spoils it now and then."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        address = urlsplit(self.path)
        pairs = [(name, value) for name, value in parse_qsl(address.query) if name != "offset"]
        good = http.client.HTTPConnection("127.0.0.1", self.server.good, timeout=100)
        headers = {name: self.headers[name] for name in ("Accept",) if name in self.headers}
        good.request("GET", f"{address.path}?{urlencode(pairs)}" if pairs else address.path, headers=headers)
        answer = good.getresponse()
        body, kind = answer.read(), answer.getheader("Content-Type", "")
        good.close()
        is_file = "dicom+json" not in kind
        with self.server.lock:
            fault = self.server.chance.choice(FAULTS if is_file else ("later", "busy", "none", "none"))
            self.server.spoilt[self.path] += fault != "none"
            fault = fault if self.server.spoilt[self.path] <= 3 else "none"  # so that it ends, whatever chance says
            self.server.seen.append(fault)
        self.spoil(fault, answer.status, kind, body)

    def spoil(self, fault, status, kind, body):
        is_multipart = kind.startswith("multipart")
        if fault == "reset":
            self.close_connection = True
            return
        if fault in ("later", "busy"):
            self.send_response(429 if fault == "later" else 503)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if fault == "no boundary" and is_multipart:
            kind = "multipart/related"
        if fault == "twice" and is_multipart:
            boundary = b"--" + kind.partition("boundary=")[2].strip('"').encode()
            first = body.partition(b"\r\n" + boundary)[0]
            body = first + b"\r\n" + body
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if fault == "short without length":
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        is_short = fault.startswith("short")
        self.wfile.write(body[: 2 * len(body) // 3] if is_short else body)
        self.close_connection = self.close_connection or is_short

    def log_message(self, *arguments):
        pass


@pytest.fixture
def bad(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for series in range(4):
        about = instances.new_target()
        for number in range(12):
            target = instances.new_target(about.study, about.series)
            content = instances.make(target, rows=64, columns=64, attributes={"InstanceNumber": number})
            (folder / f"{series}-{number}").write_bytes(content)
    assert main.run(["store", str(tmp_path / "data"), str(folder)]) == 0
    with running(data=tmp_path / "data", log=tmp_path / "log") as good:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bad)
        server.daemon_threads = True
        seed = random.SystemRandom().randrange(1 << 30)
        print("seed", seed)
        server.good, server.chance, server.lock, server.seen = good.port, random.Random(seed), threading.Lock(), []
        server.spoilt = collections.Counter()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        server.server_close()
        thread.join()


def test_all_comes_whole_or_is_reported(bad, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    stored = {path.read_bytes() for path in (tmp_path / "scans").iterdir()}
    where = f"http://127.0.0.1:{bad.server_address[1]}/dicomweb"
    for _ in range(10):
        code = main.run(["get", where, "--out", "out", "--jobs", "3"])
        found = [path.read_bytes() for path in (tmp_path / "out").rglob("*.dcm")]
        assert set(found) <= stored
        if code == main.DONE:
            break
        assert code == main.PARTLY
        report = (tmp_path / "out/dicomgate-report.jsonl").read_text().splitlines()
        assert all(json.loads(line)["why"] for line in report)
        assert len(found) < len(stored)
    print(len(bad.seen), "answers", {fault: bad.seen.count(fault) for fault in FAULTS})
    assert set(found) == stored
    assert len(found) == len(stored)
    before = len(bad.seen)
    capfd.readouterr()
    assert main.run(["get", where, "--out", "out"]) == main.DONE
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert sum(line["fetched"] for line in lines) == 0
    assert not set(bad.seen[before:]) - {"later", "busy", "none"}  # searches alone
