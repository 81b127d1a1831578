"""A PACS inside, read outside: PACS, gateway, tunnel, hub; what fails at either end is told outside with its reason."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from pacs_made import MadePacs, running

from dicomgate.testing import processes
from dicomgate.testing.processes import Running

pytestmark = pytest.mark.slow
TOKEN = "a-token-that-nobody-guesses-0004"
WHOLE = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}


@contextmanager
def site(here: Path, hub: Running, port: int) -> Iterator[None]:
    """The PACS at this port, offered at the hub."""
    (here / "dicomgate.toml").write_text(
        f'[pacs]\ntitle = "PACS"\nhost = "127.0.0.1"\nport = {port}\nretrieve = "get"\nanswer_seconds = 20\n'
        f'metadata_seconds = 0\ncache = "{here / "kept"}"\n'
    )
    words = ["--pacs", "--dial-out", f"ws://127.0.0.1:{hub.port}/sites/north", "--token-file", str(here / "token")]
    with (
        (here / "site.log").open("wb") as log,
        subprocess.Popen([sys.executable, "-m", "dicomgate", "relay", *words], stderr=log, stdout=log, cwd=here) as one,
    ):
        try:
            _wait(hub)
            yield
        finally:
            one.terminate()


def _wait(hub: Running) -> None:
    deadline = time.monotonic() + processes.PATIENCE
    while hub.ask("GET", "/sites/north/dicomweb/studies").status == 503:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_pacs_behind_a_tunnel(tmp_path):
    """Listed, retrieved as it comes, kept inside; a silent site is 504, a PACS that broke 502."""
    (tmp_path / "token").write_text(TOKEN)
    named = {"DICOMGATE__SERVER__SITES": f"north={tmp_path / 'token'}", "DICOMGATE__SERVER__SITE_SECONDS": "2"}
    with (
        running(MadePacs()) as pacs,
        processes.running(data=tmp_path / "outside", log=tmp_path / "hub.log", environment=named) as hub,
        site(tmp_path, hub, pacs.port),
        httpx2.Client(base_url=f"{hub.url}/sites/north/dicomweb", timeout=60, trust_env=False) as caller,
    ):
        study, series = pacs.fill(4)
        path = f"/studies/{study}/series/{series}"
        (found,) = caller.get("/studies").json()
        assert found["00081190"]["Value"] == [f"{hub.url}/sites/north/dicomweb/studies/{study}"]
        pacs.waits_after = 2
        with caller.stream("GET", path, headers=WHOLE) as answer:
            chunks = answer.iter_raw()
            seen = b""
            while seen.count(b"DICM") < 2:
                seen += next(chunks)
            assert not pacs.go_on.is_set(), "the PACS still holds the rest back"
            pacs.go_on.set()
            seen += b"".join(chunks)
        assert seen.count(b"DICM") == 4
        pacs.waits_after = None
        asked = len(pacs.asked)
        assert len(caller.get(f"{path}/metadata").json()) == 4
        assert len(pacs.asked) == asked

        study, series = pacs.fill(3)
        pacs.go_on.clear()
        pacs.waits_after = 0
        silent = caller.get(f"/studies/{study}/series/{series}", headers=WHOLE)
        assert (silent.status_code, silent.json()["detail"]) == (504, "the site said nothing for 2 seconds")
        pacs.go_on.set()
        pacs.waits_after, pacs.sends = None, 0
        study, series = pacs.fill(3)
        broken = caller.get(f"/studies/{study}/series/{series}/metadata")
        assert broken.status_code == 502
        assert "PACS" in broken.json()["detail"]
