"""A study, series or instance as a ZIP archive (RET-01, MT-04, GEN-12, RET-10, T21)."""

from __future__ import annotations

import http.client
import io
import json
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
from pydicom.fileset import FileSet
from standard_service import Service, path_of

from dicomgate import assembly, config
from dicomgate.dicom import syntaxes
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances
from dicomgate.testing.serving import Reply, serving

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

ZIP = "application/zip"
STORED = "application/zip; transfer-syntax=*"
RLE = "1.2.840.10008.1.2.5"
WITH_DIRECTORY = "application/zip; dicomdir=true"


def members(reply: Reply) -> dict[str, bytes]:
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == ZIP
    with zipfile.ZipFile(io.BytesIO(reply.body)) as opened:
        assert opened.testzip() is None
        return {info.filename: opened.read(info) for info in opened.infolist()}


@contextmanager
def opened_directory(folder: Path) -> Iterator[FileSet]:
    file_set = FileSet(folder / "DICOMDIR")
    try:
        yield file_set
    finally:
        file_set._stage["t"].cleanup()


def store_study(service: Service, *, series: int = 2, each: int = 3, **attributes: object) -> dict[str, bytes]:
    """Numbered so that the order of the numbers is not the order of their coming."""
    study = instances.new_target().study
    stored = {}
    for series_number in range(series, 0, -1):
        uid = instances.new_target().series
        for number in range(each, 0, -1):
            target = instances.new_target(study, uid)
            said = {"SeriesNumber": series_number, "InstanceNumber": number, **attributes}
            stored[f"{study}/{series_number:04d}/{number:05d}.dcm"] = instances.make(target, attributes=said)
    service.store(*stored.values())
    return stored


def test_a_study_is_an_archive_of_its_files_in_order(service: Service) -> None:
    stored = store_study(service)
    study = next(iter(stored)).split("/")[0]
    reply = service.studies(f"/studies/{study}", ZIP)
    found = members(reply)
    assert found == stored
    assert list(found) == sorted(stored)
    assert reply.headers["content-length"] == str(len(reply.body))
    assert reply.headers["content-disposition"] == f'attachment; filename="{study}.zip"'
    assert reply.headers["content-location"].endswith(f"/studies/{study}")


def test_a_series_and_an_instance_are_archives_too(service: Service, study: Target) -> None:
    found = members(service.studies(f"/studies/{study.study}/series/{study.series}", ZIP))
    assert [name.split("/", 1)[1] for name in found] == ["0001/00001.dcm", "0001/00002.dcm"]
    assert len(members(service.studies(path_of(study), ZIP))) == 1


def test_it_may_be_asked_for_in_the_address_MT_05(service: Service, study: Target) -> None:
    found = members(service.studies(f"{path_of(study)}?accept=application/zip%3Bdicomdir%3Dtrue", "*/*"))
    assert list(found) == ["DICOM/S0001/I00001", "DICOMDIR"]


@pytest.mark.parametrize("accept", ["*/*", "application/*", None, "image/*, */*;q=0.1"])
def test_nobody_gets_it_who_does_not_name_it_MT_04(service: Service, study: Target, compressed, accept) -> None:
    for path in (path_of(study), f"/studies/{study.study}", path_of(compressed[0])):
        reply = service.studies(path, accept)
        assert reply.headers["content-type"] != ZIP


def test_the_refusal_names_it(service: Service, study: Target) -> None:
    reply = service.studies(f"/studies/{study.study}", "image/png")
    assert reply.status == 406
    assert {ZIP, WITH_DIRECTORY} <= set(json.loads(reply.body)["see"])


def test_what_is_compressed_goes_as_stored_where_that_is_asked_for(service: Service, compressed) -> None:
    target, content = compressed
    assert list(members(service.studies(path_of(target), STORED)).values()) == [content]


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.90"])
def test_an_archive_is_whole_also_of_what_cannot_be_decoded(service: Service, syntax: str) -> None:
    target = instances.new_target()
    plain = instances.new_target(target.study, target.series)
    hidden = instances.make(target, syntax=syntax, frames=[b"\0\0\0\1nothing"])
    service.store(hidden, instances.make(plain))
    for accept in (ZIP, WITH_DIRECTORY):
        assert hidden in members(service.studies(f"/studies/{target.study}", accept)).values()
    by_name = service.studies(path_of(target), "application/zip; transfer-syntax=1.2.840.10008.1.2.1")
    assert by_name.status == 406


def test_what_is_compressed_is_decompressed_by_default_and_compressed_by_name_MT_07(service: Service) -> None:
    target = instances.new_target()
    service.store(instances.make(target))
    for accept, syntax in ((f"{ZIP}; transfer-syntax={RLE}", RLE), (ZIP, syntaxes.EXPLICIT_LITTLE)):
        (content,) = members(service.studies(path_of(target), accept)).values()
        assert pydicom.dcmread(io.BytesIO(content)).file_meta.TransferSyntaxUID == syntax


def test_by_default_files_are_explicit_and_as_stored_on_request_MT_07(service: Service) -> None:
    target = instances.new_target()
    content = instances.make(target, syntax=syntaxes.IMPLICIT_LITTLE)
    service.store(content)
    reply = service.studies(path_of(target), ZIP)
    (rewritten,) = members(reply).values()
    assert pydicom.dcmread(io.BytesIO(rewritten)).file_meta.TransferSyntaxUID == syntaxes.EXPLICIT_LITTLE
    assert reply.headers["accept-ranges"] == "none"
    assert reply.headers["etag"].startswith('"')
    assert service.studies(path_of(target), ZIP).body == reply.body
    stored = service.studies(path_of(target), STORED)
    assert list(members(stored).values()) == [content]
    assert stored.headers["etag"] != reply.headers["etag"]


@pytest.mark.parametrize("accept", [ZIP, WITH_DIRECTORY])
def test_a_broken_download_is_resumed_GEN_12(service: Service, study: Target, accept: str) -> None:
    path = f"/studies/{study.study}"
    whole = service.studies(path, accept)
    tag = whole.headers["etag"]
    got = b""
    while len(got) < len(whole.body):
        reply = service.studies(path, accept, Range=f"bytes={len(got)}-{len(got) + 400}", If_Range=tag)
        assert reply.status == 206
        got += reply.body
    assert got == whole.body
    several = service.studies(path, accept, Range="bytes=0-3,900-903")
    assert several.status == 206
    assert whole.body[900:904] in several.body


@pytest.mark.parametrize("accept", [ZIP, WITH_DIRECTORY])
def test_only_if_it_changed_RET_10(service: Service, accept: str) -> None:
    target = instances.new_target()
    service.store(instances.make(target))
    path = f"/studies/{target.study}"
    first = service.studies(path, accept)
    known = service.studies(path, accept, If_None_Match=first.headers["etag"])
    assert (known.status, known.body) == (304, b"")
    service.store(instances.make(instances.new_target(target.study)))
    assert service.studies(path, accept, If_None_Match=first.headers["etag"]).status == 200


def test_each_form_has_a_tag_of_its_own_RET_10(service: Service, study: Target) -> None:
    accepts = (ZIP, WITH_DIRECTORY, "application/dicom", f"{ZIP}; transfer-syntax={RLE}")
    assert len({service.studies(path_of(study), accept).headers["etag"] for accept in accepts}) == len(accepts)


def test_head_tells_what_get_tells(service: Service, study: Target) -> None:
    path = f"/dicomweb/studies/{study.study}"
    get, head = service.get(path, WITH_DIRECTORY), service.get(path, WITH_DIRECTORY, method="HEAD")
    assert head.body == b""
    for name in ("content-length", "etag", "content-type", "content-disposition", "accept-ranges"):
        assert head.headers[name] == get.headers[name]


def test_a_directory_on_request(service: Service, tmp_path: Path) -> None:
    stored = store_study(service, PatientName="Grüße^Änne", StudyDescription="Knie")
    study = next(iter(stored)).split("/")[0]
    found = members(service.studies(f"/studies/{study}", WITH_DIRECTORY))
    assert list(found)[-1] == "DICOMDIR"
    assert sorted(found.values()) == sorted([*stored.values(), found["DICOMDIR"]])
    for name, content in found.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    with opened_directory(tmp_path) as file_set:
        assert file_set.find_values("PatientName") == ["Grüße^Änne"]
        assert [(s, i) for s in (1, 2) for i in (1, 2, 3)] == [(e.SeriesNumber, e.InstanceNumber) for e in file_set]
        assert all(pydicom.dcmread(each.path).SOPInstanceUID == each.SOPInstanceUID for each in file_set)


def test_a_damaged_file_never_makes_a_whole_looking_archive_D6(tmp_path: Path) -> None:
    application = assembly.application(config.Settings(), data=tmp_path)
    with serving(application) as served:
        service = Service(served)
        targets = [instances.new_target("1.2.3", "1.2.3.4") for _ in range(3)]
        files = [
            instances.make(target, rows=1024, columns=1024, attributes={"InstanceNumber": number})
            for number, target in enumerate(targets, 1)
        ]
        service.store(*files)
        size, damaged = len(files[1]), 0
        for blob in (path for path in (tmp_path / "blobs").rglob("*") if path.is_file()):
            content = blob.read_bytes()
            if content == files[1]:
                blob.chmod(0o600)
                blob.write_bytes(content[: size // 2] + b"!!!!" + content[size // 2 + 4 :])
                damaged += 1
        assert damaged == 1
        with pytest.raises((http.client.IncompleteRead, ConnectionError)) as broken:
            service.studies("/studies/1.2.3", ZIP)
        if isinstance(broken.value, http.client.IncompleteRead):
            assert not zipfile.is_zipfile(io.BytesIO(broken.value.partial))


@pytest.mark.interop
@pytest.mark.parametrize("kind", ["series", "objects"])
def test_dcmtk_reads_the_directory_of_real_objects(service: Service, tmp_path: Path, kind: str) -> None:
    dcmdump = shutil.which("dcmdump")
    if dcmdump is None:
        pytest.skip("DCMTK is not installed here")
    folder = Path(__file__).parents[2] / "../shared/data" / kind
    if not folder.is_dir():
        pytest.skip("the shared data are not here")
    studies = set()
    for path in sorted(folder.rglob("*.dcm"))[:40]:
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        if service.post(path.read_bytes()).status == 200:  # some belong to no study, some say two things of one patient
            studies.add(str(dataset.StudyInstanceUID))
    assert studies
    for number, study in enumerate(sorted(studies)):
        reply = service.studies(f"/studies/{study}", f"{STORED}; dicomdir=true")
        root = tmp_path / str(number)
        with zipfile.ZipFile(io.BytesIO(reply.body)) as opened:
            opened.extractall(root)
            names = opened.namelist()
        done = subprocess.run([dcmdump, "-q", root / "DICOMDIR"], capture_output=True, text=True, check=True)
        assert done.stdout.count("ReferencedFileID") == len(names) - 1
        assert done.stderr == ""
        if "ANNOTATION" not in done.stdout:  # a record of 2022 that pydicom does not know
            with opened_directory(root) as file_set:
                assert len(file_set) == len(names) - 1
