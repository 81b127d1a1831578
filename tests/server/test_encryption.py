"""HTTPS without a proxy: real handshakes with a real process (PS3.18 §8.1.1, PS3.15 B.12)."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from dicomgate.cli import main
from dicomgate.server.encryption import Certificate, WrongCertificate
from dicomgate.testing import instances, processes

OPENSSL = shutil.which("openssl")
pytestmark = [pytest.mark.interop, pytest.mark.skipif(OPENSSL is None, reason="no openssl here to make certificates")]


def make(folder: Path, name: str, *, password: str = "") -> Certificate:
    chain, key = folder / f"{name}.crt", folder / f"{name}.key"
    words = [OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"]
    words += ["-keyout", str(key), "-out", str(chain), "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    words += ["-passout", f"pass:{password}"] if password else ["-nodes"]
    subprocess.run(words, check=True, capture_output=True)
    return Certificate(chain=chain, key=key)


def ask(port: int, trusted: Path, path: str = "/dicomweb/studies") -> tuple[int, bytes, str, str]:
    """Status, body, the TLS version and the name in the server's certificate."""
    context = ssl.create_default_context(cafile=trusted)
    line = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=processes.PATIENCE)
    try:
        line.connect()
        version = line.sock.version()
        subject = dict(pair for part in line.sock.getpeercert()["subject"] for pair in part)["commonName"]
        line.request("GET", path)
        answer = line.getresponse()
        return answer.status, answer.read(), version, subject
    finally:
        line.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_links_are_https_and_a_renewed_certificate_is_used_GEN_01(tmp_path: Path, workers: int) -> None:
    first, second = make(tmp_path, "first"), make(tmp_path, "second")
    target = instances.new_target()
    (tmp_path / "one.dcm").write_bytes(instances.make(target))
    assert main.run(["store", str(tmp_path / "data"), str(tmp_path / "one.dcm")]) == 0
    used = Certificate(chain=tmp_path / "used.crt", key=tmp_path / "used.key")
    shutil.copy(first.chain, used.chain)
    shutil.copy(first.key, used.key)
    options = ["--tls-cert", str(used.chain), "--tls-key", str(used.key), "--workers", str(workers)]
    with processes.running(*options, data=tmp_path / "data", log=tmp_path / "log") as server:
        assert server.url.startswith("https://")
        status, body, version, subject = ask(server.port, first.chain)
        assert (status, version, subject) == (200, "TLSv1.3", "first")
        assert json.loads(body)[0]["00081190"]["Value"][0] == f"{server.root}/studies/{target.study}"
        shutil.copy(second.chain, used.chain)  # half of a renewal: the pair that fits goes on
        time.sleep(1.2)  # so long that it looks
        assert ask(server.port, first.chain)[3] == "first"
        shutil.copy(second.key, used.key)
        for _ in range(2 * workers):  # each process looks by itself
            until(lambda: _is_second(server.port, second.chain))


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + processes.PATIENCE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.1)


def _is_second(port: int, chain: Path) -> bool:
    try:
        return ask(port, chain)[3] == "second"
    except ssl.SSLCertVerificationError:
        return False


def agreed(port: int, trusted: Path, *offered: str) -> str | None:
    """What is spoken with one who offers these."""
    context = ssl.create_default_context(cafile=trusted)
    context.set_alpn_protocols(list(offered))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=processes.PATIENCE) as line,
        context.wrap_socket(line, server_hostname="127.0.0.1") as encrypted,
    ):
        return encrypted.selected_alpn_protocol()


def test_http2_is_agreed_where_it_is_switched_on(tmp_path: Path) -> None:
    """Also with a certificate that was renewed."""
    first, second = make(tmp_path, "first"), make(tmp_path, "second")
    used = Certificate(chain=tmp_path / "used.crt", key=tmp_path / "used.key")
    shutil.copy(first.chain, used.chain)
    shutil.copy(first.key, used.key)
    options = ["--tls-cert", str(used.chain), "--tls-key", str(used.key)]
    with processes.running(*options, data=tmp_path / "data", log=tmp_path / "log") as server:
        assert agreed(server.port, first.chain, "h2", "http/1.1") == "http/1.1"
    with processes.running(*options, "--http2", data=tmp_path / "data", log=tmp_path / "log") as server:
        assert agreed(server.port, first.chain, "h2", "http/1.1") == "h2"
        assert agreed(server.port, first.chain, "http/1.1") == "http/1.1"
        assert agreed(server.port, first.chain, "http/1.1", "h2") == "h2", "the server's choice"
        assert _spoken(server.root, first.chain, is_forced=False) == ("HTTP/2", 204)
        shutil.copy(second.chain, used.chain)
        shutil.copy(second.key, used.key)
        until(lambda: _is_second(server.port, second.chain))
        assert _spoken(server.root, second.chain, is_forced=True) == ("HTTP/2", 204)
        assert ask(server.port, second.chain)[0] == 204


def _spoken(root: str, trusted: Path, *, is_forced: bool) -> tuple[str, int]:
    context = ssl.create_default_context(cafile=trusted)
    with httpx2.Client(http1=not is_forced, http2=True, verify=context, timeout=processes.PATIENCE) as caller:
        answer = caller.get(f"{root}/studies")
        return answer.http_version, answer.status_code


def test_plain_http_and_old_tls_get_no_answer(tmp_path: Path) -> None:
    used = make(tmp_path, "one")
    options = ["--tls-cert", str(used.chain), "--tls-key", str(used.key)]
    with processes.running(*options, data=tmp_path / "data", log=tmp_path / "log") as server:
        plain = http.client.HTTPConnection("127.0.0.1", server.port, timeout=processes.PATIENCE)
        plain.request("GET", "/dicomweb/studies")
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            plain.getresponse()
        plain.close()
        words = [OPENSSL, "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]
        refused = subprocess.run(words, input=b"", capture_output=True, check=False, timeout=processes.PATIENCE)
        assert b"Cipher is (NONE)" in refused.stdout or refused.returncode != 0
        assert ask(server.port, used.chain)[0] in {200, 204}


def test_what_cannot_be_used_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, other, closed = (
        make(tmp_path, "good"),
        make(tmp_path, "other"),
        make(tmp_path, "closed", password="long enough"),
    )
    for chain, key, why in (
        (tmp_path / "none.crt", good.key, "No such file"),
        (good.chain, other.key, "MISMATCH"),
        (closed.chain, closed.key, "password"),
    ):
        with pytest.raises(WrongCertificate, match=why):
            Certificate(chain=chain, key=key).context()
    words = ["serve", "--data", str(tmp_path / "data"), "--port", "0"]
    assert main.run([*words, "--tls-cert", str(good.chain)]) == main.USAGE
    assert "HTTPS needs both" in capsys.readouterr().err
    assert main.run([*words, "--tls-cert", str(good.chain), "--tls-key", str(other.key)]) not in {0, main.USAGE}
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "MISMATCH" in said
