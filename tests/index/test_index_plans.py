"""No query that the standard requires reads a table from end to end (issue: plans are asserted).

A table may be walked in the order of the answer (study_order): that walk ends when the page is full. Every other step
is a search in an index, whichever beginning is chosen.
"""

import itertools
import re

import pytest

from dicomgate.dicom import attributes
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
from dicomgate.index import compile as compiled
from dicomgate.index import conditions, order
from dicomgate.index import counts as counting
from dicomgate.index.columns import BUILT_IN, COLUMNS, INSTANCE_ANSWER, LATER, Kind
from dicomgate.index.sql import SQL
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.testing.entries import entry, refuse_nothing, target

ALLOWED = [
    r"SEARCH \w+ USING (COVERING )?INDEX \w+ \(.+\)",
    r"SEARCH \w+ USING (INTEGER )?PRIMARY KEY \(.+\)",
    r"SCAN s USING COVERING INDEX study_order",  # the answer's own order
    r"SCAN json_each VIRTUAL TABLE INDEX 1:",  # a list that was asked for
    r"SCAN t VIRTUAL TABLE INDEX 0:M1",  # a full text MATCH
    r"(CORRELATED )?(SCALAR|LIST) SUBQUERY \d+",
    r"USE TEMP B-TREE FOR RIGHT PART OF ORDER BY",  # equal moments or numbers, by UID
    r"CO-ROUTINE .*",
    r"COMPOUND QUERY|LEFT-MOST SUBQUERY|UNION ALL",
    r"MULTI-INDEX OR|INDEX \d+",
]
COUNTED = r"SCAN (s|study) USING COVERING INDEX \w+|SCAN \(subquery-\d+\)"
SORTED = r"USE TEMP B-TREE FOR ORDER BY"


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    index = SqliteIndex(tmp_path_factory.mktemp("plans") / "index")
    index.add(entry(target(1, 1, 1)), refuse_nothing)
    yield index
    index.close()


def made(query):
    return compiled.prepare(query, conditions.conditions(query, BUILT_IN).asked, order.terms(query, BUILT_IN))


def plans(query):
    """Every plan that may be chosen, whatever the probes count."""
    search = made(query)
    probes = compiled.probes(search)
    for sizes in itertools.product((0, compiled.FEW + 1), repeat=len(probes)):
        yield search, compiled.choose(search, sizes), probes


def steps(index, sql):
    return [row[3] for row in index._readers.rows(f"EXPLAIN QUERY PLAN {sql.text}", sql.parameters)]


def assert_planned(index, query):
    for search, plan, probes in plans(query):
        for sql in (*pages(search, plan), counting.count(search, plan), *probes):
            for step in steps(index, sql):
                allowed = any(re.fullmatch(pattern, step) for pattern in ALLOWED)
                is_sort_of_few = re.fullmatch(SORTED, step) and not plan.in_order
                # counting stops after a moment, wherever it is
                counts = sql.text.startswith("SELECT count(*)") and re.fullmatch(COUNTED, step)
                assert allowed or is_sort_of_few or counts, f"{step!r} in {sql.text}"


def pages(search, plan):
    """The first page, and one that begins behind a row."""
    for place in (None, tuple(key_of(term) for term in search.terms)):
        for stretch in compiled.stretches(search, plan, place):
            yield compiled.page(search, plan, stretch, 100, 200)


def key_of(term):
    return 7 if term.is_moment or "number" in term.sql else "x"


def matches_for(column):
    """Every kind of matching that the column's values have."""
    path = column.path
    match column.kind:
        case Kind.UID | Kind.CLASS:
            found = [OneOf(("1.2",)), OneOf(("1.2", "1.3"))]
        case Kind.NUMBER:
            found = [OneOf(("1",))]
        case Kind.TEXT | Kind.NAME:
            found = [
                OneOf(("abcd",)),
                OneOf(("a", "b")),
                Wildcard("abc*"),
                Wildcard("*abc*"),
                Wildcard("*a*"),
                Wildcard("a?c"),
                Empty(),
                AnyOf((OneOf(("a", "b")), Wildcard("abc*"), Wildcard("*abc*"))),
            ]
            if (column.path, Kind.WORDS) in {(one.path, one.kind) for one in LATER.values()}:
                found.append(Fuzzy(("abc", "de")))
        case Kind.MOMENT | Kind.DATE:
            found = [
                OneOf(("20200101",)),
                Between("20200101", "20200102"),
                Between("20200101", None),
                Between(None, "20200101"),
                AnyOf((OneOf(("20200101",)), Between("20210101", None))),
                Empty(),
            ]
            if column.time:
                found.append(MomentBetween((column.time,), "202001011000", "202001021000"))
        case Kind.TIME:
            found = [OneOf(("10",)), Between("10", "11"), Between("10", None), Between(None, "11")]
    return [Match(path, condition) for condition in (*found, Universal())]


def scopes(level):
    study, series = Target("1.2.1"), Target("1.2.1", "1.2.1.1")
    return {Level.STUDY: [None], Level.SERIES: [None, study], Level.INSTANCE: [None, study, series]}[level]


@pytest.mark.parametrize("level", list(Level))
def test_paging_without_a_key_walks_the_index_of_the_order(index, level):
    for scope in scopes(level):
        query = Query(level=level, scope=scope)
        assert_planned(index, query)
        ((search, plan, _),) = plans(query)
        found = [step for sql in pages(search, plan) for step in steps(index, sql)]
        assert not any("TEMP B-TREE FOR ORDER BY" in step for step in found)
        if scope is None:
            assert not any("TEMP B-TREE" in step for step in found), "the joins come in the order of the answer"


@pytest.mark.parametrize("column", COLUMNS.values(), ids=lambda column: attributes.format_path(column.path))
def test_every_key_at_every_level_is_looked_up(index, column):
    for level in Level:
        for scope in scopes(level):
            for match in matches_for(column):
                if column.level <= level:
                    assert_planned(index, Query(level=level, scope=scope, matches=(match,)))


@pytest.mark.slow
def test_keys_together(index):
    keys = [one for column in COLUMNS.values() for one in matches_for(column)[:1]]
    wild = [
        Match(("00100010",), Wildcard("*abc*")),
        Match(("00100020",), Wildcard("a*")),
        Match(("00080020",), Between("2020", None)),
    ]
    wild[2] = Match(("00080020",), Between("20200101", None))
    for first, second in itertools.combinations([*keys, *wild], 2):
        if first.path != second.path:
            assert_planned(index, Query(level=Level.INSTANCE, matches=(first, second)))


def test_one_common_value_is_walked_in_the_order_of_the_answer(index):
    """`PatientSex=M` may be half of the archive: its newest are found without looking at the others."""
    query = Query(level=Level.STUDY, matches=(Match(("00100040",), OneOf(("M",))),))
    ((search, plan, probes),) = plans(query)
    assert plan.in_order
    assert not probes
    found = steps(index, next(pages(search, plan)))
    assert found[0] == "SEARCH d USING PRIMARY KEY (value=?)"
    assert "USE TEMP B-TREE FOR ORDER BY" not in found


def test_the_keys_of_the_standard_have_columns_QIDO_03_QIDO_15():
    for level, paths in attributes.MATCHING_KEYS.items():
        for path in paths:
            assert COLUMNS[path].level is level
    given = set(INSTANCE_ANSWER) | {"00080016", "00080018", "00080056", "00081190"}
    assert set(attributes.RETURNED[Level.INSTANCE]) <= given


def test_reading_by_target_is_looked_up(index):
    from dicomgate.index import rows

    for level, sql in rows._LISTS.items():
        wanted = SQL(f"SELECT i.id {sql} {rows._ORDER}", ("1",) * level)
        for step in steps(index, wanted):
            assert step.startswith("SEARCH") or "RIGHT PART" in step


def test_no_search_builds_an_index_of_its_own(index):
    with index._readers.snapshot() as connection:
        assert connection.execute("PRAGMA automatic_index").fetchone() == (0,)


def test_a_value_and_a_date_are_one_range_of_one_index(index):
    """The commonest search of a worklist: no row is read that does not match, and counting reads no study."""
    dates = Match(("00080020",), Between("20240101", "20241231"))
    query = Query(level=Level.STUDY, matches=(dates, Match(("00080061",), OneOf(("CT",)))))
    search = made(query)
    plan = compiled.choose(search)
    assert compiled.probes(search) == []
    walked = r"SEARCH d USING (COVERING INDEX \w+|PRIMARY KEY) \(value=\? AND moment>\? AND moment<\?\)"
    assert any(re.fullmatch(walked, step) for step in steps(index, next(pages(search, plan))))
    assert not any(re.search(r"\b(s|study)\b", step) for step in steps(index, counting.count(search, plan, most=10)))


@pytest.mark.parametrize("words", ["PatientName", "-PatientName", "PatientID", "StudyDate", "-StudyDate"])
@pytest.mark.parametrize("level", list(Level))
def test_what_is_sorted_by_values_or_dates_is_walked(index, level, words):
    """The first page of the whole archive by name reads a few rows, however many there are."""
    path = attributes.parse_path(words.removeprefix("-"))
    query = Query(level=level, order=(Order(path, words.startswith("-")),))
    assert_planned(index, query)
    search = made(query)
    plan = compiled.choose(search, [compiled.FEW + 1 for _ in compiled.probes(search)])
    assert plan.in_order
    found = [step for sql in pages(search, plan) for step in steps(index, sql)]
    assert "USE TEMP B-TREE FOR ORDER BY" not in found


@pytest.mark.parametrize("column", COLUMNS.values(), ids=lambda column: attributes.format_path(column.path))
def test_every_order_beside_every_kind_of_key(index, column):
    if len(column.path) > 1:
        return
    for level in Level:
        for match in (None, Match(("00100020",), Wildcard("*abc*")), Match(("00080061",), OneOf(("CT",)))):
            if column.level <= level:
                matches = () if match is None else (match,)
                search = made(Query(level=level, matches=matches, order=(Order(column.path, True),)))
                for size in (0, compiled.FEW + 1):
                    plan = compiled.choose(search, [size for _ in compiled.probes(search)])
                    for sql in pages(search, plan):
                        for step in steps(index, sql):
                            is_order = step.startswith("SCAN s USING COVERING INDEX study_order") or plan.begin is None
                            assert (
                                re.match("SEARCH|USE TEMP|CORRELATED|SCALAR|LIST|SCAN t|SCAN json", step) or is_order
                            ), step


def test_the_next_page_begins_with_a_search_in_the_index(index):
    query = Query(level=Level.INSTANCE)
    ((search, plan, _),) = plans(query)
    behind = list(pages(search, plan))[-1]
    assert steps(index, behind)[0] == "SEARCH s USING COVERING INDEX study_order (moment<?)"
    scoped = Query(level=Level.INSTANCE, scope=Target("1.2.1", "1.2.1.1"))
    ((search, plan, _),) = plans(scoped)
    found = steps(index, list(pages(search, plan))[-1])
    assert any("instance_order (series=? AND number>?)" in step for step in found)
    assert not any("TEMP B-TREE" in step for step in found)
