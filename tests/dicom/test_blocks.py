"""What the frames of a series make: stacks, passes through them, and what stays out (PS3.3 §C.7.6.2)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom import blocks
from dicomgate.dicom.blocks import Frame


def instance(number: Any, position: Any = None, frames: Any = None, uid: str = "1.2") -> dict[str, Any]:
    dataset: dict[str, Any] = {
        "00080018": {"vr": "UI", "Value": [uid]},
        "00200013": {"vr": "IS", "Value": [number]},
        "00280010": {"vr": "US", "Value": [4]},
        "00280011": {"vr": "US", "Value": [6]},
        "7FE00010": {"vr": "OW", "BulkDataURI": "1"},
    }
    if position is not None:
        dataset["00200032"] = {"vr": "DS", "Value": [0, 0, position]}
        dataset["00200037"] = {"vr": "DS", "Value": [1, 0, 0, 0, 1, 0]}
        dataset["00280030"] = {"vr": "DS", "Value": [1, 1]}
    if frames is not None:
        dataset["00280008"] = {"vr": "IS", "Value": [frames]}
    return dataset


def places(block: blocks.Block) -> list[int | None]:
    return [frame and frame.dataset for frame in block.frames]


def test_slices_go_by_position_not_by_number() -> None:
    (block,) = blocks.arrange([instance(1, 30), instance(2, 10), instance(3, 20)]).blocks
    assert block.frames == (Frame(1, 1), Frame(2, 1), Frame(0, 1))
    assert block.irregularities == ()


def test_each_pass_is_a_block_in_the_order_of_instance_numbers() -> None:
    series = [instance(4, 10), instance(3, 0), instance(2, 10), instance(1, 0)]
    first, second = blocks.arrange(series).blocks
    assert (places(first), places(second)) == ([3, 2], [1, 0])
    assert (first.number, second.number, first.passes) == (0, 1, 2)
    assert first.irregularities == ()


def test_what_is_missing_is_none_in_its_place() -> None:
    (block,) = blocks.arrange([instance(1, 0), instance(2, 10), instance(3, 30)]).blocks
    assert places(block) == [0, 1, None, 2]
    assert block.irregularities == ("missing slices",)


def test_a_pass_that_breaks_off_has_missing_slices_too() -> None:
    whole, part = blocks.arrange([instance(1, 0), instance(2, 10), instance(3, 20), instance(4, 10)]).blocks
    assert places(whole) == [0, 1, 2]
    assert places(part) == [None, 3, None]
    assert part.irregularities == ("missing slices",)


def test_the_largest_block_is_the_first_and_data_sets_without_pixels_are_none() -> None:
    other = {**instance(1, 5), "00280010": {"vr": "US", "Value": [8]}}
    report = {"00080018": {"vr": "UI", "Value": ["1.9"]}}
    found = blocks.arrange([report, other, instance(2, 0), instance(3, 10)]).blocks
    assert [places(block) for block in found] == [[2, 3], [1]]


def test_frames_without_a_place_are_left_out_beside_others_and_a_block_where_there_are_no_others() -> None:
    mixed = blocks.arrange([instance(1, 0), instance(2), instance(3, 10)])
    assert [places(block) for block in mixed.blocks] == [[0, 2]]
    assert mixed.left_out == (Frame(1, 1),)
    movie = blocks.arrange([instance(2, frames=2), instance(1)])
    assert movie.blocks[0].frames == (Frame(1, 1), Frame(0, 1), Frame(0, 2))
    assert movie.blocks[0].stack is None
    assert movie.left_out == ()


def test_instances_without_a_number_come_last_by_their_uid() -> None:
    series = [instance("x", uid="1.9"), instance(None, uid="1.2"), instance(7, uid="1.3")]
    assert places(blocks.arrange(series).blocks[0]) == [2, 1, 0]


def test_nothing_makes_nothing() -> None:
    assert blocks.arrange([]) == blocks.arrange([{}]) == blocks.Arrangement((), ())


def test_what_says_to_have_more_frames_than_are_looked_at_is_not_believed() -> None:
    assert len(blocks.arrange([instance(1, frames=2**31)]).blocks[0].frames) == 1


def test_stacks_that_would_be_mostly_missing_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MOST_SLICES", 100)
    series = [instance(n, n) for n in range(11)] + [instance(n, 0) for n in range(11)]
    with pytest.raises(errors.TooLarge):
        blocks.arrange(series)


@given(st.lists(st.tuples(st.integers(-3, 3), st.one_of(st.none(), st.integers(0, 5))), max_size=20))
def test_every_frame_is_in_one_block_or_left_out(series: list[tuple[int, int | None]]) -> None:
    datasets = [instance(number, position and position * 10) for number, position in series]
    found = blocks.arrange(datasets)
    held = [frame for block in found.blocks for frame in block.frames if frame is not None]
    assert sorted(frame.dataset for frame in (*held, *found.left_out)) == list(range(len(series)))
    for block in found.blocks:
        assert block.stack is None or len(block.frames) == block.stack.count
