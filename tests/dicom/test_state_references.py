"""Images of presentation states, and their order: REN-09, REN-10."""

from __future__ import annotations

from typing import Any

from dicomgate.dicom import state_references
from dicomgate.dicom.state_references import Reference


def sequence(*items: dict[str, Any]) -> dict[str, Any]:
    return {"vr": "SQ", "Value": list(items)}


def image(uid: str, *frames: int) -> dict[str, Any]:
    said = {"00081155": {"vr": "UI", "Value": [uid]}}
    return {**said, "00081160": {"vr": "IS", "Value": list(frames)}} if frames else said


def series(uid: str, *images: dict[str, Any]) -> dict[str, Any]:
    return {"0020000E": {"vr": "UI", "Value": [uid]}, "00081140": sequence(*images)}


def test_images_and_frames_in_the_order_of_the_state() -> None:
    state = {"00081115": sequence(series("1.2", image("1.3"), image("1.4", 3, 1)), series("1.5", image("1.3")))}
    assert state_references.references(state) == [
        Reference("1.2", "1.3"),
        Reference("1.2", "1.4", (3, 1)),
        Reference("1.5", "1.3"),
    ]


def test_of_a_blending_what_lies_underneath_REN_10() -> None:
    def blended(position: str, uid: str) -> dict[str, Any]:
        return {"00700405": {"vr": "CS", "Value": [position]}, "00081115": sequence(series("1.2", image(uid)))}

    state = {"00700402": sequence(blended("SUPERIMPOSED", "1.3"), blended("UNDERLYING", "1.4"))}
    assert state_references.references(state) == [Reference("1.2", "1.4")]


def test_what_names_nothing_is_left_out() -> None:
    state = {"00081115": sequence(series("../x", image("1.3")), series("1.2", image("x"), {}), {}, None)}  # type: ignore[arg-type]
    assert state_references.references(state) == []
    assert state_references.references({}) == []


def test_frames_are_ordered_by_dimension_then_position_REN_09() -> None:
    def groups(index: list[int] | None, position: list[float]) -> dict[str, Any]:
        made = {"00209113": sequence({"00200032": {"vr": "DS", "Value": position}})}
        if index:
            made["00209111"] = sequence({"00209157": {"vr": "UL", "Value": index}})
        return made

    dataset = {"52009230": sequence(groups([1, 2], [0, 0, 9]), groups([1, 1], [0, 0, 10]), groups(None, [0, 0, 1]))}
    assert sorted((1, 2), key=lambda frame: state_references.place(dataset, frame)) == [2, 1]
    assert state_references.place(dataset, 3) == ((), (0, 0, 1), ())
    flat = {"00200032": {"vr": "DS", "Value": [1, 2, "x"]}}
    assert state_references.place(flat, 1) == ((), (), ())
    assert state_references.place({"00200032": {"vr": "DS", "Value": [1, 2, 3.5]}}, 1) == ((), (1, 2, 3.5), ())
