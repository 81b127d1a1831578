"""Text in every character set, declared well, badly or not at all (JSON-10, T8)."""

import dicom_encoder as encoder
import dicom_reference as reference
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomgate.dicom import charsets, header
from dicomgate.dicom.source import BytesSource

UTF_8 = {"vr": "CS", "Value": ["ISO_IR 192"]}


def attributes(*elements, **options):
    return header.read(BytesSource(encoder.file(list(elements), **options))).attributes


def name(charset, raw):
    found = attributes(("00080005", "CS", charset), ("00100010", "PN", raw))
    assert found["00080005"] == UTF_8
    return found["00100010"]["Value"]


# The examples of PS3.5 Annexes H to K, and of the sets that have one byte a character.
@pytest.mark.parametrize(
    ("charset", "raw", "expected"),
    [
        ("ISO_IR 100", b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
        ("ISO_IR 101", b"Wa\xb3\xeasa", "Wałęsa"),
        (
            "ISO_IR 144",
            b"\xbb\xee\xda\xe1\xd5\xdc\xd1\xe3\xe0\xd3",
            "Люкceмбypг".replace("c", "с").replace("y", "у").replace("p", "р").replace("e", "е"),
        ),
        ("ISO_IR 126", b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος"),
        ("ISO_IR 127", b"\xe2\xc8\xc7\xe6\xea", "قباني"[:5]),
        ("ISO_IR 138", b"\xf9\xf8\xe5\xef", "שרון"),
        ("ISO_IR 166", b"\xca\xc1\xaa\xd2\xc2", "สมชาย"),
        ("ISO_IR 203", b"\xa4", "€"),
        ("ISO_IR 192", b"Wang^XiaoDong", "Wang^XiaoDong"),
        ("ISO_IR 192", "王^小東".encode(), "王^小東"),
        ("GB18030", "王^小东".encode("gb18030"), "王^小东"),
        ("GBK", "王^小东".encode("gbk"), "王^小东"),
        ("iso_ir 100", b"J\xe9", "Jé"),
        ("ISO-IR 100", b"J\xe9", "Jé"),
        ("ISO 2022 IR 100", b"J\xe9", "Jé"),
        ("UTF-8", "é".encode(), "é"),
    ],
)
def test_sets_of_one_value(charset, raw, expected):
    assert name(charset, raw) == [{"Alphabetic": expected}]


def test_japanese_with_code_extensions_H_3_1():
    raw = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
    expected = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    assert name("\\ISO 2022 IR 87", raw) == [expected]


def test_japanese_with_half_width_katakana_H_3_2():
    raw = b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J"
    expected = {"Alphabetic": "ﾔﾏﾀﾞ^ﾀﾛｳ", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
    assert name("ISO 2022 IR 13\\ISO 2022 IR 87", raw) == [expected]


def test_korean_I_2():
    raw = b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"
    expected = {"Alphabetic": "Hong^Gildong", "Ideographic": "洪^吉洞", "Phonetic": "홍^길동"}
    assert name("\\ISO 2022 IR 149", raw) == [expected]


def test_chinese_with_code_extensions_K_2():
    raw = b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab="
    assert name("\\ISO 2022 IR 58", raw) == [{"Alphabetic": "Zhang^XiaoDong", "Ideographic": "张^小东"}]


def test_a_delimiter_ends_an_extension():
    assert name("ISO 2022 IR 100\\ISO 2022 IR 144", b"\x1b-L\xbb^\xe9") == [{"Alphabetic": "Л^é"}]


def test_jis_x_0212():
    text = "丂".encode("iso2022_jp_2")
    assert name("\\ISO 2022 IR 159", text) == [{"Alphabetic": "丂"}]


# Bytes that look like backslashes


@pytest.mark.parametrize(
    ("charset", "codec", "letter"),
    [("GB18030", "gb18030", "俓"), ("GBK", "gbk", "俓"), ("ISO_IR 13", "shift_jis", "ソ")],
)
def test_a_backslash_inside_a_character_separates_nothing(charset, codec, letter):
    raw = letter.encode(codec)
    assert raw[-1:] == b"\\"
    found = attributes(("00080005", "CS", charset), ("00100020", "LO", raw + b"A\\B" + raw))
    assert found["00100020"]["Value"] == [f"{letter}A", f"B{letter}"]


def test_a_backslash_inside_a_run_of_pairs_separates_nothing():
    letter = next(chr(code) for code in range(0x4E00, 0x5000) if b"\\" in chr(code).encode("iso2022_jp", "ignore"))
    found = attributes(("00080005", "CS", "\\ISO 2022 IR 87"), ("00100020", "LO", letter.encode("iso2022_jp") + b"\\B"))
    assert found["00100020"]["Value"] == [letter, "B"]


# Items with a set of their own


@pytest.mark.parametrize("undefined", [True, False])
def test_items_override_and_inherit(undefined):
    own = [
        ("00080005", "CS", "ISO_IR 144"),
        ("00080104", "LO", b"\xbb"),
        ("00081140", "SQ", [[("00080104", "LO", b"\xbb")]]),
    ]
    elements = [
        ("00080005", "CS", "ISO_IR 100"),
        ("00082218", "SQ", [own, [("00080104", "LO", b"\xbb")]]),
        ("00100020", "LO", b"\xbb"),
    ]
    found = attributes(*elements, undefined=undefined)
    first, second = found["00082218"]["Value"]
    assert first["00080104"]["Value"] == ["Л"]
    assert first["00081140"]["Value"][0]["00080104"]["Value"] == ["Л"]
    assert first["00080005"] == UTF_8
    assert second["00080104"]["Value"] == ["»"]
    assert found["00100020"]["Value"] == ["»"]


def test_after_a_sequence_the_outer_set_holds_again():
    item = [("00080005", "CS", "ISO_IR 144"), ("00080104", "LO", b"\xbb")]
    found = attributes(("00080005", "CS", "ISO_IR 100"), ("00082218", "SQ", [item]), ("00100020", "UN", b"\xbb\xbb"))
    assert found["00100020"]["Value"] == ["»»"]


# What is wrong or missing


@pytest.mark.parametrize("charset", ["NONSENSE", "ISO_IR 999", "", "ISO_IR 6", "\\"])
def test_a_wrong_set_never_fails(charset):
    assert name(charset, "é".encode()) == [{"Alphabetic": "é"}]
    assert name(charset, b"\xe9") == [{"Alphabetic": "é"}]
    assert name(charset, b"plain") == [{"Alphabetic": "plain"}]


def test_wrong_bytes_are_replaced():
    assert name("ISO_IR 192", b"a\xffb") == [{"Alphabetic": "a\ufffdb"}]
    assert name("\\ISO 2022 IR 87", b"\x1b$B\xff\xff;3\x1b(B")[0]["Alphabetic"].endswith("山")


def test_without_a_declaration_plain_text_gets_none():
    assert "00080005" not in attributes(("00100010", "PN", "plain"))


@pytest.mark.parametrize("vr", ["LO", "PN", "CS", "UC", "LT", "UR", "DA"])
def test_without_a_declaration_other_text_gets_one_JSON_10(vr):
    for raw in (b"\xe9", "é".encode()):
        found = attributes(("00091001", vr, raw), ("00081140", "SQ", [[("00091001", vr, raw)]]))
        assert found["00080005"] == UTF_8
        assert list(found) == sorted(found)
        expected = {"Alphabetic": "é"} if vr == "PN" else "é"
        assert found["00091001"]["Value"] == [expected]


def test_text_in_an_item_alone_gets_one_too_JSON_10():
    found = attributes(("00081140", "SQ", [[("00080104", "LO", b"\xe9")]]))
    assert found["00080005"] == UTF_8
    found = attributes(("00081140", "SQ", [[("00080005", "CS", "ISO_IR 100"), ("00080104", "LO", b"\xe9")]]))
    assert found["00080005"] == UTF_8


def test_text_as_un_gets_one_too_JSON_10():
    found = attributes(("00100020", "UN", b"\xe9\xe9"))
    assert found["00100020"] == {"vr": "LO", "Value": ["éé"]}
    assert found["00080005"] == UTF_8


@given(
    st.lists(
        st.sampled_from(["", "ISO_IR 100", "ISO 2022 IR 87", "ISO 2022 IR 149", "GB18030", "ISO_IR 192", "x"]),
        max_size=3,
    ),
    st.binary(max_size=30),
)
def test_only_the_default_repertoire_ever_fails_T8(terms, raw):
    charset = charsets.find_charset(tuple(terms))
    if isinstance(charset, tuple):
        raw = bytes(byte & 0x7F for byte in raw) if charset == charsets.ASCII else raw
        raw.decode(*charset)
    else:
        charset(raw)


@pytest.mark.skipif(not reference.DATA.is_dir(), reason="needs ../shared/data")
def test_every_file_has_a_name_without_replacement():
    for path in (reference.DATA / "charsets").rglob("*.dcm"):
        found = header.read(BytesSource(path.read_bytes())).attributes
        assert "\ufffd" not in str(found), path.name
