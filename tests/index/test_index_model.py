"""The index against plain lists: thousands of random deeds and questions, the same answers (D4, D6, QIDO-06, QIDO-17)."""

import fnmatch
import random
import re
import unicodedata

import pytest

from dicomgate.dicom.matching import Between, Match, MomentBetween, OneOf, Query, Universal, Wildcard
from dicomgate.dicom.uids import Level, Target
from dicomgate.index.base import Verdict
from dicomgate.index.columns import BUILT_IN, COLUMNS, LATER
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.testing.entries import entry, refuse_nothing

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

TRIGRAMMED = sorted(one.number for one in (*COLUMNS.values(), *LATER.values()) if BUILT_IN.has_trigrams(one.number))
NAMES = ["Doe^John", "Doe^Jane", "DOE", "Müller^Jörg", "O'Neil^X", "Roe^", "Smith^John", None]
DATES = ["20200101", "20200102", "20191231", None]
TIMES = ["08", "0815", "101530", "235959.5", None]
IDS = ["P1", "P2", "p1", "P%", "P_1", None]
MODALITIES = ["CT", "MR", "SR", None]
CLASSES = ["1.2.840.1", "1.2.840.2"]


class Model:
    """What is stored, as a dict; every answer by looking at all of it."""

    def __init__(self):
        self.entries = {}  # SOP Instance UID -> entry
        self.garbage = []
        self.deleted = set()

    def add(self, one):
        old = self.entries.get(one.target.instance)
        if old is not None and old.digest == one.digest:
            return Verdict.SAME
        self.entries[one.target.instance] = one
        target = one.target
        self.deleted -= {(target.study,), (target.study, target.series), (target.study, target.series, target.instance)}
        if old is None:
            return Verdict.INSERT
        self.garbage.append(old.key)
        return Verdict.REPLACE

    def below(self, target):
        return [
            one
            for one in self.entries.values()
            if one.target.study == target.study
            and target.series in (None, one.target.series)
            and target.instance in (None, one.target.instance)
        ]

    def remove(self, target):
        gone = self.below(target)
        for one in gone:
            del self.entries[one.target.instance]
            self.garbage.append(one.key)
            uids = (one.target.study, one.target.series, one.target.instance)
            self.deleted.add(uids)
            for depth in (1, 2):
                if not self.below(Target(*uids[:depth])):
                    self.deleted.add(uids[:depth])
        return len(gone)

    def source(self, target):
        return min(self.below(target), key=lambda one: one.key).attributes

    def find(self, query):
        rows = []
        for one in self.entries.values():
            uids = (one.target.study, one.target.series, one.target.instance)[: query.level]
            if query.scope is None or all(one.target.__getattribute__(name) == uid for name, uid in
                                          (("study", query.scope.study), ("series", query.scope.series)) if uid):  # fmt: skip
                rows.append(uids)
        rows = sorted(set(rows), key=self.order)
        return [uids for uids in rows if self.is_match(query, uids)]

    def order(self, uids):
        study = self.source(Target(uids[0]))
        moment = (
            first(study, "00080020") or "",
            padded(first(study, "00080030") or "") if first(study, "00080020") else "",
        )
        key = [tuple(-ord(sign) for text in moment for sign in text.ljust(20, "0")), uids[0]]
        if len(uids) > 1:
            key += [number(self.source(Target(*uids[:2])), "00200011"), uids[1]]
        if len(uids) > 2:
            key += [number(self.entries[uids[2]].attributes, "00200013"), uids[2]]
        return key

    def is_match(self, query, uids):
        study = self.source(Target(uids[0]))
        series = self.source(Target(*uids[:2])) if len(uids) > 1 else {}
        instance = self.entries[uids[2]].attributes if len(uids) > 2 else {}
        modalities = {first(self.source(Target(one.target.study, one.target.series)), "00080060") for one in
                      self.below(Target(uids[0]))} - {None}  # fmt: skip
        known = {
            **study,
            **{tag: series[tag] for tag in ("00080060", "0020000E", "00200011", "00180015") if tag in series},
        }
        known |= {tag: instance[tag] for tag in ("00080016", "00080018", "00200013") if tag in instance}
        known["00080061"] = {"Value": list(modalities)}
        return all(self.passes(match, known) for match in query.matches)

    def passes(self, match, known):
        texts = [str(value) for value in values(known, match.path[0])]
        match match.condition:
            case Universal():
                return True
            case OneOf(wanted) if match.path[0] == "00100010":
                return any(folded(text) == folded(one) for text in texts for one in wanted)
            case OneOf(wanted):
                return any(text in wanted for text in texts)
            case Wildcard(pattern):
                if match.path[0] == "00100010":
                    texts, pattern = [folded(text) for text in texts], pattern.lower()
                return any(re.fullmatch(fnmatch.translate(pattern.replace("[", "[[]")), text) for text in texts)
            case Between(low, high):
                return any((low or "") <= text <= (high or "9") for text in texts)
            case MomentBetween(_, low, high):
                times = [padded(time) for time in values(known, "00080030")][:1] or [""]
                return any(
                    (low or "").ljust(20, "0") <= (text + times[0]).ljust(20, "0") <= (high or "9").ljust(20, "9")
                    for text in texts
                )


def values(dataset, tag):
    found = [value for value in dataset.get(tag, {}).get("Value", ()) if value is not None]
    return [value["Alphabetic"] if isinstance(value, dict) else value for value in found]


def first(dataset, tag):
    return next(iter(values(dataset, tag)), None)


def number(dataset, tag):
    value = first(dataset, tag)
    return 10**20 if value is None else value


def padded(time):
    whole, _, fraction = time.partition(".")
    return whole.ljust(6, "0") + fraction.ljust(6, "0")


def folded(name):
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    return plain.lower().rstrip("^")


def random_entry(dice, studies=4, series=3, instances=4):
    study, one, instance = dice.randrange(studies), dice.randrange(series), dice.randrange(instances)
    where = Target(f"1.{study}", f"1.{study}.{one}", f"1.{study}.{one}.{instance}")
    held = {
        "PatientName": dice.choice(NAMES), "PatientID": dice.choice(IDS), "StudyDate": dice.choice(DATES),
        "StudyTime": dice.choice(TIMES), "Modality": dice.choice(MODALITIES), "SeriesNumber": dice.choice([1, 2, None]),
        "InstanceNumber": dice.choice([1, 2, 10, None]), "BodyPartExamined": dice.choice(["HEAD", "KNEE", None]),
    }  # fmt: skip
    key = f"{dice.randrange(10**6):06d}-{dice.randrange(10**9):09d}"  # arrival in any order, as with several clocks
    return entry(where, content=str(dice.randrange(3)), key=key, sop_class=dice.choice(CLASSES), **held)


def random_target(dice):
    whole = random_entry(dice).target
    return Target(*(whole.study, whole.series, whole.instance)[: dice.choice([1, 2, 3, 3, 3])])


def random_match(dice, level):
    choices = [
        ("00100010", lambda: dice.choice([OneOf(("doe",)), OneOf(("Doe^John",)), Wildcard("doe*"), Wildcard("*j*"), Wildcard("*joh*"),
                                          Wildcard("?oe*"), OneOf(("muller^jorg", "roe"))])),
        ("00100020", lambda: dice.choice([OneOf(("P1",)), OneOf(("P1", "P%")), Wildcard("P*"), Wildcard("*1"), Wildcard("P?1")])),
        ("00080020", lambda: dice.choice([OneOf(("20200101",)), Between("20200101", None), Between(None, "20200101"),
                                          Between("20191231", "20200101"),
                                          MomentBetween(("00080030",), "2020010108", "20200102101530"),
                                          MomentBetween(("00080030",), None, "202001010815")])),
        ("00080061", lambda: dice.choice([OneOf(("CT",)), OneOf(("CT", "SR")), Wildcard("?R")])),
        ("0020000D", lambda: OneOf(tuple(dice.sample(["1.0", "1.1", "1.2", "1.9"], 2)))),
        ("00080060", lambda: dice.choice([OneOf(("CT",)), OneOf(("MR", "SR"))])),
        ("00200011", lambda: OneOf(("1",))),
        ("00180015", lambda: dice.choice([OneOf(("HEAD",)), Wildcard("*EA*"), Universal()])),
        ("00080016", lambda: OneOf((dice.choice(CLASSES),))),
        ("00200013", lambda: OneOf(("2",))),
    ]  # fmt: skip
    tag, condition = dice.choice(choices[: {1: 5, 2: 8, 3: 10}[level]])
    return Match((tag,), condition())


def random_query(dice):
    level = dice.choice(list(Level))
    study = f"1.{dice.randrange(4)}"
    scopes = [None, Target(study), Target(study, f"{study}.{dice.randrange(3)}")]
    matches = {match.path: match for match in (random_match(dice, level) for _ in range(dice.choice([0, 1, 1, 2, 3])))}
    return Query(level=level, scope=dice.choice(scopes[:level]), matches=tuple(matches.values()))


UID_TAGS = ("0020000D", "0020000E", "00080018")


def compare(index, model, dice):
    query = random_query(dice)
    expected = model.find(query)
    limit, offset = dice.choice([(1000, 0), (3, 0), (2, 1), (1, 5)])
    page = index.find(Query(level=query.level, scope=query.scope, matches=query.matches, limit=limit, offset=offset))
    found = [tuple(answer[tag]["Value"][0] for tag in UID_TAGS[: query.level]) for answer in page.datasets]
    assert found == expected[offset : offset + limit], query
    assert page.remaining == max(0, len(expected) - offset - limit), query
    for answer, uids in zip(page.datasets, found, strict=True):
        below = model.below(Target(*uids))
        if query.level is Level.STUDY:
            assert answer["00201206"]["Value"] == [len({one.target.series for one in below})]
            assert answer["00201208"]["Value"] == [len(below)]
            assert answer["00100010"] == model.source(Target(*uids))["00100010"]
        if query.level is Level.SERIES:
            assert answer["00201209"]["Value"] == [len(below)]
            assert answer["00080060"] == model.source(Target(*uids))["00080060"]


def compare_rest(index, model, dice):
    counts = index.counts()
    assert counts.instances == len(model.entries)
    assert counts.series == len({one.target.series for one in model.entries.values()})
    assert counts.size == 1000 * len(model.entries)
    assert index.garbage() == sorted(model.garbage)
    target = random_target(dice)
    expected = sorted(
        model.below(target), key=lambda one: model.order((one.target.study, one.target.series, one.target.instance))
    )
    assert [row.key for row in index.locate(target)] == [one.key for one in expected]
    assert list(index.metadata(target)[1]) == [one.metadata for one in expected]
    uids = tuple(uid for uid in (target.study, target.series, target.instance) if uid)
    assert index.was_deleted(target) == (uids in model.deleted)


def check_leftovers(index):
    """Nothing is kept of what is gone: no orphaned value, which may be a name, and no orphaned row."""
    for table, column, parent in (
        ("study_value", "study", "study"), ("series_value", "series", "series"), ("description", "instance", "instance"),
        ("frame_chunk", "instance", "instance"), ("dictionary", "series", "series"), ("instance", "series", "series"),
        ("series", "study", "study"), ("study_value", "value", "value"), ("series_value", "value", "value"),
    ):  # fmt: skip
        assert not index._readers.rows(f"SELECT * FROM {table} WHERE {column} NOT IN (SELECT id FROM {parent})")
    unused = " AND ".join(f"id NOT IN (SELECT value FROM {level}_value)" for level in ("study", "series", "instance"))
    unused = f"SELECT * FROM value WHERE {unused}"
    assert not index._readers.rows(unused)
    moments = "SELECT 1 FROM study_value v JOIN study s ON s.id = v.study WHERE v.moment <> s.moment"
    assert not index._readers.rows(moments)
    moments = "SELECT 1 FROM series_value v JOIN series e ON e.id = v.series JOIN study s ON s.id = e.study WHERE v.moment <> s.moment"
    assert not index._readers.rows(moments)
    held = "SELECT DISTINCT series, sop_class FROM instance ORDER BY 1, 2"
    told = "SELECT f.series, v.text FROM series_value f JOIN value v ON v.id = f.value WHERE v.tag = ? ORDER BY 1, 2"
    assert index._readers.rows(told, (int("00080016", 16),)) == index._readers.rows(held)
    searched = index._readers.rows(
        "SELECT id FROM value WHERE tag IN (SELECT value FROM json_each(?)) ORDER BY id", (str(TRIGRAMMED),)
    )
    assert searched == index._readers.rows("SELECT id FROM value_trigram_docsize ORDER BY id")


@pytest.mark.parametrize("seed", range(3))
def test_random_deeds_and_questions(tmp_path, seed):
    dice = random.Random(seed)
    index, model = SqliteIndex(tmp_path / "index"), Model()
    for _ in range(200):
        deed = dice.random()
        if deed < 0.6:
            offered = [random_entry(dice) for _ in range(dice.choice([1, 1, 1, 5]))]
            verdicts = [added.verdict for added in index.add_many(offered, refuse_nothing)]
            assert verdicts == [model.add(one) for one in offered]
        elif deed < 0.8:
            target = random_target(dice)
            assert index.remove(target) == model.remove(target)
        elif deed < 0.85:
            keys = index.garbage(3)
            index.forget_garbage(keys)
            model.garbage = [key for key in model.garbage if key not in keys]
        for _ in range(4):
            compare(index, model, dice)
        compare_rest(index, model, dice)
    check_leftovers(index)
    for study in range(4):
        index.remove(Target(f"1.{study}"))
    check_leftovers(index)
    for table in ("study", "series", "instance", "value", "study_value", "series_value", "description", "dictionary"):
        assert index._readers.rows(f"SELECT count(*) FROM {table}") == [(0,)]
    index.close()


@pytest.mark.parametrize("seed", range(2))
def test_many_studies_choose_other_plans_and_find_the_same(tmp_path, seed, monkeypatch):
    """With hardly anything being few, questions are answered by walking."""
    from dicomgate.index import compile as compiled

    monkeypatch.setattr(compiled, "FEW", 5)
    dice = random.Random(seed)
    index, model = SqliteIndex(tmp_path / "index"), Model()
    offered = [random_entry(dice, studies=60) for _ in range(200)]
    for added, one in zip(index.add_many(offered, refuse_nothing), offered, strict=True):
        assert added.verdict == model.add(one)
    for _ in range(60):
        compare(index, model, dice)
    index.close()
