"""find() against a plain model that knows nothing of columns, plans and places: the same answers to random questions.

The model gathers every study, series and instance from what was stored, tests each with `dicom.matcher` and sorts them
by what PS3.18 §8.3.4 and index/order.py say (QIDO-06, QIDO-07, QIDO-16, QIDO-17).
"""

import dataclasses
import random
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomgate.dicom import attributes, matcher, moments, person_names
from dicomgate.dicom.matching import (
    AnyOf,
    Between,
    Empty,
    Fuzzy,
    Match,
    MomentBetween,
    OneOf,
    Order,
    Query,
    Universal,
    Wildcard,
)
from dicomgate.dicom.uids import Level, Target
from dicomgate.index import beginnings, narrowing, scan
from dicomgate.index import compile as compiled
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.testing.entries import element, entry, refuse_nothing

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

UID_TAGS = ("0020000D", "0020000E", "00080018")
NAMES = [
    "Doe^John", "Doe^Jane", "DOE", "Müller^Jörg", "O'Neil^X", "Roe^Johnny", None, ["Doe^Ann", "Poe^John"], "van der Berg^Jo",
    {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}, {"Ideographic": "山田^花子"},
]  # fmt: skip
DATES = ["20200101", "20200102", "20191231", "20200301", None, "notadate"]
TIMES = ["00", "0815", "101530", "235959.5", "2330", None]
ZONES = ["+0100", "-0500", "+0000", None, None]
IDS = ["P1", "P2", "p1", "P%", "P_1", "[x]", "Pab", None, ["P1", "P9"]]
TEXTS = ["Head CT", "head", "Knee *", "AbcdE", None]


def tag(name):
    return attributes.parse_path(name)


STUDY_KEYS = {
    "PatientName": ("PN", NAMES), "PatientID": ("LO", IDS), "StudyDate": ("DA", DATES), "StudyTime": ("TM", TIMES),
    "StudyDescription": ("LO", TEXTS), "PatientBirthDate": ("DA", DATES), "PatientComments": ("LT", TEXTS),
    "PatientAge": ("AS", ["030Y", "031Y", None]), "TimezoneOffsetFromUTC": ("SH", ZONES), "PatientWeight": ("DS", [70, 70.5, None]),
}  # fmt: skip
SERIES_KEYS = {
    "Modality": ("CS", ["CT", "MR", "SR", None]), "SeriesNumber": ("IS", [1, 2, 10, None]), "BodyPartExamined": ("CS", ["HEAD", "KNEE", None]),
    "SeriesDate": ("DA", DATES), "SeriesTime": ("TM", TIMES), "OperatorsName": ("PN", NAMES), "ProtocolName": ("LO", TEXTS),
}  # fmt: skip
INSTANCE_KEYS = {
    "InstanceNumber": ("IS", [1, 2, 10, None]), "ImageType": ("CS", [["ORIGINAL", "PRIMARY"], ["DERIVED"], None]),
    "AcquisitionDateTime": ("DT", ["20200101101530+0100", "20200102", None]), "Rows": ("US", [256, 512, None]),
    "ContentDate": ("DA", DATES), "ContentTime": ("TM", TIMES),
}  # fmt: skip
ITEMS = [
    {"ScheduledProcedureStepID": one, "RequestedProcedureID": other}
    for one, other in (("S1", "R1"), ("S1", "R2"), ("S2", "R1"), (None, "R1"))
]
CODES = [{"CodeValue": one, "CodeMeaning": other} for one, other in (("C1", "one"), ("C2", "two"), ("C1", "two"))]


def random_entries(dice, studies, series, instances):
    found = []
    for study in range(studies):
        of_study = {key: dice.choice(choices) for key, (_, choices) in STUDY_KEYS.items()}
        of_study["ProcedureCodeSequence"] = dice.choice([None, [], dice.sample(CODES, 1), dice.sample(CODES, 2)])
        for one in range(dice.randint(1, series)):
            of_series = {key: dice.choice(choices) for key, (_, choices) in SERIES_KEYS.items()}
            of_series["RequestAttributesSequence"] = dice.choice(
                [None, [], dice.sample(ITEMS, 1), dice.sample(ITEMS, 2)]
            )
            for instance in range(dice.randint(1, instances)):
                of_instance = {key: dice.choice(choices) for key, (_, choices) in INSTANCE_KEYS.items()}
                where = Target(f"1.{study}", f"1.{study}.{one}", f"1.{study}.{one}.{instance}")
                absent = [key for key in (*of_study, *of_series, *of_instance) if dice.random() < 0.1]
                held = {key: value for key, value in (of_study | of_series | of_instance).items() if key not in absent}
                sop_class = dice.choice(["1.2.840.1", "1.2.840.2"])
                key = f"{dice.randrange(10**9):09d}-{study}.{one}.{instance}"
                made = entry(
                    where, key=key, sop_class=sop_class, **{**dict.fromkeys(["PatientID", "Modality"]), **held}
                )
                found.append(with_private(made, dice))
    return found


def with_private(made, dice):
    """The same private attribute under another block now and then."""
    block = dice.choice(["10", "11"])
    held = dict(made.attributes)
    held[f"000900{block}"] = element("00090010", None) | {"vr": "LO", "Value": [dice.choice(["ACME", "OTHER"])]}
    held[f"0009{block}01"] = {"vr": "LO", "Value": [dice.choice(["x", "y"])]}
    import orjson

    return dataclasses.replace(
        made, attributes=dict(sorted(held.items())), metadata=orjson.dumps(dict(sorted(held.items())))
    )


class Model:
    """Every study, series and instance with the data set that is true of it; asking looks at all."""

    def __init__(self, entries):
        self.entries = entries
        self.rows = {level: {} for level in Level}
        for one in sorted(entries, key=lambda one: one.key, reverse=True):
            uids = (one.target.study, one.target.series, one.target.instance)
            for level in Level:
                self.rows[level][uids[:level]] = self.own(level, one.attributes)
        for uids, dataset in self.rows[Level.STUDY].items():
            series = [held for below, held in self.rows[Level.SERIES].items() if below[0] == uids[0]]
            modalities = sorted({one["00080060"]["Value"][0] for one in series if one.get("00080060", {}).get("Value")})
            dataset["00080061"] = {"vr": "CS", "Value": modalities}
            dataset["00201206"] = {"vr": "IS", "Value": [len(series)]}
            dataset["00201208"] = {"vr": "IS", "Value": [self.below(uids)]}
        for uids, dataset in self.rows[Level.SERIES].items():
            dataset["00201209"] = {"vr": "IS", "Value": [self.below(uids)]}

    def below(self, uids):
        return sum(1 for one in self.rows[Level.INSTANCE] if one[: len(uids)] == uids)

    def own(self, level, dataset):
        if level is Level.INSTANCE:
            return dict(dataset)
        return {
            name: value
            for name, value in dataset.items()
            if attributes.level(name) is level or name in attributes.EVERY_LEVEL
        }

    def find(self, query):
        found = [uids for uids in self.rows[query.level] if self.is_in(query.scope, uids) and self.passes(query, uids)]
        found.sort(key=self.standing)
        for order in reversed(query.order):
            keyed = [(self.sort_value(order, uids), uids) for uids in found]
            present = [one for one in keyed if one[0] is not None]
            present.sort(key=lambda one: one[0], reverse=order.descending)  # equals keep their order either way
            found = [uids for _, uids in present] + [uids for value, uids in keyed if value is None]
        return found

    def is_in(self, scope, uids):
        return scope is None or uids[: scope.level] == (scope.study, scope.series)[: scope.level]

    def passes(self, query, uids):
        for level in Level:
            keys = [match for match in query.matches if attributes.level(match.path[0]) is level]
            if keys and level <= query.level:
                dataset = self.rows[level][uids[:level]]
                if not matcher.matches(dataset, keys, creators=query.creators, timezone=query.timezone):
                    return False
        return True

    def standing(self, uids):
        key = [-self.moment(self.rows[Level.STUDY][uids[:1]]), uids[0]]
        if len(uids) > 1:
            key += [self.number(self.rows[Level.SERIES][uids[:2]], "00200011"), uids[1]]
        if len(uids) > 2:
            key += [self.number(self.rows[Level.INSTANCE][uids], "00200013"), uids[2]]
        return key

    def moment(self, dataset, date="00080020", time="00080030"):
        days = [day for text in texts(dataset, date) if (day := moments.date(text))]
        times = [one for text in texts(dataset, time) if (one := moments.earliest(text))]
        return int(days[0] + (times[0] if times else "0" * 12)) if days else 0

    def number(self, dataset, name):
        values = texts(dataset, name)
        return int(values[0]) if values else 10**30

    def sort_value(self, order, uids):
        (name,) = order.path
        level = attributes.level(name)
        dataset = self.rows[level][uids[:level]]
        vr = attributes.vr(name)
        if name == "00080020":
            return self.moment(dataset) or None
        if vr == "IS":
            value = self.number(dataset, name)
            return None if value == 10**30 else value
        values = texts(dataset, name)
        if vr == "PN":
            values = [person_names.fold(group) for text in values for group in text.split("=") if group]
        if vr == "TM":
            values = [one for text in values if (one := moments.earliest(text))]
        if vr == "DA":
            time = [
                one for text in texts(dataset, attributes.TIME_OF_DATE.get(name, "")) if (one := moments.earliest(text))
            ]
            values = [day + "".join(time[:1]) for text in values if (day := moments.date(text))]
        return min(values, default=None)


def texts(dataset, name):
    from dicomgate.dicom import elements

    return elements.texts(dataset.get(name) or {})


def conditions_for(dice, name):
    vr, choices = {**STUDY_KEYS, **SERIES_KEYS, **INSTANCE_KEYS}.get(name, ("CS", ["CT", "SR"]))
    plain = [str(one) for one in choices if isinstance(one, str | int | float)] + ["nobody"]
    plain += [one for choice in choices if isinstance(choice, list) for one in choice]
    if vr == "PN":
        names = [*plain, "yamada^tarou", "Yamada^Tarou=山田^太郎", "山田^太郎"]
        patterns = ["doe*", "*j*", "*joh*", "?oe*", "*o*", "doe^j*", "*=山田*", "m?ller*", "*n", "山*"]
        words = [("jo",), ("doe", "jo"), ("yamada", "太郎"), ("xyz",), ("muller",), ("jo", "po")]
        return dice.choice(
            [OneOf((dice.choice(names),)), Wildcard(dice.choice(patterns)), Fuzzy(dice.choice(words)), Empty(),
             OneOf(tuple(dice.sample(names, 2))),
             AnyOf((OneOf((dice.choice(names),)), Wildcard(dice.choice(patterns)), Fuzzy(dice.choice(words))))]
        )  # fmt: skip
    if vr == "DA":
        low, high = sorted(dice.sample(["20191231", "20200101", "20200102", "20200301"], 2))
        found = [OneOf((low,)), Between(low, high), Between(low, None), Between(None, high), Empty(), OneOf((low, high)),
                 AnyOf((OneOf((low,)), Between(high, None)))]  # fmt: skip
        time = attributes.TIME_OF_DATE.get(tag(name)[0])
        if time:
            found += [MomentBetween((time,), low + "0815", high + "2330"), MomentBetween((time,), low + "101530", None),
                      MomentBetween((time,), None, low + "00")]  # fmt: skip
        return dice.choice(found)
    if vr == "TM":
        return dice.choice(
            [Between("08", "1030"), Between("2330", None), Between(None, "00"), Between("0815", "0815"), Empty()]
        )
    if vr == "DT":
        return dice.choice(
            [
                Between("2020", None),
                Between("20200101091530+0000", "20200101091530+0000"),
                Between("20200102", "20200102"),
                Empty(),
            ]
        )
    if vr in ("IS", "US", "DS"):
        return dice.choice([OneOf((dice.choice(plain[:-1]),)), OneOf((plain[0], plain[1])), Empty()])
    patterns = ["P*", "*1", "P?1", "*e*", "?", "*[*", "C?", "*cde*", "H*", "**a*?*", "O*"]
    return dice.choice(
        [OneOf((dice.choice(plain),)), OneOf(tuple(dice.sample(plain, 2))), Wildcard(dice.choice(patterns)), Empty(), Universal(),
         AnyOf((OneOf((plain[0],)), Wildcard(dice.choice(patterns)), Wildcard(dice.choice(patterns))))]
    )  # fmt: skip


PRIVATE = (("00091001",), (("00090010",), "ACME"))
SEQUENCES = {
    Level.STUDY: [("ProcedureCodeSequence", "CodeValue", ["C1", "C2"]), ("ProcedureCodeSequence", "CodeMeaning", ["one", "two"])],
    Level.SERIES: [("RequestAttributesSequence", "ScheduledProcedureStepID", ["S1", "S2"]),
                   ("RequestAttributesSequence", "RequestedProcedureID", ["R1", "R2"])],
}  # fmt: skip


def random_match(dice, level):
    upper = dice.choice([one for one in Level if one <= level])
    names = list(
        {Level.STUDY: [*STUDY_KEYS, "ModalitiesInStudy"], Level.SERIES: SERIES_KEYS, Level.INSTANCE: INSTANCE_KEYS}[
            upper
        ]
    )
    if upper in SEQUENCES and dice.random() < 0.2:
        sequence, key, choices = dice.choice(SEQUENCES[upper])
        condition = dice.choice([OneOf((choices[0],)), OneOf(tuple(choices)), Wildcard(choices[0][0] + "*"), Empty(),
                                 AnyOf((OneOf((choices[0],)), Wildcard("*" + choices[1][1:])))])  # fmt: skip
        return Match(tag(f"{sequence}.{key}"), condition)
    if upper is Level.INSTANCE and dice.random() < 0.2:
        return Match(PRIVATE[0], OneOf((dice.choice(["x", "z"]),)))
    if dice.random() < 0.1:
        return Match(("0020000D",), OneOf(tuple(f"1.{dice.randrange(9)}" for _ in range(2))))
    name = dice.choice(names)
    return Match(tag(name), conditions_for(dice, name))


ORDERS = {
    Level.STUDY: ["PatientName", "PatientID", "StudyDate", "StudyTime", "StudyInstanceUID", "ModalitiesInStudy",
                  "NumberOfStudyRelatedInstances", "NumberOfStudyRelatedSeries", "PatientBirthDate"],
    Level.SERIES: ["SeriesNumber", "Modality", "SeriesDate", "NumberOfSeriesRelatedInstances", "SeriesInstanceUID"],
    Level.INSTANCE: ["InstanceNumber", "SOPInstanceUID", "SOPClassUID"],
}  # fmt: skip


def random_query(dice):
    level = dice.choice(list(Level))
    study = f"1.{dice.randrange(9)}"
    scope = dice.choice([None, None, Target(study), Target(study, f"{study}.{dice.randrange(3)}")][: 1 + level])
    matches = {match.path: match for match in (random_match(dice, level) for _ in range(dice.choice([0, 1, 1, 2, 3])))}
    names = [name for upper in Level if upper <= level for name in ORDERS[upper]]
    order = tuple(Order(tag(dice.choice(names)), dice.random() < 0.5) for _ in range(dice.choice([0, 0, 1, 2])))
    return Query(
        level=level, scope=scope, matches=tuple(matches.values()), order=order, is_counted=dice.random() < 0.3,
        timezone=dice.choice([None, None, "+0100", "-0500", "+0000"]),
        creators=(PRIVATE[1],) if dice.random() < 0.7 else (), relational=dice.random() < 0.5,
    )  # fmt: skip


def uids_of(page, level):
    return [tuple(answer[name]["Value"][0] for name in UID_TAGS[:level]) for answer in page.datasets]


def uids_in(page, query):
    """An answer names what the scope does not fix; here all levels' UIDs are always there."""
    return uids_of(page, query.level)


def walk(index, query, dice):
    """Page by page through the places; each page's offset sometimes leaves some out."""
    found, after = [], None
    while True:
        page = index.find(dataclasses.replace(query, limit=dice.randint(1, 7), after=after))
        found += uids_in(page, query)
        if page.next is None:
            assert not page.remaining
            return found
        after = page.next


def check(index, model, dice):
    query = random_query(dice)
    expected = model.find(query)
    limit, offset = dice.choice([(1000, 0), (3, 0), (2, 1), (1, 5), (4, 30)])
    page = index.find(dataclasses.replace(query, limit=limit, offset=offset))
    assert uids_in(page, query) == expected[offset : offset + limit], query
    assert page.remaining == max(0, len(expected) - offset - limit), query
    assert page.total == (len(expected) if query.is_counted else None), query
    assert (page.next is not None) == (page.remaining > 0), query
    if dice.random() < 0.4:
        assert walk(index, query, dice) == expected, query
    if page.next is not None:
        further = index.find(dataclasses.replace(query, after=page.next, offset=1, limit=5))
        start = offset + limit + 1
        assert uids_in(further, query) == expected[start : start + 5], query
        assert further.total == page.total, query


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A few small archives, asked thousands of questions."""
    found = []
    for seed in range(3):
        dice = random.Random(seed)
        entries = random_entries(dice, studies=(9, 25, 60)[seed], series=3, instances=3)
        index = SqliteIndex(tmp_path_factory.mktemp("asked") / "index")
        index.add_many(entries, refuse_nothing)
        found.append((index, Model(entries)))
    yield found
    for index, _ in found:
        index.close()


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, sys.maxsize), st.integers(0, 2))
def test_random_questions_are_answered_as_by_looking_at_all(made, seed, which):
    check(*made[which], random.Random(seed))


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, sys.maxsize), st.integers(0, 2))
def test_the_same_when_few_rows_are_looked_up_at_once(made, seed, which):
    """Then an answer of what one condition names comes in many parts."""
    patch = pytest.MonkeyPatch()
    patch.setattr(beginnings, "_LEAST", 1)
    dice = random.Random(seed)
    try:
        index, model = made[which]
        query = dataclasses.replace(random_query(dice), limit=1)
        assert walk(index, query, dice) == model.find(query), query
    finally:
        patch.undo()


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, sys.maxsize), st.integers(0, 2))
def test_the_same_when_hardly_anything_is_few(made, seed, which):
    """Then questions are answered by walking, scans in small steps."""
    patch = pytest.MonkeyPatch()
    patch.setattr(compiled, "FEW", 2)
    patch.setattr(narrowing, "MOST", 1)
    patch.setattr(scan, "_FIRST_BATCH", 2)
    patch.setattr(scan, "_BATCH", 3)
    try:
        check(*made[which], random.Random(seed))
    finally:
        patch.undo()
