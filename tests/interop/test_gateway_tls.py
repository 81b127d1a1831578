"""A gateway and a PACS (Orthanc) over TLS, each with a certificate that the other asks for: questions, storage, both ways back (PS3.15 §B.12)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import interop_pacs
import pytest

from dicomgate import assembly, config
from dicomgate.cli import main
from dicomgate.testing import instances
from dicomgate.testing.serving import serving

OPENSSL = shutil.which("openssl")
pytestmark = [
    pytest.mark.skipif(not (OPENSSL and interop_pacs.ORTHANC), reason="no Orthanc or openssl here"),
    pytest.mark.slow,
]


def certificate(here: Path, name: str) -> tuple[Path, Path]:
    """One that vouches for itself, and its key."""
    chain, key = here / f"{name}.pem", here / f"{name}.key"
    words = [str(OPENSSL), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(chain)]
    subprocess.run(words, check=True, capture_output=True)
    return chain, key


@contextmanager
def over(here: Path, port: int, move: int, way: str, **said: Path) -> Iterator[httpx2.Client]:
    """A caller of a gateway over TLS, which shows what was `said`."""
    interop_pacs.written(here, port, move, "--retrieve", way, "--tls", name=f"{way}.toml")
    file = here / f"{way}.toml"
    file.write_text(file.read_text() + "".join(f'{name} = "{path}"\n' for name, path in said.items()))
    application = assembly.application(config.read(file=file, environment={}), pacs=True)
    with (
        serving(application) as served,
        httpx2.Client(base_url=f"http://127.0.0.1:{served.port}/dicomweb", timeout=60, trust_env=False) as caller,
    ):
        yield caller
    application.close()


def test_both_sides_show_certificates_and_ask_for_them(tmp_path, capsys):
    theirs, their_key = certificate(tmp_path, "pacs")
    ours, our_key = certificate(tmp_path, "gateway")
    further = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(theirs),
        "DicomTlsPrivateKey": str(their_key),
        "DicomTlsTrustedCertificates": str(ours),
        "DicomTlsRemoteCertificateRequired": True,
    }
    said = {"tls_authorities": theirs, "tls_certificate": ours, "tls_key": our_key}
    target = instances.new_target()
    path = f"/studies/{target.study}/series/{target.series}"
    with interop_pacs.orthanc(tmp_path, further=further) as (port, move):
        with over(tmp_path, port, move, "get", **said) as caller:
            for _ in range(3):
                one = instances.make(instances.new_target(target.study, target.series))
                stored = caller.post("/studies", content=one, headers={"Content-Type": "application/dicom"})
                assert stored.status_code == 200, stored.text
            assert len(caller.get(f"{path}/metadata").json()) == 3
        shutil.rmtree(tmp_path / "kept")
        with over(tmp_path, port, move, "move", **said) as caller:
            assert len(caller.get(f"{path}/metadata").json()) == 3
        assert main.run(["gateway", "check", "--config", str(tmp_path / "move.toml")]) == 0
        capsys.readouterr()
        stranger, stranger_key = certificate(tmp_path, "stranger")
        told = []
        for wrong in (
            {"tls_authorities": stranger, "tls_certificate": ours, "tls_key": our_key},
            {"tls_authorities": theirs, "tls_certificate": stranger, "tls_key": stranger_key},
        ):
            (tmp_path / "get.toml").unlink()
            with over(tmp_path, port, 0, "get", **wrong) as caller:
                refused = caller.get("/studies")
                assert refused.status_code == 502, refused.text
                told.append(refused.json()["detail"])
        assert main.run(["gateway", "check", "--config", str(tmp_path / "get.toml")]) == main.PARTLY
    assert "its certificate is not believed (self" in told[0]
    assert "does it believe our certificate?" in told[1]
    assert "At the PACS: it must believe ours (pacs.tls_certificate)." in capsys.readouterr().out
