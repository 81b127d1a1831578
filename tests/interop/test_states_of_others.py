"""Pictures under presentation states beside those that DCMTK makes, and states that others wrote (REN-10, PS3.4 N.2)."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from interop_corpus import DATA, needs_data
from PIL import Image
from pydicom import dcmread

from dicomgate import assembly, config
from dicomgate.dicom.outcomes import Stored
from dicomgate.dicom.presentation import AS_IT_IS
from dicomgate.dicom.uids import Target
from dicomgate.origin import Instance
from dicomgate.pixels.processes import Workers
from dicomgate.representations import pictures
from dicomgate.representations.maker import Maker
from dicomgate.representations.state_pose import State
from dicomgate.testing import instances, states
from dicomgate.testing.states import area, item

PROGRAM = shutil.which("dcmp2pgm")
needs_program = pytest.mark.skipif(PROGRAM is None, reason="no dcmp2pgm here")
STEPS = item(LUTDescriptor=[64, 0, 12], LUTData=(np.arange(64)[::-1] * 65).astype("<u2").tobytes())
CURVE = item(
    LUTDescriptor=[256, 0, 16], LUTData=(65535 * (1 - (1 - np.arange(256) / 255) ** 2)).astype("<u2").tobytes()
)
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "inverse": {"PresentationLUTShape": "INVERSE"},
    "window": {"SoftcopyVOILUTSequence": [item(WindowCenter="600", WindowWidth="900")]},
    "narrow": {"SoftcopyVOILUTSequence": [item(WindowCenter="600", WindowWidth="1")]},
    "rescaled": {
        "RescaleSlope": "2",
        "RescaleIntercept": "-500",
        "RescaleType": "US",
        "SoftcopyVOILUTSequence": [item(WindowCenter="600", WindowWidth="900")],
    },
    "rescaled without a window": {"RescaleSlope": "2", "RescaleIntercept": "-500", "RescaleType": "US"},
    "voi table": {"SoftcopyVOILUTSequence": [item(VOILUTSequence=[STEPS])]},
    "modality table": {"ModalityLUTSequence": [item(LUTDescriptor=[1024, 100, 12], ModalityLUTType="US",
                                                    LUTData=(np.arange(1024) * 4).astype("<u2").tobytes())]},
    "presentation table": {"PresentationLUTShape": None, "PresentationLUTSequence": [CURVE],
                           "SoftcopyVOILUTSequence": [item(WindowCenter="600", WindowWidth="900")]},
    "turned": {"ImageRotation": 90, "ImageHorizontalFlip": "N"},
    "turned and flipped": {"ImageRotation": 270, "ImageHorizontalFlip": "Y"},
    "upside down": {"ImageRotation": 180, "ImageHorizontalFlip": "N"},
}  # fmt: skip
IMAGES = ["syntaxes/pydicom/MR_small.dcm", "syntaxes/pydicom/CT_small.dcm", "objects/dcm4che/test16signed.dcm"]


@pytest.fixture(scope="module")
def maker():
    with Workers() as workers:
        yield Maker(workers=workers)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory):
    with assembly.open_archive(tmp_path_factory.mktemp("states") / "data", config.Settings()) as opened:
        yield opened


def stored(archive: Any, content: bytes) -> Instance:
    arrival = archive.spool.arrival()
    arrival.write(content)
    outcome = archive.origin.store.accept(arrival)
    assert isinstance(outcome, Stored)
    with archive.origin.retrieve.retrieve(outcome.target) as found:
        return next(found)


def beside(maker: Maker, archive: Any, into: Path, image: Path, state: Path) -> tuple[np.ndarray, np.ndarray]:
    """Our picture and that of DCMTK."""
    assert PROGRAM is not None
    theirs = into / "theirs.pgm"
    subprocess.run([PROGRAM, "-q", "-p", state, image, theirs], check=True, capture_output=True, timeout=120)
    shown, posing = stored(archive, image.read_bytes()), stored(archive, state.read_bytes())
    applied = State(posing, orjson.loads(posing.metadata()))
    made = pictures.render(maker, shown, 1, AS_IT_IS, "image/png", state=applied)
    return (
        np.asarray(Image.open(io.BytesIO(made.content))).astype(int),
        np.asarray(Image.open(theirs)).astype(int),
    )


@needs_data
@needs_program
@pytest.mark.slow
@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("case", CASES)
def test_values_and_turns_are_those_of_dcmtk(maker: Maker, archive: Any, tmp_path: Path, image: str, case: str) -> None:
    said = dcmread(DATA / image)
    target = Target(said.StudyInstanceUID, said.SeriesInstanceUID, said.SOPInstanceUID)
    complete = {
        "PatientID": said.get("PatientID", ""), "PatientName": said.get("PatientName", ""), "InstanceNumber": 1,
        "PatientBirthDate": "", "PatientSex": "", "StudyDate": "", "StudyTime": "", "StudyID": "", "SeriesNumber": 1,
        "AccessionNumber": "", "ReferringPhysicianName": "", "Manufacturer": "", "ContentCreatorName": "",
        "ContentDescription": "", "PresentationCreationDate": "20260101", "PresentationCreationTime": "120000",
        "DisplayedAreaSelectionSequence": area(1, 1, said.Columns, said.Rows),
    }  # fmt: skip
    made = states.make(
        instances.new_target(target.study),
        [target],
        image_class=said.SOPClassUID,
        attributes={**complete, **CASES[case]},
    )
    (tmp_path / "state.dcm").write_bytes(made)
    ours, theirs = beside(maker, archive, tmp_path, DATA / image, tmp_path / "state.dcm")
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= (4 if case == "presentation table" else 2)


@needs_data
@needs_program
def test_three_tables_one_after_the_other_are_those_of_dcmtk(maker: Maker, archive: Any, tmp_path: Path) -> None:
    place = DATA / "objects" / "presentation-states"
    ours, theirs = beside(maker, archive, tmp_path, place / "imageForPrLUTs.dcm", place / "prLUTs.dcm")
    assert np.abs(ours - theirs).max() <= 1


@needs_data
def test_six_overlays_are_seen(maker: Maker, archive: Any) -> None:
    """Two in bits of the pixels, two beside them, two of the state: each is a line of text, drawn in its layer."""
    place = DATA / "objects" / "presentation-states"
    shown, posing = (stored(archive, (place / name).read_bytes()) for name in ("overlay.dcm", "prOverlay.dcm"))
    applied = State(posing, orjson.loads(posing.metadata()))
    made = pictures.render(maker, shown, 1, AS_IT_IS, "image/png", state=applied)
    picture = np.asarray(Image.open(io.BytesIO(made.content)))
    rows = [137, 180, 222, 264, 306, 349]
    assert [bool(picture[row - 4 : row + 8, 100:400].max() == 255) for row in rows] == [True] * 6
    hidden = State(posing, {tag: said for tag, said in applied.dataset.items() if not tag.endswith("1001")})
    made = pictures.render(maker, shown, 1, AS_IT_IS, "image/gif", state=hidden)
    bare = np.asarray(Image.open(io.BytesIO(made.content)).convert("L"))
    assert [int((bare[row - 4 : row + 8, 100:165] > 100).sum()) for row in rows] == [0] * 6
