"""Attributes by name: tag, keyword, dotted path, value representation, level (PS3.6, PS3.18 §8.3.1, PS3.4 C.3.4)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dicomgate.dicom import dictionary, modules
from dicomgate.dicom.matching import AttributePath
from dicomgate.dicom.uids import Level

UNKNOWN = "UN"
DEEPEST = 64
"""Sequences that a path may pass through; no data set is taken that nests deeper (T1)."""

_NOT_PRIVATE = frozenset({"0001", "0003", "0005", "0007", "FFFF"})
_HEX = re.compile(r"[0-9A-Fa-f]{8}")


_DICTIONARY = {f"{tag:08X}": entry for tag, entry in dictionary.ATTRIBUTES.items() if entry[0] != "NONE"}
_CHOICE: dict[str, str] = {tag: entry[0] for tag, entry in _DICTIONARY.items()}
_KEYWORD: dict[str, str] = {tag: entry[4] for tag, entry in _DICTIONARY.items() if entry[4]}
"""Items and delimiters, whose VR is "NONE", are no attributes."""
_SINGLE = frozenset(tag for tag, entry in _DICTIONARY.items() if entry[1] == "1")
_TAG: dict[str, str] = {keyword: tag for tag, keyword in _KEYWORD.items()}
_TAG_IN_ANY_CASE: dict[str, str] = {keyword.lower(): tag for keyword, tag in _TAG.items()}
_REPEATING: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(mask.upper().replace("X", "[0-9A-F]")), entry[0][:2]) for mask, entry in dictionary.REPEATING.items()
)
"""Groups that come several times over, such as overlays (60xx,eeee)."""
_REPEATING_GROUPS = frozenset(mask[:2].upper() for mask in dictionary.REPEATING)


def find_keyword(tag: str) -> str | None:
    """The keyword of a tag, if it has one (PS3.6 §6)."""
    return _KEYWORD.get(tag)


def keywords() -> Iterable[str]:
    """Every keyword of PS3.6."""
    return _TAG


def find_tag(text: str) -> str | None:
    """The tag for a keyword in exact case, or for 8 hex digits in any; None for an unknown public attribute."""
    if text in _TAG:
        return _TAG[text]
    if _HEX.fullmatch(text) is None:
        return None
    tag = text.upper()
    return tag if is_private(tag) or tag in _CHOICE or vr(tag) != UNKNOWN else None


def is_private(tag: str) -> bool:
    """True for odd groups that vendors may use (PS3.5 §7.8)."""
    return tag[3] in "13579BDF" and tag[:4] not in _NOT_PRIVATE


def choice(tag: str) -> str:
    """The value representation as PS3.6 writes it, "US or SS" where others tell which; "UN" where it has none."""
    known = _CHOICE.get(tag)
    if known is not None:
        return known
    if tag.endswith("0000"):
        return "UL"
    if is_private(tag):
        return "LO" if tag[4:6] == "00" and tag[6] != "0" else UNKNOWN
    if tag[:2] not in _REPEATING_GROUPS:
        return UNKNOWN
    return next((value for mask, value in _REPEATING if mask.fullmatch(tag)), UNKNOWN)


def vr(tag: str) -> str:
    """The value representation; the first where PS3.6 gives a choice, "UN" where it gives none."""
    return choice(tag)[:2]


def is_single(tag: str) -> bool:
    """True for attributes that PS3.6 gives exactly one value."""
    return tag in _SINGLE


def is_private_creator(tag: str) -> bool:
    """True for elements (gggg,0010-00FF) that reserve a block of private attributes (PS3.5 §7.8.1)."""
    return is_private(tag) and tag[4:6] == "00" and tag[6] != "0"


def find_creator(tag: str) -> str | None:
    """The Private Creator element that reserves a private attribute's block; None for public ones."""
    return f"{tag[:4]}00{tag[4:6]}" if is_private(tag) and tag[4:6] >= "10" else None


def parse_path(text: str, *, in_any_case: bool = False) -> AttributePath | None:
    """Tags or keywords joined by dots, every one but the last a sequence; None when a part is not known (GEN-05).

    `in_any_case`: keywords may be written in any case (V8).
    """
    parts = text.split(".", DEEPEST + 1)
    if len(parts) > DEEPEST:
        return None
    path = []
    for part in parts:
        tag = find_tag(part) or (_TAG_IN_ANY_CASE.get(part.lower()) if in_any_case else None)
        if tag is None:
            return None
        path.append(tag)
    return tuple(path) if all(is_private(tag) or vr(tag) == "SQ" for tag in path[:-1]) else None


def format_path(path: AttributePath) -> str:
    """The path in keywords where there are any."""
    return ".".join(find_keyword(tag) or tag for tag in path)


def _tags(*lists: str) -> tuple[str, ...]:
    return tuple(_TAG[keyword] for words in lists for keyword in words.split())


def _paths(words: str) -> tuple[AttributePath, ...]:
    return tuple(tuple(_TAG[keyword] for keyword in path.split(".")) for path in words.split())


TIME_OF_DATE: dict[str, str] = {
    tag: _TAG[time]
    for tag, keyword in _KEYWORD.items()
    if keyword.endswith("Date") and (time := keyword[:-4] + "Time") in _TAG
    if _CHOICE[tag] == "DA" and _CHOICE[_TAG[time]] == "TM"
}
"""The time of the same event to each date, by the keywords: Study Date and Study Time."""

EVERY_LEVEL = frozenset(_tags(modules.EVERY_LEVEL))
_LEVEL: dict[str, Level] = {
    **dict.fromkeys(_tags(*modules.SERIES_MODULES), Level.SERIES),
    **dict.fromkeys(_tags(*modules.STUDY_MODULES), Level.STUDY),
    **dict.fromkeys(EVERY_LEVEL, Level.STUDY),
}


def level(tag: str) -> Level:
    """The highest level whose entity the attribute describes; those of EVERY_LEVEL are true of the lower ones too."""
    return _LEVEL.get(tag, Level.INSTANCE)


MATCHING_KEYS: dict[Level, tuple[AttributePath, ...]] = {
    Level.STUDY: _paths(
        "StudyDate StudyTime AccessionNumber ModalitiesInStudy ReferringPhysicianName PatientName PatientID "
        "StudyInstanceUID StudyID PatientBirthDate PatientSex StudyDescription"
    ),
    Level.SERIES: _paths(
        "Modality SeriesInstanceUID SeriesNumber PerformedProcedureStepStartDate PerformedProcedureStepStartTime "
        "RequestAttributesSequence.ScheduledProcedureStepID RequestAttributesSequence.RequestedProcedureID "
        "SeriesDescription BodyPartExamined SeriesDate SeriesTime"
    ),
    Level.INSTANCE: _paths("SOPClassUID SOPInstanceUID InstanceNumber"),
}
"""What may be asked for at each level: PS3.18 Table 10.6.1-5, and what nearly every client asks beyond it."""

RETURNED: dict[Level, tuple[str, ...]] = {
    Level.STUDY: _tags(
        "SpecificCharacterSet StudyDate StudyTime AccessionNumber InstanceAvailability ModalitiesInStudy "
        "ReferringPhysicianName TimezoneOffsetFromUTC StudyDescription RetrieveURL PatientName PatientID "
        "PatientBirthDate PatientSex StudyInstanceUID StudyID NumberOfStudyRelatedSeries "
        "NumberOfStudyRelatedInstances"
    ),
    Level.SERIES: _tags(
        "SpecificCharacterSet SeriesDate SeriesTime InstanceAvailability Modality TimezoneOffsetFromUTC "
        "SeriesDescription RetrieveURL BodyPartExamined SeriesInstanceUID SeriesNumber "
        "NumberOfSeriesRelatedInstances PerformedProcedureStepStartDate PerformedProcedureStepStartTime "
        "RequestAttributesSequence"
    ),
    Level.INSTANCE: _tags(
        "SpecificCharacterSet SOPClassUID SOPInstanceUID InstanceAvailability TimezoneOffsetFromUTC RetrieveURL "
        "InstanceNumber NumberOfFrames Rows Columns BitsAllocated"
    ),
}
"""What an answer holds unasked, in tag order: PS3.18 Tables 10.6.3-3 to -5, and every matching key (QIDO-15)."""
