"""What comes back: frames, bulk data, metadata, rewritten files (RET, FRM, MT-11, D6, T12)."""

from __future__ import annotations

import io
from collections.abc import Iterator

import orjson
import pydicom
import pytest

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.testing import instances

JPEG_LS = "1.2.840.10008.1.2.4.80"


def instance_of(archive, target):
    with archive.origin.retrieve.retrieve(target) as found:
        return next(found)


def frame(archive, target, number, **options) -> bytes:
    piece = instance_of(archive, target).frame(number, **options)
    content = b"".join(piece.chunks)
    assert len(content) == piece.size
    return content


def three(size: int = 128) -> list[bytes]:
    return [bytes([number]) * size for number in (1, 2, 3)]


@pytest.mark.parametrize(
    "syntax", [syntaxes.EXPLICIT_LITTLE, syntaxes.IMPLICIT_LITTLE, syntaxes.EXPLICIT_BIG, syntaxes.DEFLATED_LITTLE]
)
def test_native_frames_are_little_endian_whatever_the_encoding_FRM_02(archive, store, syntax) -> None:
    target = instances.new_target()
    frames = [bytes(range(start, start + 128)) for start in (0, 50, 100)]
    store(instances.make(target, syntax=syntax, frames=frames))
    for number, expected in enumerate(frames, 1):
        assert frame(archive, target, number) == expected
    assert frame(archive, target, 2, span=range(3, 10)) == frames[1][3:10]
    with pytest.raises(errors.NotFound):
        frame(archive, target, 4)
    with pytest.raises(errors.NotFound):
        frame(archive, target, 0)


@pytest.mark.parametrize("table", [{"has_offset_table": True}, {"has_offset_table": False}, {"is_extended": True}])
def test_encapsulated_frames_with_each_offset_table_MT_13(archive, store, table) -> None:
    target = instances.new_target()
    frames = three(130)
    store(instances.make(target, syntax=JPEG_LS, frames=frames, **table))
    for number, expected in enumerate(frames, 1):
        assert frame(archive, target, number) == expected
    assert instance_of(archive, target).frame(1).transfer_syntax == JPEG_LS


def test_frames_beyond_the_first_chunk_of_the_table(archive, store) -> None:
    target = instances.new_target()
    frames = [number.to_bytes(4, "big") for number in range(700)]
    store(instances.make(target, syntax=JPEG_LS, frames=frames))
    for number in (1, 256, 257, 512, 513, 700):
        assert frame(archive, target, number) == frames[number - 1]


def test_one_bit_frames_are_cut_at_bits_MT_11(archive, store) -> None:
    target = instances.new_target()
    bits = [(number * 7919) % 3 == 0 for number in range(3 * 25)]  # three frames of 5x5
    packed = bytes(
        sum(bit << place for place, bit in enumerate(bits[start : start + 8])) for start in range(0, len(bits), 8)
    )
    content = instances.make(target, rows=5, columns=5, frames=[packed])
    dataset = pydicom.dcmread(io.BytesIO(content))
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit, dataset.NumberOfFrames = 0, 3
    store(instances.write(dataset, syntaxes.EXPLICIT_LITTLE))
    for number in (1, 2, 3):
        got = frame(archive, target, number)
        unpacked = [bool(got[place // 8] >> (place % 8) & 1) for place in range(25)]
        assert unpacked == bits[(number - 1) * 25 : number * 25]


def test_metadata_is_ready_and_opens_no_file(archive, store, monkeypatch) -> None:
    first = instances.new_target()
    for number in (3, 1, 2):
        target = instances.new_target(first.study, first.series)
        store(instances.make(target, attributes={"InstanceNumber": number}))
    monkeypatch.setattr(type(archive.blobs), "open", lambda *_: pytest.fail("a file was opened for metadata"))
    _, texts = archive.origin.retrieve.metadata(type(first)(first.study, first.series))
    datasets = [orjson.loads(text) for text in texts]
    assert [dataset["00200013"]["Value"] for dataset in datasets] == [[1], [2], [3]]
    for dataset in datasets:
        assert list(dataset) == sorted(dataset)
        assert not any(tag.startswith("0002") for tag in dataset)
        uri = dataset["7FE00010"]["BulkDataURI"]
        assert (
            uri
            == f"/studies/{first.study}/series/{first.series}/instances/{dataset['00080018']['Value'][0]}/bulkdata/7FE00010"
        )


def test_every_bulk_uri_gives_its_value_RET_07(archive, store) -> None:
    target = instances.new_target()
    lut = bytes(range(256)) * 16
    content = instances.make(target, attributes={"ICCProfile": lut, "EncapsulatedDocument": b"x" * 5000})
    store(content)
    instance = instance_of(archive, target)
    assert set(instance.bulk_paths()) == {"00282000", "00420011", "7FE00010"}
    values = {path: b"".join(instance.bulk(path).chunks) for path in instance.bulk_paths()}
    dataset = pydicom.dcmread(io.BytesIO(content))
    assert values["00282000"] == lut
    assert values["7FE00010"] == dataset.PixelData
    with pytest.raises(errors.NotFound):
        instance.bulk("00100010")


def test_damaged_bytes_are_never_served_as_good_D6(archive, store) -> None:
    target = instances.new_target()
    store(instances.make(target))
    damage(archive)
    with pytest.raises(errors.Unavailable, match="damaged"):
        b"".join(instance_of(archive, target).file())


def test_nothing_and_deleted_RET_03(archive, store) -> None:
    target = instances.new_target()
    for attempt in (
        archive.origin.retrieve.metadata,
        lambda wanted: archive.origin.retrieve.retrieve(wanted).__enter__(),
    ):
        with pytest.raises(errors.NotFound) as caught:
            attempt(target)
        assert not isinstance(caught.value, errors.Gone)
    store(instances.make(target))
    assert archive.origin.delete.delete(type(target)(target.study)) == 1
    for attempt in (
        archive.origin.retrieve.metadata,
        lambda wanted: archive.origin.retrieve.retrieve(wanted).__enter__(),
    ):
        with pytest.raises(errors.Gone):
            attempt(target)


def damage(archive) -> None:
    for path in paths(archive):
        content = bytearray(path.read_bytes())
        content[-5] ^= 0xFF
        path.write_bytes(content)


def paths(archive) -> Iterator:
    root = archive.spool.directory.parent / "blobs"
    return (path for path in root.rglob("*") if path.is_file() and path.parent.name != "open")


def test_an_index_of_another_version_says_what_to_do(archive, store, monkeypatch) -> None:
    target = instances.new_target()
    store(instances.make(target))
    monkeypatch.setattr("dicomgate.archive.layout.VERSION", 2)
    with pytest.raises(errors.Unavailable, match="reindex"):
        frame(archive, target, 1)
