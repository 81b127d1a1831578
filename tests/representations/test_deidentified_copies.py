"""Copies without who the patient is, of what really is stored: URI-07, PS3.15 §E."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO

from dicomgate import assembly, config, errors
from dicomgate.dicom import syntaxes
from dicomgate.dicom.outcomes import Stored
from dicomgate.dicom.uids import Target
from dicomgate.pixels.processes import Workers
from dicomgate.representations import deidentification
from dicomgate.representations.maker import Maker
from dicomgate.representations.pseudonym_secret import PseudonymSecret
from dicomgate.testing import instances

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def copied(tmp_path: Path):
    """Stores a file and gives its de-identified copy."""

    with Workers() as workers, assembly.open_archive(tmp_path / "data", config.Settings()) as archive:
        maker = Maker(workers=workers, secret=PseudonymSecret(tmp_path / "pseudonyms"))

        def copy(content: bytes, target: Target) -> bytes:
            arrival = archive.spool.arrival()
            arrival.write(content)
            assert archive.origin.store is not None
            assert isinstance(archive.origin.store.accept(arrival), Stored)
            with archive.origin.retrieve.retrieve(target) as found:
                return b"".join(deidentification.make(maker, next(found)).chunks)

        yield copy


def scanned(target: Target, syntax: str = syntaxes.EXPLICIT_LITTLE, **attributes: Any) -> bytes:
    said = {"SOPClassUID": CT, "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "InstitutionName": "NAMED"}
    return instances.make(target, syntax=syntax, attributes={**said, **attributes})


J2K = "1.2.840.10008.1.2.4.90"
Copied = Callable[[bytes, Target], bytes]


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])  # fmt: skip
def test_the_picture_stays_and_the_patient_is_gone(copied: Copied, syntax: str) -> None:
    target = instances.new_target()
    icon = Dataset()
    icon.PatientComments = "NAMED"
    made = copied(scanned(target, syntax, OtherPatientIDsSequence=[icon], PatientName="NAMED^Jane"), target)
    assert b"NAMED" not in made
    for uid in (target.study, target.series, target.instance):
        assert uid.encode() not in made
    seen = dcmread(DicomBytesIO(made))
    assert seen.file_meta.TransferSyntaxUID == syntaxes.EXPLICIT_LITTLE
    assert seen.file_meta.MediaStorageSOPInstanceUID == seen.SOPInstanceUID
    assert seen.PixelData == instances.counting(64)
    assert (seen.PatientIdentityRemoved, seen.BurnedInAnnotation) == ("YES", "NO")
    assert made[:128] == bytes(128)


@pytest.mark.parametrize(
    "attributes",
    [
        {"BurnedInAnnotation": "YES"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1"},
        {"RecognizableVisualFeatures": "YES"},
        {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
    ],
)
def test_pixels_that_may_show_the_patient_are_refused(copied: Copied, attributes: dict[str, Any]) -> None:
    target = instances.new_target()
    with pytest.raises(errors.Forbidden):
        copied(scanned(target, **attributes), target)


def test_compressed_pictures_leave_decoded_without_what_hides_in_them(copied: Copied) -> None:
    target = instances.new_target()
    values = np.arange(64, dtype=np.uint16).reshape(8, 8)
    codestream = imagecodecs.jpeg2k_encode(values, codecformat="j2k", reversible=True, level=0)
    size = b"\xff\x64" + (2 + 2 + 5).to_bytes(2) + b"\x00\x01NAMED"  # a comment, before the first tile
    at = codestream.index(b"\xff\x90")
    content = instances.make(
        target, syntax=J2K, frames=[codestream[:at] + size + codestream[at:]], attributes={"SOPClassUID": CT, "BitsStored": 16, "HighBit": 15}
    )  # fmt: skip
    assert b"NAMED" in content
    made = copied(content, target)
    assert b"NAMED" not in made
    seen = dcmread(DicomBytesIO(made))
    assert seen.file_meta.TransferSyntaxUID == syntaxes.EXPLICIT_LITTLE
    assert seen.PixelData == values.tobytes()
    assert seen.PatientIdentityRemoved == "YES"


def test_what_cannot_be_decoded_is_not_passed_on(copied: Copied) -> None:
    target = instances.new_target()
    broken = instances.make(target, syntax=J2K, frames=[b"\xff\x4f\xff\x51nonsense"], attributes={"SOPClassUID": CT})
    with pytest.raises(errors.NotAcceptable):
        copied(broken, target)
    video = instances.make(
        target := instances.new_target(), syntax="1.2.840.10008.1.2.4.102", frames=[b"\0\0\0\1"], attributes={"SOPClassUID": CT}
    )  # fmt: skip
    with pytest.raises(errors.Forbidden):
        copied(video, target)


def test_the_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "pseudonyms"
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(PseudonymSecret(path).pseudonyms.uid("1.2"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["pseudonyms"]
    assert PseudonymSecret().pseudonyms.uid("1.2") != found[0]


def test_a_secret_that_cannot_be_read_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"x")
    for path in (tmp_path / "short", tmp_path / "nowhere" / "secret", tmp_path):
        with pytest.raises(errors.Unavailable):
            _ = PseudonymSecret(path).pseudonyms
