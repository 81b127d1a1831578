"""`dicomgate relay`: DCMTK's storescu, the relay, a server over HTTPS: real processes and sockets (issue 7; D1)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
import relay_started as started

from dicomgate import assembly, config
from dicomgate.dicom import syntaxes
from dicomgate.testing import instances, processes

TOOLS = ("storescu", "echoscu", "findscu", "openssl")
missing = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing), reason=f"not here: {', '.join(missing)}")]


def certificate(here: Path) -> tuple[str, str]:
    """One that vouches for itself, and its key."""
    chain, key = str(here / "server.pem"), str(here / "server.key")
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=server"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", chain]
    subprocess.run(words, check=True, capture_output=True)
    return chain, key


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words], check=False, capture_output=True, text=True, timeout=processes.PATIENCE
    )


def write(folder: Path, name: str, file: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(file)
    return folder


def test_what_dcmtk_stores_into_a_relay_arrives_over_https_as_it_was(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path)
    implicit, rle = instances.new_target(), instances.new_target()
    files = {
        **started.make(3),
        implicit.instance or "": instances.make(implicit, syntax=syntaxes.IMPLICIT_LITTLE),
        rle.instance or "": instances.make(rle, syntax="1.2.840.10008.1.2.5", frames=[b"\0" * 64 + b"\1\2\3\4"]),
    }
    with processes.running(
        "--tls-cert", chain, "--tls-key", key, data=tmp_path / "data", log=tmp_path / "server.log"
    ) as server:
        hub = {"to": "hub", "match": ["Modality=OT"]}
        settings = started.write_settings(tmp_path / "s.toml", held=tmp_path / "held", hub=hub)
        settings.write_text(f'{settings.read_text()}[remotes.hub]\nurl = "{server.root}"\nauthorities = "{chain}"\n')
        with started.running(settings, tmp_path / "relay.log") as relay:
            us = ("-aec", "RELAY", "127.0.0.1", relay.dimse)
            assert run("echoscu", *us).returncode == 0
            for word, instance in zip(("-xe", "-xe", "-xe", "-xi", "-xr"), files, strict=True):
                folder = write(tmp_path / f"sent{word}", f"{instance}.dcm", files[instance])
            for word in ("-xe", "-xi", "-xr"):
                done = run("storescu", word, "+sd", *us, tmp_path / f"sent{word}")
                assert done.returncode == 0, done.stderr
            unwanted = instances.make(attributes={"Modality": "CT"})
            folder = write(tmp_path / "unwanted", "ct.dcm", unwanted)
            assert run("storescu", "-xe", "+sd", *us, folder).returncode != 0
            asked = run("findscu", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID", *us)
            assert asked.returncode != 0, "a relay finds nothing: it refuses the context"
            with assembly.open_waiting(config.read(file=settings, environment={})) as waiting:
                started.wait_until(lambda: waiting.progress("hub").delivered == len(files))
                assert waiting.progress("hub").waiting == 0
            assert assembly.find_forwarded(config.read(file=settings, environment={})) == ["hub"]
            other = run(sys.executable, "-m", "dicomgate", "relay", "--config", settings)
            assert (other.returncode, "another relay" in other.stderr) == (1, True)
            arrived = {each.SOPInstanceUID: each for each in kept(server)}
            assert len(kept(server)) == len(arrived) == len(files)
            for instance, file in files.items():
                assert arrived[instance] == pydicom.dcmread(BytesIO(file))


def kept(server: processes.Running) -> list[pydicom.Dataset]:
    """Every data set that a server keeps."""
    files = [each for each in (server.data / "blobs").rglob("*") if each.is_file() and each.stat().st_size > 300]
    return [pydicom.dcmread(each) for each in files]
