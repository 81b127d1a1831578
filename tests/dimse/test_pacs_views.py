"""The views over a PACS: studies are fetched whole, once, when one asks for them (LC-33, LC-34; PS3.4 C.3.4)."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pydicom
import pytest
from pacs_made import MadePacs, over, running
from pydicom.uid import generate_uid

from dicomgate import assembly, config
from dicomgate.dimse.pacs_whole import WholeStudies
from dicomgate.testing import instances

pytestmark = pytest.mark.slow
CT, LEGACY_CT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.2"
WHOLE = {"Accept": "application/dicom; transfer-syntax=*"}
OCTETS = {"Accept": "application/octet-stream"}


@pytest.fixture
def pacs() -> Iterator[MadePacs]:
    with running(MadePacs(has_many_classes=True)) as made:
        yield made


def scan(pacs: MadePacs, patient: str, numbers: range, series: int = 1) -> str:
    """Slices of a CT of a patient; the study."""
    study = generate_uid(entropy_srcs=["pacs views", patient])
    for number in numbers:
        uid = generate_uid(entropy_srcs=["pacs views", patient, str(series), str(number)])
        target = instances.new_target(study, generate_uid(entropy_srcs=["pacs views", patient, str(series)]))
        told = {
            "SOPClassUID": CT,
            "SOPInstanceUID": uid,
            "PatientID": patient,
            "StudyDate": "20200101",
            "Modality": "CT",
            "ModalitiesInStudy": "CT",
            "InstanceNumber": number,
            "SeriesNumber": series,
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "ImagePositionPatient": [0, 0, 5 * number],
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            "PixelSpacing": [0.5, 0.5],
            "FrameOfReferenceUID": study,
        }
        made = pydicom.dcmread(io.BytesIO(instances.make(target, rows=8, columns=8, attributes=told)))
        made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
        made.PixelData = number.to_bytes(2, "little") * 64
        pacs.has.append(made)
    return str(study)


def one(answer: httpx2.Response) -> dict[str, dict[str, list[object]]]:
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()
    return found  # type: ignore[no-any-return]


def fetched(pacs: MadePacs) -> int:
    return sum(word.startswith("GET") for word in pacs.asked)


def test_a_study_is_fetched_once_and_shown_as_one_object(pacs: MadePacs, tmp_path: Path) -> None:
    study = scan(pacs, "once", range(1, 5))
    path = f"/enhanced/studies/{study}"
    for _ in range(2):  # also after a restart
        with over(pacs.port, tmp_path / "kept") as caller:
            told = one(caller.get(f"{path}/metadata"))
            assert told["00080016"]["Value"] == [LEGACY_CT]
            assert told["00280008"]["Value"] == [4]
            before = len(pacs.asked)
            here = f"{path}/series/{told['0020000E']['Value'][0]}/instances/{told['00080018']['Value'][0]}"
            frames = [caller.get(f"{here}/frames/{n}", headers=OCTETS).content for n in range(1, 5)]
            assert frames == [n.to_bytes(2, "little") * 64 for n in range(1, 5)]
            made = pydicom.dcmread(io.BytesIO(caller.get(here, headers=WHOLE).content))
            assert made.PixelData == b"".join(frames)
            found = one(caller.get(f"/enhanced/studies?StudyInstanceUID={study}"))
            assert found["00201208"]["Value"] == [1]
            assert one(caller.get(f"{path}/series"))["00201209"]["Value"] == [1]
            assert len(caller.get(f"/classic/studies/{study}/instances").json()) == 4
            assert len(caller.get(f"/studies/{study}/metadata").json()) == 4
            assert fetched(pacs) == 1
            assert not any(word.startswith("GET") for word in pacs.asked[before:])


def test_studies_are_found_without_being_fetched_and_series_within_bounds(pacs: MadePacs, tmp_path: Path) -> None:
    studies = {scan(pacs, f"P{number:02d}", range(1, 3)) for number in range(12)}
    with over(pacs.port, tmp_path / "kept") as caller:
        found = caller.get("/enhanced/studies").json()
        assert {told["0020000D"]["Value"][0] for told in found} == studies
        assert {told["00201208"]["Value"][0] for told in found} == {2}
        assert fetched(pacs) == 0
        refused = caller.get("/enhanced/series?Modality=CT")
        assert refused.status_code == 413
        assert "PatientID" in refused.text
        assert fetched(pacs) == 0
        some = one(caller.get("/enhanced/instances?PatientID=P03&Modality=CT"))
        assert some["00080016"]["Value"] == [LEGACY_CT]
        assert fetched(pacs) == 1
        assert caller.get("/enhanced/series?PatientID=nobody").status_code == 204
        counts = {
            told["0020000D"]["Value"][0]: told["00201208"]["Value"][0]
            for told in caller.get("/enhanced/studies").json()
        }
        assert sorted(counts.values()) == [1, *[2] * 11]
        assert counts[str(some["0020000D"]["Value"][0])] == 1


def test_what_changes_at_the_pacs_changes_the_view(pacs: MadePacs, tmp_path: Path) -> None:
    study = scan(pacs, "grows", range(1, 3))
    path = f"/enhanced/studies/{study}/metadata"
    with over(pacs.port, tmp_path / "kept", check_seconds=0.0) as caller:
        first = one(caller.get(path))
        scan(pacs, "grows", range(3, 4))
        grown = one(caller.get(path))
        assert grown["00280008"]["Value"] == [3]
        assert grown["00080018"] != first["00080018"]
        scan(pacs, "grows", range(1, 3), series=2)  # a series of which nothing is kept yet
        assert sorted(told["00280008"]["Value"][0] for told in caller.get(path).json()) == [2, 3]
        pacs.has[:] = [made for made in pacs.has if made.SeriesNumber == 2]
        assert one(caller.get(path))["00280008"]["Value"] == [2]
        pacs.has.clear()
        assert caller.get(path).status_code == 404
        assert caller.get(f"/enhanced/studies/{study}/instances").status_code == 204


def test_half_a_study_is_not_shown_as_one(pacs: MadePacs, tmp_path: Path) -> None:
    study = scan(pacs, "half", range(1, 4))
    pacs.withholds = 2
    with over(pacs.port, tmp_path / "kept", check_seconds=0.0) as caller:
        answer = caller.get(f"/enhanced/studies/{study}/metadata")
        assert answer.status_code == 502
        assert "did not send 1 of the instances" in answer.text
        pacs.withholds = 0
        assert one(caller.get(f"/enhanced/studies/{study}/metadata"))["00280008"]["Value"] == [3]


def test_what_was_whole_is_shown_while_the_pacs_is_away(tmp_path: Path) -> None:
    with running(MadePacs(has_many_classes=True)) as pacs:
        study = scan(pacs, "away", range(1, 4))
        other = scan(pacs, "other", range(1, 4))
        gateway = ExitStack()
        caller = gateway.enter_context(over(pacs.port, tmp_path / "kept", check_seconds=0.0, keep_seconds=0.1))
        first = one(caller.get(f"/enhanced/studies/{study}/metadata"))
    with gateway:
        deadline = time.monotonic() + 30
        while caller.get(f"/studies?StudyInstanceUID={study}").status_code != 503:
            assert time.monotonic() < deadline
            time.sleep(0.3)  # so that the association that is kept is not used again
        assert one(caller.get(f"/enhanced/studies/{study}/metadata")) == first
        assert caller.get(f"/enhanced/studies/{other}/metadata").status_code == 503
        assert fetched(pacs) == 1


def test_a_new_series_is_seen_though_the_old_ones_are_compared_all_the_time(pacs: MadePacs, tmp_path: Path) -> None:
    """Searches of series in the default view bring counts along, of those that are kept."""
    now = [1000.0]
    study = scan(pacs, "new", range(1, 3))
    said = {
        "pacs.title": "PACS",
        "pacs.host": "127.0.0.1",
        "pacs.port": pacs.port,
        "pacs.cache": str(tmp_path / "kept"),
    }
    settings = config.read(options={**said, "pacs.move_port": 0}, environment={}, directory=tmp_path)
    with assembly.open_pacs(settings, lambda *_, **__: None) as opened:
        whole = WholeStudies(opened.holdings, opened.questions, opened.origin, check_seconds=60.0, clock=lambda: now[0])
        whole.fetch(study)
        scan(pacs, "new", range(1, 3), series=2)
        assert whole.is_here(study)
        now[0] += 59
        assert whole.is_here(study)
        now[0] += 1
        assert not whole.is_here(study)
        whole.fetch(study)
        assert fetched(pacs) == 2
        assert whole.is_here(study)


def test_what_no_longer_fits_the_cache_comes_again(pacs: MadePacs, tmp_path: Path) -> None:
    studies = [scan(pacs, name, range(1, 4)) for name in ("one", "two")]
    with over(pacs.port, tmp_path / "kept", cache_bytes=1) as caller:
        for study in (*studies, *studies):
            told = one(caller.get(f"/enhanced/studies/{study}/metadata"))
            here = (
                f"/enhanced/studies/{study}/series/{told['0020000E']['Value'][0]}"
                f"/instances/{told['00080018']['Value'][0]}"
            )
            assert caller.get(f"{here}/frames/2", headers=OCTETS).content == (2).to_bytes(2, "little") * 64
