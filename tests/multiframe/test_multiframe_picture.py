"""Plans as pictures, and those of the documentation."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from multiframe_pictures import FOLDER, PICTURES, draw
from multiframe_slices import CT, slice_of, sources_of
from test_multiframe_joining import cut, whole

from dicomgate.cli import main
from dicomgate.multiframe import conversion, picture

SVG = "{http://www.w3.org/2000/svg}"


def words(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def dots(svg: str) -> int:
    return sum(path.get("d", "").count("h0") for path in ET.fromstring(svg).iter(f"{SVG}path"))


def drawn(*contents: bytes) -> str:
    return picture.draw(conversion.plan(sources_of(contents), joins=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", PICTURES)
def test_the_pictures_of_the_page_are_those_of_today(name: str) -> None:
    """Otherwise: python tests/multiframe/multiframe_pictures.py, and look at them."""
    assert (FOLDER / name).read_text("utf-8") == draw(name)
    assert f"({name})" in (FOLDER / "supplement-157.md").read_text("utf-8")


def test_each_frame_is_a_dot_and_each_missing_slice_a_ring() -> None:
    svg = drawn(*(slice_of(CT, n) for n in (1, 2, 3, 6)))
    assert dots(svg) == 4
    assert len(list(ET.fromstring(svg).iter(f"{SVG}circle"))) == 2
    assert "missing slices" in words(svg)


def test_objects_say_what_keeps_them_apart_and_leftovers_why() -> None:
    lost = slice_of(CT, 4, ImagePositionPatient=None)
    said = words(drawn(slice_of(CT, 1), slice_of(CT, 2, ConvolutionKernel="<B70f>"), lost))
    assert said[0] == "Series 1, CT: 2 images in 2 objects"
    assert "apart by kernel <B70f>" in said
    assert said[-1] == "1 image as it is: it does not say where in the patient it lies"


def test_concatenations_are_told() -> None:
    assert words(drawn(*cut(whole(), 2, 3))) == ["2 parts of a concatenation, joined into one object"]


def test_no_name_of_a_patient_is_drawn() -> None:
    assert "Eva" not in drawn(slice_of(CT, 1))


@pytest.mark.slow
def test_a_picture_does_not_grow_without_bounds() -> None:
    deep = [slice_of(CT, 1, SOPInstanceUID=f"1.2.{n}", AcquisitionNumber=n) for n in range(50)]
    assert dots(drawn(*deep)) == 24
    long = [slice_of(CT, n) for n in range(1, 401)]
    assert dots(drawn(*long)) <= 361
    many = [slice_of(CT, n, SeriesInstanceUID=f"1.2.{n}") for n in range(1, 46)]
    assert words(drawn(*many))[-1] == "and 5 objects more"


def test_the_command_draws_what_it_explains(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/1.dcm").write_bytes(slice_of(CT, 1))
    asked = ["convert", "enhanced", "--picture", str(tmp_path / "plan.svg"), str(tmp_path / "in")]
    assert main.run([*asked, "--explain"]) == main.DONE
    assert (tmp_path / "plan.svg").read_text("utf-8") == drawn(slice_of(CT, 1))
    assert main.run([*asked, str(tmp_path / "out")]) == main.USAGE
