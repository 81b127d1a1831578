"""Which images share one object, in what order, and which are left over and why (LC-10, LC-11, LC-23)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multiframe_slices import CT, MR, slice_of, sources_of

from dicomgate.multiframe import gather
from dicomgate.multiframe.gather import Reason


def gathered(*contents: bytes) -> gather.Gathering:
    return gather.gather(sources_of(contents))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, Reason.CLASS),
        ({"Modality": "MR"}, Reason.MODALITY),
        ({"ImagePositionPatient": None}, Reason.PLACE),
        ({"PixelSpacing": None}, Reason.PLACE),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, Reason.COLOUR),
        ({"BitsStored": 17}, Reason.BITS),
        ({"PixelData": b"\0\0"}, Reason.FRAMES),
        ({"Rows": 4, "NumberOfFrames": 2}, Reason.FRAMES),
        ({"SeriesInstanceUID": ""}, Reason.IDENTITY),
    ],
)
def test_every_leftover_has_its_reason(change: dict[str, object], reason: Reason) -> None:
    found = gathered(slice_of(CT, 1), slice_of(CT, 2, **change))
    assert [one.reason for one in found.leftovers] == [reason]
    assert [len(one.sources) for one in found.sets] == [1]
    assert found.explain()["leftovers"][0]["reason"] == reason.value


def test_a_second_copy_is_left_over() -> None:
    found = gathered(slice_of(CT, 1), slice_of(CT, 1))
    assert [one.reason for one in found.leftovers] == [Reason.TWICE]


@pytest.mark.parametrize(
    ("change", "criterion"),
    [
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "orientation"),
        ({"Rows": 4, "Columns": 16}, "matrix"),
        ({"PixelSpacing": [0.7, 0.7]}, "pixel spacing"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "image type"),
        ({"FrameOfReferenceUID": "1.2.3"}, "frame of reference"),
        ({"PixelRepresentation": 1}, "signed samples"),
        ({"ConvolutionKernel": "B70f"}, "kernel"),
        ({"PixelPaddingValue": 0}, "pixel padding"),
        ({"SeriesInstanceUID": "1.2.9"}, None),
    ],
)
def test_what_may_not_share_an_object_is_apart_and_says_by_what(
    change: dict[str, object], criterion: str | None
) -> None:
    found = gathered(slice_of(CT, 1), slice_of(CT, 2), slice_of(CT, 3, **change), slice_of(CT, 4, **change))
    assert [len(one.sources) for one in found.sets] == [2, 2]
    apart = [list(one["apart_by"]) for one in found.explain()["objects"]]
    assert apart == [[criterion], [criterion]] if criterion else apart == [[], []]


def test_echoes_are_apart_when_each_has_a_stack() -> None:
    echoes = [
        slice_of(MR, 10 * echo + n, ImagePositionPatient=[0, 0, n], EchoTime=4.5 * echo, EchoNumbers=echo)
        for n in range(3)
        for echo in (1, 2)
    ]
    found = gathered(*echoes)
    assert [[source.text("00200013") or 0 for source in one.sources] for one in found.sets]
    assert [len(one.sources) for one in found.sets] == [3, 3]
    assert not any(one.has_times for one in found.sets)


def test_an_echo_time_that_differs_in_every_slice_keeps_a_stack_together() -> None:
    found = gathered(*(slice_of(MR, n, EchoTime=4 + n / 10) for n in range(1, 5)))
    assert [len(one.sources) for one in found.sets] == [4]


def test_a_gap_is_no_regular_volume_and_positions_count_on() -> None:
    (one,) = gathered(*(slice_of(CT, n) for n in (1, 2, 3, 6, 7))).sets
    assert one.places == (1, 2, 3, 4, 5)
    assert not one.is_regular
    assert one.stack.irregularities == ("missing slices",)


@pytest.mark.parametrize("sign", [1, -1])
def test_frames_are_in_the_order_of_the_numbers_of_the_images(sign: int) -> None:
    """Whichever way the scanner counted; a number that is out of its place changes nothing."""
    contents = [
        slice_of(CT, 10 * n + t, ImagePositionPatient=[0, 0, sign * 5 * n], TemporalPositionIdentifier=t)
        for n in (3, 1, 4, 2)
        for t in (2, 1)
    ]
    (one,) = gathered(*contents).sets
    assert [s.attributes["00200013"]["Value"][0] for s in one.sources] == [11, 21, 31, 41, 12, 22, 32, 42]
    assert one.places == (1, 2, 3, 4) * 2
    assert one.times == (1,) * 4 + (2,) * 4
    assert (one.is_turned, one.is_regular, one.stack.step) == (sign < 0, True, 5)
    odd = [slice_of(CT, n, ImagePositionPatient=[0, 0, sign * z]) for n, z in ((1, 1), (2, 2), (4, 3), (3, 4), (5, 5))]
    (one,) = gathered(*odd).sets
    assert [s.attributes["00200013"]["Value"][0] for s in one.sources] == [1, 2, 4, 3, 5]


def test_images_without_numbers_are_in_the_order_of_the_normal() -> None:
    contents = [slice_of(CT, n, InstanceNumber="", ImagePositionPatient=[0, 0, -n]) for n in range(1, 8)]
    (one,) = gathered(*contents).sets
    assert [s.attributes["00200032"]["Value"][2] for s in one.sources] == [-7, -6, -5, -4, -3, -2, -1]


def test_points_in_time_are_told_apart_at_each_position() -> None:
    contents = [
        slice_of(MR, 10 * t + n, ImagePositionPatient=[0, 0, n], TemporalPositionIdentifier=t + 1)
        for n in range(3)
        for t in range(2)
    ]
    (one,) = gathered(*contents).sets
    assert one.times == (1, 1, 1, 2, 2, 2)
    assert one.places == (1, 2, 3, 1, 2, 3)
    assert one.is_regular


def test_a_position_with_more_frames_than_others_is_no_regular_series_of_volumes() -> None:
    contents = [slice_of(MR, n, ImagePositionPatient=[0, 0, min(n, 3)]) for n in range(1, 5)]
    (one,) = gathered(*contents).sets
    assert one.times == (1, 1, 1, 2)
    assert not one.is_regular


def test_what_is_too_long_for_one_object_becomes_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "LARGEST", 3 * 128)
    found = gathered(*(slice_of(CT, n) for n in range(1, 6)))
    assert [(one.part, one.places) for one in found.sets] == [(1, (1, 2, 3)), (2, (4, 5))]


STACK = [slice_of(CT, number) for number in range(1, 9)]


@pytest.mark.slow
@given(st.lists(st.integers(1, 8), min_size=1, max_size=8, unique=True), st.randoms(use_true_random=False))
def test_the_order_of_files_does_not_matter(numbers: list[int], order: random.Random) -> None:
    contents = [STACK[number - 1] for number in numbers]
    first = gathered(*contents)
    order.shuffle(contents)
    again = gathered(*contents)
    assert [[s.instance for s in one.sources] for one in first.sets] == [
        [s.instance for s in one.sources] for one in again.sets
    ]
    (one,) = again.sets
    assert [s.attributes["00200013"]["Value"][0] for s in one.sources] == sorted(numbers)
