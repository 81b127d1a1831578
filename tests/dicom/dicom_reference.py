"""What pydicom makes of a file, in the shape of the DICOM JSON model, element by element."""

import base64
import math
import warnings
from pathlib import Path

import pydicom
from pydicom.dataelem import RawDataElement, convert_raw_data_element
from pydicom.multival import MultiValue

DATA = Path(__file__).parents[2] / "../shared/data"
BYTES = {"OB", "OD", "OF", "OL", "OV", "OW", "UN"}
WORDS = {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}
EXACT = 1 << 53


def read(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(path, force=True)


def turned(raw, word):
    return b"".join(raw[at : at + word][::-1] for at in range(0, len(raw), word))


def text(value):
    return str(value).strip(" \0") or None


def number(value):
    if value is None or value == "":
        return None
    if isinstance(value, float):
        value = float(value)
        if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def decimal(value):
    if value is None or value == "":
        return None
    found = float(value)
    return found if -EXACT <= found <= EXACT else getattr(value, "original_string", str(value))


def name(value):
    groups = {"Alphabetic": value.alphabetic, "Ideographic": value.ideographic, "Phonetic": value.phonetic}
    return {key: group.strip(" \0") for key, group in groups.items() if group.strip(" \0")} or None


def single(vr, value):
    if vr == "PN":
        return name(value)
    if vr == "AT":
        return f"{int(value):08X}"
    if vr in {"DS", "IS"}:
        return decimal(value)
    if vr in {"SV", "UV"} and value is not None:
        return value if abs(value) <= EXACT else str(value)
    if vr in {"US", "SS", "UL", "SL", "FL", "FD"}:
        return number(value)
    return text(value)


def values(element):
    """The Value member, or None when the element is empty."""
    value = element.value
    if value is None or (not isinstance(value, (int, float)) and len(value) == 0 and element.VR != "PN"):
        return None
    several = list(value) if isinstance(value, (MultiValue, list)) else [value]
    found = [single(element.VR, one) for one in several]
    return None if found == [None] else found


def inline(element, *, is_little):
    raw = element.value if isinstance(element.value, bytes) else bytes(element.value or b"")
    raw = raw if is_little else turned(raw, WORDS.get(element.VR, 1))
    return base64.b64encode(raw).decode()


def raw(dataset, tag):
    """The bytes of a value, if pydicom has not looked at it yet."""
    found = dataset.get_item(tag)
    return found.value if isinstance(found, RawDataElement) else None


def convert(dataset, tag):
    """The element, or None where pydicom itself gives up on its value."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dataset[tag]
    except Exception:
        return None


__all__ = ["BYTES", "DATA", "convert", "convert_raw_data_element", "inline", "raw", "read", "values"]
