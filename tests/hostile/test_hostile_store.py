"""Metadata and bodies that mean harm: bombs, forgeries, links; refused in bounded work and memory, nothing fetched (T6, T14)."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import socket
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import hostile_files as made
import pydicom
import pytest
from hostile_cost import bounded
from hostile_victim import STUDIES, Report, Victim, path_of, read_json, read_report

from dicomgate.dicom.uids import Target
from dicomgate.testing import instances
from dicomgate.testing.serving import format_request

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

JSON, XML, DICOM = "application/dicom+json", "application/dicom+xml", "application/dicom"
REFUSED = {400, 409, 413}
PICTURE = {"Content-Type": "image/jpeg", "Content-Location": "here"}
Parts = Iterable[tuple[Mapping[str, str], bytes]]


def post(victim: Victim, kind: str, *parts: tuple[Mapping[str, str], bytes], **fields: str) -> Report:
    """`fields` are further header fields of the request. Who is refused early may not be heard to his end."""
    boundary = uuid.uuid4().hex
    body = b"".join(
        f"--{boundary}\r\n".encode()
        + b"".join(f"{name}: {value}\r\n".encode() for name, value in head.items())
        + b"\r\n"
        + content
        + b"\r\n"
        for head, content in parts
    )
    body += f"--{boundary}--\r\n".encode()
    headers = {"Content-Type": f'multipart/related; type="{kind}"; boundary={boundary}', "Accept": JSON}
    return send(victim, headers | {name.replace("_", "-"): value for name, value in fields.items()}, body)


def send(victim: Victim, headers: dict[str, str], body: bytes) -> Report:
    with victim.running.line() as line:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            line.say(format_request("POST", STUDIES, headers, body))
        return read_report(line.hear("POST"))


def describe(target: Target, **others: Any) -> dict[str, Any]:
    return {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"]},
        "00080018": {"vr": "UI", "Value": [target.instance]},
        "00080060": {"vr": "CS", "Value": ["OT"]},
        "0020000D": {"vr": "UI", "Value": [target.study]},
        "0020000E": {"vr": "UI", "Value": [target.series]},
        **others,
    }


def metadata(*datasets: Any) -> tuple[dict[str, str], bytes]:
    return {"Content-Type": JSON}, json.dumps(datasets).encode()


def xml(
    target: Target, more: str = "", *, start: str = '<?xml version="1.0" encoding="UTF-8"?>', within: str = ""
) -> bytes:
    """A data set as a native model; `more` are further attributes, `within` a patient's id."""
    values = {
        "00080016": "1.2.840.10008.5.1.4.1.1.7",
        "00080018": target.instance,
        "0020000D": target.study,
        "0020000E": target.series,
    }
    attributes = "".join(
        f'<DicomAttribute tag="{tag}" vr="UI"><Value number="1">{uid}</Value></DicomAttribute>'
        for tag, uid in values.items()
    )
    patient = (
        f'<DicomAttribute tag="00100020" vr="LO"><Value number="1">{within}</Value></DicomAttribute>' if within else ""
    )
    namespace = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
    return f'{start}<NativeDicomModel xmlns="{namespace}" xml:space="preserve">{attributes}{patient}{more}</NativeDicomModel>'.encode()


class Ear:
    """A port of this machine that notices whoever calls."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self.port = listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/secret"

    def was_called(self) -> bool:
        try:
            connection, _ = self._listening.accept()
        except BlockingIOError:
            return False
        connection.close()
        return True


@pytest.fixture
def ear() -> Iterator[Ear]:
    """Nobody may call it, not even a moment later: whoever fetches does so before he answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        ear = Ear(listening)
        yield ear
        assert not ear.was_called(), "T14: the server called an address that a client gave"


def assert_refused(victim: Victim, report: Report, target: Target) -> None:
    assert report.status in REFUSED, report
    assert target.instance not in report.stored
    assert report.explanation
    assert len(report.reply.body) < 4000
    assert b"root:" not in report.reply.body
    assert victim.count(target) == 0


# XML.


def entities(depth: int, width: int) -> str:
    lines = ['<!ENTITY e0 "ha">'] + [f'<!ENTITY e{n} "{f"&e{n - 1};" * width}">' for n in range(1, depth + 1)]
    return f"<!DOCTYPE NativeDicomModel [{''.join(lines)}]>"


def test_xml_bombs_T6(victim: Victim, ear: Ear) -> None:
    """A document type is refused, whatever it holds: a billion laughs, one of 50 MB often said, files, and addresses."""
    head = '<?xml version="1.0"?>'
    bombs = {
        "a billion laughs": (head + entities(10, 10), "&e10;"),
        "quadratic": (head + f'<!DOCTYPE x [<!ENTITY a "{"A" * 500_000}">]>', "&a;" * 20_000),
        "a file": (head + '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>', "&a;"),
        "an address": (head + f'<!DOCTYPE x [<!ENTITY a SYSTEM "{ear.url}">]>', "&a;"),
        "a parameter entity": (head + f'<!DOCTYPE x [<!ENTITY % a SYSTEM "{ear.url}">%a;]>', "x"),
        "a definition elsewhere": (head + f'<!DOCTYPE x SYSTEM "{ear.url}">', "x"),
        "a public definition": (head + f'<!DOCTYPE x PUBLIC "-//x//y" "{ear.url}">', "x"),
        "an empty document type": (head + "<!DOCTYPE NativeDicomModel>", "x"),
        "an attribute's default": (head + '<!DOCTYPE x [<!ATTLIST Value number CDATA "1">]>', "x"),
        "entities of entities": (head + entities(5000, 2), "&e5000;"),
        "itself": (head + '<!DOCTYPE x [<!ENTITY a "&b;"><!ENTITY b "&a;">]>', "&a;"),
    }
    for what, (start, within) in bombs.items():
        target = made.new_target()
        document = xml(target, start=start, within=within)
        with bounded(victim.running, f"XML, {what}, {len(document)} bytes"):
            report = post(victim, XML, ({"Content-Type": XML}, document))
        assert_refused(victim, report, target)


def test_xml_that_names_what_nobody_declared_T6(victim: Victim, ear: Ear) -> None:
    inclusion = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{ear.url}" parse="text"/>'
    style = f'<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="{ear.url}"?>'
    schema = f'<x xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a {ear.url}"/>'
    for what, document in {
        "an entity": xml(target := made.new_target(), within="&unknown;"),
        "an inclusion": xml(target, inclusion),
        "another element": xml(target, schema),
    }.items():
        with bounded(victim.running, what):
            assert_refused(victim, post(victim, XML, ({"Content-Type": XML}, document)), target)
    styled = made.new_target()
    report = post(victim, XML, ({"Content-Type": XML}, xml(styled, start=style)))
    assert report.status in {202, *REFUSED}, "an instance without pixels is stored with a warning"


def deep_xml(depth: int) -> str:
    opening = '<DicomAttribute tag="00081140" vr="SQ"><Item number="1">'
    return opening * depth + "</Item></DicomAttribute>" * depth


def broken_xml(target: Target) -> dict[str, bytes]:
    whole = xml(target)
    text = whole.decode()
    element = '<DicomAttribute tag="00091{:03X}" vr="LO"/>'
    return {
        "depth of 65": xml(target, deep_xml(65)),
        "depth of 10 000": xml(target, deep_xml(10_000)),
        "depth of a million that never ends": b"<a>" * 1_000_000,
        "an attribute of 10 MB": xml(target, f'<DicomAttribute tag="{"0" * 10_000_000}" vr="LO"/>'),
        "a name of 10 MB": xml(target, f"<{'a' * 10_000_000}/>"),
        "100 000 attributes of one element": xml(target, "<x " + " ".join(f'a{n}=""' for n in range(100_000)) + "/>"),
        "100 000 namespaces": xml(target, "<x " + " ".join(f'xmlns:a{n}="u{n}"' for n in range(100_000)) + "/>"),
        "200 000 elements": xml(target, "".join(element.format(n % 4096) for n in range(200_000))),
        "a million items": xml(target, '<DicomAttribute tag="00081140" vr="SQ">' + '<Item number="1"/>' * 1_000_000 + "</DicomAttribute>"),
        "twice the same": xml(target, '<DicomAttribute tag="0020000D" vr="UI"><Value number="1">1.2</Value></DicomAttribute>'),
        "a value number of 2^70": xml(target, f'<DicomAttribute tag="00080008" vr="CS"><Value number="{2**70}">A</Value></DicomAttribute>'),
        "cut short": whole[:-20],
        "nothing": b"",
        "blanks": b" " * 1_000_000,
        "no XML": b"\x00\x01\x02",
        "two roots": whole + whole,
        "UTF-16 that says UTF-8": text.encode("utf-16"),
        "UTF-7": xml(target, start='<?xml version="1.0" encoding="UTF-7"?>'),
        "an unknown encoding": xml(target, start='<?xml version="1.0" encoding="x-no-such"?>'),
        "broken UTF-8": whole.replace(b"<NativeDicomModel", b"<!-- \xff\xfe --><NativeDicomModel"),
        "a control character": xml(target, within="a\x01b"),
        "a reference to one": xml(target, within="a&#1;b"),
        "a reference to a surrogate": xml(target, within="&#xD800;"),
        "base64 that is none": xml(target, '<DicomAttribute tag="00091001" vr="OB"><InlineBinary>!!!!</InlineBinary></DicomAttribute>'),
    }  # fmt: skip


@pytest.mark.parametrize("what", broken_xml(Target("1.2", "1.3", "1.4")))
def test_xml_that_is_none_or_too_much_T6(victim: Victim, what: str) -> None:
    target = made.new_target()
    document = broken_xml(target)[what]
    with bounded(victim.running, f"XML, {what}, {len(document)} bytes", megabytes=128):
        report = post(victim, XML, ({"Content-Type": XML}, document))
    assert_refused(victim, report, target)


# JSON.


def broken_json(target: Target) -> dict[str, bytes]:
    sound = json.dumps([describe(target)])
    inner = sound[1:-1]

    def nested(depth: int) -> str:
        return '{"00081140":{"vr":"SQ","Value":[' * depth + "{}" + "]}}" * depth

    def also(element: str) -> str:
        return f"[{inner[:-1]},{element}}}]"

    return {
        name: text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        for name, text in {
            "10 000 arrays deep": "[" * 10_000 + "]" * 10_000,
            "10 000 arrays that never end": "[" * 10_000,
            "a million arrays that never end": "[" * 1_000_000,
            "10 000 objects deep": '{"a":' * 10_000 + "1" + "}" * 10_000,
            "10 000 sequences deep": f"[{nested(10_000)}]",
            "65 sequences deep": also(f'"00081140":{{"vr":"SQ","Value":[{nested(65)}]}}'),
            "a key twice in another case": also('"0020000d":{"vr":"UI","Value":["1.2.3"]}'),
            "NaN": also('"00189073":{"vr":"FD","Value":[NaN]}'),
            "Infinity": also('"00189073":{"vr":"FD","Value":[-Infinity]}'),
            "a number without end": also('"00189073":{"vr":"FD","Value":[1e999999]}'),
            "a whole number without end": also('"00280010":{"vr":"US","Value":[' + "9" * 1_000_000 + "]}"),
            "too large for its VR": also('"00280010":{"vr":"US","Value":[65536]}'),
            "an object for a number": also('"00280010":{"vr":"US","Value":[{}]}'),
            "a lone surrogate": also('"00100020":{"vr":"LO","Value":["\\ud800"]}'),
            "raw surrogates": also('"00100020":{"vr":"LO","Value":["\udc80"]}'),
            "broken UTF-8": also('"00100020":{"vr":"LO","Value":["X"]}').encode().replace(b'"X"', b'"\xff\xfe"'),
            "UTF-16": also('"00100020":{"vr":"LO","Value":["X"]}').encode("utf-16"),
            "no tag": also('"PatientID":{"vr":"LO","Value":["X"]}'),
            "no VR": also('"00091001":{"vr":"XX","Value":["X"]}'),
            "an element that is a list": also('"00100020":["X"]'),
            "an element that is nothing": also('"00100020":null'),
            "values that are an object": also('"00100020":{"vr":"LO","Value":{"a":1}}'),
            "values and bytes": also('"00091001":{"vr":"OB","Value":[1],"InlineBinary":"AA=="}'),
            "base64 that is none": also('"00091001":{"vr":"OB","InlineBinary":"!!!!"}'),
            "a million empty data sets": "[" + "{}," * 999_999 + "{}]",
            "200 000 elements": also(",".join(f'"{0x00091000 + n:08X}":{{"vr":"LO"}}' for n in range(200_000))),
            "a million items": also('"00081140":{"vr":"SQ","Value":[' + "{}," * 999_999 + "{}]}"),
            "a million values": also('"00280009":{"vr":"AT","Value":[' + '"",' * 999_999 + '""]}'),
            "a text of 20 MB": also('"00100020":{"vr":"LO","Value":["' + "a" * 20_000_000 + '"]}'),
            "a key of 20 MB": also('"' + "0" * 20_000_000 + '":{"vr":"LO"}'),
            "escapes of 20 MB": also('"00100020":{"vr":"LO","Value":["' + "\\u0041" * 3_333_333 + '"]}'),
            "a string": '"text"',
            "a number": "1",
            "nothing": "",
            "an empty list": "[]",
            "a list of lists": "[[]]",
            "cut short": sound[:-3],
            "two values": sound + sound,
            "a byte order mark and garbage": "\ufeffgarbage",
            "NUL": "\0" * 1000,
            "a comment": "/* x */" + sound,
            "single quotes": sound.replace('"', "'"),
        }.items()
    }  # fmt: skip


@pytest.mark.parametrize("what", broken_json(Target("1.2", "1.3", "1.4")))
def test_json_that_is_none_or_too_much_T6(victim: Victim, what: str) -> None:
    """Depth, duplicate keys, NaN tokens, numbers without end: each has one answer, and it is no."""
    target = made.new_target()
    document = broken_json(target)[what]
    with bounded(victim.running, f"JSON, {what}, {len(document)} bytes", megabytes=128):
        report = post(victim, JSON, ({"Content-Type": JSON}, document))
    assert_refused(victim, report, target)


def test_of_a_key_that_comes_twice_the_last_counts_T6(victim: Victim) -> None:
    """In the file, the report and the index alike: nobody is shown one and gets the other."""
    target, study = made.new_target(), made.new_target().study
    sound = json.dumps(describe(target))
    twice = sound[:-1] + f',"0020000D":{{"vr":"UI","Value":["1.2.3"],"Value":["{study}"]}}}}'
    report = post(victim, JSON, ({"Content-Type": JSON}, twice.encode()))
    assert report.stored == [target.instance]
    assert report.reply.body.count(study.encode()) > 0
    assert target.study.encode() not in report.reply.body
    (row,) = victim.search(f"/instances?SOPInstanceUID={target.instance}")
    assert row["0020000D"]["Value"] == [study]
    stored = pydicom.dcmread(io.BytesIO(victim.file(Target(study, target.series, target.instance))))
    assert stored.StudyInstanceUID == study


def test_one_bad_data_set_spoils_only_itself_T6(victim: Victim) -> None:
    good, bad = made.new_target(), made.new_target()
    report = post(victim, JSON, metadata(describe(bad, **{"00280010": {"vr": "US", "Value": [-1]}}), describe(good)))
    assert report.status in {202, *REFUSED}
    assert bad.instance not in report.stored
    assert victim.count(bad) == 0
    assert victim.count(good) == len(report.stored)


# Links.

LINKS = ["{ear}", "HTTP://127.0.0.1:{port}/", "//127.0.0.1:{port}/x", "http://localhost:{port}/", "http://[::ffff:127.0.0.1]:{port}/", "ftp://127.0.0.1:{port}/x",
         "file:///etc/passwd", "/etc/passwd", "../../../../etc/passwd", "gopher://127.0.0.1:{port}/_x", "data:text/plain;base64,cm9vdDo=", "jar:http://127.0.0.1:{port}!/", "", "\\\\127.0.0.1\\x",
         "http://127.0.0.1:{port}/" + "a" * 100_000]  # fmt: skip


@pytest.mark.parametrize("link", LINKS, ids=lambda link: repr(link[:30]))
@pytest.mark.parametrize("kind", [JSON, XML])
def test_bulk_data_is_never_fetched_T14_STOW_05(victim: Victim, ear: Ear, link: str, kind: str) -> None:
    """What no part answers fails its instance: for pixels, documents, and values within sequences."""
    address = link.format(ear=ear.url, port=ear.port)
    for tag, vr in (("7FE00010", "OW"), ("00420011", "OB"), ("00091001", "UN")):
        target = made.new_target()
        if kind == JSON:
            part = metadata(describe(target, **{tag: {"vr": vr, "BulkDataURI": address}}))
        else:
            uri = address.replace("&", "&amp;").replace('"', "&quot;")
            part = (
                {"Content-Type": XML},
                xml(target, f'<DicomAttribute tag="{tag}" vr="{vr}"><BulkData uri="{uri}"/></DicomAttribute>'),
            )
        assert_refused(victim, post(victim, kind, part), target)
    target = made.new_target()
    within = {"00081140": {"vr": "SQ", "Value": [{"00091001": {"vr": "OB", "BulkDataURI": address}}]}}
    assert_refused(victim, post(victim, JSON, metadata(describe(target, **within))), target)


def test_parts_that_answer_nothing_or_too_often_T14(victim: Victim, ear: Ear) -> None:
    """A part's own Content-Location is a name, nothing to go to."""
    target = made.new_target()
    asked = describe(target, **{"7FE00010": {"vr": "OB", "BulkDataURI": ear.url}})
    for parts in (
        [({"Content-Type": "image/jpeg", "Content-Location": ear.url + "x"}, b"\xff\xd8\xff\xd9")],
        [({"Content-Type": "image/jpeg"}, b"\xff\xd8\xff\xd9")],
        [
            ({"Content-Type": "application/octet-stream", "Content-Location": f"{ear.url}{n}"}, b"ab")
            for n in range(300)
        ],
    ):
        assert_refused(victim, post(victim, JSON, metadata(asked), *parts), target)
    alone = post(victim, JSON, ({"Content-Type": "image/jpeg", "Content-Location": ear.url}, b"\xff\xd8\xff\xd9"))
    assert alone.status in REFUSED


def test_links_in_header_fields_are_not_followed_T14(victim: Victim, ear: Ear) -> None:
    target = made.new_target()
    for name in (
        "Content-Location",
        "Location",
        "Referer",
        "Origin",
        "Link",
        "Forwarded",
        "X-Forwarded-Host",
        "X-Original-URL",
        "Content-Base",
    ):
        report = post(
            victim,
            DICOM,
            ({"Content-Type": DICOM, name: ear.url}, made.make(target)),
            **{name.replace("-", "_"): ear.url},
        )
        assert report.status in {200, 400}
        reply = victim.get(f"/dicomweb/studies?StudyInstanceUID={target.study}", {name: ear.url})
        assert reply.status in {200, 204, 400}
        assert b"secret" not in reply.body


# Pictures and other parts.


def test_pictures_that_lie_about_their_size_T3(victim: Victim) -> None:
    """65 535 by 65 535 in a few bytes: neither made room for nor believed; the instance is refused, or kept as it came."""
    claims = {
        "image/jpeg": b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\x01\x11\0\x02\x11\0\x03\x11\0\xff\xda\0\x0c\x03\x01\0\x02\0\x03\0\0\x3f\0\x12\xff\xd9",
        "image/png": png(65_535, 65_535, zlib.compress(bytes(1 << 20))),
        "image/gif": b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;",
        "image/jp2": bytes.fromhex("0000000c6a5020200d0a870a")
        + b"\0\0\0\x14ftypjp2 \0\0\0\0jp2 "
        + b"\xff\x4f\xff\x51\0\x2f\0\0"
        + b"\xff\xff\xff\xff" * 2
        + bytes(60),
        "image/jls": b"\xff\xd8\xff\xf7\0\x0b\x08\xff\xff\xff\xff\x01\x01\x11\0\xff\xda\0\x08\x01\x01\0\0\0\0\xff\xd9",
    }
    for kind, picture in claims.items():
        target = made.new_target()
        asked = describe(target, **{"7FE00010": {"vr": "OB", "BulkDataURI": "here"}})
        with bounded(victim.running, f"{kind} that lies, {len(picture)} bytes", seconds=20, megabytes=300):
            report = post(victim, JSON, metadata(asked), ({"Content-Type": kind, "Content-Location": "here"}, picture))
        assert report.status in {200, *REFUSED}, (kind, report)
        assert report.status == 200 or victim.count(target) == 0


def png(columns: int, rows: int, packed: bytes) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4) + name + content + zlib.crc32(name + content).to_bytes(4)

    head = columns.to_bytes(4) + rows.to_bytes(4) + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["image/png", "image/gif", "image/jpeg", "image/jp2", "image/jph", "image/jxl", "image/jls", "video/mp4", "video/mpeg", "application/pdf", "model/stl"])  # fmt: skip
def test_garbage_that_calls_itself_a_picture_T5(victim: Victim, kind: str) -> None:
    for content in (
        b"",
        b"x",
        b"\xff\xd8",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        bytes(100_000),
        b"\xff" * 100_000,
        bytes(range(256)) * 500,
    ):
        target = made.new_target()
        asked = describe(target, **{"7FE00010": {"vr": "OB", "BulkDataURI": "here"}})
        with bounded(victim.running, f"{kind}, {len(content)} bytes of garbage", seconds=20, megabytes=300):
            report = post(victim, JSON, metadata(asked), ({"Content-Type": kind, "Content-Location": "here"}, content))
        assert report.status in {200, *REFUSED}, report
        assert report.status == 200 or victim.count(target) == 0


# Compressed bodies.


def packed(*, of: int, coding: str) -> bytes:
    """So many MiB of zeros behind the beginning of a part, a thousandth of it."""
    beginning = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + bytes(128) + b"DICM"
    packer = zlib.compressobj(9, zlib.DEFLATED, {"gzip": 31, "deflate": 15}[coding])
    block = bytes(1 << 20)
    return packer.compress(beginning) + b"".join(packer.compress(block) for _ in range(of)) + packer.flush()


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_bodies_that_grow_without_end_T3(victim: Victim, coding: str) -> None:
    kind = f'multipart/related; type="{DICOM}"; boundary=b'
    bomb = packed(of=600, coding=coding)
    with bounded(victim.running, f"{coding} bomb of 600 MiB in {len(bomb)} bytes", seconds=20, megabytes=200):
        report = send(victim, {"Content-Type": kind, "Content-Encoding": coding}, bomb)
    assert report.status in {400, 413}
    assert report.stored == []


def test_compressed_bodies_that_are_none_T3(victim: Victim) -> None:
    kind = f'multipart/related; type="{DICOM}"; boundary=b'
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + instances.make() + b"\r\n--b--\r\n"
    whole = gzip.compress(body)
    twice = gzip.compress(gzip.compress(bytes(50 << 20)))
    many = gzip.compress(b"") * 200_000
    for what, content, status in (
        ("cut", whole[:-9], {400, 202}),
        ("garbage", b"\x1f\x8b" + bytes(1000), {400}),
        ("plain", body, {400}),
        ("broken checksum", whole[:-8] + bytes(8), {400, 202}),
        ("zip within zip", twice, {400, 413}),
        ("200 000 empty members", many, {400, 413}),
        ("nothing", b"", {400}),
    ):
        with bounded(victim.running, f"gzip, {what}, {len(content)} bytes"):
            report = send(victim, {"Content-Type": kind, "Content-Encoding": "gzip"}, content)
        assert report.status in status, (what, report)
    for coding in ("br", "zstd", "compress", "gzip, gzip", "gzip,deflate,gzip", "x" * 5000, "gzip;q=1"):
        assert send(victim, {"Content-Type": kind, "Content-Encoding": coding}, whole).status in {400, 415}, coding[:20]


# Header fields.


@pytest.mark.parametrize("name", ["Content-Type", "Content-Location", "Accept", "Content-Encoding", "X-Any"])
@pytest.mark.parametrize(
    "break_",
    [
        b"\r\nX-Injected: 1",
        b"\nX-Injected: 1",
        b"\rX-Injected: 1",
        b"\r\n X-Injected: 1",
        b"\0X-Injected: 1",
        b"\x0bX-Injected: 1",
    ],
)
def test_lines_within_a_field_of_a_request_T13(victim: Victim, name: str, break_: bytes) -> None:
    """Either it is another field, or it is 400; it never comes back to us as a field of the answer."""
    target = made.new_target()
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + made.make(target) + b"\r\n--b--\r\n"
    value = f'multipart/related; type="{DICOM}"; boundary=b'.encode() if name == "Content-Type" else b"a"
    kind = (
        b"" if name == "Content-Type" else f'Content-Type: multipart/related; type="{DICOM}"; boundary=b\r\n'.encode()
    )
    head = (
        b"POST "
        + STUDIES.encode()
        + b" HTTP/1.1\r\nHost: localhost\r\n"
        + kind
        + name.encode()
        + b": "
        + value
        + break_
        + b"\r\n"
    )
    with victim.running.line() as line:
        line.say(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        reply = line.hear("POST")
    assert reply.status in ({200, 415, 400} if break_.startswith(b"\r\nX") else {400})
    assert "x-injected" not in reply.headers


@pytest.mark.parametrize("tag", ["00080016", "00080018", "0020000D", "0020000E"])
@pytest.mark.parametrize(
    "break_", ["\r\nX-Injected: 1", "\n\nX-Injected: 1", "\u0085X", "\u2028X", "%0d%0aX-Injected:%201"]
)
def test_lines_within_a_uid_T9(victim: Victim, tag: str, break_: str) -> None:
    """Location and the report are made of UIDs."""
    target = made.new_target()
    poisoned = describe(target)
    poisoned[tag] = {"vr": "UI", "Value": [str(poisoned[tag]["Value"][0])[:20] + break_]}
    report = post(victim, JSON, metadata(poisoned))
    assert_refused(victim, report, target)
    assert "x-injected" not in report.reply.headers
    assert b"X-Injected" not in report.reply.body


@pytest.mark.parametrize("name", ["Content-Type", "Content-Location", "Content-ID", "X-Any"])
@pytest.mark.parametrize(
    "value",
    [
        "a\rX-Injected: 1",
        "a\nX-Injected: 1",
        "a\0b",
        "\xff\xfe",
        "a" * 100_000,
        "a;" * 50_000,
        '"' * 1000,
        "=?utf-8?q?" + "a" * 1000,
    ],
)
def test_odd_fields_of_a_part_T7(victim: Victim, name: str, value: str) -> None:
    target = made.new_target()
    head = {"Content-Type": DICOM} | {name: value}
    with bounded(victim.running, f"{name} of a part, {value[:10]!r}"):
        report = post(victim, DICOM, (head, made.make(target)), (({"Content-Type": DICOM}), made.make()))
    assert report.status in {200, 202, *REFUSED}
    assert "x-injected" not in report.reply.headers
    assert victim.count(target) == (target.instance in report.stored)


# T10, through the new door.


def test_metadata_under_a_known_uid_is_refused_T10(victim: Victim) -> None:
    target = made.new_target()
    content = made.make(target)
    assert victim.store(content).status == 200
    report = post(
        victim, JSON, metadata(describe(target, **{"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Other^Name"}]}}))
    )
    assert report.status == 409
    assert report.stored == []
    assert victim.file(target) == content, "the first is untouched"


def test_the_same_metadata_again_is_success_T10(victim: Victim) -> None:
    target = made.new_target()
    part = metadata(describe(target, **{"00100020": {"vr": "LO", "Value": ["AGAIN"]}}))
    first = post(victim, JSON, part)
    assert (first.status, first.stored) == (202, [target.instance]), "with a warning: there are no pixels"
    file = victim.file(target)
    assert post(victim, JSON, part).stored == [target.instance]
    assert victim.file(target) == file
    assert victim.count(target) == 1


def test_poisoned_metadata_never_breaks_an_answer_T8(victim: Victim) -> None:
    """What JSON may say and DICOM may not: whatever is stored comes back as strict JSON and XML."""
    values = {
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "]]><a&b;\u0000\u0001\ufffe"}]},
        "00081030": {"vr": "LO", "Value": ["a\u0000b\\c\r\n\u001b[31m"]},
        "00189073": {"vr": "FD", "Value": ["NaN", "-Infinity", None]},
        "00101020": {"vr": "DS", "Value": ["NaN"]},
        "00200013": {"vr": "IS", "Value": ["1e5"]},
        "00081140": {"vr": "SQ", "Value": [{}, None]},
    }
    for tag, element in values.items():
        target = made.new_target()
        report = post(victim, JSON, metadata(describe(target, **{tag: element})))
        assert report.status in {200, 202, *REFUSED}, report
        if report.stored:
            rows = victim.get(f"/dicomweb/studies/{target.study}/metadata")
            assert read_json(rows.body)[0]["00080018"]["Value"] == [target.instance]
            assert victim.get(path_of(target), {"Accept": DICOM}).status == 200
