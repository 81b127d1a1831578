"""What is written into a picture of the patient and of how it was made (PS3.18 §8.3.5.1.1, REN-03)."""

from __future__ import annotations

from typing import Any, Final

from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.presentation import Annotation
from dicomgate.pixels.recipe import Grey, Text
from dicomgate.representations.dataset_values import text, values

Line = tuple[str, ...]

_TECHNIQUE: Final = (
    # Label, attribute, unit.
    ("", "00180015", ""),
    ("", "0008103E", ""),
    ("KVP ", "00180060", " kV"),
    ("", "00181151", " mA"),
    ("TR ", "00180080", " ms"),
    ("TE ", "00180081", " ms"),
    ("TI ", "00180082", " ms"),
    ("Slice ", "00180050", " mm"),
    ("Location ", "00201041", " mm"),
)


def write(dataset: JSONDataset, frame: int, count: int, wanted: tuple[Annotation, ...], grey: Grey) -> tuple[Text, ...]:
    """The patient above, the technique below."""
    texts = []
    if Annotation.PATIENT in wanted:
        texts.append(Text(tuple(line for line in _patient(dataset) if line)))
    if Annotation.TECHNIQUE in wanted:
        lines = [line for line in _technique(dataset, grey) if line]
        if count > 1:
            lines.append(f"Frame {frame} of {count}")
        texts.append(Text(tuple((line,) for line in lines), is_at_bottom=True))
    return tuple(one for one in texts if one.lines)


def _patient(dataset: JSONDataset) -> tuple[Line, ...]:
    """The name in the first script that can be written, and what else tells who it is."""
    names: list[Any] = [name for name in values(dataset, "00100010") if isinstance(name, dict)]
    groups = [str(names[0].get(group) or "") for group in ("Ideographic", "Alphabetic", "Phonetic")] if names else []
    name = tuple(_format_name(group) for group in groups if group)
    identity = text(dataset, "00100020")
    born, sex = _format_date(text(dataset, "00100030")), text(dataset, "00100040")
    day = _format_date(text(dataset, "00080020"))
    return (
        name,
        (f"ID {identity}",) if identity else (),
        (" ".join(word for word in (born, sex) if word),) if born or sex else (),
        (" ".join(word for word in (day, text(dataset, "00081030")) if word),),
    )


def _technique(dataset: JSONDataset, grey: Grey) -> list[str]:
    machine = [text(dataset, tag) for tag in ("00080060", "00080070", "00081090")]
    lines = [" ".join(word for word in machine if word)]
    for label, tag, unit in _TECHNIQUE:
        value = text(dataset, tag)
        if value:
            lines.append(f"{label}{value}{unit}")
    if grey.window is not None:
        lines.append(f"Window {grey.window.center:g} / {grey.window.width:g}")
    return lines


def _format_name(group: str) -> str:
    family, given, *rest = [*group.split("^"), ""]
    others = " ".join(part for part in [given, *rest] if part)
    return f"{family}, {others}" if family and others else family or others


def _format_date(value: str) -> str:
    return f"{value[:4]}-{value[4:6]}-{value[6:]}" if len(value) == 8 and value.isdigit() else value
