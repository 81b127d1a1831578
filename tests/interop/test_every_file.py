"""Every file of ../shared/data outside broken/, by the unmodified dicomweb-client against real servers."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pydicom
import pytest
from dicomweb_client import DICOMwebClient
from interop_compare import differences, read_metadata
from interop_corpus import DATA, PREAMBLE, Layer, Sample, batches, is_same_file, lay_out, needs_data, read_corpus
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import UID
from requests import HTTPError

from dicomgate.dicom import uids
from dicomgate.testing import processes
from dicomgate.testing.processes import Running

pytestmark = [needs_data, pytest.mark.slow]

BIG_ENDIAN = "1.2.840.10008.1.2.2"
VIDEO = re.compile(r"1\.2\.840\.10008\.1\.2\.4\.10[0-8](\.1)?")
STORED = {"Accept": "application/dicom; transfer-syntax=*"}
BYTES = {"Accept": "application/octet-stream; transfer-syntax=*"}


def is_storable(sample: Sample) -> bool:
    """T9: a UID of more than 64 characters is none."""
    return all(uids.is_uid(uid) for uid in (sample.target.study, sample.target.series, sample.target.instance))


@dataclass(frozen=True)
class Archive:
    """One layer of the files in one server."""

    server: Running
    layer: Layer

    @cached_property
    def client(self) -> DICOMwebClient:
        return DICOMwebClient(self.server.root)

    def get(self, path: str, headers: dict[str, str]) -> bytes:
        """What the client's own session gets, without its reading of it."""
        response = self.client._session.get(self.server.root + path, headers=headers)
        assert response.status_code == 200, response.text
        return response.content

    def samples(self) -> Iterable[Sample]:
        return self.layer.samples.values()


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Archive]]:
    samples, _ = read_corpus()
    layers = lay_out(sample for sample in samples if is_storable(sample))
    home = tmp_path_factory.mktemp("every-file")

    def open_one(number: int) -> Archive:
        data = home / f"layer-{number}"
        return Archive(processes.start(data=data, log=home / f"layer-{number}.log"), layers[number])

    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        opened = []
        for archive in pool.map(open_one, range(len(layers))):
            stack.callback(archive.server.stop)
            opened.append(archive)
        for archive in opened:
            for batch in batches(archive.samples()):
                store(archive.client, batch)
        yield opened
        for archive in opened:
            assert archive.server.is_alive
            assert b'"event":"error"' not in archive.server.log.read_bytes(), archive.server.log.read_text()[-2000:]


def store(client: DICOMwebClient, batch: list[Sample]) -> None:
    """By the client's public method where pydicom writes a file as it was, else by the method beneath, which takes bytes."""
    faithful, others = [], []
    for sample in batch:
        content = sample.content()
        dataset = pydicom.dcmread(io.BytesIO(content), force=True)
        if rewritten(dataset) == content:
            faithful.append(dataset)
        else:
            others.append(content)
    answers = []
    if faithful:
        answers.append(client.store_instances(faithful))
    if others:
        url = client._get_studies_url(_store())
        answers.append(client._http_post_multipart_application_dicom(url, others))
    stored = {item.ReferencedSOPInstanceUID for answer in answers for item in answer.get("ReferencedSOPSequence", ())}
    failed = [item for answer in answers for item in answer.get("FailedSOPSequence", ())]
    failed += [item for answer in answers for item in answer.get("OtherFailuresSequence", ())]
    names = {sample.target.instance: sample.name for sample in batch}
    said = [f"{names.get(one.get('ReferencedSOPInstanceUID'))}: {one.FailureReason:04X}" for one in failed]
    assert not said, said
    assert stored == set(names)


def _store() -> Any:
    from dicomweb_client.web import _Transaction

    return _Transaction.STORE


def rewritten(dataset: Dataset) -> bytes | None:
    into = io.BytesIO()
    try:
        pydicom.dcmwrite(into, dataset)
    except (ValueError, AttributeError, TypeError):
        return None
    return into.getvalue()


def each(archives: list[Archive]) -> Iterator[tuple[Archive, Sample]]:
    return ((archive, sample) for archive in archives for sample in archive.samples())


def test_nothing_is_left_out(archives: list[Archive]) -> None:
    stored = {sample.path for _, sample in each(archives)}
    refused = {sample.path for sample in read_corpus()[0] if not is_storable(sample)} | set(read_corpus()[1])
    on_disk = {path for path in DATA.rglob("*") if path.is_file() and "broken" not in path.relative_to(DATA).parts}
    assert stored | refused == on_disk - {DATA / "MANIFEST.tsv", DATA / "README.md"}
    assert not stored & refused
    assert len(stored) > 1400
    assert len(refused) < 50


def test_what_is_no_instance_of_a_study_is_refused_with_a_reason(archives: list[Archive]) -> None:
    """Those without one of the four UIDs (DICOMDIR, palettes, queries, bare pictures) or with one that is none (T9)."""
    client = archives[0].client
    url = client._get_studies_url(_store())
    before = client.search_for_studies(fields=["NumberOfStudyRelatedInstances"])
    for path in [*read_corpus()[1], *(sample.path for sample in read_corpus()[0] if not is_storable(sample))]:
        with pytest.raises(HTTPError) as refusal:
            client._http_post_multipart_application_dicom(url, [path.read_bytes()])
        response = refusal.value.response
        assert response.status_code in {400, 409}, path
        report = Dataset.from_json(response.json())
        failures = [*report.get("FailedSOPSequence", ()), *report.get("OtherFailuresSequence", ())]
        assert [item.FailureReason >> 12 for item in failures] == [0xC], path
        assert re.search(r"UID|ends before", response.headers["Warning"]), path
        assert "ReferencedSOPSequence" not in report
    assert client.search_for_studies(fields=["NumberOfStudyRelatedInstances"]) == before


def test_each_is_found_at_three_levels(archives: list[Archive]) -> None:
    """QIDO-01, QIDO-04, QIDO-12 to 14, V9, V10; D4: counts agree with listings."""
    for archive in archives:
        client, studies = archive.client, archive.layer.studies()
        found = {item["0020000D"]["Value"][0]: item for item in client.search_for_studies(get_remaining=True)}
        assert set(found) == set(studies)
        for study, wanted in studies.items():
            count = sum(len(samples) for samples in wanted.values())
            assert found[study]["00201206"]["Value"] == [len(wanted)]
            assert found[study]["00201208"]["Value"] == [count]
            assert found[study]["00100020"].get("Value", [""]) == [next(iter(wanted.values()))[0].patient]
            series = {item["0020000E"]["Value"][0]: item for item in client.search_for_series(study)}
            assert set(series) == set(wanted)
            for uid, samples in wanted.items():
                assert series[uid]["00201209"]["Value"] == [len(samples)]
                listed = client.search_for_instances(study, uid, get_remaining=True)
                assert {(item["00080018"]["Value"][0], item["00080016"]["Value"][0]) for item in listed} == {
                    (sample.target.instance, sample.sop_class) for sample in samples
                }


def test_each_is_found_by_its_own_uids(archives: list[Archive]) -> None:
    """QIDO-05: the relational search from the root, many UIDs in a list."""
    for archive in archives:
        wanted = sorted(archive.layer.samples)
        for start in range(0, len(wanted), 100):
            some = wanted[start : start + 100]
            listed = archive.client.search_for_instances(search_filters={"SOPInstanceUID": ",".join(some)})
            assert sorted(item["00080018"]["Value"][0] for item in listed) == some
            for item in listed:
                target = archive.layer.samples[item["00080018"]["Value"][0]].target
                assert item["0020000D"]["Value"] == [target.study]
                assert item["0020000E"]["Value"] == [target.series]


def test_metadata_of_each_says_what_the_file_says(archives: list[Archive]) -> None:
    """RET-06, RET-07, JSON-01 to 13: pydicom reads the same from our JSON (bulk data dereferenced) as from the file."""
    wrong: list[str] = []
    for archive in archives:
        root = archive.server.root + "/"

        def fetch(uri: str, archive: Archive = archive, root: str = root) -> bytes:
            assert uri.startswith(root), "a link that leads elsewhere"
            (content,) = archive.client.retrieve_bulkdata(uri)
            return bytes(content)

        for study, wanted in archive.layer.studies().items():
            for series in wanted:
                for tree in archive.client.retrieve_series_metadata(study, series):
                    sample = archive.layer.samples[tree["00080018"]["Value"][0]]
                    assert list(tree) == sorted(tree)
                    found = differences(sample.dataset(), read_metadata(tree, fetch))
                    wrong += [f"{sample.name}: {difference}" for difference in found]
    assert not wrong, "\n".join(wrong[:50])


def test_metadata_is_the_same_at_three_levels(archives: list[Archive]) -> None:
    for archive in archives:
        for study, wanted in archive.layer.studies().items():
            of_study = _by_uid(archive.client.retrieve_study_metadata(study))
            of_series = [tree for uid in wanted for tree in archive.client.retrieve_series_metadata(study, uid)]
            assert _by_uid(of_series) == of_study
            for samples in wanted.values():
                target = samples[0].target
                assert (
                    archive.client.retrieve_instance_metadata(target.study, target.series, target.instance)
                    == of_study[target.instance]
                )


def _by_uid(trees: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {tree["00080018"]["Value"][0]: tree for tree in trees}


def test_each_comes_back_byte_for_byte(archives: list[Archive]) -> None:
    """MT-06, V2: `transfer-syntax=*` is what was stored; only a preamble may be cleared (T12)."""
    wrong = []
    for archive, sample in each(archives):
        target = sample.target
        path = f"/studies/{target.study}/series/{target.series}/instances/{target.instance}"
        if not is_same_file(archive.get(path, STORED), sample.content()):
            wrong.append(sample.name)
    assert not wrong


def test_studies_come_back_whole_to_the_client(archives: list[Archive]) -> None:
    """RET-01: the client reads every part of a study, a series and an instance as the data set that was sent."""
    for archive in archives:
        for study, wanted in archive.layer.studies().items():
            samples = [sample for samples in wanted.values() for sample in samples]
            if len(samples) > 60 or not all(has_header(sample) for sample in samples):
                continue  # the bytes of each are compared above; the client reads no file without header
            received = archive.client.retrieve_study(study, media_types=(("application/dicom", "*"),))
            assert {str(dataset.SOPInstanceUID) for dataset in received} == {one.target.instance for one in samples}
            target = samples[0].target
            assert (
                archive.client.retrieve_instance(target.study, target.series, target.instance).file_meta.get(
                    "TransferSyntaxUID", ""
                )
                == samples[0].transfer_syntax
            )


def has_header(sample: Sample) -> bool:
    return sample.content()[PREAMBLE : PREAMBLE + 4] == b"DICM"


def test_frames_of_each_are_those_that_pydicom_finds(archives: list[Archive]) -> None:
    """FRM-01, FRM-02, FRM-07, MT-11, MT-13: native frames little endian and unpadded, codestreams joined and bare."""
    wrong, checked = [], 0
    for archive, sample in each(archives):
        dataset = sample.dataset()
        wanted = expected_frames(dataset)
        target = (sample.target.study, sample.target.series, sample.target.instance)
        for start in range(0, len(wanted), 200):
            numbers = list(range(start + 1, min(start + 200, len(wanted)) + 1))
            try:
                got = archive.client.retrieve_instance_frames(*target, numbers)
            except HTTPError as refusal:
                wrong.append(f"{sample.name}: {refusal.response.text}")
                break
            if [bytes(frame) for frame in got] != wanted[start : start + 200]:
                wrong.append(f"{sample.name} {numbers[0]}-{numbers[-1]}")
            checked += len(numbers)
    assert not wrong
    assert checked > 2000


def expected_frames(dataset: Dataset) -> list[bytes]:
    keyword = next((word for word in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if word in dataset), None)
    if keyword is None or "Rows" not in dataset:
        return []
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", "1.2.840.10008.1.2"))
    count = int(dataset.get("NumberOfFrames") or 1)
    content = dataset[keyword].value
    if not UID(syntax).is_encapsulated if UID(syntax).is_transfer_syntax else False:
        return list(_native_frames(dataset, keyword, content, count, is_big=syntax == BIG_ENDIAN))
    if VIDEO.fullmatch(syntax):
        count = 1
    extended = None
    if "ExtendedOffsetTable" in dataset:
        extended = (dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths)
    return list(generate_frames(content, number_of_frames=count, extended_offsets=extended))


def _native_frames(dataset: Dataset, keyword: str, content: bytes, count: int, *, is_big: bool) -> Iterator[bytes]:
    bits = {"PixelData": dataset.get("BitsAllocated", 0), "FloatPixelData": 32, "DoubleFloatPixelData": 64}[keyword]
    size = dataset.Rows * dataset.Columns * dataset.get("SamplesPerPixel", 1) * bits
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        size = size * 2 // 3
    word = bits // 8 if bits > 8 else 2 if dataset[keyword].VR == "OW" else 1
    if is_big and word > 1:
        content = b"".join(content[at : at + word][::-1] for at in range(0, len(content), word))
    whole = int.from_bytes(content, "little") if size % 8 else 0
    for number in range(count):
        if size % 8:
            frame = whole >> (number * size) & ((1 << size) - 1)
            yield frame.to_bytes((size + 7) // 8, "little")
        else:
            yield content[number * size // 8 : (number + 1) * size // 8]


def test_each_link_in_metadata_leads_to_its_value(archives: list[Archive]) -> None:
    """RET-07, FRM-04, MP-02: every BulkDataURI, also of pixel data, single and multipart, says the same."""
    count = 0
    for archive in archives:
        for study in archive.layer.studies():
            for tree in archive.client.retrieve_study_metadata(study):
                frames = int(tree.get("00280008", {}).get("Value", [1])[0])
                for path, uri in links(tree):
                    parts = archive.client.retrieve_bulkdata(uri)
                    is_one_each = path == "7FE00010" and len(parts) > 1
                    assert len(parts) == (frames if is_one_each else 1), uri
                    if not is_one_each:
                        single = archive.get(uri.removeprefix(archive.server.root), BYTES)
                        assert bytes(parts[0]) == single
                    count += 1
    assert count > 1400


def links(tree: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for tag, element in tree.items():
        if "BulkDataURI" in element:
            yield path + tag, element["BulkDataURI"]
        if element["vr"] == "SQ":
            for number, item in enumerate(element.get("Value", ()), 1):
                yield from links(item, f"{path}{tag}/{number}/")


def test_archives_are_sound_afterwards(archives: list[Archive], capfd: pytest.CaptureFixture[str]) -> None:
    """D6: `admin verify` reads every stored file beside the running server and finds nothing wrong."""
    from dicomgate.cli import main

    for archive in archives:
        assert main.run(["admin", "verify", str(archive.server.data)]) == 0, capfd.readouterr()
        assert list((archive.server.data / "spool").iterdir()) == []
        kept = [path for path in (archive.server.data / "aside").glob("*") if Path(path).is_file()]
        assert kept == []
