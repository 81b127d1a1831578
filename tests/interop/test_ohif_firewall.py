"""Network namespaces: OHIF in a browser outside reads a study of an inside that has no way in, through the hub (journey B, T14)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import test_ohif
from test_ohif import VIEWPORT, picture, text

from dicomgate.cli import main
from dicomgate.samples import modules, phantoms
from dicomgate.testing.processes import PATIENCE

pytestmark = [test_ohif.pytestmark, pytest.mark.slow]
TOKEN = "a-token-that-nobody-guesses-0005"
HUB, INSIDE = "10.213.78.1", "10.213.78.2"
VIEWER = 8090
NGINX = """
{user}daemon off; worker_processes 1; pid {here}/nginx.pid; error_log {here}/error.log;
events {{}}
http {{
  include /etc/nginx/mime.types; types {{ application/wasm wasm; }}
  access_log off;
  client_body_temp_path {here}/1; proxy_temp_path {here}/2; fastcgi_temp_path {here}/3; uwsgi_temp_path {here}/4;
  scgi_temp_path {here}/5;
  server {{
    listen 127.0.0.1:{port};
    root {viewer};
    add_header Cross-Origin-Opener-Policy same-origin;
    add_header Cross-Origin-Embedder-Policy require-corp;
    location = /app-config.js {{ alias {here}/app-config.js; }}
    location /sites {{ proxy_pass https://{hub}:8443; proxy_set_header Host $http_host; }}
    location / {{ try_files $uri /index.html; }}
  }}
}}
"""


def run(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, check=check, capture_output=True, text=True, timeout=PATIENCE)


@pytest.fixture
def places() -> Iterator[tuple[str, str]]:
    """Two namespaces and a line between them; who is outside is in the hub's."""
    if shutil.which("ip") is None or shutil.which("openssl") is None or os.geteuid() != 0:
        pytest.skip("needs root, ip and openssl")
    hub, inside = f"dgout{os.getpid()}", f"dgwin{os.getpid()}"
    if run("ip", "netns", "add", hub, check=False).returncode:
        pytest.skip("no network namespace can be made here")
    try:
        run("ip", "netns", "add", inside)
        line = ("link", "add", "v0", "netns", hub, "type", "veth", "peer", "name", "v1", "netns", inside)
        if run("ip", *line, check=False).returncode:
            pytest.skip("no line between namespaces can be made here")
        for place, end, address in ((hub, "v0", HUB), (inside, "v1", INSIDE)):
            run("ip", "-n", place, "addr", "add", f"{address}/30", "dev", end)
            run("ip", "-n", place, "link", "set", end, "up")
            run("ip", "-n", place, "link", "set", "lo", "up")
        yield hub, inside
    finally:
        for place in (hub, inside):
            run("ip", "netns", "del", place, check=False)


@contextmanager
def begun(place: str, here: Path, name: str, *words: str, **environment: str) -> Iterator[None]:
    with (
        (here / f"{name}.log").open("wb") as log,
        subprocess.Popen(
            ["ip", "netns", "exec", place, *words],
            cwd=here, stdout=log, stderr=log, env={**os.environ, **environment},
        ) as process,
    ):  # fmt: skip
        try:
            yield
        finally:
            process.terminate()


def look(place: str, here: Path, path: str, *steps: dict) -> list[dict]:
    """What a browser in that place sees."""
    task = {
        "browser": test_ohif.BROWSER,
        "url": f"http://127.0.0.1:{VIEWER}{path}",
        "shot": str(here / "outside.png"),
        "steps": steps,
    }
    runner = Path(__file__).parent / "ohif" / "look.mjs"
    words = ["ip", "netns", "exec", place, "node", str(runner), str(test_ohif.VIEWERS)]
    done = subprocess.run(words, input=json.dumps(task), capture_output=True, text=True, check=False, timeout=400)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["error"] is None, (answer["error"], answer["failed"], answer["asked"][-12:])
    assert answer["failed"] == []
    return answer["steps"]


def test_a_browser_outside_reads_a_study_through_the_hub(places: tuple[str, str], tmp_path: Path) -> None:
    hub, inside = places
    study = _archive(tmp_path)
    certificate = _certificate(tmp_path)
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "app-config.js").write_text(test_ohif._config("/sites/north"))
    (tmp_path / "nginx.conf").write_text(
        NGINX.format(
            user="user root; ", here=tmp_path, port=VIEWER, viewer=test_ohif.VIEWERS / "ohif-app" / "dist", hub=HUB
        )
    )
    serve = ["serve", "--data", "outside", "--host", HUB, "--port", "8443", "--no-auth"]
    serve += ["--tls-cert", certificate, "--tls-key", certificate]
    relay = ["relay", "--data", "archive", "--dial-out", f"wss://{HUB}:8443/sites/north", "--token-file", "token"]
    relay += ["--authorities", certificate]
    program = [sys.executable, "-m", "dicomgate"]
    named = {"DICOMGATE__SERVER__SITES": "north=token", "DICOMGATE__SERVER__PUBLIC_URL": f"http://127.0.0.1:{VIEWER}"}
    with ExitStack() as stack:
        stack.enter_context(begun(hub, tmp_path, "hub", *program, *serve, **named))
        stack.enter_context(begun(inside, tmp_path, "inside", *program, *relay))
        stack.enter_context(begun(hub, tmp_path, "nginx", str(test_ohif.NGINX), "-c", str(tmp_path / "nginx.conf")))
        _wait(hub, tmp_path)
        first, _, _, _, last = look(
            hub,
            tmp_path,
            f"/viewer?StudyInstanceUIDs={study}",
            picture(colours=60, bright=0.05),
            text("1/64"),
            {"do": "wheel", "at": VIEWPORT, "turns": 20},
            text("/64)"),
            picture(colours=60, bright=0.05),
        )
        listening = run("ip", "netns", "exec", inside, "cat", "/proc/net/tcp", "/proc/net/tcp6").stdout
        assert (tmp_path / "hub.log").read_text().count("tunnel open") == 1, "the line held"
    assert first["colours"] >= 60
    assert last["colours"] >= 60
    assert " 0A " not in listening, "a socket of the inside listens"


def _archive(here: Path) -> str:
    (here / "files").mkdir()
    study = ""
    for dataset in phantoms.ct_torso():
        study = str(dataset.StudyInstanceUID)
        (here / "files" / f"{dataset.SOPInstanceUID}.dcm").write_bytes(modules.write(dataset))
    assert main.run(["store", str(here / "archive"), str(here / "files")]) == 0
    return study


def _certificate(here: Path) -> str:
    """Certificate and key in one file."""
    both = str(here / "hub.pem")
    run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=hub", "-addext", f"subjectAltName=IP:{HUB}", "-keyout", both + ".key", "-out", both,
    )  # fmt: skip
    Path(both).write_text(Path(both).read_text() + Path(both + ".key").read_text())
    return both


def _wait(hub: str, here: Path) -> None:
    """Until the site answers through the hub, as the browser will ask."""
    asking = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{VIEWER}/sites/north/dicomweb/studies').close()"
    deadline = time.monotonic() + PATIENCE
    while run("ip", "netns", "exec", hub, sys.executable, "-c", asking, check=False).returncode:
        assert time.monotonic() < deadline, "".join((here / f"{name}.log").read_text() for name in ("hub", "inside"))
        time.sleep(0.1)
