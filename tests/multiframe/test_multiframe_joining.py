"""The parts of a concatenation: joined into the object they are parts of, or left with a reason (PS3.3 C.7.6.16)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from multiframe_slices import CT, edited, read, series_of, slice_of, sources_of, written
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence
from test_multiframe_references import other

from dicomgate.cli import main
from dicomgate.multiframe import conversion, joining, splitting, writing
from dicomgate.multiframe.conversion import Became
from dicomgate.multiframe.joining import Refusal
from dicomgate.multiframe.splitting import Naming


def whole(count: int = 5) -> bytes:
    """An object of so many frames that keeps no record of its originals."""
    return written((slice_of(CT, n) for n in range(1, count + 1)), keeps_originals=False)


def cut(content: bytes, *lengths: int, total: bool = True) -> list[bytes]:
    """An object as a concatenation of parts with so many frames."""
    return [edited(content, part) for part in _parts(read(content), lengths, total=total)]


def _parts(of: Dataset, lengths: tuple[int, ...], *, total: bool) -> Iterator[Callable[[Dataset], None]]:
    frames = [*generate_frames(of.PixelData, number_of_frames=of.NumberOfFrames)] if _is_compressed(of) else []
    size = of.Rows * of.Columns * of.BitsAllocated // 8
    for number, length in enumerate(lengths, 1):
        first = sum(lengths[: number - 1])

        def change(dataset: Dataset, number: int = number, first: int = first, length: int = length) -> None:
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
            dataset.ConcatenationUID, dataset.SOPInstanceUIDOfConcatenationSource = "1.2.3", of.SOPInstanceUID
            dataset.InConcatenationNumber, dataset.ConcatenationFrameOffsetNumber = number, first
            if total:
                dataset.InConcatenationTotalNumber = len(lengths)
            dataset.NumberOfFrames = length
            groups = of.PerFrameFunctionalGroupsSequence[first : first + length]
            dataset.PerFrameFunctionalGroupsSequence = Sequence(groups)
            if frames:
                dataset.PixelData = encapsulate(frames[first : first + length])
            else:
                dataset.PixelData = of.PixelData[first * size : (first + length) * size]

        yield change


def _is_compressed(dataset: Dataset) -> bool:
    return bool(dataset.file_meta.TransferSyntaxUID.is_compressed)


def joined(contents: list[bytes]) -> bytes:
    (one,) = joining.join(sources_of(contents)).joined
    return b"".join(joining.write(one))


def test_what_was_cut_into_parts_becomes_the_very_object_again() -> None:
    content = whole()
    first, second, third = cut(content, 2, 2, 1)
    assert joined([third, first, second]) == content


def test_how_many_parts_there_are_need_not_be_said() -> None:
    content = whole()
    assert joined(cut(content, 3, 2, total=False)) == content


def test_compressed_frames_stay_as_they_are() -> None:
    plan = conversion.plan(series_of("series/vendors/generic/compressed_rle/001"))
    content = b"".join(writing.write(plan.describe(0), keeps_originals=False))
    count = read(content).NumberOfFrames
    assert count > 2
    assert joined(cut(content, 1, count - 1)) == content


BROKEN: dict[str, tuple[Refusal, Callable[[list[bytes]], list[bytes]]]] = {
    "one is missing": (Refusal.MISSING, lambda parts: parts[:2]),
    "one is there twice": (Refusal.MISSING, lambda parts: [*parts, parts[1]]),
    "one says another patient": (Refusal.DIFFERENT, lambda parts: [_said(parts[0], PatientID="8"), *parts[1:]]),
    "one begins elsewhere": (
        Refusal.DIFFERENT,
        lambda parts: [parts[0], _said(parts[1], ConcatenationFrameOffsetNumber=1), parts[2]],
    ),
    "nobody says of what": (
        Refusal.NAMELESS,
        lambda parts: [edited(part, lambda one: delattr(one, "SOPInstanceUIDOfConcatenationSource")) for part in parts],
    ),
    "a frame is not there": (Refusal.FRAMES, lambda parts: [_said(parts[0], NumberOfFrames=3), *parts[1:]]),
    "the whole is there": (Refusal.THERE, lambda parts: [*parts, whole()]),
}


def _said(content: bytes, **said: Any) -> bytes:
    return edited(content, lambda dataset: [setattr(dataset, name, value) for name, value in said.items()])


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_joined_stays_and_says_why(name: str) -> None:
    why, change = BROKEN[name]
    contents = change(cut(whole(), 2, 2, 1))
    found = joining.join(sources_of(contents))
    assert found.joined == ()
    assert {reason for _, reason in found.refused} == {why}
    plan = conversion.plan(sources_of(contents), joins=True)
    assert {product.became for product in plan.products()} == {Became.UNCHANGED}
    assert {reason for _, reason in plan.failures} == {why}


def test_what_is_too_long_together_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = sources_of(cut(whole(), 2, 3))
    monkeypatch.setattr("dicomgate.multiframe.gather.LARGEST", 5 * 128 - 1)
    found = joining.join(parts)
    assert {reason for _, reason in found.refused} == {Refusal.LONG}


def test_references_to_a_part_become_references_to_its_frames_LC_06() -> None:
    items = []
    for part, frames in (("1.2.3.1", None), ("1.2.3.2", [2])):
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT.legacy, part
        if frames:
            item.ReferencedFrameNumber = frames
        items.append(item)
    report = other("ko", ReferencedImageSequence=Sequence(items))
    plan = conversion.plan(sources_of([*cut(whole(), 2, 3), report]), joins=True)
    (new,) = [product for product in plan.products() if product.became is Became.REISSUED]
    (reference,) = read(b"".join(new.write())).ReferencedImageSequence
    assert reference.ReferencedSOPInstanceUID == read(whole()).SOPInstanceUID
    assert reference.ReferencedFrameNumber == [1, 2, 4]


def test_parts_that_refer_to_what_was_converted_become_a_new_object_LC_06() -> None:
    image = slice_of(CT, 20, SeriesInstanceUID="1.2.9")
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT.classic, read(image).SOPInstanceUID
    parts = [_said(part, ReferencedImageSequence=Sequence([item])) for part in cut(whole(), 2, 3)]
    plan = conversion.plan(sources_of([*parts, image]), joins=True)
    products = {product.became: product for product in plan.products()}
    made = read(b"".join(products[Became.JOINED].write()))
    assert made.ReferencedImageSequence[0].ReferencedSOPInstanceUID == products[Became.ENHANCED].instance
    assert made.SOPInstanceUID == products[Became.JOINED].instance != read(whole()).SOPInstanceUID
    assert made.SeriesInstanceUID == products[Became.JOINED].series
    assert made.ConversionSourceAttributesSequence[0].ReferencedSOPInstanceUID == read(whole()).SOPInstanceUID
    assert made.PixelData == read(whole()).PixelData


def test_large_values_of_parts_are_those_of_the_whole() -> None:
    content = edited(whole(), lambda dataset: dataset.add_new((0x0029, 0x0010), "LO", "ACME"))
    content = edited(content, lambda dataset: dataset.add_new((0x0029, 0x1001), "OB", bytes(range(256)) * 400))
    assert joined(cut(content, 4, 1)) == content


def test_joined_and_split_frames_count_on_over_the_whole_LC_08() -> None:
    (source,) = sources_of([joined(cut(whole(), 2, 3))])
    images = list(splitting.split(source, Naming.NEW))
    assert [image.attributes["00200013"]["Value"] for image in images] == [[n] for n in range(1, 6)]


@pytest.mark.slow
def test_the_command_joins_or_tells_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    for number, part in enumerate(cut(whole(), 2, 3)):
        (tmp_path / f"in/{number}.dcm").write_bytes(part)
    assert main.run(["convert", "enhanced", str(tmp_path / "in"), str(tmp_path / "made")]) == main.DONE
    (told,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (told["became"], told["sources"]) == ("joined from the parts of a concatenation", 2)
    assert Path(told["file"]).read_bytes() == whole()
    assert main.run(["convert", "enhanced", "--explain", str(tmp_path / "in")]) == main.DONE
    (told,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (told["frames"], told["parts"], told["positions"]) == (5, 2, 5)
    (tmp_path / "in/0.dcm").unlink()
    assert main.run(["convert", "enhanced", str(tmp_path / "in"), str(tmp_path / "less")]) == main.PARTLY
    assert Refusal.MISSING.value in capsys.readouterr().err
