"""`dicomgate find`: the same questions to a folder, a server by its address, and a server by its name."""

import json

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from dicomgate.cli import asking, found_table, main
from dicomgate.dicom.uids import Level


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def found(capsys, *words, code=0):
    capsys.readouterr()
    assert main.run(["find", *map(str, words)]) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.slow
def test_a_folder_an_address_and_a_name_answer_alike(kept, server, capsys, monkeypatch):
    monkeypatch.setenv("DICOMGATE__REMOTES__PACS__URL", server.root)
    for words, count in (
        ([], 3),
        (["studies", "PatientID=A"], 2),
        (["PatientName=doe*"], 3),
        (["series"], 4),
        (["Modality=CT"], 2),
        (["series", "StudyDate=2024-"], 3),
        (["series", "StudyDate=202305"], 1),
        (["series", "SeriesDescription=*of A"], 2),
        (["instances", "Modality=CT"], 13),
        (["instances", "Modality=CT", "--limit", "4"], 4),
        (["PatientName=doe", "fuzzymatching=true"], 3),
    ):
        answers = [found(capsys, where, *words) for where in (kept, server.root, "pacs")]
        assert [len(answer) for answer in answers] == [count] * 3, words
        uids = [sorted(str(one.get("SOPInstanceUID", one["StudyInstanceUID"])) for one in answer) for answer in answers]
        if "--limit" not in words:
            assert uids[0] == uids[1] == uids[2]


@pytest.mark.slow
def test_order_fields_and_the_model(server, capsys):
    for order, expected in (("StudyDate", [0, 1, 2]), ("-StudyDate", [2, 1, 0]), ("-PatientID,StudyDate", [2, 0, 1])):
        dates = [one["StudyDate"] for one in found(capsys, server.root, "--order-by", order)]
        assert dates == [["20230502", "20240310", "20240501"][place] for place in expected]
    assert found(
        capsys, server.root, "series", "Modality=MR", "--fields", "modality,NumberOfSeriesRelatedInstances"
    ) == [{"Modality": "MR", "NumberOfSeriesRelatedInstances": 6}]
    (model,) = found(capsys, server.root, "series", "Modality=MR", "--dicom-json")
    assert model["00080060"] == {"vr": "CS", "Value": ["MR"]}
    numbers = [
        one["InstanceNumber"]
        for one in found(capsys, server.root, "instances", "Modality=CT", "--order-by=-InstanceNumber")
    ]
    assert numbers == sorted(numbers, reverse=True)


@pytest.mark.slow
def test_a_table_fits_its_terminal(kept, capsys, monkeypatch):
    for width in (50, 80, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        for level in ("studies", "series", "instances"):
            capsys.readouterr()
            assert main.run(["find", str(kept), level, "--table"]) == 0
            lines = capsys.readouterr().out.splitlines()
            assert len(lines) == {"studies": 4, "series": 5, "instances": 21}[level]
            assert max(map(cell_len, lines)) <= max(width, 80)
            assert lines[0].endswith("UID")
    assert "2023-05-02" in "".join(lines) or level == "instances"


@pytest.mark.slow
def test_what_goes_wrong_has_its_code(kept, server, capsys):
    for words, code, told in (
        ([kept, "Modality=ZZ"], 4, "nothing matches"),
        ([kept, "Modalty=CT"], 2, "did you mean Modality?"),
        ([kept, "CT"], 2, "Keyword=value"),
        ([kept, "series", "studies"], 2, "one level"),
        ([kept, "StudyDate=tomorrow"], 2, "StudyDate"),
        (["nowhere"], 2, "no folder, address or remote"),
        (["http://127.0.0.1:1/dicomweb"], 6, "cannot reach"),
        ([f"{server.url}/elsewhere"], 6, "no such service"),
        (["http://"], 2, "expected an address"),
    ):
        assert main.run(["find", *map(str, words)]) == code, words
        said = capsys.readouterr()
        assert told in said.err, words
        assert not said.out


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2024", "20240101-20241231"),
        ("2024-", "20240101-"),
        ("-2024", "-20241231"),
        ("2023-2024", "20230101-20241231"),
        ("202402", "20240201-20240229"),
        ("202312-202402", "20231201-20240229"),
        ("2024-03-31", "20240331"),
        ("2024-03-31-2024-04-02", "20240331-20240402"),
        ("20240331", "20240331"),
        ("20240331-", "20240331-"),
        ("", ""),
        ("*", "*"),
        ("tomorrow", "tomorrow"),
    ],
)
def test_dates_as_people_write_them(text, means):
    assert asking.parse_dates(text) == means


@settings(max_examples=50)
@given(st.text(max_size=30))
def test_whatever_is_no_date_is_left_to_who_is_asked(text):
    assert isinstance(asking.parse_dates(text), str)


def test_the_level_is_the_lowest_that_is_asked_of():
    assert asking.parse(["PatientID=1"]).level is Level.STUDY
    assert asking.parse(["ModalitiesInStudy=CT"]).level is Level.STUDY
    assert asking.parse(["PatientID=1", "modality=CT"]).pairs == (("PatientID", "1"), ("Modality", "CT"))
    assert asking.parse(["Modality=CT"]).level is Level.SERIES
    assert asking.parse(["SOPInstanceUID=1.2"]).level is Level.INSTANCE
    assert asking.parse(["studies", "Modality=CT"]).level is Level.STUDY
    assert asking.parse(["00100020=1=2"]).pairs == (("PatientID", "1=2"),)
    with pytest.raises(click.UsageError):
        asking.parse(["Modality"])


@pytest.mark.slow
@given(
    st.lists(st.lists(st.text(st.characters(codec="ascii"), max_size=70), min_size=6, max_size=6), max_size=4),
    st.integers(66, 200),
)
def test_rows_of_any_content_fit(rows, width):
    heads = [head for head, _, _ in found_table.COLUMNS[Level.SERIES]]
    widths = found_table.fit(heads, [[len(cell) for cell in row] for row in [heads, *rows]], width)
    is_wide = any(len(row[1]) > 10 or len(row[4]) > 6 for row in rows)  # dates and numbers never give way
    assert sum(widths) + 2 * 5 <= width or is_wide


@pytest.mark.parametrize(("width", "shown"), [(20, "1.2.3.4.5"), (9, "1.2.3.4.5"), (7, "1.2…4.5"), (6, "1.2….5")])
def test_a_UID_keeps_its_end(width, shown):
    assert found_table.shorten_uid("1.2.3.4.5", width) == shown
