"""DCMTK as the other decoder and encoder of RLE, JPEG and JPEG-LS (MT-07, MT-12)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate

sys.path.insert(0, str(Path(__file__).parents[1] / "pixels"))
import stored_frames as stored

from dicomgate.dicom import syntaxes
from dicomgate.pixels import decoding, encoding

BASE = "1.2.840.10008.1.2."
DECODERS = {
    **{f"{BASE}4.{number}": "dcmdjpeg" for number in (50, 51, 53, 55, 57, 70)},
    **{f"{BASE}4.{number}": "dcmdjpls" for number in (80, 81)},
    f"{BASE}5": "dcmdrle",
}
missing = sorted(tool for tool in {*DECODERS.values()} if shutil.which(tool) is None)
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(bool(missing), reason=f"DCMTK is not here: no {', '.join(missing)}"),
]


def is_lossy_jpeg(description):
    is_jpeg = syntaxes.TABLE[description.transfer_syntax].media_type == "image/jpeg"
    return is_jpeg and not description.transfer_syntax.endswith(("57", "70"))


def is_compared(path):
    """Of lossy JPEG in colour Pillow is the reference: here the colours would have other names."""
    if stored.read(path)[0].transfer_syntax not in DECODERS:
        return False
    _, description = stored.frame(path)
    return not (description.is_colour and is_lossy_jpeg(description))


FILES = [path for path in stored.pixel_files() if is_compared(path)]


def decompressed(path, into):
    """The first frame as DCMTK decodes it, colours as they were stored; None for what it does not decode."""
    tool = DECODERS[stored.read(path)[0].transfer_syntax]
    choice = ["+cn"] if tool == "dcmdjpeg" else []
    done = subprocess.run([tool, *choice, path, into], capture_output=True, check=False)
    if done.returncode or not into.exists():
        return None
    dataset = pydicom.dcmread(into, force=True)
    planes = getattr(dataset, "PlanarConfiguration", 0)
    shape = (dataset.Rows, dataset.Columns, dataset.SamplesPerPixel)
    words = np.frombuffer(dataset.PixelData, f"<u{dataset.BitsAllocated // 8}")[: np.prod(shape)]
    pixels = words.reshape(shape[2], *shape[:2]).transpose(1, 2, 0) if planes else words.reshape(shape)
    return pixels[:, :, 0] if shape[2] == 1 else pixels


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_words_are_those_of_dcmtk_MT_07(path, tmp_path):
    expected = decompressed(path, tmp_path / "native")
    if expected is None:
        pytest.skip("DCMTK does not decode it")
    content, description = stored.frame(path)
    found = decoding.decode_words(content, description)
    kept = found.pixels.view(f"u{found.pixels.dtype.itemsize}").astype(int)
    mask = (1 << description.bits_stored) - 1
    difference = np.abs((kept & mask) - (expected.astype(int) & mask))
    assert difference.max() <= (2 if is_lossy_jpeg(description) else 0)


@pytest.mark.parametrize("uid", [f"{BASE}4.50", f"{BASE}4.57", f"{BASE}4.70", f"{BASE}4.80", f"{BASE}4.81", f"{BASE}5"])
@pytest.mark.parametrize(("bits", "is_signed", "samples"), [(8, 0, 1), (8, 0, 3), (12, 0, 1), (12, 1, 1), (16, 1, 1)])
def test_dcmtk_decodes_what_is_encoded_here_MT_12(uid, bits, is_signed, samples, tmp_path):
    pixels = stored.smooth(101, 90, bits=bits, samples=samples, is_signed=is_signed)
    description = stored.described(pixels, stored=bits)
    if not encoding.pixel_formats.can_hold(description, uid):
        pytest.skip("holds no such pixels")
    made = encoding.transcode_frame(stored.native(pixels), description, uid)
    path = tmp_path / "encoded.dcm"
    written(made, path)
    found = decompressed(path, tmp_path / "native")
    assert found is not None
    mask = (1 << bits) - 1
    if not made.description.is_lossy:
        np.testing.assert_array_equal(found & mask, pixels.view(f"u{pixels.dtype.itemsize}") & mask)
    elif samples == 1:
        signed = found.view(pixels.dtype).astype(int)
        assert np.abs(signed - pixels).max() <= (1 << bits) / 16


def written(made, path):
    given = made.description
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = given.transfer_syntax
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.Modality = "1.2.3", "1.2.3.5", "OT"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = given.rows, given.columns, given.samples_per_pixel
    dataset.PhotometricInterpretation = given.photometric_interpretation
    if given.is_colour:
        dataset.PlanarConfiguration = given.planar_configuration
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = given.bits_allocated, given.bits_stored, given.high_bit
    dataset.PixelRepresentation = int(given.is_signed)
    dataset.PixelData = encapsulate([made.codestream])
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path, enforce_file_format=True)
