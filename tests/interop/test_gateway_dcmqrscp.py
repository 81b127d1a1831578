"""A gateway over DCMTK's dcmqrscp and over Orthanc: what comes out is what was stored, by C-GET and by C-MOVE (PRX-01, -02, -04, -07)."""

from __future__ import annotations

import io
from email.parser import BytesParser
from pathlib import Path

import httpx2
import interop_pacs
import pydicom
import pytest
from interop_pacs import dcmqrscp, free_port, orthanc, written

from dicomgate import assembly, config
from dicomgate.cli import main
from dicomgate.testing.serving import serving

pytestmark = [interop_pacs.NEEDED, pytest.mark.slow]


needs_orthanc = pytest.mark.skipif(interop_pacs.ORTHANC is None, reason="no Orthanc here")


@needs_orthanc
@pytest.mark.parametrize("way", ["get", "move"])
def test_orthanc_as_a_pacs(tmp_path, way):
    with orthanc(tmp_path) as (port, move):
        file = written(tmp_path, port, move, "--retrieve", way)
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
    with dcmqrscp(tmp_path, "-v", *option) as (port, move):
        asked = config.read(file=written(tmp_path, port, move), environment={})
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
            before = _asked(tmp_path / "log")
            assert before > 0
            for accept in ('multipart/related; type="application/dicom"; transfer-syntax=*', "application/zip"):
                assert caller.get(path, headers={"Accept": accept}).status_code == 200
            assert _asked(tmp_path / "log") == before, "a second viewing does not touch the PACS"
        application.close()
    came = {one.SOPInstanceUID: one for one in map(pydicom.dcmread, _parts(whole))}
    stored = [pydicom.dcmread(one) for one in (tmp_path / "db").iterdir() if one.name != "index.dat"]
    assert len(came) == len(metadata) == 20
    assert len(stored) == 20
    assert all(came[one.SOPInstanceUID] == one for one in stored)
    assert shown.content.startswith(b"\xff\xd8")


SYNTAXES = interop_pacs.DATA.parent / "syntaxes"


@pytest.mark.parametrize("which", [dcmqrscp, pytest.param(orthanc, marks=needs_orthanc)])
def test_what_is_stored_through_a_gateway_comes_back_or_is_refused_by_name(tmp_path, which):
    """Deflated (one of odd length), compressed, a waveform, a report: DCMTK's takes no compressed ones unless told to."""
    files = [SYNTAXES / "deflated" / "wave_dfl", SYNTAXES / "deflated" / "report_dfl", *_compressed()]
    with which(tmp_path, files=[]) as (port, move):
        application = assembly.application(config.read(file=written(tmp_path, port, move), environment={}), pacs=True)
        with (
            serving(application) as served,
            httpx2.Client(base_url=f"http://127.0.0.1:{served.port}/dicomweb", timeout=60, trust_env=False) as caller,
        ):
            for file in files:
                _there_and_back(caller, file)
        application.close()


def _compressed() -> list[Path]:
    """One of each compressed transfer syntax; a bad one has a value that is not even like itself."""
    found = {}
    for path in sorted(one for one in (SYNTAXES / "pylibjpeg").rglob("*.dcm") if "bad" not in one.name):
        one = pydicom.dcmread(path, stop_before_pixels=True)
        if one.file_meta.TransferSyntaxUID.is_encapsulated:
            found.setdefault(one.file_meta.TransferSyntaxUID, path)
    assert len(found) >= 3
    return list(found.values())


def _there_and_back(caller: httpx2.Client, file: Path) -> None:
    sent = pydicom.dcmread(file)
    stored = caller.post("/studies", content=file.read_bytes(), headers={"Content-Type": "application/dicom"})
    if stored.status_code != 200:
        assert stored.json()["00081198"]["Value"][0]["00081197"]["Value"] == [0xC122], stored.headers
        assert str(sent.file_meta.TransferSyntaxUID) in stored.headers["Warning"]
        return
    path = f"/studies/{sent.StudyInstanceUID}/series/{sent.SeriesInstanceUID}/instances/{sent.SOPInstanceUID}"
    back = caller.get(path, headers={"Accept": "application/dicom; transfer-syntax=*"})
    assert back.status_code == 200, back.text
    assert pydicom.dcmread(io.BytesIO(back.content)) == sent


def test_check_says_what_to_change_and_at_whose_side(tmp_path, capsys):
    with dcmqrscp(tmp_path, "--disable-get") as (port, _):
        file = tmp_path / "wrong.toml"
        peers = ("--pacs", f"PACS@127.0.0.1:{port}", "--me", f"STRANGER@10.1.2.9:{free_port()}")
        assert main.run(["gateway", "init", *peers, "--config", str(file)]) == 0
        assert main.run(["gateway", "check", "--config", str(file)]) == main.PARTLY
    said = capsys.readouterr().out
    assert "FAIL  C-MOVE" in said
    assert "Ask the PACS administrator to add:  AE title STRANGER   host 10.1.2.9" in said


def _asked(log: Path) -> int:
    """Associations and questions, as the PACS's log has them."""
    said = log.read_bytes()
    return said.count(b"Association Received") + said.count(b"Received Find SCP")


def _parts(answer: httpx2.Response) -> list[io.BytesIO]:
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + answer.content)
    return [io.BytesIO(part.get_payload(decode=True)) for part in message.get_payload()]
