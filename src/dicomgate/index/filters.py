"""One condition as SQL: as a test of a row, and as the rows that it names (PS3.4 C.2.2.2)."""

# ruff: noqa: S608 (all that is put together here are our own words; every outside value is a parameter)

from __future__ import annotations

from collections.abc import Sequence

from dicomgate.dicom.uids import Level
from dicomgate.index.asked import Asked, Classes, Either, Lacking, Moments, Never, Numbers, Rows, Test, Uids, Valued
from dicomgate.index.sql import SQL, either, every, is_one_of, joined

ALIAS = {Level.STUDY: "s", Level.SERIES: "e", Level.INSTANCE: "i"}
TABLE = {Level.STUDY: "study", Level.SERIES: "series", Level.INSTANCE: "instance"}
VALUES = {
    Level.STUDY: ("study_value", "study"),
    Level.SERIES: ("series_value", "series"),
    Level.INSTANCE: ("instance_value", "instance"),
}
"""Level -> the table of its values, and how that calls the row they belong to."""
VALUE_ID = "(SELECT id FROM value WHERE tag = ? AND text = ?)"


def is_walkable(asked: Asked) -> bool:
    """True for one exact value: its rows can be walked newest first."""
    return isinstance(asked, Valued) and not asked.has_items and asked.tests[0].exact is not None


def level_of(asked: Asked) -> Level | None:
    """The level whose rows a condition names; None where it can only test rows."""
    if isinstance(asked, Valued | Uids | Rows | Numbers):
        return asked.level
    if isinstance(asked, Moments):
        return Level.STUDY
    if isinstance(asked, Either):
        levels = {level_of(each[0]) for each in asked.alternatives}
        return levels.pop() if len(levels) == 1 else None
    return None


# As a test of a row.


def holds(asked: Asked, moment: str) -> SQL:
    """True for the rows that fulfil it; `moment` is where the study's stands in the statement."""
    match asked:
        case Uids(level, uids):
            return is_one_of(f"{ALIAS[level]}.uid", uids)
        case Rows(level, ids):
            return is_one_of(f"{ALIAS[level]}.id", ids)
        case Moments(low, high):
            return SQL(f"{moment} >= ?", (low,)) if high is None else SQL(f"{moment} BETWEEN ? AND ?", (low, high))
        case Numbers(level, numbers):
            return is_one_of(f"{ALIAS[level]}.number", numbers)
        case Classes(uids):
            return is_one_of("i.sop_class", uids)
        case Valued() if is_walkable(asked):
            return _has_exactly(asked)
        case Valued():
            return _has_value(asked)
        case Lacking(level, column):
            table, owner = VALUES[level]
            rows = f"{table} f CROSS JOIN value v ON v.id = f.value"
            where = f"f.{owner} = {ALIAS[level]}.id AND v.tag = ?"
            return SQL(f"NOT EXISTS (SELECT 1 FROM {rows} WHERE {where})", (column,))
        case Either(alternatives):
            return either(every(holds(one, moment) for one in each) for each in alternatives)
        case Never():
            return SQL("0")


def _has_exactly(asked: Valued) -> SQL:
    """The whole key of the value's row is known: one step."""
    table, owner = VALUES[asked.level]
    only = asked.tests[0]
    row = f"f.value = {VALUE_ID} AND f.moment = s.moment AND f.{owner} = {ALIAS[asked.level]}.id"
    return SQL(f"EXISTS (SELECT 1 FROM {table} f WHERE {row})", (only.column, only.exact))


def _has_value(asked: Valued) -> SQL:
    """Look at the row's few values."""
    table, owner = VALUES[asked.level]
    first = f"f0.{owner} = {ALIAS[asked.level]}.id" + (
        " AND f0.moment = s.moment" if asked.tests[0].ids is not None else ""
    )
    pieces = [f"{table} f0{_text_of(asked, 0)}", *_of_one_item(asked, table, owner)]
    where = [SQL(first), *_tests(asked.tests)]
    return SQL(f"EXISTS (SELECT 1 FROM {' CROSS JOIN '.join(pieces)} WHERE ") + every(where) + SQL(")")


# As a beginning.


def named(asked: Asked) -> SQL:
    """The identities of the rows that it names, of the level that `level` tells; some perhaps twice."""
    match asked:
        case Moments():
            return SQL("SELECT s.id FROM study s WHERE ") + holds(asked, "s.moment")
        case Uids(level) | Numbers(level):
            return SQL(f"SELECT {ALIAS[level]}.id FROM {TABLE[level]} {ALIAS[level]} WHERE ") + holds(asked, "s.moment")
        case Valued():
            return _named_by_value(asked)
        case Either(alternatives):
            return joined((named(each[0]) for each in alternatives), " UNION ALL ")
    raise AssertionError("only what has a level names rows")


def is_dated(asked: Asked) -> bool:
    """True when the rows that it names are kept with their study's moment."""
    match asked:
        case Moments() | Valued():
            return True
        case Either(alternatives):
            return level_of(asked) is not None and all(is_dated(each[0]) for each in alternatives)
        case _:
            return False


def dated(asked: Asked) -> SQL:
    """What `named` finds, behind the moment of each row's study."""
    match asked:
        case Moments():
            return SQL("SELECT s.moment, s.id FROM study s WHERE ") + holds(asked, "s.moment")
        case Valued():
            return _named_by_value(asked, "f0.moment, ")
        case Either(alternatives):
            return joined((dated(each[0]) for each in alternatives), " UNION ALL ")
    raise AssertionError("only what is kept with a moment")


def _named_by_value(asked: Valued, beside: str = "") -> SQL:
    table, owner = VALUES[asked.level]
    only = asked.tests[0]
    if only.ids is not None:
        first = [f"{table} f0"]
    elif only.trigrams:
        first = ["value_trigram t", "value v0 ON v0.id = t.rowid", f"{table} f0 ON f0.value = v0.id"]
    else:
        first = ["value v0", f"{table} f0 ON f0.value = v0.id"]
    pieces = [*first, *_of_one_item(asked, table, owner)]
    matched = [SQL("t.value_trigram MATCH ?", (only.trigrams,))] if only.trigrams and only.ids is None else []
    where = [*matched, *_tests(asked.tests)]
    return SQL(f"SELECT {beside}f0.{owner} FROM {' CROSS JOIN '.join(pieces)} WHERE ") + every(where)


def _of_one_item(asked: Valued, table: str, owner: str) -> list[str]:
    """The other values beside the first; of those that are known the whole key is."""
    return [
        f"{table} f{n} ON f{n}.{owner} = f0.{owner} AND f{n}.item = f0.item"
        + (f" AND f{n}.moment = f0.moment" if asked.tests[n].ids is not None else "")
        + _text_of(asked, n)
        for n in range(1, len(asked.tests))
    ]


def _text_of(asked: Valued, n: int) -> str:
    return "" if asked.tests[n].ids is not None else f" CROSS JOIN value v{n} ON v{n}.id = f{n}.value"


def _tests(tests: Sequence[Test]) -> list[SQL]:
    return [_test(test, n) for n, test in enumerate(tests)]


def _test(test: Test, n: int) -> SQL:
    if test.ids is not None:
        return is_one_of(f"f{n}.value", test.ids)
    return SQL(f"v{n}.tag = ? AND {test.sql.format(v=f'v{n}')}", (test.column, *test.parameters))
