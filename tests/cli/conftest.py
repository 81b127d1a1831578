"""One real server for all tests of the command line that only read from one."""

from __future__ import annotations

import pytest

from dicomgate.cli import main
from dicomgate.testing import instances
from dicomgate.testing.processes import running


@pytest.fixture(scope="session")
def kept(tmp_path_factory):
    """A folder of files: two patients, three studies, four series, twenty instances."""
    folder = tmp_path_factory.mktemp("kept") / "scans"
    folder.mkdir()
    number = 0
    for patient, date, modality, count in (
        ("A", "20230502", "MR", 6),
        ("A", "20240310", "CT", 8),
        ("B", "20240501", "CT", 5),
    ):
        study = instances.new_target()
        for place in range(count):
            target = instances.new_target(study.study, study.series)
            held = {
                "PatientID": patient,
                "PatientName": f"Doe^{patient}",
                "StudyDate": date,
                "Modality": modality,
                "SeriesDescription": f"{modality} of {patient}",
                "InstanceNumber": place + 1,
            }
            number += 1
            (folder / f"{number}.dcm").write_bytes(instances.make(target, attributes=held))
        if patient == "B":
            other = instances.new_target(study.study)
            held = {"PatientID": "B", "PatientName": "Doe^B", "StudyDate": date, "Modality": "KO"}
            (folder / "other.dcm").write_bytes(instances.make(other, attributes=held))
    return folder


@pytest.fixture(scope="session")
def server(kept, tmp_path_factory):
    """The same, on a server."""
    home = tmp_path_factory.mktemp("server")
    assert main.run(["store", str(home / "data"), str(kept)]) == 0
    with running(data=home / "data", log=home / "log") as found:
        yield found
