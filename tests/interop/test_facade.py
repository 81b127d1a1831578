"""DCMTK's tools at a DIMSE door before a DICOMweb server, ours and Orthanc: journey E (PS3.4 §B, §C)."""

from __future__ import annotations

import queue
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import interop_orthanc
import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel as Commitment  # type: ignore[attr-defined]
from test_dimse_dcmtk import dataset_of, free_port, receiver, run

from dicomgate.testing import instances
from dicomgate.testing.processes import PATIENCE, running

TOOLS = ("echoscu", "storescu", "storescp", "findscu", "getscu", "movescu")
missing = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.interop,
    pytest.mark.skipif(bool(missing), reason=f"not here: {', '.join(missing)}"),
]
STUDY_KEYS = [
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "StudyID",
    "StudyInstanceUID",
    "StudyDescription",
    "StudyDate",
    "StudyTime",
    "ModalitiesInStudy",
    "AccessionNumber",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
]
SERIES_KEYS = [
    "SeriesNumber",
    "SeriesDescription",
    "SeriesInstanceUID",
    "SeriesDate",
    "SeriesTime",
    "Modality",
    "Rows",
    "Columns",
    "NumberOfSeriesRelatedInstances",
]
"""What CTK's visual browser asks for, in ISO_IR 100."""
COUNT = 30
ANSWER = re.compile(r"\((\w{4},\w{4})\) \w\w (?:\[(.*?)\]|(\S+)) +#")


@contextmanager
def facade(here: Path, server: str, *words: str) -> Iterator[int]:
    """`dicomgate relay --dimse ... --to ...`, and its port."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "dicomgate",
        "relay",
        "--dimse",
        f"FACADE@127.0.0.1:{port}",
        "--to",
        server,
        *words,
    ]
    with (here / "relay.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=here)
    try:
        deadline = time.monotonic() + PATIENCE
        while b"DICOMweb " not in (here / "relay.log").read_bytes():
            assert process.poll() is None, (here / "relay.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield port
        process.terminate()
        assert process.wait(PATIENCE) == 0
        assert b"Traceback" not in (here / "relay.log").read_bytes()
    finally:
        process.kill()
        process.wait()


@contextmanager
def server_of(kind: str, here: Path) -> Iterator[str]:
    (here / kind).mkdir()
    if kind == "orthanc":
        with interop_orthanc.running(here / kind) as address:
            yield f"{address}/dicom-web"
    else:
        with running(data=here / "data", log=here / "log") as server:
            yield f"{server.url}/dicomweb"


def ask(port: int, level: str, keys: list[str]) -> list[dict[str, str]]:
    """Each answer of findscu, its values by tag."""
    words = [
        word
        for key in (f"QueryRetrieveLevel={level}", "SpecificCharacterSet=ISO_IR 100", *keys)
        for word in ("-k", key)
    ]
    command = ["findscu", "-v", "-S", "-aec", "FACADE", "127.0.0.1", str(port), *words]
    done = subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
    answers = (done.stdout + done.stderr).decode("latin-1").split("I: Find Response:")[1:]
    return [{tag: (text or other).strip(" \0") for tag, text, other in ANSWER.findall(answer)} for answer in answers]


@pytest.fixture(scope="module", params=["dicomgate", pytest.param("orthanc", marks=interop_orthanc.NEEDED)])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, Path, dict[str, Path]]]:
    here = tmp_path_factory.mktemp("facade")
    (here / "files").mkdir()
    target = instances.new_target()
    files = {}
    for number in range(COUNT):
        own = target if not number else instances.new_target(target.study, target.series)
        held = {"PatientID": "F1", "PatientName": "Ärger^Anna", "SpecificCharacterSet": "ISO_IR 100", "Modality": "CT"}
        held |= {"StudyDate": "20260102", "StudyDescription": "Knie", "InstanceNumber": number + 1, "SeriesNumber": 4}
        path = here / "files" / f"{number}.dcm"
        path.write_bytes(instances.make(own, attributes=held))
        files[str(own.instance)] = path
    with receiver(here / "moved") as there, server_of(request.param, here) as server:
        peer = f"THERE@127.0.0.1:{there}"
        with facade(here, server, "--peer", peer) as port:
            run("echoscu", "-aec", "FACADE", "127.0.0.1", port)
            run("storescu", "+sd", "-aec", "FACADE", "127.0.0.1", port, here / "files")
            yield port, here, files


def test_the_keys_of_ctk_are_answered(site: tuple[int, Path, dict[str, Path]]) -> None:
    port, _, files = site
    first = pydicom.dcmread(next(iter(files.values())))
    (study,) = ask(port, "STUDY", ["PatientName=*rger*", *(key for key in STUDY_KEYS if key != "PatientName")])
    assert (study["0010,0020"], study["0010,0010"]) == ("F1", "Ärger^Anna")
    assert study["0020,000d"] == first.StudyInstanceUID
    assert study["0008,0020"] == "20260102"
    assert study["0008,1030"] == "Knie"
    assert study["0008,0061"] == "CT"
    assert (study["0020,1206"], study["0020,1208"]) == ("1", str(COUNT))
    assert ask(port, "STUDY", ["PatientName=Nobody*", "StudyInstanceUID"]) == []
    (series,) = ask(port, "SERIES", [f"StudyInstanceUID={first.StudyInstanceUID}", "PatientID", *SERIES_KEYS])
    assert series["0020,000e"] == first.SeriesInstanceUID
    assert (series["0008,0060"], series["0020,0011"], series["0010,0020"]) == ("CT", "4", "F1")
    assert series["0020,1209"] == str(COUNT)
    place = [f"StudyInstanceUID={first.StudyInstanceUID}", f"SeriesInstanceUID={first.SeriesInstanceUID}"]
    images = ask(port, "IMAGE", [*place, "SOPInstanceUID", "InstanceNumber", "SOPClassUID"])
    assert {image["0008,0018"] for image in images} == set(files)


def test_studies_are_got_and_moved_as_they_were_stored(site: tuple[int, Path, dict[str, Path]]) -> None:
    port, here, files = site
    keys = [
        "-k",
        "QueryRetrieveLevel=STUDY",
        "-k",
        f"StudyInstanceUID={pydicom.dcmread(next(iter(files.values()))).StudyInstanceUID}",
    ]
    (here / "got").mkdir()
    run("getscu", "-S", "+B", "-od", here / "got", "-aec", "FACADE", "127.0.0.1", port, *keys)
    run("movescu", "-S", "-aem", "THERE", "-aec", "FACADE", "127.0.0.1", port, *keys)
    for folder in (here / "got", here / "moved"):
        came = {
            str(pydicom.filereader.read_file_meta_info(path).MediaStorageSOPInstanceUID): path
            for path in folder.iterdir()
        }
        assert set(came) == set(files)
        for uid, path in came.items():
            assert dataset_of(path) == dataset_of(files[uid])


def test_what_is_stored_twice_or_moved_to_a_stranger(site: tuple[int, Path, dict[str, Path]]) -> None:
    port, _, files = site
    path = next(iter(files.values()))
    assert "(Success)" in run("storescu", "-v", "-aec", "FACADE", "127.0.0.1", port, path)
    study = f"StudyInstanceUID={pydicom.dcmread(path).StudyInstanceUID}"
    with pytest.raises(AssertionError, match=r"0xa801|UnknownMoveDestination|MoveDestinationUnknown"):
        run(
            "movescu",
            "-v",
            "-S",
            "-aem",
            "STRANGER",
            "-aec",
            "FACADE",
            "127.0.0.1",
            port,
            "-k",
            "QueryRetrieveLevel=STUDY",
            "-k",
            study,
        )
    nothing = f"StudyInstanceUID={instances.new_target().study}"
    run("getscu", "-v", "-S", "-aec", "FACADE", "127.0.0.1", port, "-k", "QueryRetrieveLevel=STUDY", "-k", nothing)


def test_a_server_that_is_away_is_told_in_a_status_not_by_silence(tmp_path: Path) -> None:
    path = tmp_path / "one.dcm"
    path.write_bytes(instances.make())
    with facade(tmp_path, "http://127.0.0.1:9/dicomweb") as port:
        us = ("-aec", "FACADE", "127.0.0.1", port)
        run("echoscu", *us)
        found = subprocess.run(
            ["findscu", "-v", "-S", *map(str, us), "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert re.search(r"OutOfResources|0xa700", found.stdout + found.stderr, re.IGNORECASE), (
            found.stdout + found.stderr
        )
        stored = subprocess.run(
            ["storescu", "-v", *map(str, us), str(path)], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert re.search(r"OutOfResources|0xa700", stored.stdout + stored.stderr, re.IGNORECASE), (
            stored.stdout + stored.stderr
        )


def test_what_the_server_has_is_committed(site: tuple[int, Path, dict[str, Path]]) -> None:
    port, _, files = site
    told: queue.Queue[tuple[int, Dataset]] = queue.Queue()

    def hear(event: evt.Event) -> tuple[int, None]:
        told.put((event.event_type, event.event_information))
        return 0, None

    entity = AE("TEST")
    entity.add_requested_context(Commitment)
    handlers = [(evt.EVT_N_EVENT_REPORT, hear)]
    association = entity.associate("127.0.0.1", port, ae_title="FACADE", evt_handlers=handlers)
    missing = str(instances.new_target().instance)
    asked = Dataset()
    asked.TransactionUID = missing
    asked.ReferencedSOPSequence = [Dataset() for _ in (*files, missing)]
    for item, uid in zip(asked.ReferencedSOPSequence, (*files, missing), strict=True):
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = instances.SECONDARY_CAPTURE, uid
    status, _ = association.send_n_action(asked, 1, Commitment, "1.2.840.10008.1.20.1.1")
    assert status.Status == 0
    kind, report = told.get(timeout=PATIENCE)
    association.release()
    assert kind == 2
    assert {str(item.ReferencedSOPInstanceUID) for item in report.ReferencedSOPSequence} == set(files)
    assert [item.ReferencedSOPInstanceUID for item in report.FailedSOPSequence] == [missing]
