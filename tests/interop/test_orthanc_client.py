"""The client's verbs with Orthanc at the other side: all arrives as it was, and nothing travels twice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import interop_orthanc
import numpy as np
import pytest

import dicomgate
from dicomgate import errors
from dicomgate.cli import main
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances
from dicomgate.testing.processes import running

SERIES = 5
EACH = 200
COUNT = SERIES * EACH
WHOLE = re.compile(r"/(series|instances)/[\d.]+/?$")

pytestmark = [pytest.mark.slow, interop_orthanc.NEEDED]


@dataclass(frozen=True)
class Site:
    """Orthanc, what it is given, and what it was asked so far."""

    root: str
    folder: Path
    files: dict[str, bytes]
    series: list[Target]
    log: Path

    def asked(self) -> list[str]:
        """The path of each GET, since it began."""
        return re.findall(r"\bGET /dicom-web(/[^\s?]*)", self.log.read_text("utf-8", "replace"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, log = tmp_path_factory.mktemp("given"), tmp_path_factory.mktemp("said") / "log"
    files, series = {}, []
    study = instances.new_target()
    for number in range(SERIES):
        series.append(Target(study.study, instances.new_target().series))
        for place in range(EACH):
            target = instances.new_target(study.study, series[-1].series)
            held = {"PatientID": "ORTHANC", "Modality": "CT", "SeriesNumber": number + 1, "InstanceNumber": place + 1}
            files[target.instance] = instances.make(target, attributes=held)
            (folder / f"{number}-{place}.dcm").write_bytes(files[target.instance])
    with interop_orthanc.running(tmp_path_factory.mktemp("orthanc"), log=log) as address:
        found = Site(f"{address}/dicom-web", folder, files, series, log)
        assert main.run(["store", found.root, str(folder)]) == 0
        yield found


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in folder.rglob("*.dcm")}


def run(capfd: pytest.CaptureFixture[str], *words: str | Path, code: int = 0) -> list[dict[str, object]]:
    """The lines that a verb prints."""
    capfd.readouterr()
    assert main.run([str(word) for word in words]) == code
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_all_come_as_they_were_and_nothing_is_fetched_twice(site, tmp_path, capfd):
    found = run(capfd, "find", site.root, "instances", "PatientID=ORTHANC")
    assert {one["SOPInstanceUID"] for one in found} == set(site.files)
    assert len(found) == COUNT
    run(capfd, "get", site.root, "PatientID=ORTHANC", "--out", "copy")
    assert contents(tmp_path / "copy") == site.files
    before = len(site.asked())
    told = run(capfd, "get", site.root, "PatientID=ORTHANC", "--out", "copy")
    assert sum(int(str(one["fetched"])) for one in told) == 0
    assert [path for path in site.asked()[:before] if WHOLE.search(path)], "the first time they are"
    later = site.asked()[before:]
    assert later, "what is there is searched for"
    assert not [path for path in later if WHOLE.search(path)]
    assert contents(tmp_path / "copy") == site.files


def test_what_is_lost_is_fetched_alone(site, tmp_path, capfd):
    series = site.series[0].series
    run(capfd, "get", site.root, f"SeriesInstanceUID={series}", "--out", "copy")
    lost = sorted((tmp_path / "copy").rglob("*.dcm"))[:3]
    for path in lost:
        path.unlink()
    told = run(capfd, "get", site.root, f"SeriesInstanceUID={series}", "--out", "copy")
    assert [one["fetched"] for one in told] == [3]
    assert all(path.read_bytes() == site.files[path.stem] for path in lost)


def test_it_is_in_step_with_a_folder_and_with_our_server(site, tmp_path, capfd):
    def moved(*words):
        return sum(int(str(one["fetched"])) for one in run(capfd, "sync", *words))

    assert moved(site.folder, site.root) == 0, "it was stored there"
    (tmp_path / "first.dcm").write_bytes(instances.make(attributes={"PatientID": "OTHER"}))
    assert main.run(["store", "data", "first.dcm"]) == 0
    with running(data=tmp_path / "data", log=tmp_path / "log") as server:
        assert moved(site.root, server.root, "PatientID=ORTHANC") == COUNT
        assert moved(site.root, server.root, "PatientID=ORTHANC") == 0
        with dicomgate.connect(server.root) as archive:
            got = [file.read() for file in archive.files(site.series[0])]
    assert sorted(got) == sorted(content for _, content in _of(site, 0))


def _of(site: Site, number: int) -> list[tuple[str, bytes]]:
    return list(site.files.items())[number * EACH : (number + 1) * EACH]


def test_the_library_has_the_same_verbs(site, tmp_path):
    with dicomgate.connect(site.root) as archive:
        (study,) = archive.find_studies(PatientID="ORTHANC")
        assert len(list(archive.find_series(study))) == SERIES
        series = site.series[1]
        assert len(list(archive.find_instances(series))) == EACH
        assert len(archive.metadata(series)) == EACH
        assert sorted(file.read() for file in archive.files(series)) == sorted(content for _, content in _of(site, 1))
        outcomes = archive.download(series, tmp_path / "copy")
        assert [(one.fetched, one.failures) for one in outcomes] == [(EACH, [])]
        assert [(one.fetched, one.there) for one in archive.download(series, tmp_path / "copy")] == [(0, EACH)]
        assert contents(tmp_path / "copy") == dict(_of(site, 1))
        receipts = list(archive.store([content for _, content in _of(site, 1)[:3]]))
        assert not any(receipt.became.is_failure for receipt in receipts), "storing again changes nothing"
        uid, content = _of(site, 1)[0]
        instance = Target(series.study, series.series, uid)
        assert archive.wado_uri(instance) == content
        assert archive.thumbnail(instance)[:2] == b"\xff\xd8", "it makes none, and has the picture itself"
        ((number, pixels),) = archive.frames(instance, [1])
        assert number == 1
        assert isinstance(pixels, np.ndarray)
        (dataset,) = archive.retrieve(instance)
        assert (pixels == dataset.pixel_array).all()
        assert archive.capabilities() is not None


def test_what_it_does_not_have_is_said(site):
    nobody = instances.new_target()
    with dicomgate.connect(site.root) as archive:
        with pytest.raises(errors.NotFound):
            list(archive.files(nobody))
        with pytest.raises(errors.Fault):
            archive.delete(site.series[0])
        assert not list(archive.find_studies(PatientID="NOBODY"))
        assert len(list(archive.find_instances(site.series[0], limit=7))) == 7
