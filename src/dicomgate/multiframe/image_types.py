"""Image Type and what goes with it, in the words of enhanced objects (PS3.3 C.8.16.1, C.8.16.2, LC-20)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.multiframe import classic

_TAG: Final = "00080008"
LOCALIZER: Final = "LOCALIZER"
_TECHNIQUES: Final = {
    "MPR": "MPR",
    "CURVED_MPR": "CURVED_MPR",
    "MIP": "MAX_IP",
    "MAX_IP": "MAX_IP",
    "MINIP": "MIN_IP",
    "MIN_IP": "MIN_IP",
    "VRT": "VOLUME_RENDER",
    "VOLUME_RENDER": "VOLUME_RENDER",
    "SSD": "SURFACE_RENDER",
}
"""What scanners say in Image Type of pictures that were computed from a volume."""
_SAMPLED: Final = frozenset({"MAX_IP", "MIN_IP", "VOLUME_RENDER", "SURFACE_RENDER"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameType:
    """What the frame type's functional group says, and the top of the object with it."""

    values: tuple[str | None, ...]
    volumetric_properties: str
    technique: str

    @property
    def elements(self) -> JSONDataset:
        """Frame Type, Pixel Presentation, Volumetric Properties, Volume Based Calculation Technique."""
        return {
            "00089007": {"vr": "CS", "Value": list(self.values)},
            "00089205": {"vr": "CS", "Value": ["MONOCHROME"]},
            "00089206": {"vr": "CS", "Value": [self.volumetric_properties]},
            "00089207": {"vr": "CS", "Value": [self.technique]},
        }


def parts(attributes: JSONDataset) -> list[str]:
    """The values of Image Type, without what is empty at the end."""
    found = [str(value or "").strip().upper() for value in classic.values(attributes, _TAG)]
    while found and not found[-1]:
        found.pop()
    return found


def is_localizer(attributes: JSONDataset) -> bool:
    """A picture to plan others on."""
    return LOCALIZER in parts(attributes)


def convert(attributes: JSONDataset, *, is_regular: bool, is_sound: bool, has_times: bool) -> FrameType:
    """The frame type of an image in a set that is, or is not, a regularly sampled volume, or of one place only.

    Nothing is claimed that the sources do not say: what was derived in an unknown way, and what is no regular
    volume, has MIXED volumetric properties (C.8.16.2.1.2).
    """
    said = parts(attributes)
    is_original = said[:1] == ["ORIGINAL"]
    technique = "NONE" if is_original else next((_TECHNIQUES[part] for part in said[2:] if part in _TECHNIQUES), "")
    localizer = LOCALIZER in said
    flavor = LOCALIZER if localizer else "DYNAMIC" if has_times else "VOLUME" if is_regular else "PARALLEL"
    return FrameType(
        values=("ORIGINAL" if is_original else "DERIVED", "PRIMARY", flavor, "NONE" if is_original else None),
        volumetric_properties=_properties(technique, is_sound=is_original and not localizer and is_sound),
        technique=technique or "MIXED",
    )


def _properties(technique: str, *, is_sound: bool) -> str:
    if technique in _SAMPLED:
        return "SAMPLED"
    if technique == "CURVED_MPR":
        return "DISTORTED"
    return "VOLUME" if is_sound or technique == "MPR" else "MIXED"
