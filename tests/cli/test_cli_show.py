"""`dicomgate show`: readable on a terminal of any width, a line of JSON in a pipe, a picture where it is asked for."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import termios
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from dicomgate.cli import dataset_keywords, dataset_text, main
from dicomgate.dicom import names
from dicomgate.testing import instances

DATA = Path(__file__).parents[3] / "shared/data"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "scan.dcm"
    path.write_bytes(instances.make(attributes={"PatientName": "Yamada^Tarou=山田^太郎", "ImageType": ["A", "B"]}))
    return path


def shown(capsys, *arguments):
    assert main.run(["show", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_a_line_of_keywords_in_a_pipe(scan, capsys):
    found = json.loads(shown(capsys, scan))
    assert found["PatientName"] == "Yamada^Tarou=山田^太郎"
    assert found["ImageType"] == ["A", "B"]
    assert found["Rows"] == 8
    assert found["TransferSyntaxUID"] == "1.2.840.10008.1.2.1"


def test_the_model_of_the_standard(scan, capsys):
    found = json.loads(shown(capsys, scan, "--dicom-json"))
    assert found["00280010"] == {"vr": "US", "Value": [8]}
    assert not [tag for tag in found if tag.startswith("0002")]


def test_only_what_is_wanted(scan, capsys):
    assert json.loads(shown(capsys, scan, "--fields", "patientid,00280010")) == {"PatientID": "P1", "Rows": 8}
    assert main.run(["show", str(scan), "--fields", "NoSuchThing"]) == main.USAGE


@pytest.mark.parametrize("width", [20, 60, 80, 200])
def test_the_text_keeps_to_its_width_but_for_UIDs(scan, capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = shown(capsys, scan, "--text").splitlines()
    assert any(line.startswith("(0010,0010)  PN  PatientName") for line in lines) or width < 60
    longest = max(width, 11 + 2 + 2 + 2 + 8 + 2 + 20)  # what every line has at least
    assert all(cell_len(line) <= longest for line in lines if "  UI  " not in line)
    assert all(line == line.rstrip() for line in lines)


def test_whole_values_however_long(scan, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "60")
    (tmp_path / "long").write_bytes(instances.make(attributes={"ImageComments": "so " * 300 + "end"}))
    assert "so end" in shown(capsys, tmp_path / "long", "--text", "--full").replace("\n", "")
    assert re.search(r"ImageComments.*so.*…$", shown(capsys, tmp_path / "long", "--text"), re.MULTILINE)


def test_the_character_set_is_the_files_own_in_text_and_UTF_8_in_JSON(capsys):
    path = DATA / "charsets/pydicom/chrH31.dcm"
    if not path.exists():
        pytest.skip("the test data is not here")
    text = shown(capsys, path, "--text", "--fields", "SpecificCharacterSet,PatientName")
    assert "\\ISO 2022 IR 87" in text
    assert "Yamada^Tarou=山田^太郎=やまだ^たろう" in text
    assert json.loads(shown(capsys, path))["SpecificCharacterSet"] == ["ISO_IR 192"]


def test_sequences_private_attributes_and_bytes_are_told():
    dataset = {
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
        "00081140": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2"]}}, {}]},
        "00190010": {"vr": "LO", "Value": ["SIEMENS MR HEADER"]},
        "0019100C": {"vr": "IS", "Value": [1000]},
        "00191099": {"vr": "UN", "InlineBinary": "AAEC"},
        "0019109A": {"vr": "UN", "InlineBinary": "dGV4dCA="},
        "7FE00010": {"vr": "OW", "BulkDataURI": "/x"},
    }
    lines = list(dataset_text.describe(dataset, {"7FE00010": "1 frame, 9 bytes"}))
    told = [(line.depth, line.name, line.value, line.note) for line in lines]
    assert told == [
        (0, "SOPClassUID", "CT Image Storage", "1.2.840.10008.5.1.4.1.1.2"),
        (0, "ReferencedImageSequence", "2 items", ""),
        (1, "", "item 1", ""),
        (2, "ReferencedSOPInstanceUID", "1.2", ""),
        (1, "", "item 2", ""),
        (0, "PrivateCreator", "SIEMENS MR HEADER", ""),
        (0, "B_value", "1000", "[SIEMENS MR HEADER]"),
        (0, "-", "00 01 02", "(3 bytes)"),
        (0, "-", "text", "(5 bytes)"),
        (0, "PixelData", "(1 frame, 9 bytes)", ""),
    ]


def test_nothing_steers_the_terminal(tmp_path, capsys):
    (tmp_path / "bad").write_bytes(instances.make(attributes={"ImageComments": "a\x1b]0;title\x07b\r\nc\x9b31m"}))
    text = shown(capsys, tmp_path / "bad", "--text")
    assert not set(text) & {"\x1b", "\x07", "\r", "\x9b"}
    assert "b↵c" in text


def test_names():
    assert names.find_attribute("00100010", {}) == "PatientName"
    assert names.find_attribute("00110000", {}) == "GroupLength"
    assert names.find_attribute("00111001", {}) == ""
    assert names.find_attribute("00081199", {}) == "ReferencedSOPSequence"
    assert names.find_uid("1.2.840.10008.1.2.1") == "Explicit VR Little Endian"
    assert names.find_uid("1.2.3") == ""


@pytest.mark.slow
@settings(max_examples=50)
@given(st.text(max_size=40), st.integers(1, 30))
def test_shortened_text_fits(text, cells):
    text = dataset_text.plain(text)
    short = dataset_text.shorten(text, cells)
    assert cell_len(short) <= cells
    assert short == text or short.endswith("…")


def test_values_as_plain_JSON():
    found = dataset_keywords.describe(
        {
            "00080005": {"vr": "CS"},
            "00080008": {"vr": "CS", "Value": ["A", None, "B"]},
            "00080020": {"vr": "DA"},
            "00080061": {"vr": "CS", "Value": ["CT"]},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B", "Phonetic": "C"}]},
            "00081140": {"vr": "SQ", "Value": [{"00080060": {"vr": "CS", "Value": ["MR"]}}]},
            "00191001": {"vr": "LO", "Value": ["x"]},
            "00420011": {"vr": "OB", "InlineBinary": "AA=="},
        }
    )
    assert found == {
        "SpecificCharacterSet": [],
        "ImageType": ["A", None, "B"],
        "StudyDate": None,
        "ModalitiesInStudy": ["CT"],
        "PatientName": "A^B==C",
        "ReferencedImageSequence": [{"Modality": "MR"}],
        "00191001": "x",
        "EncapsulatedDocument": {"InlineBinary": "AA=="},
    }


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["none.dcm"], 2),
        (["text"], 2),
        (["scan.dcm", "--image"], 2),
        (["scan.dcm", "--image=lantern"], 2),
        (["scan.dcm", "--image=half", "--window", "4"], 2),
        (["scan.dcm", "--image=half", "--frame", "2"], 4),
    ],
)
def test_what_goes_wrong(scan, tmp_path, capsys, arguments, code):
    (tmp_path / "text").write_text("not DICOM")
    assert main.run(["show", *arguments]) == code
    assert not capsys.readouterr().out


@pytest.mark.slow
def test_a_picture_in_half_blocks(tmp_path, capsys, monkeypatch):
    ramp = b"".join((60 * x).to_bytes(2, "little") for _ in range(40) for x in range(40))
    (tmp_path / "ramp").write_bytes(instances.make(rows=40, columns=40, frames=[ramp]))
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "22")
    monkeypatch.setenv("COLORTERM", "truecolor")
    text = shown(capsys, "--image=half", tmp_path / "ramp")
    assert text.count("\n") == 20
    assert text.splitlines()[0].startswith("\x1b[38;2;0;0;0;48;2;0;0;0m▀")
    assert "255;255;255" in text.splitlines()[19]
    assert text.splitlines()[0] == text.splitlines()[19]
    narrow = shown(capsys, "--image=half", "--window", "60,2", tmp_path / "ramp")
    colours = {colour for line in narrow.splitlines() for colour in re.findall(r"38;2;(\d+)", line)}
    assert colours == {"0", "255"} or len(colours) < 5


TAKES_ITS_TERMINAL = (
    "import os, sys\n"
    "os.close(os.open(os.ttyname(0), os.O_RDWR))\n"
    "os.execv(sys.executable, [sys.executable, '-m', 'dicomgate', *sys.argv[1:]])"
)


def in_terminal(arguments, answer, environment):
    """What the command writes to a terminal whose answer lies ready: nobody's patience is tried."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(leader, (24, 80))
    os.write(leader, answer)
    process = subprocess.Popen(
        [sys.executable, "-c", TAKES_ITS_TERMINAL, *arguments],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
        env={**os.environ, **environment},
    )
    os.close(follower)
    heard = b""
    while select.select([leader], [], [], 100)[0]:
        try:
            heard += os.read(leader, 65536)
        except OSError:  # the other side is closed
            break
    os.close(leader)
    assert process.wait(100) == 0, heard
    return heard


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "shows"),
    [
        (b"\x1b_Gi=31;OK\x1b\\\x1b[?62c", b"\x1b_Ga=T,f=100"),
        (b"\x1b[?62;4c", b'\x1bP0;1q"1;1;'),
        (b"\x1b[?62c", "▀".encode()),
    ],
)
def test_the_terminal_is_asked_what_it_can(scan, answer, shows):
    environment = {"TERM": "xterm-256color", "TMUX": "", "TERM_PROGRAM": "", "LC_TERMINAL": ""}
    heard = in_terminal(["show", "--image", str(scan)], answer, environment)
    assert b"\x1b_Gi=31" in heard
    assert shows in heard


def first_of(kept):
    """An instance of the kept ones: what its file says."""
    return pydicom.dcmread(kept / "1.dcm")


@pytest.mark.slow
def test_an_instance_of_a_folder_and_of_a_server(kept, server, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    one = first_of(kept)
    for where in (kept, server.root):
        for uid in (one.SOPInstanceUID, one.SeriesInstanceUID, one.StudyInstanceUID):
            found = json.loads(shown(capsys, where, uid))
            assert (found["SOPInstanceUID"], found["PatientName"]) == (one.SOPInstanceUID, "Doe^A")
        text = shown(capsys, where, one.SOPInstanceUID, "--text")
        assert "(bulk data)" in text or "bytes" in text
        assert "▀" in shown(capsys, "--image=half", where, one.SOPInstanceUID)
        assert main.run(["show", str(where)]) == main.USAGE
        assert main.run(["show", str(where), "1.2.3.4"]) == main.NOTHING
        assert main.run(["show", str(where), "not-a-uid"]) == main.USAGE
    assert main.run(["show", "http://127.0.0.1:1/dicomweb", "1.2"]) == main.NOT_REACHABLE
