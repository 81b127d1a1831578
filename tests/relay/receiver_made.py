"""A STOW-RS server on a real socket that does what a test wants of it, and counts how often each instance came."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson

from dicomgate.dicom import header
from dicomgate.dicom.source import BytesSource


@dataclass
class Receiver:
    """What came, by instance. `decide` gives a code of refusal, or an HTTP status as a number below zero; None keeps it.

    `before` hears what a request holds, and may keep it waiting.
    """

    came: Counter[str] = field(default_factory=Counter)
    kept: dict[str, bytes] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)
    decide: Callable[[str], int | None] = lambda _: None
    before: Callable[[list[str]], object] = lambda _: None
    port: int = 0
    sock: socket.socket | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def silent(cls) -> Receiver:
        """One that refuses connections until it is `receiving`; nobody else is given its port meanwhile."""
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        return cls(port=sock.getsockname()[1], sock=sock)

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def store(self, files: list[bytes]) -> tuple[int, bytes]:
        self.before([_instance(file) for file in files])
        with self.lock:
            self.requests.append(len(files))
            said: dict[str, int | None] = {}
            for file in files:
                instance = _instance(file)
                self.came[instance] += 1
                said[instance] = self.decide(instance)
                if (said[instance] or 0) < 0:
                    return -(said[instance] or 0), b"{}"
            for file, (instance, code) in zip(files, said.items(), strict=True):
                if code is None:
                    self.kept[instance] = file
                    self.order.append(instance)
            return (200 if not any(said.values()) else 202), orjson.dumps(_report(said))


def _instance(file: bytes) -> str:
    target = header.read(BytesSource(file)).target
    assert target is not None
    return target.instance or ""


def _report(said: dict[str, int | None]) -> dict[str, object]:
    def item(instance: str, code: int | None) -> dict[str, object]:
        found: dict[str, object] = {"00081155": {"vr": "UI", "Value": [instance]}}
        if code is not None:
            found["00081197"] = {"vr": "US", "Value": [code]}
        return found

    good = [item(instance, None) for instance, code in said.items() if code is None]
    bad = [item(instance, code) for instance, code in said.items() if code is not None]
    report = {"00081199": good, "00081198": bad}
    return {tag: {"vr": "SQ", "Value": items} for tag, items in report.items() if items}


@contextmanager
def receiving(receiver: Receiver) -> Iterator[Receiver]:
    """While inside, it listens."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            boundary = self.headers["Content-Type"].partition("boundary=")[2].partition(";")[0].strip('"')
            parts = body.split(b"--" + boundary.encode())[1:-1]
            self.answer(*receiver.store([part.partition(b"\r\n\r\n")[2][:-2] for part in parts]))

        def do_GET(self) -> None:
            found = receiver.kept.get(self.path.rpartition("/")[2])
            if found is None:
                self.answer(404, b"")
                return
            body = b"--X\r\nContent-Type: application/dicom\r\n\r\n" + found + b"\r\n--X--"
            self.answer(200, body, 'multipart/related; type="application/dicom"; boundary=X')

        def answer(self, status: int, body: bytes, kind: str = "application/dicom+json") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False) as server:
        server.daemon_threads = True
        server.request_queue_size = 64
        server.block_on_close = False
        if receiver.sock is not None:
            server.socket.close()
            server.socket = receiver.sock
        else:
            server.server_bind()
            receiver.port = server.server_address[1]
        server.server_activate()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
