"""By which attributes the frames of an object are ordered (PS3.3 C.7.6.17, LC-23)."""

from __future__ import annotations

from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.multiframe import classes
from dicomgate.multiframe.gather import FrameSet

_STACK, _TIME, _PLACE = ("00209056", "Stack"), ("00209128", "Time"), ("00209057", "Position")


def describe(frame_set: FrameSet, organization: str) -> JSONDataset:
    """The Multi-frame Dimension module: stack, point in time where there are several, and position in the stack."""
    pointers = [_STACK, *([_TIME] if frame_set.has_times else []), _PLACE]
    uid = {"vr": "UI", "Value": [organization]}
    items = [
        {
            "00209164": uid,
            "00209165": {"vr": "AT", "Value": [tag]},
            "00209167": {"vr": "AT", "Value": [classes.FRAME_CONTENT]},
            "00209421": {"vr": "LO", "Value": [label]},
        }
        for tag, label in pointers
    ]
    found: JSONDataset = {
        "00209221": {"vr": "SQ", "Value": [{"00209164": uid}]},
        "00209222": {"vr": "SQ", "Value": items},
    }
    if frame_set.is_regular:
        kind = "3D_TEMPORAL" if frame_set.has_times else "3D"
        found["00209311"] = {"vr": "CS", "Value": [kind]}
    return found
