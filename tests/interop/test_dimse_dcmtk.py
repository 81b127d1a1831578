"""DCMTK's tools at our DIMSE door: stored, found, moved, got, in every transfer syntax that both know; TLS (PS3.4 §B, §C)."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pydicom
import pytest
from interop_corpus import Sample, needs_data, read_corpus
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet as Get  # type: ignore[attr-defined]

from dicomgate.dicom import syntaxes
from dicomgate.testing import processes
from dicomgate.testing.processes import Running

TOOLS = ("echoscu", "storescu", "storescp", "findscu", "getscu", "movescu", "openssl")
missing = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = [
    needs_data,
    pytest.mark.slow,
    pytest.mark.interop,
    pytest.mark.skipif(bool(missing), reason=f"not here: {', '.join(missing)}"),
]
PROPOSED = {
    "1.2.840.10008.1.2": "-xi",
    "1.2.840.10008.1.2.1": "-xe",
    "1.2.840.10008.1.2.2": "-xb",
    "1.2.840.10008.1.2.1.99": "-xd",
    "1.2.840.10008.1.2.4.50": "-xy",
    "1.2.840.10008.1.2.4.51": "-xx",
    "1.2.840.10008.1.2.4.70": "-xs",
    "1.2.840.10008.1.2.4.80": "-xt",
    "1.2.840.10008.1.2.4.81": "-xu",
    "1.2.840.10008.1.2.4.90": "-xv",
    "1.2.840.10008.1.2.4.91": "-xw",
    "1.2.840.10008.1.2.5": "-xr",
    "1.2.840.10008.1.2.4.100": "-xm",
    "1.2.840.10008.1.2.4.102": "-xn",
}
"""What makes storescu propose a transfer syntax."""
PATIENCE = 100


def run(*words: object) -> str:
    done = subprocess.run([str(word) for word in words], check=False, capture_output=True, text=True, timeout=PATIENCE)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        return int(free.getsockname()[1])


@contextmanager
def receiver(here: Path, *words: str) -> Iterator[int]:
    """DCMTK's storescp, which keeps what comes bit by bit."""
    here.mkdir()
    port = free_port()
    command = ["storescp", "--aetitle", "THERE", "+xa", "+B", "-uf", "-od", str(here), *words, str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, "storescp has ended"
                assert time.monotonic() < deadline, "storescp does not listen"
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


def each_syntax() -> list[Sample]:
    """The smallest sample of each transfer syntax, none of whose UIDs another has."""
    chosen: dict[str, Sample] = {}
    studies: set[str] = set()
    samples, _ = read_corpus()
    for sample in sorted(samples, key=lambda one: one.path.stat().st_size):
        is_new = sample.transfer_syntax not in chosen and sample.target.study not in studies
        if is_new and syntaxes.find(sample.transfer_syntax) is not None:
            chosen[sample.transfer_syntax] = sample
            studies.add(sample.target.study)
    return list(chosen.values())


def by_pynetdicom(port: int, sample: Sample) -> None:
    """What DCMTK does not know."""
    entity = AE("TEST")
    entity.add_requested_context(sample.sop_class, sample.transfer_syntax)
    association = entity.associate("127.0.0.1", port, ae_title="DICOMGATE")
    assert association.send_c_store(sample.path).Status == 0
    association.release()


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return each_syntax()


def dataset_of(path: Path) -> bytes:
    """The file's bytes from the data set on."""
    meta = pydicom.filereader.read_file_meta_info(path)
    return path.read_bytes()[144 + meta.FileMetaInformationGroupLength :]


@contextmanager
def door(here: Path, **said: str) -> Iterator[Running]:
    environment = {f"DICOMGATE__DIMSE__{name.upper()}": value for name, value in said.items()}
    with processes.running("--dimse", "0", data=here / "data", log=here / "log", environment=environment) as server:
        yield server


def test_every_transfer_syntax_is_stored_found_moved_and_got(tmp_path: Path, samples: list[Sample]) -> None:
    assert len(samples) > 15
    with (
        receiver(tmp_path / "straight") as straight,
        receiver(tmp_path / "moved") as there,
        door(tmp_path, peers=f"THERE@127.0.0.1:{there}") as server,
    ):
        us = ("-aec", "DICOMGATE", "127.0.0.1", server.dimse)
        run("echoscu", *us)
        with pytest.raises(AssertionError, match="Called AE Title Not Recognized"):
            run("echoscu", "-aec", "OTHER", "127.0.0.1", server.dimse)
        for sample in samples:
            flag = PROPOSED.get(sample.transfer_syntax)
            if flag is None:
                by_pynetdicom(server.dimse, sample)
            else:
                run("storescu", "-R", flag, *us, sample.path)
                run("storescu", "-R", flag, "127.0.0.1", straight, sample.path)
        for sample in samples:
            study = f"StudyInstanceUID={sample.target.study}"
            series = f"SeriesInstanceUID={sample.target.series}"
            instance = f"SOPInstanceUID={sample.target.instance}"
            keys = [word for key in ("QueryRetrieveLevel=IMAGE", study, series, instance) for word in ("-k", key)]
            assert sample.target.instance in run("findscu", "-v", "-S", *us, *keys)
            run("movescu", "-S", "-aem", "THERE", *us, *keys)
            moved = list((tmp_path / "moved").iterdir())
            assert len(moved) == 1
            came = pydicom.filereader.read_file_meta_info(moved[0]).TransferSyntaxUID
            is_known = sample.transfer_syntax in PROPOSED
            if came == sample.transfer_syntax:
                sent = tmp_path / "straight" / moved[0].name if is_known else sample.path
                assert dataset_of(moved[0]) == dataset_of(sent), sample.name
            else:  # storescp does not know it either: it was made plain
                assert (is_known, came) == (False, syntaxes.EXPLICIT_LITTLE), sample.name
            moved[0].unlink()
        got = tmp_path / "got"
        got.mkdir()
        plain = next(one for one in samples if one.transfer_syntax == syntaxes.EXPLICIT_LITTLE)
        keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={plain.target.study}"]
        run("getscu", "-S", "+B", "-od", got, *us, *keys)
        assert [pydicom.dcmread(path).SOPInstanceUID for path in got.iterdir()] == [plain.target.instance]


def test_what_a_peer_does_not_take_compressed_is_made_plain(tmp_path: Path, samples: list[Sample]) -> None:
    """PS3.4 §C.4.3: converted to Explicit or Implicit VR Little Endian for getscu, which takes nothing else."""
    compressed = next(one for one in samples if one.transfer_syntax == "1.2.840.10008.1.2.5")
    expected = pydicom.dcmread(compressed.path)
    expected.decompress()
    with door(tmp_path) as server:
        us = ("-aec", "DICOMGATE", "127.0.0.1", server.dimse)
        run("storescu", "-R", "-xr", *us, compressed.path)
        keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={compressed.target.study}"]
        there = tmp_path / "got"
        there.mkdir()
        run("getscu", "-S", "+B", "-xe", "-od", there, *us, *keys)
        explicit = pydicom.dcmread(next(there.iterdir()))
        implicit = get_implicit(server.dimse, compressed)
    assert explicit.file_meta.TransferSyntaxUID == syntaxes.EXPLICIT_LITTLE
    assert explicit.PixelData == expected.PixelData == implicit.PixelData
    assert explicit.StudyDate == expected.StudyDate == implicit.StudyDate


def get_implicit(port: int, sample: Sample) -> Dataset:
    """getscu offers explicit VR always; pynetdicom takes implicit alone."""
    came: list[Dataset] = []

    def take(event: evt.Event) -> int:
        came.append(event.dataset)
        return 0

    entity = AE("TEST")
    entity.add_requested_context(Get, syntaxes.IMPLICIT_LITTLE)
    entity.add_requested_context(sample.sop_class, syntaxes.IMPLICIT_LITTLE)
    roles = [build_role(sample.sop_class, scp_role=True)]
    handlers = [(evt.EVT_C_STORE, take)]
    association = entity.associate("127.0.0.1", port, ae_title="DICOMGATE", ext_neg=roles, evt_handlers=handlers)
    wanted = Dataset()
    wanted.QueryRetrieveLevel, wanted.StudyInstanceUID = "STUDY", sample.target.study
    assert [status.Status for status, _ in association.send_c_get(wanted, Get)][-1] == 0
    association.release()
    return came[0]


def certificate(here: Path, name: str) -> tuple[Path, Path]:
    """One that vouches for itself, and its key."""
    chain, key = here / f"{name}.pem", here / f"{name}.key"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    run(*words, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", chain)
    return chain, key


def test_over_tls_who_shows_no_certificate_that_is_believed_is_not_heard_T20(tmp_path: Path) -> None:
    ours, our_key = certificate(tmp_path, "ours")
    theirs, their_key = certificate(tmp_path, "theirs")
    stranger, stranger_key = certificate(tmp_path, "stranger")
    said = {"tls_certificate": str(ours), "tls_key": str(our_key), "tls_authorities": str(theirs)}
    with door(tmp_path, **said) as server:
        us = ("-aec", "DICOMGATE", "127.0.0.1", server.dimse)
        run("echoscu", "+tls", their_key, theirs, "+cf", ours, *us)
        for words in (("+tls", stranger_key, stranger, "+cf", ours), ("+tla", "+cf", ours), ()):
            with pytest.raises(AssertionError):
                run("echoscu", *words, *us)
        run("echoscu", "+tls", their_key, theirs, "+cf", ours, *us)
