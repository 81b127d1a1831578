"""A file in another transfer syntax: everything but the pixel data and what was to change is the same (MT-07, GEN-09)."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicomgate import errors
from dicomgate.dicom import header, recode, syntaxes
from dicomgate.dicom.encode import BulkValue, Encapsulated
from dicomgate.dicom.recode import Wanted
from dicomgate.dicom.source import BytesSource
from dicomgate.testing import instances

PIXELS = "7FE00010"
JPEG_LS = "1.2.840.10008.1.2.4.80"
ENCODINGS = (
    syntaxes.IMPLICIT_LITTLE,
    syntaxes.EXPLICIT_LITTLE,
    syntaxes.EXPLICIT_BIG,
    syntaxes.DEFLATED_LITTLE,
    JPEG_LS,
)
NATIVE = [bytes([number]) * 128 for number in (1, 2, 3)]


def many_things(syntax: str) -> bytes:
    item = Dataset()
    item.CodeMeaning = "Größe"
    item.add_new(0x00091001, "UN", b"\1\2\3\4")
    extra = {
        "DerivationCodeSequence": Sequence([item]),
        "StudyDescription": "Ωmega",
        "RedPaletteColorLookupTableData": bytes(range(256)) * 8,
    }
    return instances.make(syntax=syntax, frames=NATIVE, attributes=extra, is_extended=syntax == JPEG_LS)


def recoded(content: bytes, wanted: Wanted) -> bytes:
    source = BytesSource(content)
    seen = header.read(source)
    chunks = list(recode.recode(source, seen, wanted))
    assert all(0 < len(chunk) <= 1 << 20 for chunk in chunks)
    written = b"".join(chunks)
    measured = recode.measure(source, seen, wanted)
    assert measured in (None, len(written))
    assert (measured is None) == any(isinstance(value, Encapsulated) for value in wanted.made.values())
    return written


def others(content: bytes, *changed: str) -> dict:
    attributes = header.read(BytesSource(content)).attributes
    return {tag: element for tag, element in attributes.items() if tag not in (PIXELS, *changed)}


@pytest.mark.parametrize("syntax", ENCODINGS)
def test_any_file_with_native_pixels_MT_07(syntax) -> None:
    content = many_things(syntax)
    changes = {PIXELS: {"vr": "OW", "BulkDataURI": ""}, "00280101": {"vr": "US", "Value": [16]}}
    made = {PIXELS: BulkValue(4 * 128, [*NATIVE, bytes(128)])}
    wanted = Wanted(transfer_syntax=syntaxes.EXPLICIT_LITTLE, changes=changes, made=made)
    written = recoded(content, wanted)
    dataset = pydicom.dcmread(io.BytesIO(written))
    assert dataset.file_meta.TransferSyntaxUID == syntaxes.EXPLICIT_LITTLE
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    assert dataset.PixelData == b"".join(NATIVE) + bytes(128)
    assert dataset["PixelData"].VR == "OW"
    assert dataset.BitsStored == 16
    assert dataset.StudyDescription == "Ωmega"
    assert others(written, "00280101") == others(content, "00280101", "7FE00001", "7FE00002")
    assert header.read(BytesSource(written)).is_sound


@pytest.mark.parametrize("syntax", ENCODINGS)
def test_any_file_with_encapsulated_pixels(syntax) -> None:
    content = many_things(syntax)
    codestreams = [b"\xff\xd8\xff" + bytes([number]) * (number + 3) for number in range(3)]
    changes = {PIXELS: {"vr": "OB", "BulkDataURI": ""}}
    made = {PIXELS: Encapsulated(recode.encapsulate(iter(codestreams)))}
    written = recoded(content, Wanted(transfer_syntax=JPEG_LS, changes=changes, made=made))
    dataset = pydicom.dcmread(io.BytesIO(written))
    assert dataset.file_meta.TransferSyntaxUID == JPEG_LS
    found = list(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=3))
    assert [frame[: len(stream)] for frame, stream in zip(found, codestreams, strict=True)] == codestreams
    assert all(len(frame) % 2 == 0 for frame in found)
    assert others(written) == others(content, "7FE00001", "7FE00002")


def test_values_of_the_file_stay_where_they_are_named_again() -> None:
    content = many_things(syntaxes.IMPLICIT_LITTLE)
    attributes = header.read(BytesSource(content)).attributes
    wanted = Wanted(transfer_syntax=syntaxes.EXPLICIT_LITTLE, changes={PIXELS: attributes[PIXELS]}, made={})
    assert pydicom.dcmread(io.BytesIO(recoded(content, wanted))).PixelData == b"".join(NATIVE)


def test_an_odd_value_is_padded() -> None:
    changes = {PIXELS: {"vr": "OB", "BulkDataURI": ""}}
    made = {PIXELS: BulkValue(3, [b"abc"])}
    wanted = Wanted(transfer_syntax=syntaxes.EXPLICIT_LITTLE, changes=changes, made=made)
    assert pydicom.dcmread(io.BytesIO(recoded(instances.make(), wanted))).PixelData == b"abc\0"


def test_a_frame_that_no_fragment_holds_is_said_MT_09() -> None:
    class Large(bytes):
        def __len__(self) -> int:
            return 1 << 32

    with pytest.raises(errors.TooLarge):
        list(recode.encapsulate([Large()]))


SYNTAXES = sorted(Path("../shared/data/syntaxes").rglob("*"))


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in SYNTAXES if path.is_file()], ids=lambda path: path.name)
def test_every_real_file_keeps_everything_else(path: Path) -> None:
    content = path.read_bytes()
    try:
        seen = header.read(BytesSource(content))
    except errors.Fault:
        pytest.skip("no DICOM file")
    if PIXELS not in seen.attributes:
        pytest.skip("no pixel data")
    changes = {PIXELS: {"vr": "OB", "BulkDataURI": ""}}
    made = {PIXELS: BulkValue(4, [b"1234"])}
    wanted = Wanted(transfer_syntax=syntaxes.EXPLICIT_LITTLE, changes=changes, made=made)
    written = recoded(content, wanted)
    assert others(written) == others(content, "7FE00001", "7FE00002")
    again = header.read(BytesSource(written))
    assert again.is_sound
    assert again.transfer_syntax == syntaxes.EXPLICIT_LITTLE
