"""Pure decisions on an offered instance: may it be kept, and what if its UID is known (T9, T10, STOW-15, STOW-18)."""

from __future__ import annotations

import enum

from dicomgate.dicom import person_names, sop_classes, syntaxes, uids
from dicomgate.dicom.header import Header
from dicomgate.dicom.outcomes import Reason, Refused
from dicomgate.index.base import Entry, Judge, Known, Surroundings, Verdict
from dicomgate.origin import JSONDataset


class Duplicates(enum.StrEnum):
    """What happens to another content under a known SOP Instance UID."""

    REFUSE = "refuse"
    REPLACE = "replace"
    KEEP_FIRST = "keep-first"
    KEEP_VERSIONS = "keep-versions"


_PATIENT_ID, _PATIENT_NAME = "00100020", "00100010"
_UID_TAGS = {
    "00080016": "SOP Class UID (0008,0016)",
    "00080018": "SOP Instance UID (0008,0018)",
    "0020000D": "Study Instance UID (0020,000D)",
    "0020000E": "Series Instance UID (0020,000E)",
}


def value(attributes: JSONDataset, tag: str) -> str | None:
    """The first value of a text attribute, None where it is absent or empty."""
    values = attributes.get(tag, {}).get("Value")
    return values[0] if values and isinstance(values[0], str) else None


def examine(header: Header, study: str | None) -> Refused | None:
    """Why an instance cannot be kept whatever else is stored, None when it can."""
    sop_class = value(header.attributes, "00080016")
    for tag, name in _UID_TAGS.items():
        text = value(header.attributes, tag)
        if text is None:
            return Refused(Reason.MISSING_UID, f"{name} has no value", header.target, sop_class)
        count = len(header.attributes[tag]["Value"])
        if count > 1:
            return Refused(Reason.MALFORMED_UID, f"{name} has {count} values", header.target, None)
        if not uids.is_uid(text):
            return Refused(Reason.MALFORMED_UID, f"{name} has {len(text)} characters", header.target, None)
    if header.target is None:
        return Refused(Reason.MALFORMED_UID, "expected one value of each UID, saw several", None, sop_class)
    if sop_class is not None and not sop_classes.is_storable(sop_class):
        return Refused(Reason.CLASS_NOT_SUPPORTED, "", header.target, sop_class)
    if syntaxes.find(header.transfer_syntax) is None:
        return Refused(Reason.SYNTAX_NOT_SUPPORTED, "", header.target, sop_class)
    if study is not None and header.target.study != study:
        return Refused(Reason.WRONG_STUDY, "", header.target, sop_class)
    return None


def is_other_patient(known: JSONDataset, offered: JSONDataset, *, by_name: bool) -> bool:
    """Whether two data sets of one study tell of two patients.

    Patient ID decides, and the name where neither has one; or both, `by_name`. Names are alike that have the same words
    in any order, case, accents and signs apart; a component group that only one of them has tells nothing.
    """
    ids = {value(each, _PATIENT_ID) or "" for each in (known, offered)}
    if len(ids) > 1:
        return True
    return (by_name or ids == {""}) and _are_other_names(_name(known), _name(offered))


def _name(attributes: JSONDataset) -> dict[str, str]:
    values = attributes.get(_PATIENT_NAME, {}).get("Value") or [None]
    return values[0] if isinstance(values[0], dict) else {}


def _are_other_names(one: dict[str, str], other: dict[str, str]) -> bool:
    pairs = [
        (set(person_names.words(one[group])), set(person_names.words(other[group]))) for group in one if group in other
    ]
    return any(ours != theirs for ours, theirs in pairs if ours and theirs)


def judge_by(duplicates: Duplicates, *, by_name: bool = False) -> Judge:
    """The judgement that the index makes inside its transaction, when it knows what is stored already.

    `by_name`: of one Patient ID, another name is another patient, too.
    """

    def judge(around: Surroundings, entry: Entry) -> Verdict | Refused:
        known = around.instance
        if known is None:
            return _judge_parents(around, entry, by_name=by_name) or Verdict.INSERT
        if _is_same(known, entry):
            return Verdict.SAME
        if known.target != entry.target:
            return _refuse(entry, Reason.OTHER_PARENT, "this SOP Instance UID belongs to another series or study")
        if duplicates is Duplicates.KEEP_FIRST:
            return Verdict.KEEP_OLD
        if duplicates is Duplicates.REFUSE:
            return _refuse(entry, Reason.OTHER_CONTENT, "")
        contradiction = _judge_parents(around, entry, by_name=by_name)
        if contradiction is not None:
            return contradiction
        if duplicates is Duplicates.REPLACE:
            return Verdict.REPLACE
        return Verdict.SUPERSEDE if entry.key > known.key else Verdict.EARLIER

    return judge


def judge_in_place(around: Surroundings, entry: Entry) -> Verdict | Refused:
    """For a folder read in place: a file read again replaces itself, a second file of an instance waits."""
    if around.instance is None:
        return Verdict.INSERT
    return Verdict.REPLACE if around.instance.key == entry.key else Verdict.KEEP_OLD


def judge_mirror(around: Surroundings, entry: Entry) -> Verdict | Refused:
    """For a copy of what another archive has: whatever comes from there is right, and the last of it counts."""
    if around.instance is None:
        return Verdict.INSERT
    return Verdict.SAME if _is_same(around.instance, entry) else Verdict.REPLACE


def judge_again(duplicates: Duplicates) -> Judge:
    """For a rebuild, which offers files in the order of their keys: what is found was judged when it came.

    One that tells of more changes than the one before it, and of all that that one tells of, is its correction.
    """

    def judge(around: Surroundings, entry: Entry) -> Verdict:
        known = around.instance
        if known is None:
            return Verdict.INSERT
        assert entry.key > known.key, "a rebuild goes by the order of keys"
        if known.target != entry.target:
            return Verdict.KEEP_OLD  # it was being refused when its process died
        if is_correction(entry.attributes, of=known.attributes()):
            return Verdict.CORRECT
        if duplicates is Duplicates.KEEP_VERSIONS:
            return Verdict.SUPERSEDE
        return Verdict.REPLACE if duplicates is Duplicates.REPLACE else Verdict.KEEP_OLD

    return judge


def is_correction(later: JSONDataset, *, of: JSONDataset) -> bool:
    """True when one data set's Original Attributes Sequence is the other's and at least one more item (C.12.1.1.9)."""
    longer, shorter = _changes(later), _changes(of)
    return len(longer) > len(shorter) and longer[: len(shorter)] == shorter


def _changes(attributes: JSONDataset) -> list[JSONDataset]:
    return list(attributes.get("04000561", {}).get("Value", ()))


def _is_same(known: Known, entry: Entry) -> bool:
    """The same bytes as stored, as were sent before they were changed on the way in, or as were stored earlier."""
    offered = {entry.digest, entry.original_digest}
    return bool((offered & {known.digest, known.original_digest, *known.earlier}) - {""})


def _judge_parents(around: Surroundings, entry: Entry, *, by_name: bool) -> Refused | None:
    if around.series_study is not None and around.series_study != entry.target.study:
        return _refuse(entry, Reason.OTHER_PARENT, "this Series Instance UID belongs to another study")
    if around.study_patient is None:
        return None
    patient = value(entry.attributes, _PATIENT_ID) or ""
    is_other = around.study_patient != patient
    if not is_other and (by_name or not patient):  # else the stored data set need not be read
        is_other = is_other_patient(around.study_attributes(), entry.attributes, by_name=by_name)
    if is_other:
        return _refuse(entry, Reason.OTHER_PATIENT, "")
    return None


def _refuse(entry: Entry, reason: Reason, detail: str) -> Refused:
    return Refused(reason, detail, entry.target, entry.sop_class)
