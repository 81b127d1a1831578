"""Objects with many frames as classic images, from any maker (LC-30, LC-31), and concatenations (LC-08)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pydicom
import pytest
from multiframe_slices import CT, MR, SERIES, edited, read, series_of, slice_of, sources_of, written
from pydicom.dataset import Dataset

from dicomgate import errors
from dicomgate.dicom import geometry, planes
from dicomgate.multiframe import classes, classic, splitting
from dicomgate.multiframe.splitting import Naming

TEXT = "Classic Image created from Enhanced Image"
MADE_ELSEWHERE = "series/sup157-tiny/multiframe"


def images(content: bytes, naming: Naming = Naming.NEW) -> list[Dataset]:
    (source,) = sources_of([content])
    return [read(b"".join(splitting.write(image))) for image in splitting.split(source, naming)]


def test_images_say_again_what_the_sources_said_LC_30() -> None:
    contents = [slice_of(CT, n, FilterType="BODY", ImageComments=f"comment {n}") for n in (1, 2)]
    found = images(written(contents))
    for image, original in zip(found, map(read, contents), strict=True):
        for element in original:
            if element.keyword not in {"SOPInstanceUID", "SeriesInstanceUID", "SpecificCharacterSet"}:
                assert image[element.tag].value == element.value, element.keyword
        assert image.SOPInstanceUID != original.SOPInstanceUID


def test_images_tell_where_they_come_from_LC_30() -> None:
    content = written(slice_of(CT, n) for n in (1, 2))
    first, second = images(content)
    origin = second.ConversionSourceAttributesSequence[0]
    assert origin.ReferencedSOPInstanceUID == read(content).SOPInstanceUID
    assert origin.ReferencedFrameNumber == 2
    assert second.ContributingEquipmentSequence[-1].ContributionDescription == TEXT
    assert first.SOPClassUID == CT.classic
    assert first.SeriesInstanceUID == second.SeriesInstanceUID != SERIES
    assert not {"SharedFunctionalGroupsSequence", "NumberOfFrames", "DimensionIndexSequence"} & set(first.dir())


def test_uids_are_always_the_same_LC_02() -> None:
    content = written([slice_of(CT, 1)])
    assert images(content)[0].SOPInstanceUID == images(content)[0].SOPInstanceUID


def test_what_names_its_sources_and_their_series_gives_images_with_their_uids_LC_31() -> None:
    contents = [slice_of(CT, n) for n in (1, 2)]
    found = images(written(contents, keeps_originals=False), Naming.SOURCES)
    assert [(one.SOPInstanceUID, one.SeriesInstanceUID) for one in found] == [
        (one.SOPInstanceUID, one.SeriesInstanceUID) for one in map(read, contents)
    ]


def test_what_others_converted_is_taken_apart_LC_31() -> None:
    (source,) = series_of(MADE_ELSEWHERE)
    originals = sorted(series_of("series/sup157-tiny/image"), key=lambda one: one.attributes["00200032"]["Value"])
    made = [read(b"".join(splitting.write(image))) for image in splitting.split(source, Naming.SOURCES)]
    made.sort(key=lambda one: list(one.ImagePositionPatient))
    for image, original in zip(made, originals, strict=True):
        assert isinstance(original.content, classic.File)
        expected = pydicom.dcmread(original.content.path)
        assert image.PixelData == expected.PixelData
        assert image.ImagePositionPatient == expected.ImagePositionPatient
        assert image.PixelSpacing == expected.PixelSpacing
        assert image.SOPInstanceUID != expected.SOPInstanceUID  # nobody says of which series that was


@pytest.mark.parametrize("pair", ["1901", pytest.param("2001", marks=pytest.mark.slow)])
def test_vendors_pairs_agree_in_their_geometry_LC_30(pair: str) -> None:
    (source,) = series_of(f"series/mr-philips-pairs/{pair}-enhanced")
    originals = series_of(f"series/mr-philips-pairs/{pair}-classic")
    (made,) = _stacks(image.attributes for image in splitting.split(source, Naming.NEW))
    (said,) = _stacks(one.attributes for one in originals)
    assert made.passes == said.passes
    assert made.count == said.count
    assert made.step == pytest.approx(said.step, abs=1e-3)
    assert made.plane.normal == pytest.approx(said.plane.normal, abs=1e-4)
    assert made.spacing == pytest.approx(said.spacing, abs=1e-3)
    # Philips counts positions from another corner of the pixel in its enhanced objects
    for mine, theirs in zip(made.positions, said.positions, strict=True):
        assert mine == pytest.approx(theirs, abs=made.plane.finest)


def _stacks(datasets: Iterable[dict[str, Any]]) -> list[geometry.Stack]:
    return geometry.find_stacks([planes.find_plane(dataset) for dataset in datasets])


def test_an_enhanced_object_that_was_acquired_so_has_all_a_classic_one_must_have_LC_30() -> None:
    (source,) = series_of("series/vendors/siemens_multiframe/anatomical/001")
    made = list(splitting.split(source, Naming.SOURCES))
    stack = geometry.find_stacks([planes.find_plane(image.attributes) for image in made])
    assert [one.count for one in stack] == [8]
    first = read(b"".join(splitting.write(made[0])))
    assert first.SOPClassUID == MR.classic
    assert {"ScanningSequence", "SequenceVariant", "EchoTime", "RepetitionTime"} <= set(first.dir())
    assert first.EchoTime > 0


def test_compressed_frames_stay_compressed() -> None:
    (source,) = (one for one in series_of("syntaxes/weasis") if one.sop_class in classes.MR.targets)
    image = next(splitting.split(source, Naming.NEW))
    made = read(b"".join(splitting.write(image)))
    assert made.file_meta.TransferSyntaxUID == source.transfer_syntax
    assert made.pixel_array.shape == (made.Rows, made.Columns)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda dataset: setattr(dataset, "NumberOfFrames", 3), errors.Malformed),
        (lambda dataset: delattr(dataset, "PerFrameFunctionalGroupsSequence"), errors.Malformed),
        (lambda dataset: setattr(dataset, "PixelData", dataset.PixelData[:100]), errors.Malformed),
        (lambda dataset: setattr(dataset, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.7"), errors.NotAcceptable),
    ],
)
def test_what_contradicts_itself_is_refused(change: object, fault: type[errors.Fault]) -> None:
    content = edited(written(slice_of(CT, n) for n in (1, 2)), change)  # type: ignore[arg-type]
    with pytest.raises(fault):
        images(content)


def parts(total: int, *numbers: int) -> list[bytes]:
    def change(number: int) -> object:
        def add(dataset: Dataset) -> None:
            dataset.ConcatenationUID = "1.2.3"
            dataset.InConcatenationNumber, dataset.InConcatenationTotalNumber = number, total
            dataset.SOPInstanceUID = f"1.2.3.{number}"

        return add

    whole = written(slice_of(CT, n, InstanceNumber=None) for n in (1, 2))
    return [edited(whole, change(number)) for number in numbers]  # type: ignore[arg-type]


def test_parts_of_a_concatenation_count_on_LC_08() -> None:
    ordered = splitting.in_order(sources_of(parts(2, 2, 1)))
    assert [(one.instance, first) for one, first in ordered] == [("1.2.3.1", 1), ("1.2.3.2", 3)]
    (second, first) = ordered[1]
    made = [read(b"".join(splitting.write(image))) for image in splitting.split(second, Naming.NEW, first=first)]
    assert [image.InstanceNumber for image in made] == [3, 4]
    assert "ConcatenationUID" not in made[0]


@pytest.mark.parametrize("numbers", [(1,), (1, 1), (1, 3)])
def test_a_concatenation_that_is_not_whole_is_refused_LC_08(numbers: tuple[int, ...]) -> None:
    with pytest.raises(errors.Conflict, match="not whole"):
        splitting.in_order(sources_of(parts(2, *numbers)))


def test_split_and_converted_again_gives_the_same_volume() -> None:
    contents = [slice_of(CT, n) for n in (1, 2, 3)]
    again = written(b"".join(splitting.write(image)) for image in _split(written(contents)))
    assert read(again).PixelData == b"".join(read(content).PixelData for content in contents)


def _split(content: bytes) -> list[splitting.Image]:
    (source,) = sources_of([content])
    return list(splitting.split(source, Naming.NEW))
