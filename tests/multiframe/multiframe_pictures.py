"""The pictures of docs/explanation/supplement-157.md, drawn from plans of real series and of one made in code.

Run it to draw them anew: `python tests/multiframe/multiframe_pictures.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from multiframe_slices import CT, series_of, slice_of, sources_of

from dicomgate.multiframe import conversion, picture
from dicomgate.multiframe.classic import Classic

FOLDER = Path(__file__).parents[2] / "docs/explanation"


def of_a_scanner() -> list[Classic]:
    """A CT as scanners send it: two localizers, one stack in two kernels, a report in colour."""
    across = {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1], "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
    along = {**across, "ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}
    contents = [slice_of(CT, 1, **across), slice_of(CT, 2, **along)]
    for at in range(48):
        for number, kernel in ((3, "B30f"), (60, "B70f")):
            place = [-10, -10, 5 * at]
            contents.append(slice_of(CT, number + at, ConvolutionKernel=kernel, ImagePositionPatient=place))
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0, "BitsAllocated": 8}
    contents.append(
        slice_of(CT, 120, **colour, BitsStored=8, HighBit=7, PixelData=bytes(192), SeriesInstanceUID="1.2.3")
    )
    return sources_of(contents)


PICTURES: dict[str, Callable[[], list[Classic]]] = {
    "grouping-scanner.svg": of_a_scanner,
    "grouping-echoes.svg": lambda: series_of("series/mr-siemens-multiecho"),
    "grouping-times.svg": lambda: series_of("series/mr-ge-dynamic"),
    "grouping-gap.svg": lambda: series_of("series/vendors/failing/sliceincrement/001"),
}


def draw(name: str) -> str:
    """One of them."""
    return picture.draw(conversion.plan(PICTURES[name]()))


if __name__ == "__main__":
    for name in PICTURES:
        (FOLDER / name).write_text(draw(name), "utf-8")
