"""The query of rendered resources and thumbnails: REN-03 to -06, REN-08, REN-10, THM-02."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom.presentation import Annotation, Presentation, Profile, Viewport, Window, WindowFunction
from dicomgate.dicomweb import rendering

REFUSED = {
    "annotation": ["", ",", "patient,", "patient,,technique", "a b", "patient;x", "é", "x" * 40, "a," * 20 + "a"],
    "quality": ["", "0", "101", "-1", "+5", "5.0", "x", "٣", "9" * 20, " 5"],
    "viewport": [
        "", "512", "0,5", "5,0", "10,10,", "10,10,1,", "10,10,,,", "a,b", "10,10,1,2,3,4,5", "-5,5", "5.5,5",
        "100000,100000", "10,10,x", "10,10,nan", "10,10,inf", "10,10,,,0,5", "10,10,,,5,0", "10,10,1e999", "10,10,0x5",
    ],
    "window": [
        "", "40", "40,400", "40,400,", "40,400,gauss", "40,400,LINEAR", "40,0.5,linear", "40,0,sigmoid", "40,-1,sigmoid",
        "a,400,linear", "40,,linear", ",400,linear", "nan,400,linear", "40,inf,linear", "40,400,linear,1", "1_0,5,linear",
    ],
    "iccprofile": ["", "maybe", "YES", "srgb,yes", "sRGB"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in REFUSED.items() for text in texts])
def test_values_that_break_their_grammar_rows_29_to_33(name: str, text: str) -> None:
    with pytest.raises(errors.Malformed) as caught:
        rendering.parse([(name, text)])
    assert f"parameter {name}:" in caught.value.message
    assert not text or len(text) < 3 or text not in caught.value.message.replace("parameter", "").split(": ")[1]


@pytest.mark.parametrize("name", REFUSED)
def test_parameters_come_once(name: str) -> None:
    with pytest.raises(errors.Malformed, match="once"):
        rendering.parse([(name, "yes"), (name, "yes")])


def test_nothing_asked_is_nothing_changed() -> None:
    assert rendering.parse([("charset", "x"), ("nonsense", "1")]).presentation == Presentation()


def test_annotations_known_and_unknown_REN_03() -> None:
    wanted = rendering.parse([("annotation", "foo,technique,patient,foo,bar")])
    assert wanted.presentation.annotations == (Annotation.PATIENT, Annotation.TECHNIQUE)
    assert wanted.warning == "The following annotation values are not supported: foo,bar"
    assert rendering.parse([("annotation", "patient")]).warning is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1024,768", Viewport(1024, 768)),
        ("512,512,,,512,512", Viewport(512, 512, 0, 0, 512, 512)),
        ("10,20,1.5,,-3,-4", Viewport(10, 20, 1.5, 0, -3, -4)),
        ("10,20,-1.5", Viewport(10, 20, 1.5)),
        ("10,20,,,,-4", Viewport(10, 20, 0, 0, None, -4)),
    ],
)
def test_viewports_REN_05(text: str, expected: Viewport) -> None:
    assert rendering.parse_viewport(text) == expected


@pytest.mark.parametrize("text", ["64", "64,64,0,0,1,1", "64,64,", "0,1", ""])
def test_thumbnails_have_a_size_only_row_37(text: str) -> None:
    with pytest.raises(errors.Malformed):
        rendering.parse_thumbnail([("viewport", text)])
    assert rendering.parse_thumbnail([("viewport", "64,48"), ("window", "x")]) == Viewport(64, 48)
    assert rendering.parse_thumbnail([]) is None


@pytest.mark.parametrize("pair", [("window", "40,400,linear"), ("viewport", "5,5,1"), ("viewport", "5,5,,,-2")])
def test_presentation_states_say_themselves_row_35(pair: tuple[str, str]) -> None:
    with pytest.raises(errors.Malformed, match="presentation state"):
        rendering.check_state(rendering.parse([pair]).presentation)
    rendering.check_state(rendering.parse([("viewport", "5,5"), ("quality", "5")]).presentation)


NUMBERS = st.floats(-1e9, 1e9, allow_subnormal=False).map(lambda number: round(number, 6))
SIDES = st.integers(1, rendering.LARGEST_SIDE)
PARTS = st.none() | NUMBERS.filter(bool)
VIEWPORTS = st.builds(Viewport, SIDES, SIDES, NUMBERS.map(abs), NUMBERS.map(abs), PARTS, PARTS)
WINDOWS = st.builds(Window, NUMBERS, NUMBERS.map(lambda number: abs(number) + 1), st.sampled_from(WindowFunction))
PRESENTATIONS = st.builds(
    Presentation,
    window=st.none() | WINDOWS,
    viewport=st.none() | VIEWPORTS,
    quality=st.none() | st.integers(1, 100),
    annotations=st.sampled_from([(), (Annotation.PATIENT,), (Annotation.PATIENT, Annotation.TECHNIQUE)]),
    profile=st.none() | st.sampled_from(Profile),
)


@given(PRESENTATIONS)
def test_what_is_written_is_read(presentation: Presentation) -> None:
    assert rendering.parse(rendering.format_presentation(presentation)).presentation == presentation


@given(st.sampled_from(sorted(REFUSED)), st.text("0123456789.,-+eExlinearsgmo \0é", max_size=40))
def test_any_text_is_read_or_malformed(name: str, text: str) -> None:
    try:
        wanted = rendering.parse([(name, text)])
    except errors.Malformed:
        return
    again = rendering.parse(rendering.format_presentation(wanted.presentation))
    assert again.presentation == wanted.presentation
