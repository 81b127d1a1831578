"""Twelve questions of daily life, each with the SQL that somebody who knows the tables would write by hand for it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from bench import population
from bench.population import Study
from dicomgate.dicom import person_names
from dicomgate.index import columns, values

_STUDY: Final = "s.answer, s.modalities, s.number_of_series, s.number_of_instances"
_NEWEST: Final = "ORDER BY s.moment DESC, s.uid LIMIT ?"
_VALUE: Final = "(SELECT id FROM value WHERE tag = ? AND text = ?)"
_LAST: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its words filled in: as a request, and as SQL."""

    path: str
    sql: str
    parameters: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A kind of question. `ask` fills in the words from some study; `is_walk`: page by page to the end."""

    name: str
    ask: Callable[[Study, random.Random, Sequence[Study]], Asked]
    is_indexed: bool = True
    is_walk: bool = False


def _tag(tag: str) -> int:
    return int(tag, 16)


def _one_value(tag: str, keyword: str) -> Callable[[Study, random.Random, Sequence[Study]], Asked]:
    def ask(study: Study, _dice: random.Random, _all: Sequence[Study]) -> Asked:
        text = population.text(study, tag)
        sql = f"SELECT {_STUDY} FROM study_value d CROSS JOIN study s ON s.id = d.study WHERE d.value = {_VALUE} "
        order = "ORDER BY d.moment DESC, s.uid LIMIT ?"
        return Asked(f"/studies?{keyword}={quote(text)}&limit=100", sql + order, (_tag(tag), text, 100))

    return ask


def _name_middle(study: Study, _dice: random.Random, _all: Sequence[Study]) -> Asked:
    middle = values.fold(population.text(study, "00100010"))[1:9]  # so much of a name that it is few patients'
    sql = f"""
    SELECT {_STUDY} FROM study s WHERE s.id IN (
        SELECT f.study FROM value_trigram t CROSS JOIN value v ON v.id = t.rowid
        CROSS JOIN study_value f ON f.value = v.id WHERE t.value_trigram MATCH ? AND v.tag = ? AND v.text GLOB ?)
    {_NEWEST}
    """
    grams = " AND ".join(f'"{middle[at : at + 3]}"' for at in range(len(middle) - 2))
    return Asked(
        f"/studies?PatientName=*{quote(middle)}*&limit=100", sql, (grams, _tag("00100010"), f"*{middle}*", 100)
    )


def _fuzzy(study: Study, _dice: random.Random, _all: Sequence[Study]) -> Asked:
    words = person_names.words(population.text(study, "00100010"))[::-1]
    having = """
        SELECT f.study FROM value v CROSS JOIN study_value f ON f.value = v.id
        WHERE v.tag = ? AND v.text >= ? AND v.text < ?
    """
    sql = f"SELECT {_STUDY} FROM study s WHERE s.id IN ({' INTERSECT '.join([having] * len(words))}) {_NEWEST}"
    column = columns.BUILT_IN.find_words(("00100010",))
    assert column is not None
    return Asked(
        f"/studies?PatientName={quote(' '.join(words))}&fuzzymatching=true&limit=100",
        sql,
        (*(part for word in words for part in (column.number, word, word + _LAST)), 100),
    )


def _modality_and_dates(_study: Study, dice: random.Random, _all: Sequence[Study]) -> Asked:
    year = 2010 + dice.randrange(5)
    low, high = f"{year}0101", f"{year + 9}1231"
    modality = dice.choice(("DX", "US"))  # enough of each for a page, however small the archive
    sql = f"""
    SELECT {_STUDY} FROM study_value d CROSS JOIN study s ON s.id = d.study
    WHERE d.value = {_VALUE} AND d.moment BETWEEN ? AND ? ORDER BY d.moment DESC, s.uid LIMIT ?
    """
    moments = values.moment(low, ""), values.moment(high, "235959999999")
    return Asked(
        f"/studies?ModalitiesInStudy={modality}&StudyDate={low}-{high}&limit=25",
        sql,
        (_tag(columns.MODALITIES), modality, *moments, 25),
    )


def _far_back(_study: Study, dice: random.Random, every: Sequence[Study]) -> Asked:
    offset = len(every) // 2 + dice.randrange(max(1, len(every) // 3))
    sql = f"SELECT {_STUDY} FROM study s {_NEWEST} OFFSET ?"
    return Asked(f"/studies?limit=25&offset={offset}", sql, (25, offset))


def _walk(study: Study, _dice: random.Random, _all: Sequence[Study]) -> Asked:
    """The SQL begins anywhere, as the walk is everywhere once: the same rows again and again would be the warmest."""
    sql = f"SELECT {_STUDY} FROM study s WHERE s.moment <= ? {_NEWEST}"
    return Asked("/studies?limit=100", sql, (values.moment(population.text(study, "00080020"), ""), 100))


def _series(study: Study, _dice: random.Random, _all: Sequence[Study]) -> Asked:
    sql = """
    SELECT e.answer, e.number_of_instances FROM study s CROSS JOIN series e ON e.study = s.id
    WHERE s.uid = ? ORDER BY e.number, e.uid
    """
    return Asked(f"/studies/{study.uid}/series", sql, (study.uid,))


def _instances(study: Study, dice: random.Random, _all: Sequence[Study]) -> Asked:
    uid = study.series_uid(1 + dice.randrange(len(study.lengths)))
    sql = """
    SELECT i.answer, i.sop_class, i.transfer_syntax, i.uid FROM series e CROSS JOIN instance i ON i.series = e.id
    WHERE e.uid = ? ORDER BY i.number, i.uid LIMIT 100
    """
    return Asked(f"/studies/{study.uid}/series/{uid}/instances?limit=100", sql, (uid,))


def _uids(_study: Study, dice: random.Random, every: Sequence[Study]) -> Asked:
    wanted = [one.uid for one in dice.sample(every, min(100, len(every)))]
    marks = ", ".join("?" * len(wanted))
    sql = f"SELECT {_STUDY} FROM study s WHERE s.uid IN ({marks}) {_NEWEST}"
    return Asked(f"/studies?StudyInstanceUID={','.join(wanted)}&limit=100", sql, (*wanted, 100))


def _unindexed_in_a_series(study: Study, dice: random.Random, _all: Sequence[Study]) -> Asked:
    place = dice.randrange(len(study.lengths))
    uid = study.series_uid(place + 1)
    exposure = 200 + dice.randrange(study.lengths[place]) % 80
    sql = """
    SELECT d.metadata, i.answer, i.sop_class, i.transfer_syntax, i.uid
    FROM series e CROSS JOIN instance i ON i.series = e.id CROSS JOIN description d ON d.instance = i.id
    WHERE e.uid = ? ORDER BY i.number, i.uid
    """
    return Asked(f"/studies/{study.uid}/series/{uid}/instances?XRayTubeCurrent={exposure}", sql, (uid,))


def _unindexed_in_a_month(study: Study, _dice: random.Random, _all: Sequence[Study]) -> Asked:
    day = population.text(study, "00080020")
    low, high = f"{day[:6]}01", f"{day[:6]}28"
    sql = f"SELECT s.more, {_STUDY} FROM study s WHERE s.moment BETWEEN ? AND ? ORDER BY s.moment DESC, s.uid"
    moments = values.moment(low, ""), values.moment(high, "235959999999")
    age = population.text(study, "00101010")
    return Asked(f"/studies?PatientAge={age}&StudyDate={low}-{high}&limit=100", sql, moments)


def _promoted(study: Study, _dice: random.Random, _all: Sequence[Study]) -> Asked:
    station = population.text(study, "00081010")
    sql = f"""
    SELECT e.answer, e.number_of_instances, {_STUDY} FROM series_value d CROSS JOIN series e ON e.id = d.series
    CROSS JOIN study s ON s.id = e.study
    WHERE d.value = (SELECT id FROM value WHERE text = ? AND tag = (SELECT max(number) FROM registered_column))
    ORDER BY d.moment DESC, s.uid, e.number, e.uid LIMIT 10
    """
    return Asked(f"/series?StationName={quote(station)}&limit=10", sql, (station,))


PROMOTED: Final = ("00081010",)
"""StationName."""

QUESTIONS: Final = (
    Question("patient ID", _one_value("00100020", "PatientID")),
    Question("accession number", _one_value("00080050", "AccessionNumber")),
    Question("a name from its middle, `*name*`", _name_middle),
    Question("fuzzy name", _fuzzy),
    Question("modality in ten years, the newest 25", _modality_and_dates),
    Question("deep offset, half way and beyond", _far_back),
    Question("cursor walk, page by page", _walk, is_walk=True),
    Question("list of 100 UIDs", _uids),
    Question("series of a study", _series),
    Question("instances of a series", _instances),
    Question("a promoted attribute of series", _promoted),
    Question("unindexed attribute in one series", _unindexed_in_a_series, is_indexed=False),
    Question("unindexed attribute in a month", _unindexed_in_a_month, is_indexed=False),
)
