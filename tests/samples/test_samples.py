"""The samples are what they say: readable, complete, the same every time, and quick to make."""

import io
import itertools
import warnings

import pydicom
import pytest
from pydicom.pixels import pixel_array

from dicomgate.dicom import uids
from dicomgate.samples import packaged, phantoms, shapes

pytestmark = pytest.mark.slow  # the fast loop stays under a minute


@pytest.fixture(scope="module")
def samples():
    return {name: pydicom.dcmread(io.BytesIO(content)) for name, content in phantoms.make()}


def of_modality(samples, modality):
    return [dataset for dataset in samples.values() if dataset.Modality == modality]


def test_every_kind_is_there(samples):
    counts = {modality: len(of_modality(samples, modality)) for modality in ("CT", "MR", "US", "CR", "OT", "DX")}
    assert counts == {"CT": 64, "MR": 32, "US": 2, "CR": 1, "OT": 1, "DX": 1}
    assert {dataset.PhotometricInterpretation for dataset in samples.values()} == {
        "MONOCHROME1",
        "MONOCHROME2",
        "RGB",
        "PALETTE COLOR",
    }


def test_names_read_back_in_every_script(samples):
    names = {dataset.PatientID: str(dataset.PatientName) for dataset in samples.values()}
    assert names == {
        "DEMO-1": "Brontë-Ångström^Zoé",
        "DEMO-2": "Sakura^Hanako=佐倉^花子=さくら^はなこ",
        "DEMO-3": "Kim^Haneul=金^하늘=김^하늘",
        "DEMO-4": "Παπαδάκη^Ελένη",
        "DEMO-5": "Соколова^Вера",
        "DEMO-6": "Wang^Xiaomei=王^小梅",
        "DEMO-7": "Al-Hakim^Layla=الحكيم^ليلى",
    }


def test_one_study_a_patient_and_uids_that_hold(samples):
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        assert all(uids.is_uid(dataset[keyword].value) for dataset in samples.values())
    assert len({dataset.SOPInstanceUID for dataset in samples.values()}) == len(samples)
    assert len({dataset.StudyInstanceUID for dataset in samples.values()}) == 7
    assert all(dataset.SOPInstanceUID == dataset.file_meta.MediaStorageSOPInstanceUID for dataset in samples.values())


def test_the_same_bytes_every_time():
    assert list(map(bytes, (c for _, c in phantoms.make()))) == [content for _, content in phantoms.make()]


def test_pixels_have_the_length_that_the_header_says(samples):
    for dataset in samples.values():
        frames = int(dataset.get("NumberOfFrames", 1))
        samples_per_frame = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel
        assert len(dataset.PixelData) == frames * samples_per_frame * dataset.BitsAllocated // 8


def test_the_torso_is_in_hounsfield_units(samples):
    middle = of_modality(samples, "CT")[31]
    values = pixel_array(middle) * float(middle.RescaleSlope) + float(middle.RescaleIntercept)
    assert abs(float(values[:20].mean()) + 1000) < 10  # air
    assert abs(float(values[120:130, 55:65].mean()) + 860) < 10  # lung
    assert values.max() > 500  # bone


def test_slices_lie_one_above_the_other(samples):
    for modality in ("CT", "MR"):
        heights = [float(dataset.ImagePositionPatient[2]) for dataset in of_modality(samples, modality)]
        steps = {round(b - a, 3) for a, b in itertools.pairwise(heights)}
        assert steps == {float(of_modality(samples, modality)[0].SliceThickness)}


def test_the_clip_moves(samples):
    clip = next(dataset for dataset in of_modality(samples, "US") if "NumberOfFrames" in dataset)
    frames = pixel_array(clip)
    assert frames.shape == (24, 240, 320, 3)
    assert (frames[0] != frames[12]).any()


def test_a_row_is_cut_where_the_ellipse_is():
    grid = shapes.Grid(columns=101, rows=101, spacing=1)
    ball = shapes.Ellipsoid((0, 0, 0), (10, 20, 30), 1)
    outline = ball.slice(0)
    assert outline is not None
    assert grid.columns_between(*outline.span(0)) == (40, 61)
    assert outline.span(20.1) is None
    assert ball.slice(31) is None
    turned = shapes.Ellipsoid((0, 0, 0), (10, 20, 30), 1, 0, 90).slice(0)
    assert turned is not None
    assert turned.span(0) == pytest.approx((-20, 20))
    assert grid.columns_between(200, 300) == (101, 101)


def test_real_files_come_once_each_and_need_no_network():
    paths = list(packaged.find())
    assert len(paths) > 30
    with warnings.catch_warnings(action="ignore"):
        instances = [pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in paths]
    assert len(set(instances)) == len(instances)
