"""Searches that mean harm: refused within hundredths of a second of work and in flat memory, or answered soundly (T17)."""

from __future__ import annotations

import base64
import contextlib
import json
import random
import xml.dom.minidom
from collections.abc import Callable

import hostile_files as made
import pytest
from hostile_cost import bounded
from hostile_victim import Victim, read_json

from dicomgate.dicom.uids import Target
from dicomgate.testing import instances
from dicomgate.testing.serving import Reply, format_request

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

TOO_LARGE = {400, 413, 414, 431}
SOUND = {200, 204, *TOO_LARGE}
LEVELS = ("studies", "series", "instances")
XML = {"Accept": 'multipart/related; type="application/dicom+xml"'}


def ask(victim: Victim, query: str, level: str = "studies", headers: dict[str, str] | None = None) -> Reply:
    """As bytes go over the wire: nothing is escaped here. Who is refused early may not hear it all."""
    target = f"/dicomweb/{level}?{query}".encode().decode("latin-1")
    with victim.running.line() as line:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            line.say(format_request("GET", target, headers))
        return line.hear()


def cost(victim: Victim, what: str, query: str, statuses: set[int], levels: tuple[str, ...] = LEVELS) -> None:
    for level in levels:
        with bounded(victim.running, f"{what}, {level}"):
            reply = ask(victim, query, level)
        assert reply.status in statuses, (what, level, reply.status, reply.body[:300])
        assert_sound(reply)


def assert_sound(reply: Reply) -> None:
    """Strict JSON or nothing; a refusal says why, without what was sent."""
    if reply.status >= 400:
        assert reply.headers["content-type"] == "application/problem+json"
        assert len(reply.body) < 2000
        assert read_json(reply.body)["detail"]
    elif reply.body:
        read_json(reply.body)
    assert len(reply.all) < 30
    assert all(len(value) < 10_000 for _, value in reply.all)


# Too much of it.


def test_10_megabytes_of_query(victim: Victim) -> None:
    for what, query in (
        ("one value", "PatientName=" + "a" * 10_000_000),
        ("one name", "a" * 10_000_000),
        ("ampersands", "&" * 10_000_000),
        ("escapes", "PatientName=" + "%61" * 3_333_333),
        ("stars", "PatientName=" + "*" * 10_000_000),
    ):
        cost(victim, f"10 MB of query, {what}", query, {414, 431}, ("studies",))


@pytest.mark.parametrize(
    "key",
    ["k{}=1", "0009{:04X}=1", "{}", "includefield=0009{:04X}", "x.{}=1"],
    ids=["unknown", "private", "nameless", "fields", "paths"],
)
def test_5000_keys(victim: Victim, key: str) -> None:
    cost(victim, f"5 000 keys, {key}", "&".join(key.format(number) for number in range(5000)), TOO_LARGE)


def test_as_many_keys_as_are_heard(victim: Victim) -> None:
    """A thousand come through: unknown ones are left out with one warning of bounded length, known ones are refused."""
    cost(victim, "1 000 unknown keys", "&".join(f"k{number}=1" for number in range(1000)), {200, 204, 400})
    cost(victim, "1 000 private keys", "&".join(f"0009{number:04X}=1" for number in range(0x1000, 0x13E0)), SOUND)
    cost(victim, "1 000 empty private keys", "&".join(f"0009{number:04X}=" for number in range(0x1000, 0x13E0)), SOUND)
    cost(
        victim,
        "6 000 fields",
        "includefield=" + ",".join(f"0009{number:04X}" for number in range(0x1000, 0x2770)),
        SOUND,
    )


def test_100000_uids_in_a_list(victim: Victim) -> None:
    for separator in (",", "%5C", "\\"):
        uids = separator.join(f"1.2.{number}" for number in range(100_000))
        cost(victim, f"100 000 UIDs by {separator}", f"StudyInstanceUID={uids}", TOO_LARGE)


def test_as_many_uids_as_are_heard(victim: Victim) -> None:
    """Some ten thousand fit into a header of 64 KiB."""
    uids = ",".join(str(number) for number in range(11_000))
    for key in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "ReferencedSOPInstanceUID"):
        cost(victim, f"11 000 UIDs, {key}", f"{key}={uids}", SOUND)
    cost(victim, "11 000 modalities", "ModalitiesInStudy=" + ",".join(f"M{n}" for n in range(9000)), SOUND)
    cost(victim, "20 000 of several values", "multiplevaluematching=true&PatientID=" + "%5C".join("a" * 15_000), SOUND)
    cost(victim, "one UID 20 000 times", "StudyInstanceUID=" + "1," * 20_000, SOUND)


# Patterns.


@pytest.fixture(scope="module")
def long_values(running: object) -> str:
    """A patient whose attributes are as long as they may be, and all of one letter."""
    patient = "LONG" + made.new_target().instance[-12:]
    victim = Victim(running)  # type: ignore[arg-type]
    for _ in range(3):
        target = made.new_target()
        content = instances.make(
            target, rows=1, columns=1,
            attributes={"PatientID": patient, "PatientName": "a" * 31 + "^" + "a" * 31 + "=" + "a" * 63,
                        "StudyDescription": "a" * 64, "SeriesDescription": "a" * 64, "TextValue": "a" * 60_000,
                        "ImageComments": "a" * 10_000, "PatientComments": "a" * 10_000},
        )  # fmt: skip
        assert victim.store(content).status == 200
    return patient


STARS = {
    "10 stars": "*" * 10,
    "1 000 stars": "*" * 1000,
    "60 000 stars": "*" * 60_000,
    "a star between letters": "*a" * 1000 + "b",
    "many stars between letters": "*a" * 20_000 + "*b",
    "question marks and stars": "*?" * 1000 + "b",
    "stars and question marks": "?*" * 15_000,
    "question marks": "?" * 60_000,
    "letters": "a" * 60_000,
    "half and half": "a*" * 15_000 + "b",
    "groups": "*=*=*=*=" * 500,
    "components": "*^*^*^" * 500 + "b",
}


@pytest.mark.parametrize("pattern", STARS.values(), ids=STARS.keys())
def test_patterns_that_go_back_and_forth(victim: Victim, long_values: str, pattern: str) -> None:
    for key in (
        "PatientName",
        "StudyDescription",
        "PatientComments",
        "TextValue",
        "ImageComments",
        "ReferringPhysicianName",
    ):
        cost(victim, f"{key} {pattern[:12]}... of {len(pattern)}", f"PatientID={long_values}&{key}={pattern}", SOUND)
    cost(victim, "fuzzy", f"PatientID={long_values}&fuzzymatching=true&PatientName={pattern}", SOUND)


REGULAR = [
    "(a+)+$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(a|aa)+$", "(.*)*b", "([a-zA-Z]+)*$", "(a|a?)+$", "a{1,65535}{1,65535}", "[" * 500,
    "(" * 500, "(?:" * 300, "\\" * 500, "(?P<a>" * 100, "[[:alpha:]]*b", "\\1\\2\\3", "$(sleep 5)", "'; SELECT 1; --", "{{7*7}}", "%s%n%x",
]  # fmt: skip


def quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def test_what_other_servers_take_for_a_regular_expression(victim: Victim, long_values: str) -> None:
    """In values, names, paths, fields, order, cursor, dates, numbers and zones, each long enough to hurt."""
    with bounded(victim.running, "regular expressions, all of them"):
        for bait in REGULAR:
            text = quoted(bait)
            for query in (
                f"PatientName={text}", f"PatientName=*{text}*", f"StudyDescription=*{text}", f"PatientComments=*{text}*&PatientID={long_values}",
                f"{text}=1", f"{text}.PatientID=1", f"RequestAttributesSequence.{text}=1", f"includefield={text}", f"orderby={text}", f"cursor={text}",
                f"StudyDate={text}", f"StudyTime={text}", f"TimezoneOffsetFromUTC={text}", f"limit={text}", f"StudyInstanceUID={text}", f"InstanceNumber={text}",
                f"fuzzymatching=true&PatientName={text}", f"ModalitiesInStudy={text}", f"accept={text}",
            ):  # fmt: skip
                reply = ask(victim, query)
                assert reply.status in {*SOUND, 406}, (bait, query[:40], reply.status)
                assert_sound(reply)


LONG = {
    "a date": "StudyDate=" + "2" * 50_000,
    "a range of dashes": "StudyDate=" + "-" * 50_000,
    "a time": "StudyTime=" + "1" * 50_000 + "!",
    "a fraction": "StudyTime=101010." + "1" * 50_000,
    "a date and time": "AcquisitionDateTime=2024" + "0" * 50_000,
    "a zone": "TimezoneOffsetFromUTC=%2B" + "0" * 50_000,
    "a number": "InstanceNumber=" + "9" * 50_000,
    "a decimal number": "PatientWeight=" + "1" * 25_000 + "." + "1" * 25_000 + "e" + "9" * 5000,
    "a limit": "limit=" + "1" * 50_000,
    "an offset": "offset=" + "1" * 50_000,
    "a UID": "StudyInstanceUID=" + "1." * 25_000 + "x",
    "a tag": "0" * 50_000 + "=1",
    "a keyword": "P" * 50_000 + "=1",
    "an order": "orderby=" + "StudyDate," * 5000,
    "an order of one": "orderby=" + "-" * 50_000 + "StudyDate",
    "orders": "orderby=" + ",".join(f"0009{n:04X}" for n in range(0x1000, 0x2000)),
    "fields": "includefield=" + "," * 50_000,
    "words": "fuzzymatching=true&PatientName=" + "a+" * 25_000,
    "different words": "fuzzymatching=true&PatientName=" + "+".join(f"w{n}" for n in range(8000)),
    "blanks": "PatientName=" + "+" * 60_000 + "a",
    "backslashes": "PatientID=" + "%5C" * 15_000,
    "equals": "PatientID" + "=" * 50_000,
}


@pytest.mark.parametrize("query", LONG.values(), ids=LONG.keys())
def test_long_values_of_every_kind(victim: Victim, query: str) -> None:
    cost(victim, query[:24], query, SOUND)


# Paths.


@pytest.mark.parametrize("name", ["00081110", "RequestAttributesSequence", "00091001", "PatientID", "x", ""])
@pytest.mark.parametrize("depth", [2, 10, 63, 64, 65, 500, 3000])
def test_deep_paths(victim: Victim, name: str, depth: int) -> None:
    path = ".".join([name] * depth)
    cost(victim, f"{depth} deep, {name}", f"{path}=1", SOUND)
    cost(victim, f"field {depth} deep, {name}", f"includefield={path}", SOUND)
    if depth < 100:
        many = "&".join(f"{path}.0008{number:04X}=1" for number in range(0x50, 0x60))
        cost(victim, f"16 keys {depth} deep, {name}", many[:60_000], SOUND, ("studies",))


# What is no text.

NO_TEXT = {
    "NUL": "%00", "a bell": "%07", "a line": "%0D%0A", "escape": "%1B%5B31m", "delete": "%7F", "C1": "%C2%85", "ff": "%FF", "fe": "%FE%FF",
    "overlong slash": "%C0%AF", "overlong NUL": "%C0%80", "overlong of three": "%E0%80%AF", "a surrogate": "%ED%A0%80", "a pair of them": "%ED%A0%80%ED%B0%80",
    "beyond Unicode": "%F4%90%80%80", "five bytes": "%F8%88%80%80%80", "cut short": "%E2%82", "a lone continuation": "%80", "latin 1": "J%E9r%F4me",
}  # fmt: skip


@pytest.mark.parametrize("bad", NO_TEXT.values(), ids=NO_TEXT.keys())
def test_bytes_that_are_no_text_are_400_T17(victim: Victim, bad: str) -> None:
    for query in (
        f"PatientName={bad}", f"PatientName=a{bad}b", f"PatientName=*{bad}*", f"fuzzymatching=true&PatientName={bad}", f"{bad}=1", f"Patient{bad}Name=1",
        f"includefield={bad}", f"orderby={bad}", f"cursor={bad}", f"limit={bad}", f"StudyDate={bad}", f"StudyInstanceUID=1.2{bad}", f"nosuch={bad}",
        f"RequestAttributesSequence.{bad}=1", "x=1&" * 500 + f"PatientID={bad}",
    ):  # fmt: skip
        for level in LEVELS:
            reply = ask(victim, query, level)
            assert reply.status == 400, (query[-60:], reply.status)
            assert_sound(reply)


@pytest.mark.parametrize("byte", [0x00, 0x01, 0x0B, 0x1F, 0x7F, 0x80, 0xFF], ids=hex)
def test_raw_bytes_in_the_request_line_are_400(victim: Victim, byte: int) -> None:
    with victim.running.line() as line:
        line.say(b"GET /dicomweb/studies?PatientName=a" + bytes([byte]) + b"b HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert line.hear().status == 400


@pytest.mark.parametrize("text", ["%0D%0AX-Injected:%201", "%0AX-Injected:%201", "%E5%98%8A%E5%98%8DX-Injected:%201", "%250D%250AX-Injected:%201"])  # fmt: skip
def test_nothing_of_a_question_becomes_a_header_field_T15(victim: Victim, text: str) -> None:
    """Warning and Link hold parts of what was asked."""
    for query in (
        f"nosuch{text}=1",
        f"includefield={text}",
        f"limit=1&x={text}",
        f"orderby={text}",
        f"limit=1&PatientName=*&nosuch={text}",
    ):
        reply = ask(victim, query)
        assert "x-injected" not in reply.headers
        for name, value in reply.all:
            assert value.isascii(), name
            assert value.isprintable(), name


# Cursors.


@pytest.fixture(scope="module")
def cursor(running: object) -> Callable[[str], str]:
    """A true cursor for the studies of a patient that has three."""
    victim = Victim(running)  # type: ignore[arg-type]
    for _ in range(3):
        target = made.new_target()
        assert victim.store(made.make(target, between=made.element(0x00100020, "LO", b"CURSORS"))).status == 200

    def ask_for(query: str = "") -> str:
        reply = victim.get(f"/dicomweb/studies?PatientID=CURSORS&limit=1{query}")
        assert reply.status == 200
        return reply.headers["link"].partition("cursor=")[2].partition(">")[0].partition("&")[0]

    return ask_for


def with_cursor(victim: Victim, text: str, query: str = "PatientID=CURSORS") -> Reply:
    reply = ask(victim, f"{query}&cursor={text}")
    assert reply.status in {200, 204, 400, 414, 431}, reply.body
    assert_sound(reply)
    return reply


def test_a_true_cursor_goes_on(victim: Victim, cursor: Callable[[str], str]) -> None:
    assert len(read_json(with_cursor(victim, cursor("")).body)) == 2


def test_forged_cursors_are_refused_or_lead_nowhere_new(victim: Victim, cursor: Callable[[str], str]) -> None:
    """Each letter of a true one changed, cut anywhere, doubled: never a fault of ours, never another patient's study."""
    true, dice = cursor(""), random.Random(8)
    forged = [true[:at] + letter + true[at + 1 :] for at in range(len(true)) for letter in ("A", "_", "!")]
    forged += [true[:at] for at in range(len(true))] + [
        true + true,
        true + "A",
        "A" + true,
        true[::-1],
        true.swapcase(),
    ]
    forged += ["".join(dice.sample(true, len(true))) for _ in range(20)]
    with bounded(victim.running, f"{len(forged)} forged cursors"):
        for text in forged:
            reply = with_cursor(victim, text)
            if reply.body and reply.status == 200:
                assert {row["00100020"]["Value"][0] for row in read_json(reply.body)} == {"CURSORS"}


def test_cursors_of_other_questions_are_refused(victim: Victim, cursor: Callable[[str], str]) -> None:
    for query in ("PatientID=OTHERS", "PatientID=CURSORS&PatientName=*", "PatientID=CURSORS&orderby=StudyDate", ""):
        assert with_cursor(victim, cursor(""), query or "limit=5").status == 400


def test_cursors_that_are_none(victim: Victim, cursor: Callable[[str], str]) -> None:
    head = base64.urlsafe_b64decode(cursor("") + "==")[:9]
    places = [
        b"", b"\0", b"null", b"[]", b"{}", b"0", b"-1", b"[" * 2000, b"9" * 2500, b"NaN", b"[NaN]", b"[1e999999]", b"1e999999", json.dumps([[[[]]]]).encode(),
        b'"' + b"\\u0000" * 100 + b'"', b"1 OR 1=1", b"'; DROP TABLE study; --", b"\xff\xfe", b'["a", {"b": [null, true]}]', b'{"__class__": "os.system"}',
        (2**63).__str__().encode(), (-(2**63) - 1).__str__().encode(), b"[9223372036854775808]", b'[["x","x","x","x","x","x","x","x","x"]]', b"[1,2,3,4,5,6,7,8,9]",
    ]  # fmt: skip
    texts = [base64.urlsafe_b64encode(head + place).rstrip(b"=").decode() for place in places]
    texts += [
        "",
        "=",
        "====",
        "A",
        "AAA",
        "%00",
        "%20",
        ".",
        "..",
        "-",
        "a.b.c",
        "A" * 4096,
        "A" * 4097,
        "A" * 60_000,
        "%3D" * 1000,
        quoted("é") * 50,
    ]
    with bounded(victim.running, f"{len(texts)} cursors that are none"):
        for text in texts:
            reply = with_cursor(victim, text)
            assert reply.status in {400, 414, 431} or not text or text.strip("=%20") == "", (
                text[:60],
                reply.status,
                reply.body[:200],
            )
    assert ask(victim, "PatientID=CURSORS&cursor=a&cursor=b").status == 400


# What has been stored may mean harm, too.

POISON = {
    "control characters": made.element(0x00100010, "PN", b"A\x01B\x0bC\x1fD^\x7f")
    + made.element(0x00081030, "LO", b"\x00\x02\x03"),
    "escapes that lead nowhere": made.element(0x00080005, "CS", b"\\ISO 2022 IR 87")
    + made.element(0x00100010, "PN", b"\x1b$B\x1b\x1b$^\x1b(J\x1b"),
    "no UTF-8": made.element(0x00080005, "CS", b"ISO_IR 192")
    + made.element(0x00100010, "PN", b"\xff\xfe\x80^\xc3=\xe2\x82"),
    "surrogates": made.element(0x00080005, "CS", b"ISO_IR 192")
    + made.element(0x00100010, "PN", b"\xed\xa0\x80^\xed\xb0\x80=\xf4\x90\x80\x80"),
    "what is no character": made.element(0x00080005, "CS", b"ISO_IR 192")
    + made.element(0x00100010, "PN", "￾￿^\U0001fffe\U0010ffff".encode()),
    "markup": made.element(0x00100010, "PN", b"]]><!--<a&b;'\"^</PersonName>")
    + made.element(0x00081030, "LO", b"<![CDATA[&x;]]>"),
    "an unknown set": made.element(0x00080005, "CS", b"NO SUCH SET")
    + made.element(0x00100010, "PN", bytes(range(0x80, 0x90)) + b"^"),
    "not numbers": made.element(0x00101020, "DS", b"NaN") + made.element(0x00101030, "DS", b"1e999999"),
    "numbers that are none": made.element(0x00200013, "IS", b"99999999999999999999")
    + made.element(0x00101030, "DS", b"--1.5.6"),
    "floats that are none": made.element(0x00189073, "FD", bytes.fromhex("000000000000f87f"))
    + made.element(0x00189087, "FD", bytes.fromhex("000000000000f0ff")),
    "dates that are none": made.element(0x00080020, "DA", b"\xff\xff0230\x00 ")
    + made.element(0x00080030, "TM", b"996199.\x00"),
    "odd lists": made.element(0x00080060, "CS", b"\\\\\\\x00\\CT") + made.element(0x00200010, "SH", b"\\" * 30),
}


@pytest.fixture(scope="module")
def poisoned(running: object) -> dict[str, Target]:
    victim, found = Victim(running), {}  # type: ignore[arg-type]
    for name, between in POISON.items():
        found[name] = target = made.new_target()
        report = victim.store(
            made.make(target, between=between),
            made.make(Target(target.study, target.series, made.new_target().instance)),
        )
        assert target.instance in report.stored, (name, report)
    return found


@pytest.mark.parametrize("name", POISON)
def test_a_poisoned_instance_never_breaks_a_listing_T8(victim: Victim, poisoned: dict[str, Target], name: str) -> None:
    """In JSON and XML, at every level, with all fields: strict parsers read it, and its neighbour is there."""
    target = poisoned[name]
    for resource in (
        f"studies?StudyInstanceUID={target.study}&includefield=all",
        f"series?StudyInstanceUID={target.study}&includefield=all",
        f"instances?StudyInstanceUID={target.study}&includefield=all",
        f"studies/{target.study}/instances?includefield=00101020,00101030,00189073,00189087,00080020",
    ):
        reply = victim.get(f"/dicomweb/{resource}", {"Accept": "application/dicom+json"})
        rows = read_json(reply.body)
        assert all(row["0020000D"]["Value"] == [target.study] for row in rows)
        parts = xml_parts(victim.get(f"/dicomweb/{resource}", XML))
        assert len(parts) == len(rows) == (2 if "instances" in resource else 1)
        assert all(target.study in part for part in parts)


def test_whole_listings_with_all_of_them_T8(victim: Victim, poisoned: dict[str, Target]) -> None:
    for level in LEVELS:
        for order in ("", "&orderby=PatientName", "&orderby=-StudyDate"):
            reply = victim.get(f"/dicomweb/{level}?includefield=all{order}")
            listed = {row["0020000D"]["Value"][0] for row in read_json(reply.body)}
            assert {target.study for target in poisoned.values()} <= listed
        parts = xml_parts(victim.get(f"/dicomweb/{level}?includefield=all", XML))
        assert sum(any(target.study in part for target in poisoned.values()) for part in parts) >= len(poisoned)


def test_poisoned_values_are_searched_like_others_T8(victim: Victim, poisoned: dict[str, Target]) -> None:
    for query in ("PatientName=*", "PatientName=A*", "fuzzymatching=true&PatientName=a", "StudyDate=19000101-", "PatientSize=1-", "PatientWeight=1.5", "StudyDescription=*%3C*",
                  "StudyTime=00-23", "ModalitiesInStudy=CT", "emptyvaluematching=true&StudyID=%22%22", "InstanceNumber=1", "CardiacRRIntervalSpecified=1"):  # fmt: skip
        for level in LEVELS:
            reply = ask(victim, query, level)
            assert reply.status in {200, 204, 400, 413}, (query, reply.status)
            assert_sound(reply)


def xml_parts(reply: Reply) -> list[str]:
    """Read by expat, which forgives nothing."""
    assert reply.status == 200, reply.body[:300]
    boundary = reply.headers["content-type"].partition("boundary=")[2].split(";")[0].strip('"').encode()
    pieces = (b"\r\n" + reply.body).split(b"\r\n--" + boundary)
    documents = [piece.partition(b"\r\n\r\n")[2] for piece in pieces[1:-1]]
    for document in documents:
        xml.dom.minidom.parseString(document).unlink()
    return [document.decode() for document in documents]
