"""A stored instance as a file in another transfer syntax (MT-07 to MT-10, GEN-09, V3)."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicomgate import assembly, config, errors
from dicomgate.archive.archive import Archive
from dicomgate.dicom import header, syntaxes
from dicomgate.dicom.outcomes import Stored
from dicomgate.dicom.source import BytesSource
from dicomgate.origin import Instance
from dicomgate.pixels.processes import Workers
from dicomgate.representations import transcoding
from dicomgate.representations.maker import Maker
from dicomgate.testing import instances

EXPLICIT, RLE, JPEG_LS, JPEG = (
    syntaxes.EXPLICIT_LITTLE,
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.50",
)
PIXELS = "7FE00010"


@pytest.fixture(scope="module")
def maker() -> Iterator[Maker]:
    with Workers() as workers:
        yield Maker(workers=workers)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with assembly.open_archive(
        tmp_path_factory.mktemp("data"),
        config.Settings(limits=config.Limits(depth=100), store=config.Store(duplicates="replace")),
    ) as opened:
        yield opened


@pytest.fixture
def stored(archive: Archive) -> Callable[[bytes], Instance]:
    def store(content: bytes) -> Instance:
        arrival = archive.spool.arrival()
        try:
            arrival.write(content)
            assert archive.origin.store is not None
            outcome = archive.origin.store.accept(arrival)
        finally:
            arrival.discard()
        assert isinstance(outcome, Stored)
        with archive.origin.retrieve.retrieve(outcome.target) as found:
            return next(found)

    return store


def attributes(content: bytes) -> dict:
    return header.read(BytesSource(content)).attributes


def read(content: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(content))


def make(maker: Maker, instance: Instance, syntax: str) -> bytes:
    made = transcoding.make_file(maker, instance, syntax)
    content = b"".join(made.chunks)
    assert made.size in (None, len(content))
    again = transcoding.make_file(maker, instance, syntax)
    assert b"".join(again.chunks) == content, "always the same bytes"
    return content


@pytest.mark.parametrize("syntax", [syntaxes.IMPLICIT_LITTLE, syntaxes.EXPLICIT_BIG, syntaxes.DEFLATED_LITTLE])
def test_other_encodings_leave_as_explicit_little_endian_GEN_09(maker, stored, syntax) -> None:
    content = instances.make(syntax=syntax)
    instance = stored(content)
    made = transcoding.make_file(maker, instance, EXPLICIT)
    assert made.size is not None
    rewritten = make(maker, instance, EXPLICIT)
    dataset = read(rewritten)
    assert dataset.file_meta.TransferSyntaxUID == EXPLICIT
    assert dataset.PixelData == instances.counting(64)
    assert attributes(rewritten) == attributes(content)


def test_what_raised_limits_let_in_can_also_be_rewritten(archive, stored) -> None:
    nested = Dataset()
    for _ in range(80):
        outer = Dataset()
        outer.ConceptNameCodeSequence = [nested]
        nested = outer
    instance = stored(
        instances.make(
            syntax=syntaxes.IMPLICIT_LITTLE,
            attributes={"ConceptNameCodeSequence": nested.ConceptNameCodeSequence},
        )
    )
    with Workers() as workers:
        maker = Maker(workers=workers, limits=archive.limits)
        assert b"".join(transcoding.make_file(maker, instance, EXPLICIT).chunks)[128:132] == b"DICM"


@pytest.mark.slow
def test_through_a_compressed_file_and_back_is_the_same(maker, stored) -> None:
    frames = [bytes([number, number % 8]) * 64 for number in range(5)]
    content = instances.make(frames=frames)
    for syntax in (RLE, JPEG_LS):
        compressed = make(maker, stored(content), syntax)
        dataset = read(compressed)
        assert dataset.file_meta.TransferSyntaxUID == syntax
        assert "LossyImageCompression" not in dataset
        assert dataset.SOPInstanceUID == read(content).SOPInstanceUID
        back = read(make(maker, stored(compressed), EXPLICIT))
        assert back.PixelData == b"".join(frames)
        assert back["PixelData"].VR == "OW"


def test_a_lossy_file_is_another_instance_that_says_what_it_lost(maker, stored) -> None:
    """PS3.3 §C.7.6.1.1.5: derived, a new SOP Instance UID, the loss flagged, its method and ratio recorded."""
    step = Dataset()
    step.CodeValue, step.CodingSchemeDesignator, step.CodeMeaning = "113085", "DCM", "Spatial resampling"
    before = {
        "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "DerivationCodeSequence": Sequence([step]), "DerivationDescription": "resampled",
    }  # fmt: skip
    content = instances.make(rows=64, columns=64, frames=[bytes(range(64)) * 64], attributes=before)
    instance = stored(content)
    dataset, was = read(make(maker, instance, JPEG)), read(content)
    assert dataset.SOPInstanceUID != was.SOPInstanceUID
    assert dataset.SOPInstanceUID == dataset.file_meta.MediaStorageSOPInstanceUID
    assert dataset.SOPInstanceUID.startswith("2.25.")
    assert (dataset.LossyImageCompression, dataset.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    assert dataset.LossyImageCompressionRatio > 1
    assert list(dataset.ImageType) == ["DERIVED", "PRIMARY", "AXIAL"]
    assert [item.CodeValue for item in dataset.DerivationCodeSequence] == ["113085", "113040"]
    assert dataset.DerivationDescription.startswith("resampled; JPEG Baseline")
    (source,) = dataset.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == was.SOPInstanceUID
    assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121320"
    assert dataset.SeriesInstanceUID == was.SeriesInstanceUID


def test_icons_are_native_afterwards_for_their_syntax_was_the_files(maker, stored) -> None:
    """PS3.5 §A.4: inside a sequence pixel data may be native, and must not be in another syntax than the file's."""
    frame = bytes([1, 0]) * 64
    codestream = read(make(maker, stored(instances.make(frames=[frame])), RLE)).PixelData
    (codestream,) = list(pydicom.encaps.generate_frames(codestream, number_of_frames=1))
    icon = Dataset()
    icon.SamplesPerPixel, icon.PhotometricInterpretation, icon.Rows, icon.Columns = 1, "MONOCHROME2", 8, 8
    icon.BitsAllocated, icon.BitsStored, icon.HighBit, icon.PixelRepresentation = 16, 12, 11, 0
    icon.add_new(0x7FE00010, "OB", pydicom.encaps.encapsulate([codestream]))
    icon["PixelData"].is_undefined_length = True
    content = instances.make(syntax=RLE, frames=[codestream], attributes={"IconImageSequence": Sequence([icon])})
    for syntax in (EXPLICIT, JPEG_LS):
        dataset = read(make(maker, stored(content), syntax))
        assert dataset.IconImageSequence[0].PixelData == frame
        assert not dataset.IconImageSequence[0]["PixelData"].is_undefined_length
    icon.Rows = 9
    broken = instances.make(syntax=RLE, frames=[codestream], attributes={"IconImageSequence": Sequence([icon])})
    with pytest.raises(errors.NotAcceptable):
        transcoding.make_file(maker, stored(broken), EXPLICIT)


def test_what_cannot_be_decoded_is_refused_before_the_first_byte(maker, stored) -> None:
    instance = stored(instances.make(syntax=JPEG_LS, frames=[b"\xff\xd8\xff\xf7nonsense"]))
    with pytest.raises(errors.NotAcceptable, match=r"JPEG-LS Lossless .*transfer-syntax=\*"):
        transcoding.make_file(maker, instance, EXPLICIT)


def test_without_pixel_data_only_the_name_changes(maker, stored) -> None:
    dataset = read(instances.make())
    del dataset.PixelData
    instance = stored(instances.write(dataset, JPEG_LS))
    made = make(maker, instance, EXPLICIT)
    assert read(made).file_meta.TransferSyntaxUID == EXPLICIT
    assert attributes(made) == attributes(b"".join(instance.file()))


def test_single_bits_are_joined_without_padding_between_frames_MT_11(maker, stored) -> None:
    one = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}
    packed = bytes(range(1, 60))
    frames = 8
    content = instances.make(rows=7, columns=7, frames=[packed[:49]], attributes={**one, "NumberOfFrames": frames})
    deflated = "1.2.840.10008.1.2.8.1"
    compressed = make(maker, stored(content), deflated)
    back = read(make(maker, stored(compressed), EXPLICIT))
    assert back.PixelData == packed[:49] + b"\0"
