"""Who a caller says to be: token, name and password, client credentials asked for and asked for anew."""

import base64
import http.server
import json
import threading

import pytest

from dicomgate import errors
from dicomgate.client.caller import Caller, Request
from dicomgate.client.identity import Identity, read_secret


class Door(http.server.BaseHTTPRequestHandler):
    """Answers only who it knows; gives tokens at /token, each good for one request."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append((self.headers["Authorization"], body))
        self.server.good = f"Bearer token-{len(self.server.asked)}"
        said = {"access_token": self.server.good.partition(" ")[2], "expires_in": 3600}
        self.answer(200 if self.server.gives else 400, json.dumps(said if self.server.gives else {}).encode())

    def do_GET(self):
        self.server.heard.append(self.headers["Authorization"])
        self.answer(200 if self.headers["Authorization"] == self.server.good else 401, b"[]")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def door():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    server.asked, server.heard, server.good, server.gives = [], [], "", True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def root(door):
    return f"http://127.0.0.1:{door.server_address[1]}"


def ask(door, identity, times=1):
    with Caller(root(door), identity=identity) as caller:
        return [caller.send(Request(method="GET", path="/studies", headers={})).status for _ in range(times)]


def test_a_token_and_a_password_from_files(door, tmp_path):
    (tmp_path / "token").write_text("abc\n")
    (tmp_path / "password").write_text("pässword\n", "utf-8")
    door.good = "Bearer abc"
    assert ask(door, Identity(token_file=str(tmp_path / "token"))) == [200]
    door.good = "Basic " + base64.b64encode("me:pässword".encode()).decode()
    assert ask(door, Identity(user="me", password_file=str(tmp_path / "password"))) == [200]
    with pytest.raises(errors.Forbidden):
        ask(door, None)
    assert door.heard[-1] is None


@pytest.mark.slow
def test_leave_is_asked_for_once_and_again_when_it_is_no_longer_good(door, tmp_path):
    (tmp_path / "secret").write_text("s3cret")
    identity = Identity(
        token_url=f"{root(door)}/token", client_id="me", client_secret_file=str(tmp_path / "secret"), scope="dicom"
    )
    assert ask(door, identity, 3) == [200, 200, 200]
    assert door.asked == [
        ("Basic " + base64.b64encode(b"me:s3cret").decode(), "grant_type=client_credentials&scope=dicom")
    ]
    with Caller(root(door), identity=identity) as caller:
        request = Request(method="GET", path="/studies", headers={})
        assert caller.send(request).status == 200
        door.good = "Bearer another"
        assert caller.send(request).status == 200
    assert len(door.asked) == 3
    door.gives = False
    with pytest.raises(errors.Forbidden, match="no access token"):
        ask(door, identity)


@pytest.mark.parametrize("content", [b"", b"one\ntwo", b"\xff\xfe", b"\x1b"])
def test_what_is_no_secret(tmp_path, content):
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(errors.Malformed):
        Identity(token_file=str(tmp_path / "secret")).arguments()


def test_what_is_no_certificate(tmp_path):
    (tmp_path / "pem").write_text("none")
    for identity in (
        Identity(token_file=str(tmp_path / "none")),
        Identity(certificate=str(tmp_path / "pem")),
        Identity(authorities=str(tmp_path / "none")),
    ):
        with pytest.raises(errors.Malformed):
            identity.arguments()


@pytest.mark.parametrize("content", [b"", b"two words", b"a\nb", "ä".encode(), b"a" * (64 << 10) + b"b", b"\xff"])
def test_a_token_is_one_word_and_no_longer_than_a_header(tmp_path, content):
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(errors.Malformed) as caught:
        Identity(token_file=str(tmp_path / "token")).arguments()
    assert "two words" not in caught.value.message


def test_a_secret_may_have_spaces_and_is_read_no_further_than_its_bound(tmp_path):
    (tmp_path / "password").write_bytes("pass wörd\n".encode())
    assert read_secret(str(tmp_path / "password")) == "pass wörd"
    with pytest.raises(errors.Malformed):
        read_secret("/dev/zero")
