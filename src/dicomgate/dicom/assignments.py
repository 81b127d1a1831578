"""Attributes as a person gives them, `Keyword=value`, and which may be set so: never a UID, never what pixels need.

A backslash separates values, as in a file (PS3.5 §6.4); nothing after the sign makes the attribute empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from dicomgate import errors
from dicomgate.dicom import attributes, encode, normal
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import Level

_TEXT = re.compile(r"([A-Za-z]\w{0,63}|[0-9A-Fa-f]{8})(\?)?=(.*)", re.DOTALL | re.ASCII)
_LONGEST: Final = 4096
_ONE_VALUE: Final = frozenset({"LT", "ST", "UT", "UR"})
_NOT_IN_TEXT: Final = frozenset({"SQ", "UI", "AT", "OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_NOT_SET: Final = ("0002", "0028", "0400", "7FE0")
"""Groups that tell what the file is, how its pixels are read, and what was changed before."""
_COMPUTED: Final = frozenset(
    {
        "ModalitiesInStudy",
        "SOPClassesInStudy",
        "AnatomicRegionsInStudyCodeSequence",
        "NumberOfPatientRelatedStudies",
        "NumberOfPatientRelatedSeries",
        "NumberOfPatientRelatedInstances",
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
    }
)
_MOST_NAMED: Final = 10
_FORMS: Final[dict[str, re.Pattern[str]]] = {
    "AE": re.compile(r"[ -\[\]-~]{1,16}"),
    "AS": re.compile(r"[0-9]{3}[DWMY]"),
    "CS": re.compile(r"[A-Z0-9 _]{1,16}"),
    "DA": re.compile(r"[0-9]{8}"),
    "DT": re.compile(r"[0-9]{4}(?:[0-9]{2}){0,5}(?:\.[0-9]{1,6})?(?:[+-][0-9]{4})?"),
    "LO": re.compile(r"[^\\\x00-\x1f]{1,64}"),
    "LT": re.compile(r"[^\x00-\x08\x0b\x0e-\x1f]{1,10240}"),
    "PN": re.compile(r"[^\\=\x00-\x1f]{0,64}"),  # each group of components
    "SH": re.compile(r"[^\\\x00-\x1f]{1,16}"),
    "ST": re.compile(r"[^\x00-\x08\x0b\x0e-\x1f]{1,1024}"),
    "TM": re.compile(r"[0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:\.[0-9]{1,6})?)?)?"),
}
"""What a value that we write must look like, by VR (PS3.5 §6.2)."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """An attribute of the data set itself and what it becomes; `if_empty`: only where it has no value."""

    tag: str
    element: dict[str, Any]
    if_empty: bool = False


def parse_assignment(text: str) -> Assignment:
    """`Keyword=value`, or `Keyword?=value` for where there is none. Malformed for what cannot be set so."""
    found = _TEXT.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        raise errors.Malformed("expected Keyword=value or Keyword?=value")
    name, sign, value = found.groups()
    tag = attributes.find_tag(name)
    if tag is None or attributes.is_private(tag):
        raise errors.Malformed(f"{name}: expected the keyword or tag of an attribute of PS3.6")
    vr = attributes.vr(tag)
    if vr in _NOT_IN_TEXT or tag.startswith(_NOT_SET) or tag == encode.CHARSET:
        raise errors.Malformed(f"{name}: an attribute that is not set in this way")
    values = [] if not value else [value] if vr in _ONE_VALUE else value.split("\\")
    dataset = normal.normalise({tag: {"vr": vr, "Value": values} if values else {"vr": vr}}).attributes
    check_values(dataset)
    return Assignment(tag, dataset[tag], if_empty=sign is not None)


def parse_assignments(texts: Iterable[str]) -> tuple[Assignment, ...]:
    """Several, each attribute once. Malformed."""
    found = tuple(map(parse_assignment, texts))
    if len({one.tag for one in found}) < len(found):
        raise errors.Malformed("an attribute is set twice")
    return found


def is_assignment(text: str) -> bool:
    """True when it can be read and set."""
    try:
        parse_assignment(text)
    except errors.Fault:
        return False
    return True


def check_values(dataset: JSONDataset) -> None:
    """Malformed, with the attribute's name, for a value that its VR cannot hold; at any depth."""
    for tag, element in dataset.items():
        if element["vr"] == "SQ":
            for item in element.get("Value") or ():
                check_values(item or {})
        elif not all(_fits(element["vr"], value) for value in element.get("Value") or ()):
            raise errors.Malformed(f"{attributes.find_keyword(tag) or tag}: expected a value of VR {element['vr']}")
    for _ in encode.write_dataset(dataset):
        pass


def _fits(vr: str, value: Any) -> bool:
    form = _FORMS.get(vr)
    if form is None or value is None:
        return True
    texts = value.values() if isinstance(value, dict) else (value,)
    return all(isinstance(text, str) and form.fullmatch(text) is not None for text in texts)


def check_study_level(dataset: JSONDataset) -> None:
    """Malformed, with their names, for attributes that tell of neither a patient nor a study, and for UIDs."""
    wrong = [tag for tag in dataset if not _is_correctable(tag)]
    if wrong:
        names = ", ".join(attributes.find_keyword(tag) or tag for tag in wrong[:_MOST_NAMED])
        more = f" and {len(wrong) - _MOST_NAMED} more" if len(wrong) > _MOST_NAMED else ""
        raise errors.Malformed(
            f"only attributes of the patient and the study can be corrected, no UIDs and no counts: {names}{more}"
        )
    for tag, element in dataset.items():
        if element["vr"] != attributes.vr(tag):
            raise errors.Malformed(f"{attributes.find_keyword(tag) or tag}: expected VR {attributes.vr(tag)}")
    check_values(dataset)


def _is_correctable(tag: str) -> bool:
    is_of_study = attributes.level(tag) is Level.STUDY and tag not in attributes.EVERY_LEVEL
    return is_of_study and attributes.find_keyword(tag) not in _COMPUTED and attributes.vr(tag) != "UI"
