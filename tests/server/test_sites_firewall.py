"""Network namespaces: the inside has no way in and listens nowhere; the outside reads it through the hub all the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dicomgate.cli import main
from dicomgate.testing import instances
from dicomgate.testing.processes import PATIENCE

pytestmark = pytest.mark.slow
TOKEN = "a-token-that-nobody-guesses-0003"
HUB, INSIDE = "10.213.77.1", "10.213.77.2"


def run(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True, timeout=PATIENCE)


@pytest.fixture
def places():
    """Two namespaces and a line between them; who is outside is in the hub's."""
    if shutil.which("ip") is None or shutil.which("openssl") is None or os.geteuid() != 0:
        pytest.skip("needs root, ip and openssl")
    hub, inside = f"dghub{os.getpid()}", f"dgin{os.getpid()}"
    if run("ip", "netns", "add", hub, check=False).returncode:
        pytest.skip("no network namespace can be made here")
    try:
        run("ip", "netns", "add", inside)
        made = run(
            "ip", "link", "add", "v0", "netns", hub, "type", "veth", "peer", "name", "v1", "netns", inside, check=False
        )
        if made.returncode:
            pytest.skip("no line between namespaces can be made here")
        for place, end, address in ((hub, "v0", HUB), (inside, "v1", INSIDE)):
            run("ip", "-n", place, "addr", "add", f"{address}/30", "dev", end)
            run("ip", "-n", place, "link", "set", end, "up")
            run("ip", "-n", place, "link", "set", "lo", "up")
        yield hub, inside
    finally:
        for place in (hub, inside):
            run("ip", "netns", "del", place, check=False)


def begin(place, home, name, *words, **environment):
    with (home / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            ["ip", "netns", "exec", place, sys.executable, "-m", "dicomgate", *words],
            cwd=home, stdout=log, stderr=log, env={**os.environ, **environment},
        )  # fmt: skip


def test_the_outside_reads_a_study_of_an_inside_without_a_way_in(places, tmp_path):
    hub, inside = places
    content = instances.make()
    Path(tmp_path / "one.dcm").write_bytes(content)
    Path(tmp_path / "token").write_text(TOKEN)
    assert main.run(["store", str(tmp_path / "archive"), str(tmp_path / "one.dcm")]) == 0
    certificate, key = str(tmp_path / "hub.pem"), str(tmp_path / "hub.key")
    run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=hub", "-addext", f"subjectAltName=IP:{HUB}", "-keyout", key, "-out", certificate,
    )  # fmt: skip
    serve = ["serve", "--data", "outside", "--host", HUB, "--port", "8443", "--no-auth"]
    serve += ["--tls-cert", certificate, "--tls-key", key]
    relay = ["relay", "--data", "archive", "--dial-out", f"wss://{HUB}:8443/sites/north", "--token-file", "token"]
    relay += ["--authorities", certificate]
    processes = [
        begin(hub, tmp_path, "hub", *serve, DICOMGATE__SERVER__SITES="north=token"),
        begin(inside, tmp_path, "inside", *relay),
    ]
    address = f"https://{HUB}:8443/sites/north/dicomweb"
    get = ["ip", "netns", "exec", hub, sys.executable, "-m", "dicomgate", "get", "far", "studies", "--out"]
    (tmp_path / "dicomgate.toml").write_text(f'[remotes.far]\nurl = "{address}"\nauthorities = "{certificate}"\n')
    try:
        deadline = time.monotonic() + PATIENCE
        while not list((tmp_path / "got").rglob("*.dcm")):
            assert time.monotonic() < deadline, (tmp_path / "inside.log").read_text() + (
                tmp_path / "hub.log"
            ).read_text()
            subprocess.run([*get, "got"], cwd=tmp_path, capture_output=True, timeout=PATIENCE, check=False)
        assert [path.read_bytes() for path in (tmp_path / "got").rglob("*.dcm")] == [content]
        listening = run("ip", "netns", "exec", inside, "cat", "/proc/net/tcp", "/proc/net/tcp6").stdout
        assert " 0A " not in listening, "a socket of the inside listens"
    finally:
        for process in processes:
            process.kill()
            process.wait()
