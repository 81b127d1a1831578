"""A hub and a site as real servers: what is inside is read outside, and what breaks between them breaks nothing else."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import pytest

from dicomgate.cli import main
from dicomgate.testing import instances
from dicomgate.testing.processes import PATIENCE, running, start
from dicomgate.testing.serving import format_request

pytestmark = pytest.mark.slow
TOKEN = "a-token-that-nobody-guesses-0001"


@contextmanager
def site(home, hub, token=TOKEN, *words):
    (home / "said").write_text(token + "\n")
    command = [sys.executable, "-m", "dicomgate", "relay", "--data", str(home / "inside"), *words]
    command += ["--dial-out", f"ws://127.0.0.1:{hub.port}/sites/north", "--token-file", str(home / "said")]
    with (home / "site.log").open("ab") as log:
        process = subprocess.Popen(command, stderr=log, stdout=log, cwd=home)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(hub, status):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        reply = hub.ask("GET", "/sites/north/dicomweb/studies")
        if reply.status == status:
            return reply
        time.sleep(0.05)
    pytest.fail(f"still {reply.status}: {reply.body!r}")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("hub")
    (home / "token").write_text(TOKEN)
    for number in range(3):
        (home / f"{number}.dcm").write_bytes(instances.make())
    assert main.run(["store", str(home / "inside"), *(str(home / f"{number}.dcm") for number in range(3))]) == 0
    return home


@pytest.fixture(scope="module")
def hub(home):
    named = {"DICOMGATE__SERVER__SITES": f"north={home / 'token'}"}
    with running(data=home / "outside", log=home / "log", environment=named) as found:
        yield found


def test_the_inside_is_read_outside_under_its_own_address(home, hub):
    assert hub.ask("GET", "/sites/north/dicomweb/studies").status == 503
    with site(home, hub):
        found = wait_for(hub, 200)
        studies = json.loads(found.body)
        assert len(studies) == 3
        uid = studies[0]["0020000D"]["Value"][0]
        address = studies[0]["00081190"]["Value"][0]
        assert address == f"{hub.url}/sites/north/dicomweb/studies/{uid}"
        whole = hub.ask("GET", f"/sites/north/dicomweb/studies/{uid}")
        kept = [(home / f"{number}.dcm").read_bytes() for number in range(3)]
        assert whole.status == 200
        assert any(content in whole.body or content[:200] in whole.body for content in kept)
        assert json.loads(hub.ask("GET", "/dicomweb/studies").body or b"[]") == []
        assert hub.ask("POST", "/sites/north/dicomweb/studies", {"Content-Type": "x/y"}, b"x").status == 405
        assert hub.ask("GET", "/sites/north/").status == 404
        assert hub.ask("GET", "/sites/south/dicomweb/studies").status == 404
    wait_for(hub, 503)


def test_what_is_stored_through_the_tunnel_is_inside(home, hub):
    content = instances.make()
    body = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--x--\r\n"
    said = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=x'}
    with site(home, hub, TOKEN, "--writable"):
        wait_for(hub, 200)
        assert hub.ask("POST", "/sites/north/dicomweb/studies", said, body).status == 200
        assert len(json.loads(wait_for(hub, 200).body)) == 4


def test_a_site_that_was_killed_is_away_and_comes_back(home, hub):
    for _ in range(3):
        with site(home, hub) as process:
            wait_for(hub, 200)
            process.kill()
            wait_for(hub, 503)
    assert hub.is_alive


def test_a_tunnel_outlasts_the_wait_for_a_header(home, tmp_path):
    """What guards a connection of HTTP has nothing more to say of one that became a tunnel."""
    named = {"DICOMGATE__SERVER__SITES": f"north={home / 'token'}", "DICOMGATE__SERVER__HEADER_SECONDS": "1"}
    with running(data=tmp_path / "outside", log=tmp_path / "log", environment=named) as hub, site(home, hub):
        wait_for(hub, 200)
        time.sleep(2)  # longer than that wait; whatever else takes its time, the line stays
        wait_for(hub, 200)
        said = (tmp_path / "log").read_text()
        assert said.count("tunnel open") == 1
        assert "tunnel closed" not in said


def test_a_hub_that_starts_again_is_dialled_again(home, tmp_path):
    named = {"DICOMGATE__SERVER__SITES": f"north={home / 'token'}"}
    first = start(data=tmp_path / "outside", log=tmp_path / "log", environment=named)
    with site(home, first):
        wait_for(first, 200)
        first.kill()
        port = ("--port", str(first.port))
        with running(*port, data=tmp_path / "outside", log=tmp_path / "log2", environment=named) as again:
            wait_for(again, 200)


def test_who_reads_slowly_fills_no_memory_and_holds_up_nobody(home, tmp_path):
    large = instances.make(rows=4096, columns=4096, frames=[bytes(32 << 20)])
    (tmp_path / "large.dcm").write_bytes(large)
    assert main.run(["store", str(tmp_path / "inside"), str(tmp_path / "large.dcm")]) == 0
    named = {"DICOMGATE__SERVER__SITES": f"north={home / 'token'}"}
    with running(data=tmp_path / "outside", log=tmp_path / "log", environment=named) as hub, site(tmp_path, hub):
        study = json.loads(wait_for(hub, 200).body)[0]["0020000D"]["Value"][0]
        before = hub.memory()
        with hub.line(receive_buffer=1 << 14) as slow:
            slow.say(format_request("GET", f"/sites/north/dicomweb/studies/{study}"))
            assert slow.makefile("rb").readline().startswith(b"HTTP/1.1 200")
            for _ in range(20):
                assert hub.ask("GET", "/sites/north/dicomweb/studies").status == 200
            assert hub.memory() - before < 24 << 20
        whole = hub.ask("GET", f"/sites/north/dicomweb/studies/{study}")
        assert large in whole.body


def test_a_wrong_token_is_refused_and_ends_the_site(home, hub):
    with site(home, hub, "a-token-that-was-guessed-0000002") as process:
        assert process.wait(PATIENCE) == 5
    assert b"refused this site's token" in (home / "site.log").read_bytes()
    assert hub.ask("GET", "/sites/north/dicomweb/studies").status == 503


def test_a_hub_that_is_stopped_first_ends_the_answers_under_way(home, tmp_path):
    large = instances.make(rows=4096, columns=4096, frames=[bytes(32 << 20)])
    (tmp_path / "large.dcm").write_bytes(large)
    assert main.run(["store", str(tmp_path / "inside"), str(tmp_path / "large.dcm")]) == 0
    named = {"DICOMGATE__SERVER__SITES": f"north={home / 'token'}"}
    hub = start(data=tmp_path / "outside", log=tmp_path / "log", environment=named)
    with site(tmp_path, hub), ExitStack() as stack:
        stack.callback(hub.kill)
        study = json.loads(wait_for(hub, 200).body)[0]["0020000D"]["Value"][0]
        with hub.line(receive_buffer=1 << 14) as slow, slow.makefile("rb") as reply:
            slow.say(format_request("GET", f"/sites/north/dicomweb/studies/{study}"))
            assert reply.readline().startswith(b"HTTP/1.1 200")
            hub.process.terminate()
            while is_listened_to(hub.port):
                time.sleep(0.02)
            assert large in reply.read()
        assert hub.process.wait(PATIENCE) == 0


def is_listened_to(port):
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True
