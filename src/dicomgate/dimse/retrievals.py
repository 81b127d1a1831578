"""Identifiers of C-MOVE and C-GET <-> what they ask for (PS3.4 §C.4.2, §C.4.3)."""

from __future__ import annotations

from dataclasses import dataclass

from dicomgate import errors
from dicomgate.dicom import conditions, elements, uids
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.matching import Match, OneOf, Query
from dicomgate.dicom.uids import Level, Target
from dicomgate.dimse import identifiers
from dicomgate.dimse.contexts import Root
from dicomgate.dimse.identifiers import INSTANCE_UID, PATIENT_ID, SERIES_UID, STUDY_UID, UNIQUE_KEYS, VIEW
from dicomgate.dimse.negotiation import NONE, Wishes


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a C-MOVE or C-GET asks for: UIDs of each level, and patients; `view` is empty for objects as received."""

    level: Level
    patients: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    view: str = ""

    @property
    def target(self) -> Target | None:
        """The one target that it means by itself, if it is one."""
        if len(self.studies) != 1 or self.patients or max(len(self.series), len(self.instances)) > 1:
            return None
        if self.instances and not self.series:
            return None
        return Target(self.studies[0], *self.series, *self.instances)

    @property
    def query(self) -> Query:
        """The question whose answers are the targets."""
        keys = ((PATIENT_ID, self.patients), (STUDY_UID, self.studies), (SERIES_UID, self.series))
        found = tuple(Match((tag,), OneOf(values)) for tag, values in (*keys, (INSTANCE_UID, self.instances)) if values)
        return identifiers.scoped(Query(level=self.level, matches=found, relational=self.level > Level.STUDY))


def parse_wanted(asked: JSONDataset, root: Root, wishes: Wishes = NONE) -> Wanted:
    """What a C-MOVE or C-GET asks for.

    Malformed where the identifier does not fit the information model, lacks the unique key of its level, or those
    above it although relational retrieval was not agreed on (§C.4.2.2.1).
    """
    word = identifiers.read_level(asked, root)
    level = identifiers.WORDS[word]
    found = {
        upper: _uids(asked, UNIQUE_KEYS[upper]) for upper in Level if upper <= level and word != identifiers.PATIENT
    }
    patients = _texts(asked, PATIENT_ID) if root is not Root.STUDY else ()
    if not (patients if word == identifiers.PATIENT else found[level]):
        raise errors.Malformed(f"level {word} without a value of its unique key")
    if any(character in each for each in patients for character in "*?"):
        raise errors.Malformed("Patient ID: expected the unique key itself, saw a pattern")
    if not wishes.relational:
        above = [values for upper, values in found.items() if upper < level]
        if any(len(values) != 1 for values in above) or (root is not Root.STUDY and len(patients) != 1):
            raise errors.Malformed(f"level {word} without one unique key of each level above")
    view = identifiers.read_text(asked, VIEW)
    if view and not wishes.views:
        raise errors.Malformed("Query/Retrieve View was not agreed on")
    studies, series, instances = (found.get(upper, ()) for upper in Level)
    return Wanted(level, patients, studies, series, instances, view)


def format_wanted(wanted: Wanted) -> JSONDataset:
    """The identifier of a C-MOVE or C-GET: the inverse of `parse_wanted`."""
    is_of_patients = wanted.level is Level.STUDY and not wanted.studies
    word = identifiers.PATIENT if is_of_patients else identifiers.LEVEL_WORDS[wanted.level]
    identifier: JSONDataset = {identifiers.LEVEL: {"vr": "CS", "Value": [word]}}
    keys = (
        (VIEW, "CS", (wanted.view,) if wanted.view else ()),
        (INSTANCE_UID, "UI", wanted.instances),
        (PATIENT_ID, "LO", wanted.patients),
        (STUDY_UID, "UI", wanted.studies),
        (SERIES_UID, "UI", wanted.series),
    )
    identifier |= {tag: {"vr": vr, "Value": list(values)} for tag, vr, values in keys if values}
    return dict(sorted(identifier.items()))


def _texts(asked: JSONDataset, tag: str) -> tuple[str, ...]:
    found = (text.strip(" ") for text in elements.texts(asked.get(tag, {})))
    return tuple(dict.fromkeys(text for text in found if text))


def _uids(asked: JSONDataset, tag: str) -> tuple[str, ...]:
    found = _texts(asked, tag)
    if len(found) > conditions.MOST_VALUES:
        raise errors.TooLarge(f"a list of {len(found)} UIDs, at most {conditions.MOST_VALUES} are taken")
    return tuple(uids.parse_uid(each) for each in found)
