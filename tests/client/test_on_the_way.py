"""What lies between: TLS with HTTP/2 and with certificates of both sides, and proxies, obeyed or refusing."""

from __future__ import annotations

import asyncio
import http.server
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dicomgate
from dicomgate import config, errors
from dicomgate.cli import main
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.identity import Identity
from dicomgate.client.request import Patience, Request
from dicomgate.testing import instances, processes

OPENSSL = shutil.which("openssl")
PATIENCE = Patience(tries=2, first=0.001)
ASKED = Request(path="/studies", headers={})
needs_certificates = pytest.mark.skipif(OPENSSL is None, reason="no openssl here to make certificates")


def make(folder: Path, name: str) -> tuple[str, str]:
    chain, key = str(folder / f"{name}.crt"), str(folder / f"{name}.key")
    words = [str(OPENSSL), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"]
    words += ["-keyout", key, "-out", chain, "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-nodes"]
    subprocess.run(words, check=True, capture_output=True)
    return chain, key


@pytest.mark.interop
@needs_certificates
def test_the_library_speaks_http2_with_our_own_server(tmp_path: Path) -> None:
    chain, key = make(tmp_path, "server")
    series = instances.new_target()
    targets = [series, *(instances.new_target(series.study, series.series) for _ in range(20))]
    contents = [instances.make(one, rows=128, columns=128) for one in targets]
    (tmp_path / "given").mkdir()
    for number, content in enumerate(contents):
        (tmp_path / "given" / str(number)).write_bytes(content)
    assert main.run(["store", str(tmp_path / "data"), str(tmp_path / "given")]) == 0
    options = ["--tls-cert", chain, "--tls-key", key, "--http2"]
    identity = Identity(authorities=chain)
    with processes.running(*options, data=tmp_path / "data", log=tmp_path / "log") as server:

        async def versions() -> set[str]:
            async with AsyncCaller(server.root, identity=identity) as calls:
                opened = [await calls._open(ASKED) for _ in range(2)]
                found = {one.response.http_version for one in opened}
                for one in opened:
                    await one.close()
                return found

        assert asyncio.run(versions()) == {"HTTP/2"}
        with dicomgate.connect(server.root, identity=identity, settings=config.Settings()) as archive:
            (found,) = archive.find_series()
            (outcome,) = archive.download(found, tmp_path / "out")
            assert (outcome.fetched, outcome.failures) == (len(contents), [])
            assert sorted(path.read_bytes() for path in (tmp_path / "out").rglob("*.dcm")) == sorted(contents)
            assert [receipt.became.value for receipt in archive.store([contents[0]])] == ["stored"]
        with (
            dicomgate.connect(server.root, settings=config.Settings(), patience=PATIENCE) as stranger,
            pytest.raises(errors.UpstreamFailed, match="certificate"),
        ):
            list(stranger.find_series())


class Quiet(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, *arguments: Any) -> None:
        pass


class OfTheKnown(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who shows no certificate is part of the test."""


@pytest.fixture
def of_the_known(tmp_path: Path) -> Iterator[tuple[str, Identity, Identity]]:
    """A server that answers who shows a certificate it knows; one it knows, one it does not."""
    chain, key = make(tmp_path, "server")
    known, stranger = make(tmp_path, "known"), make(tmp_path, "stranger")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=known[0])
    context.load_cert_chain(chain, key)
    context.verify_mode = ssl.CERT_REQUIRED
    server = OfTheKnown(("127.0.0.1", 0), Quiet)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    first, second = (Identity(certificate=one[0], key=one[1], authorities=chain) for one in (known, stranger))
    yield f"https://127.0.0.1:{server.server_port}/d", first, second
    server.shutdown()
    server.server_close()
    thread.join()


async def ask(root: str, **who: Any) -> int:
    async with AsyncCaller(root, patience=PATIENCE, timeout=60.0, **who) as calls:
        return (await calls.send(ASKED)).status


@pytest.mark.interop
@needs_certificates
def test_a_certificate_says_who_we_are(of_the_known: Any) -> None:
    root, known, stranger = of_the_known
    assert asyncio.run(ask(root, identity=known)) == 200
    for who in (stranger, Identity(authorities=known.authorities)):
        with pytest.raises(errors.UpstreamFailed):
            asyncio.run(ask(root, identity=who))


@pytest.fixture
def proxy(server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.server_port}")
    return server


def test_the_proxy_of_the_environment_is_used_and_those_it_excludes_are_asked_directly(
    proxy: Any, elsewhere: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.answers.append((200, {}, b"[]"))
    assert asyncio.run(ask("http://pacs.example/dicomweb")) == 200
    assert proxy.asked[0][1] == "http://pacs.example/dicomweb/studies"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    elsewhere.answers.append((200, {}, b"[]"))
    assert asyncio.run(ask(elsewhere.root)) == 200
    assert [path for _, path, _, _ in elsewhere.asked] == ["/dicomweb/studies"]


def test_a_proxy_that_refuses_is_named_and_not_asked_again(proxy: Any) -> None:
    proxy.answers.append((407, {}, b""))
    with pytest.raises(errors.Forbidden, match="proxy that asks who you are"):
        asyncio.run(ask("http://pacs.example/dicomweb"))
    with pytest.raises(errors.UpstreamFailed, match="a proxy on the way"):
        asyncio.run(ask("https://pacs.example/dicomweb"))
    assert [method for method, _, _, _ in proxy.asked] == ["GET", "CONNECT"]
