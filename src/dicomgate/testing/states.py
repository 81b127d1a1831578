"""Small true presentation states, made in code: PS3.10 files with what a test needs of them (PS3.3 §A.33)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydicom.dataset import Dataset

from dicomgate.dicom import syntaxes
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances

GRAYSCALE = "1.2.840.10008.5.1.4.1.1.11.1"
COLOR = "1.2.840.10008.5.1.4.1.1.11.2"
PSEUDO_COLOR = "1.2.840.10008.5.1.4.1.1.11.3"
SECONDARY_CAPTURE = instances.SECONDARY_CAPTURE


def make(
    target: Target,
    images: Iterable[Target],
    *,
    sop_class: str = GRAYSCALE,
    image_class: str = SECONDARY_CAPTURE,
    frames: Sequence[int] = (),
    attributes: Mapping[str, Any] | None = None,
) -> bytes:
    """A state about images, or some of their frames.

    `attributes` are set by keyword, or by tag and value representation as in `tag 60003000 OW`; None removes one.
    """
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID, made.Modality = sop_class, target.instance, "PR"
    made.StudyInstanceUID, made.SeriesInstanceUID = target.study, target.series
    made.PatientName, made.PatientID = "Doe^Jane", "P1"
    made.ContentLabel, made.PresentationLUTShape = "MADE", "IDENTITY"
    made.ReferencedSeriesSequence = [_series(image, image_class, frames) for image in images]
    for keyword, value in (attributes or {}).items():
        _set(made, keyword, value)
    return instances.write(made, syntaxes.EXPLICIT_LITTLE)


def _set(made: Dataset, keyword: str, value: Any) -> None:
    if keyword.startswith("tag "):
        _, tag, representation = keyword.split()
        made.add_new(int(tag, 16), representation, value)
    elif value is None:
        delattr(made, keyword)
    else:
        setattr(made, keyword, value)


def _series(image: Target, sop_class: str, frames: Sequence[int]) -> Dataset:
    series, reference = Dataset(), Dataset()
    series.SeriesInstanceUID = image.series
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = sop_class, image.instance
    if frames:
        reference.ReferencedFrameNumber = list(frames)
    series.ReferencedImageSequence = [reference]
    return series


def item(**attributes: Any) -> Dataset:
    """An item of a sequence, by keyword."""
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def area(*corners: int, **attributes: Any) -> list[Dataset]:
    """A Displayed Area Selection Sequence: column and row of the first and the last corner."""
    said = {"PresentationSizeMode": "SCALE TO FIT", "PresentationPixelAspectRatio": [1, 1], **attributes}
    first, last = list(corners[:2]), list(corners[2:])
    return [item(DisplayedAreaTopLeftHandCorner=first, DisplayedAreaBottomRightHandCorner=last, **said)]


def layer(name: str, order: int = 1, **attributes: Any) -> Dataset:
    """An item of a Graphic Layer Sequence."""
    return item(GraphicLayer=name, GraphicLayerOrder=order, **attributes)


def graphic(kind: str, *points: float, units: str = "PIXEL", **attributes: Any) -> Dataset:
    """An item of a Graphic Object Sequence."""
    return item(
        GraphicAnnotationUnits=units,
        GraphicDimensions=2,
        NumberOfGraphicPoints=len(points) // 2,
        GraphicData=list(points),
        GraphicType=kind,
        **{"GraphicFilled": "N", **attributes},
    )


def text(words: str, *box: float, units: str = "PIXEL", **attributes: Any) -> Dataset:
    """An item of a Text Object Sequence; `box`: column and row of its first and its last corner."""
    said: dict[str, Any] = {"UnformattedTextValue": words}
    if box:
        said |= {
            "BoundingBoxAnnotationUnits": units,
            "BoundingBoxTopLeftHandCorner": list(box[:2]),
            "BoundingBoxBottomRightHandCorner": list(box[2:]),
            "BoundingBoxTextHorizontalJustification": "LEFT",
        }
    return item(**{**said, **attributes})


def annotation(*objects: Dataset, layer_name: str = "L", **attributes: Any) -> Dataset:
    """An item of a Graphic Annotation Sequence, of graphics and texts."""
    texts = [one for one in objects if "UnformattedTextValue" in one]
    graphics = [one for one in objects if "GraphicType" in one]
    said = {"TextObjectSequence": texts, "GraphicObjectSequence": graphics}
    return item(GraphicLayer=layer_name, **{name: found for name, found in said.items() if found}, **attributes)
