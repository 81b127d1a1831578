"""Images as presentation states want them shown: REN-10, PS3.4 N.2."""

from __future__ import annotations

from typing import Any

from dicomgate.dicom import applied_state


def element(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)}


IMAGE: dict[str, Any] = {
    "00080018": element("UI", "1.2.3"),
    "00280004": element("CS", "MONOCHROME1"),
    "00280010": element("US", 100),
    "00280011": element("US", 200),
    "00281050": element("DS", 40),
    "00281051": element("DS", 400),
    "00281052": element("DS", -1024),
    "00281053": element("DS", 1),
    "60003000": {"vr": "OW", "BulkDataURI": "/x/60003000"},
    "52009229": element("SQ", {"00289132": element("SQ", {"00281050": element("DS", 1)}), "00209113": element("SQ")}),
}


def shown(state: dict[str, Any]) -> applied_state.Shown:
    return applied_state.apply(IMAGE, state, 1)


def test_values_are_those_of_the_state_alone() -> None:
    window = {"00281050": element("DS", 7), "00281051": element("DS", 8)}
    other = {"00081140": element("SQ", {"00081155": element("UI", "9.9")}), "00281050": element("DS", 1)}
    state = {"00283110": element("SQ", other, window), "00281052": element("DS", 5), "00281053": element("DS", 2)}
    made = shown(state).dataset
    assert (made["00281050"]["Value"], made["00281051"]["Value"], made["00281052"]["Value"]) == ([7], [8], [5])
    assert made["52009229"]["Value"] == [{"00209113": {"vr": "SQ", "Value": []}}]
    bare = shown({}).dataset
    assert not {"00281050", "00281051", "00281052", "00281053", "60003000"} & set(bare)
    assert list(made) == sorted(made)


def test_shape_decides_on_black_and_white() -> None:
    assert shown({}).dataset["00280004"]["Value"] == ["MONOCHROME2"]
    assert shown({"20500020": element("CS", "INVERSE")}).dataset["00280004"]["Value"] == ["MONOCHROME1"]


def test_tables_and_profiles_are_those_of_the_state() -> None:
    table = {"20500010": element("SQ", {"00283002": element("US", 2, 0, 8)})}
    made = shown({**table, "00282000": {"vr": "OB", "BulkDataURI": "p"}, "60003000": element("OW")})
    assert made.has_profile
    assert made.of_state >= {"20500010", "00282000"}
    assert made.dataset["20500010"] == table["20500010"]
    assert not any(tag.startswith("60") for tag in made.dataset)
    assert not shown({}).has_profile


def test_a_palette_colours_grey_but_not_colour() -> None:
    palette = {f"0028{tag}": element("US", 2, 0, 8) for tag in ("1101", "1102", "1103")}
    assert shown(palette).is_pseudo_colour
    assert "00281101" in shown(palette).of_state
    colour = {**IMAGE, "00280004": element("CS", "RGB")}
    assert not applied_state.apply(colour, palette, 1).is_pseudo_colour
    assert not shown({}).is_pseudo_colour


def test_a_modality_table_may_be_for_some_images_alone() -> None:
    other = {"00081140": element("SQ", {"00081155": element("UI", "9.9")}), "00281052": element("DS", 1)}
    own = {"00081140": element("SQ", {"00081155": element("UI", "1.2.3")}), "00281052": element("DS", 7)}
    assert shown({"00283001": element("SQ", other, own)}).dataset["00281052"]["Value"] == [7]
    assert "00281052" not in shown({"00283001": element("SQ", other)}).dataset


def test_of_a_blending_the_values_are_those_said_of_what_lies_underneath() -> None:
    def blended(position: str, center: int) -> dict[str, Any]:
        window = element("SQ", {"00281050": element("DS", center), "00281051": element("DS", 8)})
        return {"00700405": element("CS", position), "00283110": window, "00281052": element("DS", center)}

    state = {
        "00700402": element("SQ", blended("SUPERIMPOSED", 1), blended("UNDERLYING", 7)),
        "00281101": element("US", 2),
    }
    made = shown(state)
    assert (made.dataset["00281050"]["Value"], made.dataset["00281052"]["Value"]) == ([7], [7])
    assert not made.is_pseudo_colour
