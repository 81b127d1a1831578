"""A real HTTP server on loopback whose answers a test writes itself: other people's servers are like that."""

import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset

from dicomgate.client.caller import Caller, Patience


class ScriptedServer(ThreadingHTTPServer):
    """Answers each request with the next of `answers`; the last one stays. Keeps what it was asked."""

    daemon_threads = True

    def __init__(self):
        self.answers = deque()
        self.asked = []
        self.tells_what_is_known = False
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def root(self):
        return f"http://127.0.0.1:{self.server_port}/dicomweb"

    def handle_error(self, request, client_address):
        """A caller that breaks off is part of some tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        with self.server.lock:
            self.server.asked.append((self.command, self.path, dict(self.headers), body))
            answers = self.server.answers
            answer = answers[0] if len(answers) == 1 else answers.popleft()
        if callable(answer):
            answer = answer(self.path, body)
        if answer == "break":
            self.close_connection = True
            self.connection.shutdown(2)
            return
        status, headers, content = answer
        if self.server.tells_what_is_known and self.headers.get("If-None-Match") == headers.get("ETag", ""):
            status, content = 304, b""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        elif headers["Content-Length"] != str(len(content)):
            self.close_connection = True
        self.end_headers()
        if status != 304:
            self.wfile.write(content)

    do_GET = do_POST = do_OPTIONS = do_DELETE = do_CONNECT = answer

    def log_message(self, *values):
        """Quiet."""


@pytest.fixture
def server():
    running = ScriptedServer()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def elsewhere():
    """Another server, of another origin."""
    running = ScriptedServer()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def caller(server):
    with Caller(server.root, patience=Patience(tries=4, first=0.001, longest=0.05)) as calling:
        yield calling


def instance_file(path, study="1.2.3", series="1.2.3.4", instance="1.2.3.4.5", size=0):
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    meta.MediaStorageSOPInstanceUID = instance
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = instance
    dataset.StudyInstanceUID = study
    dataset.SeriesInstanceUID = series
    if size:
        dataset.add_new("PixelData", "OB", bytes(size))
        dataset.BitsAllocated = 8
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


@pytest.fixture
def make_file():
    return instance_file
