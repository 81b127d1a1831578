"""Identifiers of C-FIND, C-MOVE and C-GET <-> questions, targets and data sets of the JSON model (PS3.4 §C.2.2, §C.4).

What a key means is written once, in `dicomweb.keys`: C-FIND and QIDO-RS ask the same questions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from dicomgate import errors
from dicomgate.dicom import attributes, elements, moments
from dicomgate.dicom.jsonmodel import JSONDataset
from dicomgate.dicom.matching import (
    AttributePath,
    Match,
    OneOf,
    Query,
)
from dicomgate.dicom.uids import Level, Target
from dicomgate.dicomweb.keys import Keys, LeftOut, Manner
from dicomgate.dicomweb.resources import Kind, Resource
from dicomgate.dimse.contexts import Root
from dicomgate.dimse.negotiation import NONE, Wishes

LEVEL: Final = "00080052"
VIEW: Final = "00080053"
RETRIEVE_AE: Final = "00080054"
AVAILABILITY: Final = "00080056"
CHARSET: Final = "00080005"
TIMEZONE: Final = "00080201"
PATIENT_ID: Final = "00100020"
ISSUER: Final = "00100021"
STUDY_UID: Final = "0020000D"
SERIES_UID: Final = "0020000E"
INSTANCE_UID: Final = "00080018"
PATIENT_COUNTS: Final = ("00201200", "00201202", "00201204")
"""Number of Patient Related Studies, Series, Instances."""

PATIENT: Final = "PATIENT"
WORDS: Final[dict[str, Level]] = {
    PATIENT: Level.STUDY,
    "STUDY": Level.STUDY,
    "SERIES": Level.SERIES,
    "IMAGE": Level.INSTANCE,
}
"""Values of Query/Retrieve Level, and at which level each is searched: patients are found by their studies."""
LEVEL_WORDS: Final[dict[Level, str]] = {Level.STUDY: "STUDY", Level.SERIES: "SERIES", Level.INSTANCE: "IMAGE"}
UNIQUE_KEYS: Final[dict[Level, str]] = {
    Level.STUDY: STUDY_UID,
    Level.SERIES: SERIES_UID,
    Level.INSTANCE: INSTANCE_UID,
}

MOST_KEYS: Final = 1000
_OF_US: Final = frozenset({LEVEL, VIEW, CHARSET, RETRIEVE_AE, AVAILABILITY, *PATIENT_COUNTS})
"""Keys that are answered by us, or about the question itself; no origin is asked for them."""
_NOT_ASKED: Final = _OF_US | {"00081190"}  # Retrieve URL


@dataclass(frozen=True, slots=True)
class Question:
    """A C-FIND, read. `word` is its level; `asked` the identifier, for the form of the answers.

    `ignored`: some keys have a value that is not compared here, which every answer tells (status FF01).
    """

    query: Query
    word: str
    asked: JSONDataset
    ignored: bool = False

    @property
    def is_of_patients(self) -> bool:
        """True when each answer is a patient."""
        return self.word == PATIENT


# C-FIND: identifier -> question.


def parse_question(asked: JSONDataset, root: Root, wishes: Wishes = NONE) -> Question:
    """What a C-FIND asks.

    Malformed where the identifier does not fit the information model, or lacks the unique keys of the levels above
    although relational queries were not agreed on (§C.4.1.2), or has values that their VR does not have; TooLarge for
    more than anybody needs.
    """
    word = read_level(asked, root)
    level = WORDS[word]
    if len(asked) > MOST_KEYS:
        raise errors.TooLarge(f"an identifier of {len(asked)} keys, at most {MOST_KEYS} are compared")
    left_out = LeftOut(strict=False)
    manner = Manner(
        is_fuzzy=wishes.fuzzy,
        takes_empty=wishes.empty_value,
        takes_multiple=wishes.multiple_value,
        joins_moments=wishes.combined_moments,
    )
    keys = Keys(Resource(kind=Kind.SEARCH, level=level), manner, left_out)
    zone = read_text(asked, TIMEZONE) if wishes.timezone else ""
    include: list[AttributePath] = []
    for path, text in _keys(asked):
        if path[0] in _NOT_ASKED or (path == (TIMEZONE,) and zone):
            continue
        if keys.read(path, text) and not _is_below(path, level):
            include.append(path)
    query = Query(
        level=level,
        matches=keys.matches(include),
        include=tuple(dict.fromkeys((*include, *keys.include))),
        timezone=moments.get_zone(zone) if zone else None,
        creators=keys.named_creators,
        relational=level > Level.STUDY,
    )
    query = scoped(query)
    if not wishes.relational:
        _require_parents(query, word, asked, root)
    return Question(query, word, asked, ignored=bool(left_out.warnings()))


def read_level(asked: JSONDataset, root: Root) -> str:
    """The value of Query/Retrieve Level. Malformed for one that the information model does not have."""
    word = read_text(asked, LEVEL)
    if word not in WORDS:
        raise errors.Malformed("Query/Retrieve Level: expected PATIENT, STUDY, SERIES or IMAGE")
    if word == PATIENT and root is Root.STUDY:
        raise errors.Malformed("Query/Retrieve Level PATIENT is none of the study root")
    if word in ("SERIES", "IMAGE") and root is Root.PATIENT_STUDY_ONLY:
        raise errors.Malformed(f"Query/Retrieve Level {word} is none of the patient/study only model")
    return word


def _keys(asked: JSONDataset, above: AttributePath = ()) -> Iterator[tuple[AttributePath, str]]:
    """Every key with its value as text; one of a sequence where that is asked for as a whole."""
    if len(above) > attributes.DEEPEST:
        raise errors.TooLarge(f"sequences nested more than {attributes.DEEPEST} deep")
    for tag, element in asked.items():
        path = (*above, tag)
        if element.get("vr") != "SQ":
            yield path, "\\".join(elements.texts(element))
            continue
        item = next(elements.items([element]), None)
        if item:
            yield from _keys(item, path)
        else:
            yield path, ""


def read_text(asked: JSONDataset, tag: str) -> str:
    """The first value of a key, as text; empty without one."""
    found = elements.texts(asked.get(tag, {}))
    return found[0].strip(" ") if found else ""


def _is_below(path: AttributePath, level: Level) -> bool:
    is_returned = any(path[0] in attributes.RETURNED[upper] for upper in Level if upper <= level)
    return not is_returned and attributes.level(path[0]) > level


def scoped(query: Query) -> Query:
    """Single unique keys of the levels above become the scope, and what is then no question across parents says so."""
    single = {match.path[0]: _single(match) for match in query.matches if _single(match)}
    study = single.get(STUDY_UID) if query.level > Level.STUDY else None
    if study is None:
        return query
    series = single.get(SERIES_UID) if query.level > Level.SERIES else None
    fixed = {STUDY_UID} | ({SERIES_UID} if series else set())
    rest = tuple(match for match in query.matches if match.path[0] not in fixed)
    scope = Target(study, series)
    others = (*(match.path for match in rest), *query.include)
    is_across = query.level - scope.level > 1 or any(_is_above(path, query.level) for path in others)
    return replace(query, scope=scope, matches=rest, relational=is_across)


def _is_above(path: AttributePath, level: Level) -> bool:
    return path[0] not in attributes.RETURNED[level] and attributes.level(path[0]) < level


def _single(match: Match) -> str:
    condition = match.condition
    is_one = isinstance(condition, OneOf) and len(condition.values) == 1 and len(match.path) == 1
    return condition.values[0] if is_one and isinstance(condition, OneOf) else ""


def _require_parents(query: Query, word: str, asked: JSONDataset, root: Root) -> None:
    fixed = 0 if query.scope is None else int(query.scope.level)
    if WORDS[word] - fixed > 1 and word != PATIENT:
        missing = "Study Instance UID" if fixed == 0 else "Series Instance UID"
        raise errors.Malformed(f"level {word} without one {missing}, and relational queries were not agreed on")
    if root is not Root.STUDY and word != PATIENT and not _is_one(read_text(asked, PATIENT_ID)):
        raise errors.Malformed(f"level {word} without one Patient ID, and relational queries were not agreed on")


def _is_one(text: str) -> bool:
    return bool(text) and not any(each in text for each in "*?\\")


# C-FIND: match -> identifier of an answer.


def format_answer(found: JSONDataset, question: Question, *, ae_title: str) -> JSONDataset:
    """What a C-FIND response says of a match: what was asked for and no more, empty where it is not known."""
    answer = _asked_of(found, question.asked, question.query.creators)
    answer.pop(CHARSET, None)
    answer[LEVEL] = {"vr": "CS", "Value": [question.word]}
    answer[RETRIEVE_AE] = {"vr": "AE", "Value": [ae_title]}
    if AVAILABILITY in question.asked and not answer[AVAILABILITY].get("Value"):
        answer[AVAILABILITY] = {"vr": "CS", "Value": ["ONLINE"]}
    if VIEW in question.asked:
        answer[VIEW] = question.asked[VIEW]
    return dict(sorted(answer.items()))


def _asked_of(
    found: JSONDataset,
    asked: JSONDataset,
    creators: Iterable[tuple[AttributePath, str]] = (),
    above: AttributePath = (),
) -> JSONDataset:
    named = dict(creators)
    answer: JSONDataset = {}
    for tag, key in asked.items():
        block = attributes.find_creator(tag)
        creator = None if block is None else named.get((*above, block))
        element = next(iter(elements.find(found, tag, creator)), None)
        if element is None and attributes.is_private_creator(tag):
            element = key
        answer[tag] = _part(element, key, tag, named, above)
    return answer


def _part(
    element: JSONDataset | None, key: JSONDataset, tag: str, named: dict[AttributePath, str], above: AttributePath
) -> JSONDataset:
    vr = str(key.get("vr") or attributes.vr(tag))
    if element is None or "BulkDataURI" in element:
        return {"vr": vr if element is None else str(element.get("vr") or vr)}
    item = next(elements.items([key]), None) if vr == "SQ" else None
    if not item or element.get("vr") != "SQ":
        return element
    parts = [_asked_of(one, item, named.items(), (*above, tag)) for one in elements.items([element])]
    return {"vr": "SQ", "Value": parts}


def from_answer(answer: JSONDataset) -> JSONDataset:
    """A match as an origin gives it: what C-FIND adds is left out, but for Instance Availability."""
    left_out = {LEVEL, VIEW, RETRIEVE_AE, CHARSET}
    return {tag: element for tag, element in answer.items() if tag not in left_out}
