"""What answers hold whatever the PACS gives: counts and modalities, counted by asking below (PRX-04, V10)."""

from __future__ import annotations

from typing import Final

from dicomgate import errors
from dicomgate.dicom import attributes, elements
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.uids import Level, Target
from dicomgate.dimse import pacs_questions
from dicomgate.dimse.identifiers import SERIES_UID, STUDY_UID
from dicomgate.dimse.pacs_questions import Listed, Questions

MODALITIES, STUDY_SERIES, STUDY_INSTANCES = "00080061", "00201206", "00201208"
SERIES_INSTANCES: Final = pacs_questions.SERIES_COUNT
_RETURNED_EMPTY: Final[dict[Level, tuple[str, ...]]] = {
    Level.STUDY: (
        "00080020", "00080030", "00080050", "00080090", "00100010", "00100020", "00100030", "00100040", "00200010",
    ),
    Level.SERIES: ("00080060", "00200011"),
    Level.INSTANCE: ("00080016", "00200013"),
}  # fmt: skip
"""Present even without a value (PS3.18 Tables 10.6.3-3 to -5, type R)."""


class Counting:
    """Completes answers. At most so many series are listed for one answer; what would need more stays unknown."""

    def __init__(self, questions: Questions, *, most_series: int = 50) -> None:
        self._questions = questions
        self._most = most_series

    def said(self, dataset: JSONDataset) -> int | None:
        """How many instances the PACS says a series has."""
        return pacs_questions.count_of(dataset)

    def complete(self, dataset: JSONDataset, level: Level) -> JSONDataset:
        """The data set of an answer with what must be there, without other attributes that have no value."""
        whole = {tag: element for tag, element in dataset.items() if elements.has_value(element)}
        for tag in _RETURNED_EMPTY[level]:
            whole.setdefault(tag, {"vr": attributes.vr(tag)})
        if level is Level.STUDY and not {MODALITIES, STUDY_SERIES, STUDY_INSTANCES} <= whole.keys():
            whole = {**self._of_study(_text(whole, STUDY_UID)), **whole}
        if level is Level.SERIES and SERIES_INSTANCES not in whole:
            whole |= self._of_series(Target(_text(whole, STUDY_UID), _text(whole, SERIES_UID)))
        return whole

    def _of_study(self, study: str) -> JSONDataset:
        try:
            series = self._questions.series(study)
        except errors.Fault:
            return {}  # the answer is right without
        modalities = sorted({one.modality for one in series} - {""})
        found: JSONDataset = {STUDY_SERIES: {"vr": "IS", "Value": [len(series)]}}
        if modalities:
            found[MODALITIES] = {"vr": "CS", "Value": modalities}
        if len(series) <= self._most:
            counts = [self._count(one) for one in series]
            if all(count is not None for count in counts):
                found[STUDY_INSTANCES] = {"vr": "IS", "Value": [sum(filter(None, counts))]}
        return found

    def _of_series(self, series: Target) -> JSONDataset:
        count = self._count(Listed(series))
        return {} if count is None else {SERIES_INSTANCES: {"vr": "IS", "Value": [count]}}

    def _count(self, series: Listed) -> int | None:
        if series.count is not None:
            return series.count
        try:
            return len(self._questions.instances(series.target))
        except errors.Fault:
            return None


def _text(dataset: JSONDataset, tag: str) -> str:
    return next(iter(elements.texts(dataset.get(tag, {}))), "")
