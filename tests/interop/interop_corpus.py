"""The files of ../shared/data that are meant to be readable, and how to lay them out so that no UID meets itself."""

from __future__ import annotations

import csv
import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import FileDataset

from dicomgate.dicom.uids import Target

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not (DATA / "MANIFEST.tsv").exists(), reason="no ../shared/data here")

PREAMBLE = 128
TIFF = {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}
UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


@dataclass(frozen=True)
class Sample:
    """One file, with what of its header decides where it can be stored."""

    path: Path
    target: Target
    sop_class: str
    patient: str
    transfer_syntax: str

    @property
    def name(self) -> str:
        return self.path.relative_to(DATA).as_posix()

    def content(self) -> bytes:
        return self.path.read_bytes()

    def dataset(self) -> FileDataset:
        return pydicom.dcmread(self.path, force=True)


def readable_files() -> Iterator[Path]:
    """Every file that the manifest lists outside broken/."""
    with (DATA / "MANIFEST.tsv").open(newline="") as manifest:
        for row in csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE):
            if not row["path"].startswith("broken/"):
                yield DATA / row["path"]


@functools.cache
def read_corpus() -> tuple[tuple[Sample, ...], tuple[Path, ...]]:
    """The samples, and the files that are no instances of a study: those without one of the four UIDs."""
    samples, others = [], []
    for path in readable_files():
        header = pydicom.dcmread(path, force=True, specific_tags=[*UIDS, "PatientID", "SpecificCharacterSet"])
        if all(header.get(keyword) for keyword in UIDS):
            samples.append(_sample(path, header))
        else:
            others.append(path)
    return tuple(samples), tuple(others)


def _sample(path: Path, header: FileDataset) -> Sample:
    return Sample(
        path=path,
        target=Target(str(header.StudyInstanceUID), str(header.SeriesInstanceUID), str(header.SOPInstanceUID)),
        sop_class=str(header.SOPClassUID),
        patient=str(header.get("PatientID", "")),
        transfer_syntax=str(header.file_meta.get("TransferSyntaxUID", "")),
    )


class Layer:
    """Samples that one archive can hold together: each UID once, each series in one study, each study of one patient."""

    def __init__(self) -> None:
        self.samples: dict[str, Sample] = {}
        self._study_of: dict[str, str] = {}
        self._patient_of: dict[str, str] = {}

    def take(self, sample: Sample) -> bool:
        target = sample.target
        is_free = (
            target.instance not in self.samples
            and self._study_of.get(target.series, target.study) == target.study
            and self._patient_of.get(target.study, sample.patient) == sample.patient
        )
        if is_free:
            self.samples[target.instance] = sample
            self._study_of[target.series] = target.study
            self._patient_of[target.study] = sample.patient
        return is_free

    def studies(self) -> dict[str, dict[str, list[Sample]]]:
        """The samples by study and series."""
        tree: dict[str, dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
        for sample in self.samples.values():
            tree[sample.target.study][sample.target.series].append(sample)
        return tree


def lay_out(samples: Iterable[Sample]) -> list[Layer]:
    """As few layers as the most frequent UID asks for: many files are one picture in another syntax."""
    layers: list[Layer] = []
    for sample in samples:
        if not any(layer.take(sample) for layer in layers):
            layers.append(Layer())
            assert layers[-1].take(sample)
    return layers


def batches(samples: Iterable[Sample], *, most: int = 80, size: int = 16 << 20) -> Iterator[list[Sample]]:
    """Several instances for one request."""
    batch: list[Sample] = []
    held = 0
    for sample in samples:
        length = sample.path.stat().st_size
        if batch and (len(batch) == most or held + length > size):
            yield batch
            batch, held = [], 0
        batch.append(sample)
        held += length
    if batch:
        yield batch


def is_same_file(got: bytes, sent: bytes) -> bool:
    """The same bytes, but for a preamble that is neither blank nor TIFF: that comes back blank (T12)."""
    start = sent[:PREAMBLE]
    if sent[PREAMBLE : PREAMBLE + 4] != b"DICM" or not any(start) or start[:4] in TIFF:
        return got == sent
    return got == bytes(PREAMBLE) + sent[PREAMBLE:]
