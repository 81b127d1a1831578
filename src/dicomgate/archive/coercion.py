"""What an arriving instance must say differently to be kept here: pure decisions (PS3.18 §10.5.2, STOW-09)."""

from __future__ import annotations

from dataclasses import dataclass

from dicomgate.archive import policy
from dicomgate.dicom import attributes as dictionary
from dicomgate.dicom import elements, modules, original_attributes
from dicomgate.dicom.assignments import Assignment
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.original_attributes import Changes

_PATIENT = frozenset(
    tag
    for keyword in modules.PATIENT.split()
    if not keyword.startswith("NumberOf") and (tag := dictionary.find_tag(keyword)) is not None
)


@dataclass(frozen=True, slots=True)
class Coercion:
    """`rules` hold for every instance; `takes_patient`: one of another patient than its study becomes the study's."""

    rules: tuple[Assignment, ...] = ()
    takes_patient: bool = False

    @property
    def is_off(self) -> bool:
        """True when nothing is ever changed."""
        return not self.rules and not self.takes_patient

    def changes(self, offered: JSONDataset, study: JSONDataset | None) -> Changes:
        """What must change, given what is stored of the study. Never a UID."""
        wanted = {
            rule.tag: rule.element
            for rule in self.rules
            if not (rule.if_empty and elements.has_value(offered.get(rule.tag, {})))
        }
        told = {**offered, **wanted}
        if self.takes_patient and study is not None and policy.is_other_patient(study, told, by_name=True):
            wanted = {tag: element for tag, element in wanted.items() if tag not in _PATIENT}
            return original_attributes.changed(offered, {**wanted, **_patient_of(study, offered)})
        return original_attributes.changed(offered, wanted)


def _patient_of(study: JSONDataset, offered: JSONDataset) -> Changes:
    """All that tells of the patient as the study has it; what it does not have goes. Bulk data is no part of that."""
    concerned = _PATIENT & (study.keys() | offered.keys())
    return {tag: study[tag] if _is_whole(study.get(tag)) else None for tag in concerned}


def _is_whole(element: JSONDataset | None) -> bool:
    if element is None or "BulkDataURI" in element:
        return False
    if element.get("vr") != "SQ":
        return True
    return all(_is_whole(inner) for item in element.get("Value") or () for inner in (item or {}).values())
