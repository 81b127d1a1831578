"""A gateway over DCMTK's dcmqrscp and over Orthanc: what comes out is what was stored, by C-GET and by C-MOVE (PRX-01, -02, -04, -07)."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from pathlib import Path

import httpx2
import pydicom
import pytest

from dicomgate import assembly, config
from dicomgate.cli import main
from dicomgate.testing.serving import serving

ORTHANC = shutil.which("Orthanc", path=os.environ.get("PATH", "") + ":/usr/sbin")
DATA = Path(__file__).parents[3] / "shared" / "data" / "series"
LACKING = [name for name in ("dcmqrscp", "storescu", "echoscu") if shutil.which(name) is None]
pytestmark = [
    pytest.mark.skipif(bool(LACKING) or not DATA.is_dir(), reason=f"not here: {LACKING or DATA}"),
    pytest.mark.slow,
]
CONFIGURATION = """
NetworkTCPPort = {port}
MaxPDUSize = 131072
MaxAssociations = 16
HostTable BEGIN
gateway = (GATEWAY, localhost, {move})
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
PACS {here}/db RW (100, 1024mb) ANY
AETable END
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def dcmqrscp(here: Path, *options: str) -> Iterator[tuple[int, int]]:
    """A PACS with a series; its port, and the one that it moves to."""
    port, move = free_port(), free_port()
    (here / "db").mkdir()
    (here / "pacs.cfg").write_text(CONFIGURATION.format(port=port, move=move, here=here))
    quick = {**os.environ, "TCP_NODELAY": "1"}
    words = ["dcmqrscp", *options, "-c", str(here / "pacs.cfg")]
    with (
        (here / "log").open("wb") as log,
        subprocess.Popen(words, stdout=log, stderr=log, env=quick, start_new_session=True) as process,
    ):
        try:
            _fill(here, port)
            yield port, move
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def _fill(here: Path, port: int) -> None:
    deadline = time.monotonic() + 60
    while subprocess.run(["echoscu", "-aec", "PACS", "localhost", str(port)], check=False).returncode:
        assert time.monotonic() < deadline, (here / "log").read_text()
        time.sleep(0.1)
    files = [str(path) for path in sorted((DATA / "mr-head-100").iterdir())[:20]]
    quick = {**os.environ, "TCP_NODELAY": "1"}
    subprocess.run(["storescu", "-aec", "PACS", "localhost", str(port), *files], check=True, env=quick)


def settings(here: Path, port: int, move: int) -> config.Settings:
    """Those that `gateway init` writes."""
    file = here / "gateway.toml"
    peers = ("--pacs", f"PACS@127.0.0.1:{port}", "--me", f"GATEWAY@127.0.0.1:{move}")
    assert main.run(["gateway", "init", *peers, "--cache", str(here / "kept"), "--config", str(file)]) == 0
    return config.read(file=file, environment={})


@contextmanager
def orthanc(here: Path) -> Iterator[tuple[int, int]]:
    """Orthanc as a PACS with a series; its port, and the one that it moves to."""
    port, move = free_port(), free_port()
    said = {
        "StorageDirectory": str(here / "orthanc"),
        "IndexDirectory": str(here / "orthanc"),
        "HttpServerEnabled": False,
        "DicomPort": port,
        "DicomAet": "PACS",
        "DicomCheckCalledAet": True,
        **{f"DicomAlwaysAllow{what}": True for what in ("Get", "Find", "Move", "Store")},
        "DicomModalities": {"gateway": ["GATEWAY", "127.0.0.1", move]},
    }
    (here / "orthanc.json").write_text(json.dumps(said))
    with (here / "log").open("wb") as log:
        words = [str(ORTHANC), str(here / "orthanc.json")]
        with subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True) as process:
            try:
                _fill(here, port)
                yield port, move
            finally:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.skipif(ORTHANC is None, reason="no Orthanc here")
@pytest.mark.parametrize("way", ["get", "move"])
def test_orthanc_as_a_pacs(tmp_path, way):
    with orthanc(tmp_path) as (port, move):
        file = tmp_path / "gateway.toml"
        peers = ("--pacs", f"PACS@127.0.0.1:{port}", "--me", f"GATEWAY@127.0.0.1:{move}", "--retrieve", way)
        assert main.run(["gateway", "init", *peers, "--cache", str(tmp_path / "kept"), "--config", str(file)]) == 0
        assert main.run(["gateway", "check", "--config", str(file)]) == 0
        application = assembly.application(config.read(file=file, environment={}), pacs=True)
        with (
            serving(application) as served,
            httpx2.Client(base_url=f"http://127.0.0.1:{served.port}/dicomweb", timeout=60, trust_env=False) as caller,
        ):
            (study,) = caller.get("/studies", params={"PatientName": "facial*"}).json()
            assert study["00201208"]["Value"] == [20]
            path = f"/studies/{study['0020000D']['Value'][0]}"
            assert len(caller.get(f"{path}/instances").json()) == 20
            assert len(caller.get(f"{path}/metadata").json()) == 20
        application.close()


@pytest.mark.parametrize("option", [(), ("--disable-get",)], ids=["C-GET", "C-MOVE"])
def test_what_a_pacs_has_comes_back_as_it_was_stored(tmp_path, option, capsys):
    with dcmqrscp(tmp_path, *option) as (port, move):
        asked = settings(tmp_path, port, move)
        assert main.run(["gateway", "check", "--config", str(tmp_path / "gateway.toml")]) == 0
        assert "ok    C-MOVE" in capsys.readouterr().out
        application = assembly.application(asked, pacs=True)
        with (
            serving(application) as served,
            httpx2.Client(base_url=f"http://127.0.0.1:{served.port}/dicomweb", timeout=60, trust_env=False) as caller,
        ):
            (study,) = caller.get("/studies", params={"ModalitiesInStudy": "MR"}).json()
            assert study["00201208"]["Value"] == [20]
            path = f"/studies/{study['0020000D']['Value'][0]}"
            (series,) = caller.get(f"{path}/series").json()
            assert series["00201209"]["Value"] == [20]
            path += f"/series/{series['0020000E']['Value'][0]}"
            whole = caller.get(
                path, headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
            )
            metadata = caller.get(f"{path}/metadata").json()
            shown = caller.get(f"{path}/thumbnail", headers={"Accept": "image/jpeg"})
        application.close()
    came = {one.SOPInstanceUID: one for one in map(pydicom.dcmread, _parts(whole))}
    stored = [pydicom.dcmread(one) for one in (tmp_path / "db").iterdir() if one.name != "index.dat"]
    assert len(came) == len(metadata) == 20
    assert len(stored) == 20
    assert all(came[one.SOPInstanceUID] == one for one in stored)
    assert shown.content.startswith(b"\xff\xd8")


def test_check_says_what_to_change_and_at_whose_side(tmp_path, capsys):
    with dcmqrscp(tmp_path) as (port, _):
        file = tmp_path / "wrong.toml"
        peers = ("--pacs", f"PACS@127.0.0.1:{port}", "--me", f"STRANGER@10.1.2.9:{free_port()}")
        assert main.run(["gateway", "init", *peers, "--config", str(file)]) == 0
        assert main.run(["gateway", "check", "--config", str(file)]) == main.PARTLY
    said = capsys.readouterr().out
    assert "FAIL  C-MOVE" in said
    assert "Ask the PACS administrator to add:  AE title STRANGER   host 10.1.2.9" in said


def _parts(answer: httpx2.Response) -> list[io.BytesIO]:
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + answer.content)
    return [io.BytesIO(part.get_payload(decode=True)) for part in message.get_payload()]
