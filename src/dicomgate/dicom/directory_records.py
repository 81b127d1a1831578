"""What a DICOMDIR says of each object: the type of its record, and the attributes in it (PS3.3 §F.4, §F.5)."""

from __future__ import annotations

from typing import Final

from dicomgate.dicom import attributes

DIRECTORY_CLASS: Final = "1.2.840.10008.1.3.10"
"""Media Storage Directory Storage."""
PRIVATE: Final = "PRIVATE"
PRIVATE_RECORD: Final = "2.25.299538163318291098124373961093171029327"
"""Private Record UID of ours: an object whose class has no record of its own in the standard."""

_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
_IMAGE: Final = "IMAGE"
_OF_CLASSES: Final[dict[str, str]] = {
    # The record types of classes that are no images, by what follows 1.2.840.10008.5.1.4.1.1; a dot at the end: of all.
    "RT DOSE": "481.2",
    "RT STRUCTURE SET": "481.3",
    "RT PLAN": "481.5 481.8",
    "RT TREAT RECORD": "481.4 481.6 481.7 481.9",
    "RADIOTHERAPY": (
        "481.10 481.11 481.12 481.13 481.14 481.15 481.16 481.17 481.18 481.19 481.20 481.21 481.22 481.25"
    ),
    "PLAN": "34.7",
    "PRESENTATION": "11. 131",
    "WAVEFORM": "9.",
    "SR DOCUMENT": "88. 78.6 79.1",
    "KEY OBJECT DOC": "88.59",
    "SPECTROSCOPY": "4.2",
    "RAW DATA": "66",
    "REGISTRATION": "66.1 66.3",
    "FIDUCIAL": "66.2",
    "SURFACE": "66.5",
    "TRACT": "66.6",
    "VALUE MAP": "67",
    "SURFACE SCAN": "68.1 68.2",
    "STEREOMETRIC": "77.1.5.3",
    "MEASUREMENT": "78.1 78.2 78.3 78.4 78.5 78.7 78.8 80.1",
    "ASSESSMENT": "90.1",
    "ANNOTATION": "91.1",
    "ENCAP DOC": "104.",
}
_EXACT: Final = {number: kind for kind, listed in _OF_CLASSES.items() for number in listed.split()}

_LABELLED: Final = "ContentDate! ContentTime! InstanceNumber! ContentLabel! ContentDescription ContentCreatorName"
_DATED: Final = "InstanceNumber! ContentDate! ContentTime!"
_KEYS: Final[dict[str, str]] = {
    # Keywords of each kind's attributes: `!` always with a value, `?` only where the object has it, else also empty.
    "PATIENT": "PatientName PatientID!",
    "STUDY": "StudyDate! StudyTime! StudyDescription StudyInstanceUID! StudyID! AccessionNumber",
    "SERIES": "Modality! SeriesInstanceUID! SeriesNumber! SeriesDescription?",
    "IMAGE": "InstanceNumber! ImageType? NumberOfFrames? Rows? Columns?",
    "RT DOSE": "InstanceNumber! DoseSummationType! DoseComment?",
    "RT STRUCTURE SET": "InstanceNumber! StructureSetLabel! StructureSetDate StructureSetTime",
    "RT PLAN": "InstanceNumber! RTPlanLabel! RTPlanDate RTPlanTime",
    "RT TREAT RECORD": "InstanceNumber! TreatmentDate TreatmentTime",
    "RADIOTHERAPY": "InstanceNumber! UserContentLabel? UserContentLongLabel? ContentDescription ContentCreatorName",
    "PLAN": "",
    "PRESENTATION": (
        "InstanceNumber! ContentLabel! ContentDescription PresentationCreationDate! PresentationCreationTime! "
        "ContentCreatorName ReferencedSeriesSequence? BlendingSequence?"
    ),
    "WAVEFORM": _DATED,
    "SR DOCUMENT": (
        "InstanceNumber! CompletionFlag! VerificationFlag! ContentDate! ContentTime! VerificationDateTime? "
        "ConceptNameCodeSequence!"
    ),
    "KEY OBJECT DOC": "InstanceNumber! ContentDate! ContentTime! ConceptNameCodeSequence!",
    "SPECTROSCOPY": f"ImageType! {_DATED} NumberOfFrames! Rows! Columns! DataPointRows! DataPointColumns!",
    "RAW DATA": _DATED,
    "REGISTRATION": _LABELLED,
    "FIDUCIAL": _LABELLED,
    "SURFACE": _LABELLED,
    "TRACT": _LABELLED,
    "VALUE MAP": _LABELLED,
    "SURFACE SCAN": "ContentDate! ContentTime!",
    "STEREOMETRIC": "",
    "MEASUREMENT": _DATED,
    "ASSESSMENT": "InstanceNumber! InstanceCreationDate! InstanceCreationTime",
    "ANNOTATION": _LABELLED,
    "ENCAP DOC": (
        "ContentDate ContentTime InstanceNumber! DocumentTitle HL7InstanceIdentifier? ConceptNameCodeSequence "
        "MIMETypeOfEncapsulatedDocument!"
    ),
    PRIVATE: "InstanceNumber?",
}


def kind(sop_class: str, *, has_frames: bool) -> str:
    """The type of the record for an object of a class: of those that are not listed, images are what has pixels."""
    number = sop_class.removeprefix(_STORAGE)
    found = _EXACT.get(number) or _EXACT.get(f"{number.partition('.')[0]}.")
    if found is not None and number != sop_class:
        return found
    return _IMAGE if has_frames else PRIVATE


def _keys(listed: str) -> dict[str, str]:
    found = {}
    for word in listed.split():
        keyword = word.rstrip("!?")
        tag = attributes.find_tag(keyword)
        assert tag is not None, "the dictionary knows every attribute of a record"
        found[tag] = word[len(keyword) :]
    return found


KEYS: Final[dict[str, dict[str, str]]] = {kind_: _keys(listed) for kind_, listed in _KEYS.items()}
"""By record type, the tags of its attributes: `!` always with a value, `?` only if the object has it."""
