"""DCMTK as the other side: what its tools write is kept as it is, and what we write anew its tools read as the same."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
from interop_corpus import PREAMBLE, Sample, is_same_file, needs_data, read_corpus
from pydicom.encaps import generate_frames

from dicomgate.dicom.uids import Target
from dicomgate.testing import processes
from dicomgate.testing.processes import Running

TOOLS = ("dcmconv", "dcmcjpeg", "dcmcjpls", "dcmcrle", "dcmdump", "dcmftest", "dump2dcm")
missing = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = [
    needs_data,
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing), reason=f"DCMTK is not here: no {', '.join(missing)}"),
]

STORED = {"Accept": "application/dicom; transfer-syntax=*"}
EXPLICIT = {"Accept": "application/dicom"}
BYTES = {"Accept": "application/octet-stream; transfer-syntax=*"}
PLAIN = {"1.2.840.10008.1.2": "implicit", "1.2.840.10008.1.2.1": "explicit", "1.2.840.10008.1.2.2": "big endian", "1.2.840.10008.1.2.1.99": "deflated"}  # fmt: skip

PLAIN_FORMS = {
    "explicit": ["dcmconv", "+te"],
    "implicit": ["dcmconv", "+ti"],
    "big endian": ["dcmconv", "+tb"],
    "deflated": ["dcmconv", "+td"],
    "deflated but stored": ["dcmconv", "+td", "+cl", "0"],
    "implicit, undefined lengths, group lengths": ["dcmconv", "+ti", "-e", "+g"],
    "big endian, undefined lengths, group lengths": ["dcmconv", "+tb", "-e", "+g"],
    "explicit, undefined lengths, group lengths, padded": ["dcmconv", "+te", "-e", "+g", "+p", "2048", "256"],
    "implicit, padded": ["dcmconv", "+ti", "+p", "1024", "128"],
    "implicit, no header": ["dcmconv", "+ti", "-F"],
    "explicit, no header": ["dcmconv", "+te", "-F"],
    "big endian, no header": ["dcmconv", "+tb", "-F"],
}
READ_AS = {
    "implicit, no header": ["-f", "-ti"],
    "explicit, no header": ["-f", "-te"],
    "big endian, no header": ["-f", "-tb"],
}
COMPRESSED_FORMS = {
    "JPEG lossless SV1": ["dcmcjpeg", "+e1"],
    "JPEG lossless": ["dcmcjpeg", "+el"],
    "JPEG baseline": ["dcmcjpeg", "+eb"],
    "JPEG extended": ["dcmcjpeg", "+ee"],
    "JPEG spectral, retired": ["dcmcjpeg", "+es"],
    "JPEG progressive, retired": ["dcmcjpeg", "+ep"],
    "JPEG-LS": ["dcmcjpls"],
    "JPEG-LS near lossless": ["dcmcjpls", "+en"],
    "RLE": ["dcmcrle"],
    "many fragments": ["dcmcrle", "+fs", "2"],
    "no offset table": ["dcmcrle", "-ot"],
}


def of_each_kind(*, most: int = 400_000) -> list[Sample]:
    """The first file of each SOP class and transfer syntax among those that are not compressed."""
    first: dict[tuple[str, str], Sample] = {}
    for sample in read_corpus()[0]:
        if sample.transfer_syntax in PLAIN and sample.path.stat().st_size <= most:
            first.setdefault((sample.sop_class, sample.transfer_syntax), sample)
    return list(first.values())


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, check=False, errors="replace", timeout=300)


def ran(*arguments: str | Path) -> str:
    done = run(*arguments)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("dcmtk")
    with processes.running("--allow-delete", data=home / "data", log=home / "log") as running:
        yield running


@contextmanager
def kept(archive: Running, content: bytes, target: Target) -> Iterator[None]:
    """Store it; it must come back as it was. Afterwards it is deleted, for the next form has the same UIDs."""
    body = b"--xxxx\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--xxxx--\r\n"
    kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=xxxx'}
    reply = archive.ask("POST", "/dicomweb/studies", kind, body)
    assert reply.status == 200, reply
    try:
        assert is_same_file(archive.ask("GET", path_of(target), STORED).body, content)
        yield
    finally:
        assert archive.ask("DELETE", f"/dicomweb/studies/{target.study}").status == 204


def path_of(target: Target) -> str:
    return f"/dicomweb/studies/{target.study}/series/{target.series}/instances/{target.instance}"


def normalised(file: Path, *how: str) -> bytes:
    """The data set alone, in Explicit VR Little Endian with lengths, without group lengths or padding: by DCMTK."""
    into = file.with_suffix(".normalised")
    ran("dcmconv", *how, "+te", "+e", "-g", "-p", file, into)
    content = into.read_bytes()
    return content[PREAMBLE + 16 + int.from_bytes(content[PREAMBLE + 12 : PREAMBLE + 16], "little") :]


@pytest.fixture(autouse=True)
def _without_private_dictionary(monkeypatch: pytest.MonkeyPatch) -> None:
    """DCMTK knows some makers' private elements by name; we do not guess their value representation."""
    folders = sorted(Path("/usr/share").glob("libdcmtk*/dicom.dic")) + sorted(
        Path("/usr").glob("*/share/dcmtk*/dicom.dic")
    )
    if folders:
        monkeypatch.setenv("DCMDICTPATH", str(folders[0]))


@pytest.mark.parametrize("form", PLAIN_FORMS)
def test_what_we_write_anew_is_the_same_to_dcmtk(archive: Running, tmp_path: Path, form: str) -> None:
    """MT-07, GEN-09, STOW-20, T2: any uncompressed form is kept, and goes out as sound Explicit VR Little Endian."""
    count = 0
    for sample in of_each_kind():
        made, got = tmp_path / "made.dcm", tmp_path / "got.dcm"
        if form.startswith("big") and sample.dataset().get("BitsAllocated") == 32:
            continue  # DCMTK turns pixels of 32 bits as two words of 16, the files of others as one of 32
        done = run(*PLAIN_FORMS[form], sample.path, made)
        if done.returncode != 0 or not made.exists():
            continue  # DCMTK itself cannot read or write this one so
        with kept(archive, made.read_bytes(), sample.target):
            got.write_bytes(archive.ask("GET", path_of(sample.target), EXPLICIT).body)
        assert "yes:" in ran("dcmftest", got), sample.name
        assert_read_without_complaint(got, sample.name)
        assert "=LittleEndianExplicit" in ran("dcmdump", "+P", "0002,0010", got)
        wanted = normalised(made, *READ_AS.get(form, ()))
        assert normalised(got) == wanted, sample.name
        count += 1
        made.unlink()
    assert count > 20


def assert_read_without_complaint(file: Path, name: str) -> None:
    """Neither error nor warning that DCMTK has not of the file itself."""
    done = run("dcmdump", "-ml", file)
    assert done.returncode == 0, f"{name}: {done.stderr}"
    assert not [line for line in done.stderr.splitlines() if line.startswith("E:")], f"{name}: {done.stderr}"


@pytest.mark.parametrize("form", COMPRESSED_FORMS)
def test_what_dcmtk_compresses_is_kept_and_its_frames_are_found(archive: Running, tmp_path: Path, form: str) -> None:
    """V2, FRM-01, MT-13: fragments joined, offset tables or none."""
    count = 0
    for sample in of_each_kind():
        made = tmp_path / "made.dcm"
        done = run(*COMPRESSED_FORMS[form], sample.path, made)
        if done.returncode != 0 or not made.exists():
            continue
        dataset = pydicom.dcmread(made)
        if not dataset.file_meta.TransferSyntaxUID.is_encapsulated or "PixelData" not in dataset:
            continue
        target = Target(dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)
        frames = list(generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames", 1) or 1)))
        with kept(archive, made.read_bytes(), target):
            for number, frame in enumerate(frames, 1):
                reply = archive.ask("GET", f"{path_of(target)}/frames/{number}", BYTES)
                assert (reply.status, reply.body) == (200, frame), f"{sample.name} {number}"
                syntax = str(dataset.file_meta.TransferSyntaxUID)
                assert reply.headers["content-type"] == f"application/octet-stream; transfer-syntax={syntax}"
        count += 1
        made.unlink()
    assert count > 5


def test_objects_made_by_dcmtk(archive: Running, tmp_path: Path) -> None:
    """A document and a dump with every value representation."""
    pdf, document = tmp_path / "a.pdf", tmp_path / "document.dcm"
    pdf.write_bytes(b"%PDF-1.4\n" + b"%" * 5000 + b"\n%%EOF\n")
    if shutil.which("pdf2dcm"):
        ran("pdf2dcm", pdf, document)
        read = pydicom.dcmread(document)
        target = Target(read.StudyInstanceUID, read.SeriesInstanceUID, read.SOPInstanceUID)
        with kept(archive, document.read_bytes(), target):
            value = archive.ask("GET", path_of(target) + "/bulkdata/00420011", {"Accept": "application/octet-stream"})
        assert value.body.startswith(pdf.read_bytes())
    dump, made = tmp_path / "dump.txt", tmp_path / "made.dcm"
    dump.write_text(DUMP)
    ran("dump2dcm", "+te", dump, made)
    got, target = tmp_path / "got.dcm", Target("1.2.3.1", "1.2.3.2", "1.2.3.3")
    with kept(archive, made.read_bytes(), target):
        got.write_bytes(archive.ask("GET", path_of(target), EXPLICIT).body)
    assert_read_without_complaint(got, "dump")


DUMP = r"""
(0008,0005) CS [ISO_IR 192]
(0008,0016) UI [1.2.840.10008.5.1.4.1.1.7]
(0008,0018) UI [1.2.3.3]
(0008,0020) DA [20240101]
(0008,0030) TM [101112.123456]
(0008,0060) CS [OT]
(0008,1140) SQ (Sequence with undefined length)
(fffe,e000) na (Item with undefined length)
(0008,1150) UI [1.2.840.10008.5.1.4.1.1.7]
(0008,1155) UI [1.2.3.4]
(fffe,e00d) na (ItemDelimitationItem)
(fffe,e0dd) na (SequenceDelimitationItem)
(0010,0010) PN [Yamada^Tarou=山田^太郎=やまだ^たろう]
(0010,0020) LO [1\2\3]
(0010,1010) AS [042Y]
(0018,1041) DS [1.5\-2\3e5]
(0020,000d) UI [1.2.3.1]
(0020,000e) UI [1.2.3.2]
(0020,0013) IS [7]
(0028,0009) AT (0018,1063)\(0018,1065)
(0040,a040) CS [TEXT]
(0040,a160) UT [text]
"""
