"""Attributes of one's own choice in the index: what is written, filled later, taken away; older indexes catch up (D8)."""

import dataclasses
import random
import sqlite3
from contextlib import closing

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate import errors
from dicomgate.dicom import attributes
from dicomgate.dicom.uids import Level, Target
from dicomgate.index import columns, decimals, filling, registered, schema
from dicomgate.index.base import ColumnState
from dicomgate.index.columns import Kind
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.testing.entries import entry, refuse_nothing, target

pytestmark = pytest.mark.slow  # the fast loop stays under a minute


def path(text):
    return attributes.parse_path(text)


@pytest.fixture
def index(tmp_path):
    index = SqliteIndex(tmp_path / "index", durable=False)
    yield index
    index.close()


def texts(index, level, asked, creator=""):
    """Every value of a promoted attribute: of which row, what, in which item."""
    with index._readers.snapshot() as connection:
        numbers = [
            column.number
            for column, _ in registered.read(connection).registered
            if (column.path, column.creator) == (columns.without_blocks(path(asked)), creator)
            and column.kind is not Kind.WORDS
        ]
        table = level.name.lower()
        sql = f"""
        SELECT o.uid, v.text, f.item FROM {table}_value f JOIN value v ON v.id = f.value JOIN {table} o
        ON o.id = f.{table} WHERE v.tag = ? ORDER BY 1, 2, 3
        """
        return connection.execute(sql, (numbers[-1],)).fetchall() if numbers else []


def fill(index):
    return [step.done for step in index.fill()]


CASES = [
    ("PatientAge", Level.STUDY, {"PatientAge": "054Y"}, [("1.2.1", "054Y", 0)]),
    ("InstitutionName", Level.SERIES, {"InstitutionName": "North"}, [("1.2.1.1", "North", 0)]),
    ("ImageType", Level.INSTANCE, {"ImageType": ["A", None, "B"]}, [("1.2.1.1.1", "A", 0), ("1.2.1.1.1", "B", 0)]),
    ("OperatorsName", Level.SERIES, {"OperatorsName": ["Müller^J", "Roe"]}, [("1.2.1.1", "muller^j^", 0), ("1.2.1.1", "roe^", 0)]),
    ("ContentDate", Level.INSTANCE, {"ContentDate": "2020.01.02"}, [("1.2.1.1.1", "20200102", 0)]),
    ("ContentTime", Level.INSTANCE, {"ContentTime": "1015"}, [("1.2.1.1.1", "101500000000", 0)]),
    ("Rows", Level.INSTANCE, {"Rows": 512}, [("1.2.1.1.1", decimals.sortable("512"), 0)]),
    ("SliceThickness", Level.INSTANCE, {"SliceThickness": "1.250"}, [("1.2.1.1.1", decimals.sortable("1.25"), 0)]),
    ("ImageComments", Level.INSTANCE, {"ImageComments": "x" * 3000}, [("1.2.1.1.1", "x" * 3000, 0)]),
    (
        "OtherPatientIDsSequence.PatientID",
        Level.STUDY,
        {"OtherPatientIDsSequence": [{"PatientID": "A"}, {}, {"PatientID": "B"}]},
        [("1.2.1", "A", 1), ("1.2.1", "B", 3)],
    ),
    (
        "SourceImageSequence.PurposeOfReferenceCodeSequence.CodeValue",
        Level.INSTANCE,
        {"SourceImageSequence": [{"PurposeOfReferenceCodeSequence": [{"CodeValue": "1"}, {"CodeValue": "2"}]}, {"PurposeOfReferenceCodeSequence": [{"CodeValue": "1"}]}]},
        [("1.2.1.1.1", "1", 1), ("1.2.1.1.1", "1", 3), ("1.2.1.1.1", "2", 2)],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "level", "held", "expected"), CASES, ids=[case[0] for case in CASES])
def test_stored_before_and_after_have_the_same_values(index, asked, level, held, expected):
    index.add(entry(target(1, 1, 1), **held), refuse_nothing)
    assert index.promote(path(asked))
    assert not index.promote(path(asked))
    assert [(one.path, one.level, one.state) for one in index.promoted()] == [
        (path(asked), level, ColumnState.BUILDING)
    ]
    index.add(entry(target(2, 1, 1), **held), refuse_nothing)
    written = [(uid, text, item) for uid, text, item in texts(index, level, asked) if uid.startswith("1.2.2")]
    assert [each[1:] for each in written] == [each[1:] for each in expected]
    assert fill(index)
    assert [one.state for one in index.promoted()] == [ColumnState.READY]
    assert [each for each in texts(index, level, asked) if each[0].startswith("1.2.1")] == expected
    index.remove(Target("1.2.1"))
    assert [each[0][:5] for each in texts(index, level, asked)] == ["1.2.2"] * len(expected)
    index.demote(path(asked))
    assert [one.state for one in index.promoted()] == [ColumnState.LEAVING]
    fill(index)
    assert index.promoted() == []
    promoted = "SELECT * FROM value WHERE tag >= ?"
    assert index._readers.rows(promoted, (columns.PROMOTED,)) == []
    with pytest.raises(errors.NotFound):
        index.demote(path(asked))


def test_it_is_found_only_when_every_value_is_there(index):
    def find(words=False):
        with index._readers.snapshot() as connection:
            known = registered.read(connection)
            return (known.find_words if words else known.find)(path("OperatorsName"))

    index.add(entry(target(1, 1, 1), OperatorsName=["Müller^Jörg", "Roe^Jane"]), refuse_nothing)
    assert find() is None
    index.promote(path("OperatorsName"))
    assert find() is None
    fill(index)
    assert (find().kind, find(words=True).kind) == (Kind.NAME, Kind.WORDS)
    words = "SELECT v.text, f.item FROM series_value f JOIN value v ON v.id = f.value WHERE v.tag = ? ORDER BY 1"
    assert index._readers.rows(words, (find(words=True).number,)) == [
        ("jane", 1),
        ("jorg", 0),
        ("muller", 0),
        ("roe", 1),
    ]
    index.demote(path("OperatorsName"))
    assert find() is find(words=True) is None


def test_an_empty_index_is_ready_at_once_also_for_what_comes_in_the_same_transaction(index):
    def deed(changes):
        changes.add(entry(target(1, 1, 1), Rows=1), refuse_nothing)
        filling.promote(changes, path("Columns"), "")
        changes.add(entry(target(1, 1, 2), Columns=7), refuse_nothing)

    index.promote(path("Rows"))
    assert [one.state for one in index.promoted()] == [ColumnState.READY]
    index._writer.do(deed)
    assert [text for _, text, _ in texts(index, Level.INSTANCE, "Rows")] == [decimals.sortable("1")]
    assert [text for _, text, _ in texts(index, Level.INSTANCE, "Columns")] == [decimals.sortable("7")]


def test_filling_goes_on_where_it_stopped_D8(tmp_path, monkeypatch):
    monkeypatch.setattr(filling, "SECONDS", 0.0)
    index = SqliteIndex(tmp_path / "index", durable=False)
    index.add_many([entry(target(1, 1, number), Rows=number) for number in range(1, 31)], refuse_nothing)
    index.promote(path("Rows"))
    steps = index.fill()
    assert [(step.done, step.left) for _, step in zip(range(3), steps, strict=False)] == [(1, 29), (1, 28), (1, 27)]
    index.close()
    index = SqliteIndex(tmp_path / "index", durable=False)
    index.remove(target(1, 1, 20))
    index.add(entry(target(1, 1, 5), content="other", Rows=500), refuse_nothing)
    assert len(fill(index)) == 26
    found = {decimals.sortable(str(number)) for number in [*range(1, 31), 500] if number not in (5, 20)}
    assert {text for _, text, _ in texts(index, Level.INSTANCE, "Rows")} == found
    index.close()


def test_promoted_again_while_it_leaves(index):
    index.add(entry(target(1, 1, 1), Rows=1), refuse_nothing)
    index.promote(path("Rows"))
    fill(index)
    index.demote(path("Rows"))
    assert index.promote(path("Rows"))
    fill(index)
    assert [one.state for one in index.promoted()] == [ColumnState.READY]
    assert texts(index, Level.INSTANCE, "Rows") == [("1.2.1.1.1", decimals.sortable("1"), 0)]
    assert len(index._readers.rows("SELECT * FROM instance_value")) == 1


def test_filling_beside_everything_else_ends_with_the_index(tmp_path):
    index = SqliteIndex(tmp_path / "index", durable=False)
    index.add_many([entry(target(1, 1, number), Rows=number) for number in range(300)], refuse_nothing)
    index.promote(path("Rows"))
    index.fill_beside()
    index._filler.join(300)
    assert [one.state for one in index.promoted()] == [ColumnState.READY]
    index.demote(path("Rows"))
    index.close()
    again = SqliteIndex(tmp_path / "index", durable=False)
    again.fill_beside()
    again.close()
    assert not again._filler.is_alive()


def private(tag, value, creator, block="10"):
    return {f"x{tag[:4]}00{block}": creator, f"x{tag[:4]}{block}{tag[6:]}": value}


def test_a_private_attribute_is_its_creators_whichever_block_it_uses(index):
    """PS3.5 §7.8: the block is reserved anew in each data set."""
    for number, (creator, block) in enumerate([("ACME 1.1", "10"), ("ACME 1.1", "42"), ("OTHER", "10")], 1):
        index.add(entry(target(1, 1, number), **private("00191004", f"V{number}", creator, block)), refuse_nothing)
    index.promote(path("00191004"), "ACME 1.1")
    fill(index)
    assert [text for _, text, _ in texts(index, Level.INSTANCE, "00191004", "ACME 1.1")] == ["V1", "V2"]
    assert index.promoted()[0].creator == "ACME 1.1"
    with index._readers.snapshot() as connection:
        known = registered.read(connection)
    assert known.find(path("00195504"), [(("00190055",), "ACME 1.1")]) is not None
    assert known.find(path("00191004"), [(("00190010",), "OTHER")]) is None
    assert known.find(path("00191004")) is None


def test_promoted_or_not_the_same_is_found(index):
    """The index against the scan: every kind of attribute, in every form in which it is asked for."""
    held = [
        {"Rows": 512, "SliceThickness": "1.250", "OperatorsName": "Müller^Jörg", "ContentDate": "20200102"},
        {"Rows": 64, "SliceThickness": "12.5", "OperatorsName": ["Roe^Jane", "Doe"], "ContentDate": "20211231"},
        {
            "ContentDate": "20220101",
            "ContentTime": "101530",
            "ImageComments": "a long comment",
            "InstitutionName": "North",
        },
        {"SourceImageSequence": [{"ReferencedSOPInstanceUID": "1.2"}, {"ReferencedSOPInstanceUID": "1.3"}]},
    ]
    held[0] |= {"x00190011": "SIEMENS MR HEADER", "x0019110C": 1000}
    held[1] |= {"x31030020": "AMI Sequence Annotations_01", "x310320A0": "20200606"}
    for number, each in enumerate(held, 1):
        one = entry(target(number, 1, 1), StudyDate="20200101", **each, **PRIVATE[number % 2])
        vrs = {"0019110C": "IS", "310320A0": "DA", "00194204": "LO", "00191004": "LO"}
        told = {tag: {**held, "vr": vrs.get(tag, held["vr"])} for tag, held in one.attributes.items()}
        index.add(dataclasses.replace(one, attributes=told, metadata=orjson.dumps(told)), refuse_nothing)
    asked = [
        "Rows=512", "SliceThickness=1.25", "SliceThickness=12.50", "OperatorsName=muller*", "OperatorsName=*jane*",
        "OperatorsName=jorg&fuzzymatching=true", "OperatorsName=doe jane&fuzzymatching=true", "ContentDate=20200102",
        "ContentDate=2020-2021", "ContentDate=20200101-20201231", "ContentTime=1015", "ContentTime=10-11",
        "ContentDate=20220101-20220102&ContentTime=10-0300", "ContentDate=20220101-20220102&ContentTime=11-1200",
        "ImageComments=*long*", "InstitutionName=North", "InstitutionName=N?rth", "Rows=1",
        "SourceImageSequence.ReferencedSOPInstanceUID=1.3", "00190010=ACME 1.1&00191004=V1", "00190033=ACME 1.1&00193304=V*",
        "00190010=SIEMENS MR HEADER&0019100C=1000", "00190010=SIEMENS MR HEADER&0019100C=1000.0",
        "31030010=AMI Sequence Annotations_01&310310A0=20200101-20201231", "31030010=AMI Sequence Annotations_01&310310A0=2020",
        "00190010=ACME 1.1&00191004=x", "00190010=OTHER&00191004=V1",
    ]  # fmt: skip
    before = [searched(index, text) for text in asked]
    assert sum(map(bool, before)) == 20
    for keyword in ("Rows", "SliceThickness", "OperatorsName", "ContentDate", "ContentTime", "ImageComments", "InstitutionName", "SourceImageSequence.ReferencedSOPInstanceUID"):  # fmt: skip
        index.promote(path(keyword))
    index.promote(path("00191004"), "ACME 1.1")
    index.promote(path("0019100C"), "SIEMENS MR HEADER")
    index.promote(path("310310A0"), "AMI Sequence Annotations_01")
    fill(index)
    assert dict(zip(asked, before, strict=True)) == {text: searched(index, text) for text in asked}


PRIVATE = [private("00191004", "V1", "ACME 1.1", "42"), private("00191004", "W1", "ACME 1.1")]


def searched(index, text):
    from dicomgate.dicomweb import parameters, query, resources

    try:
        asked = query.parse(resources.parse("/instances"), parameters.parse(text)).query
    except errors.Malformed as fault:
        return fault.message
    return [answer["00080018"]["Value"][0] for answer in index.find(asked).datasets]


REFUSED = {
    "PixelData": "VR OB or OW",
    "RequestAttributesSequence": "VR SQ",
    "AcquisitionDateTime": "VR DT",
    "00191004": "creator",
    "RetrieveURL": "computed",
    "NumberOfStudyRelatedInstances": "computed",
}


@pytest.mark.parametrize("asked", REFUSED)
def test_what_cannot_be_promoted(index, asked):
    with pytest.raises(errors.Malformed, match=REFUSED[asked]):
        index.promote(path(asked))
    with pytest.raises(errors.Malformed, match="not private"):
        index.promote(path("Rows"), "ACME")
    assert index.promoted() == []


@pytest.mark.parametrize("asked", ["PatientName", "StudyInstanceUID", "Modality", "InstanceNumber", "StudyDate"])
def test_what_is_built_in_needs_no_promotion(index, asked):
    assert not index.promote(path(asked))
    assert index.promoted() == []


# Older indexes.


def make_old_index(place):
    """As version 1 left it: no words of names, no items of studies."""
    with closing(sqlite3.connect(place, isolation_level=None)) as connection:
        for statement in schema._statements(schema.migrations()[1]):
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 1")
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION}")


def copy_without_new_columns(index, place):
    """What version 1 would have written of the same instances."""
    make_old_index(place)
    with closing(sqlite3.connect(place, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS new", (str(index),))
        for table in ("study", "series", "instance", "description", "dictionary", "series_value"):
            connection.execute(f"INSERT INTO main.{table} SELECT * FROM new.{table}")
        connection.execute("INSERT INTO main.study_value SELECT value, moment, study FROM new.study_value")
        connection.execute("INSERT INTO main.value SELECT * FROM new.value")
        connection.execute("INSERT INTO value_trigram (rowid, text) SELECT id, text FROM new.value WHERE tag IN (SELECT value FROM json_each(?))",
                           (str([one.number for one in columns.COLUMNS.values() if one.kind in (Kind.TEXT, Kind.NAME)]),))  # fmt: skip
        later = str(list(columns.LATER))
        for level in ("study", "series"):
            connection.execute(
                f"DELETE FROM main.{level}_value WHERE value IN (SELECT id FROM value WHERE tag IN (SELECT value FROM json_each(?)))",
                (later,),
            )
        connection.execute("DELETE FROM value WHERE tag IN (SELECT value FROM json_each(?))", (later,))


def rows_of(index):
    found = set()
    for level in ("study", "series"):
        sql = f"SELECT o.uid, f.moment, v.tag, v.text, f.item FROM {level}_value f JOIN value v ON v.id = f.value JOIN {level} o ON o.id = f.{level}"
        found |= set(index._readers.rows(sql))
    return found


def test_an_index_of_version_1_gets_what_it_lacks_while_it_serves_D8(tmp_path):
    new = SqliteIndex(tmp_path / "new", durable=False)
    held = {"PatientName": "Doe^John", "ReferringPhysicianName": "Roe^Jane", "TimezoneOffsetFromUTC": "+0100"}
    new.add_many([entry(target(study, series, 1), **held) for study in range(5) for series in (1, 2)], refuse_nothing)
    expected = rows_of(new)
    new.close()
    copy_without_new_columns(tmp_path / "new", tmp_path / "old")
    old = SqliteIndex(tmp_path / "old", durable=False)
    name = path("PatientName")

    def known():
        with old._readers.snapshot() as connection:
            return registered.read(connection)

    assert known().find(name) is not None
    assert known().find_words(name) is None
    assert known().find_zone(Level.STUDY) is None
    assert old.promoted() == []
    old.add(entry(target(9, 1, 1), **held), refuse_nothing)
    old.fill_beside()
    old._filler.join(300)
    assert known().find_words(name) is not None
    assert known().find_zone(Level.STUDY).level is Level.STUDY
    assert known().find_zone(Level.SERIES).level is Level.SERIES
    assert {row for row in rows_of(old) if not row[0].startswith("1.2.9")} == expected
    old.close()


# Numbers.


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20), st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))  # fmt: skip
def test_texts_sort_as_their_numbers(one, other):
    first, second = decimals.sortable(str(one)), decimals.sortable(str(other))
    assert (first < second) == (one < other)
    assert (first == second) == (one == other)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_has_its_place(one, other):
    assert (decimals.sortable(repr(one)) < decimals.sortable(repr(other))) == (one < other)


def test_however_it_is_written():
    dice = random.Random(7)
    for written in (["1.250", "+1.25", "0125e-2", "12.5E-1", " 1.25 "], ["0", "-0", "0.000", "0e9"], ["-3", "-3.0"]):
        assert len({decimals.sortable(text) for text in written}) == 1
    ordered = [-1e300, -12.5, -12, -1.5, -0.001, 0, 1e-300, 0.001, 1, 1.5, 9, 10, 12, 12.5, 1e300]
    assert sorted(ordered, key=lambda number: decimals.sortable(repr(number))) == ordered
    for text in ("", ".", "x", "1_000", "٣", "1e99999", "1e5000", "nan", "inf", "--1", "1" * 6000, f"{dice.random()}x"):
        assert decimals.sortable(text) == ""
