"""Whether the pixels of an object may show who the patient is (PS3.3 C.7.6.1.1.7, PS3.15 §E.3.1, PS3.18 §10.4.3.3.4).

Nobody here reads pictures. What the object says of itself counts; where it says nothing, so does what kind of machine
makes such objects: scanners write no text into their primary images, ultrasound, endoscopes, cameras and captured
screens do.
"""

from __future__ import annotations

import enum
from typing import Any, Final

from dicomgate.dicom import dictionary, syntaxes
from dicomgate.dicom.jsonmodel import JSONDataset

_SOP_CLASS: Final = "00080016"
_IMAGE_TYPE: Final = "00080008"
_BURNED_IN: Final = "00280301"
_RECOGNIZABLE: Final = "00280302"
_LABEL: Final = "00480010"  # Specimen Label in Image
_OVERLAY_BIT: Final = "0102"
_PIXEL_DATA: Final = frozenset({"7FE00010", "7FE00008", "7FE00009"})

_KINDS: Final = (
    "CTImage EnhancedCTImage LegacyConvertedEnhancedCTImage MRImage EnhancedMRImage EnhancedMRColorImage "
    "LegacyConvertedEnhancedMRImage PositronEmissionTomographyImage EnhancedPETImage LegacyConvertedEnhancedPETImage "
    "NuclearMedicineImage ComputedRadiographyImage BreastTomosynthesisImage XRay3DAngiographicImage "
    "XRay3DCraniofacialImage Segmentation LabelMapSegmentation ParametricMap RTDose"
)
_RADIOGRAPHS: Final = "DigitalXRayImage DigitalMammographyXRayImage DigitalIntraOralXRayImage"
_WITHOUT_TEXT: Final = frozenset(
    [f"{kind}Storage" for kind in _KINDS.split()]
    + [f"{kind}StorageFor{use}" for kind in _RADIOGRAPHS.split() for use in ("Presentation", "Processing")]
)
"""Classes of what is measured or computed, by the keywords of PS3.6 Table A-1."""
_CAPTURED: Final = frozenset(
    {"SECONDARY", "SCREEN SAVE", "SCREENSHOT", "SCREEN CAPTURE", "DOSE_INFO", "LABEL", "OVERVIEW"}
)
"""Values of Image Type with which such a class holds something else: a screen, a page, a slide with its label."""


class Sight(enum.Enum):
    """What the pixels show of the patient's identity."""

    NOTHING = "nothing"
    UNKNOWN = "unknown"
    IDENTITY = "identity"


def look(dataset: JSONDataset, transfer_syntax: str) -> Sight:
    """What the object lets expect. Without pixels there is nothing to see."""
    if _PIXEL_DATA.isdisjoint(dataset):
        return Sight.NOTHING
    image_type = {str(value).upper() for value in _values(dataset, _IMAGE_TYPE)}
    if "YES" in {_first(dataset, _BURNED_IN), _first(dataset, _LABEL)} or "LABEL" in image_type:
        return Sight.IDENTITY
    syntax = syntaxes.find(transfer_syntax)
    if syntax is not None and syntax.is_video:
        return Sight.UNKNOWN
    if _first(dataset, _BURNED_IN) == "NO":
        return Sight.NOTHING
    is_measured = _keyword(_first(dataset, _SOP_CLASS)) in _WITHOUT_TEXT and image_type.isdisjoint(_CAPTURED)
    return Sight.NOTHING if is_measured else Sight.UNKNOWN


def shows_face(dataset: JSONDataset) -> bool:
    """True when the object says that a person can be recognised in it (PS3.3 C.7.6.1.1.8)."""
    return _first(dataset, _RECOGNIZABLE) == "YES"


def hides_overlay(dataset: JSONDataset) -> bool:
    """True when an overlay lies in bits of the pixels themselves (PS3.5 §8.1.2, retired), whatever it shows."""
    return any(tag[:2] == "60" and tag[4:] == _OVERLAY_BIT and _first(dataset, tag) not in {"0", ""} for tag in dataset)


def _values(dataset: JSONDataset, tag: str) -> list[Any]:
    return dataset.get(tag, {}).get("Value") or []


def _first(dataset: JSONDataset, tag: str) -> str:
    return str(next(iter(_values(dataset, tag)), "")).upper()


def _keyword(sop_class: str) -> str:
    return str(dictionary.UIDS[sop_class][4]) if sop_class in dictionary.UIDS else ""
