"""Requests that are none, or that lie: refused with a status and a reason, before or after their body."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import hostile_files as made
import pytest
from hostile_victim import BYTES, STORED, STUDIES, Report, Victim, path_of, read_json, read_report, wait_until

from dicomgate.dicom.outcomes import Reason
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances
from dicomgate.testing.serving import Reply, format_request

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

MULTIPART = 'multipart/related; type="application/dicom"; boundary='
PATIENCE = 100  # seconds for what takes none when it goes right
PART = b"Content-Type: application/dicom\r\n\r\n"


def explained(reply: Reply) -> str:
    """What a person is told."""
    return Report(reply).explanation


def picture(target: Target, size: int) -> bytes:
    return made.make(target, after=made.pixels(size // 2048, 1024, bytes(size)))


def test_no_closing_delimiter_is_400_and_the_cut_part_is_not_stored_MP_07(victim: Victim) -> None:
    whole, cut = made.new_target(), made.new_target()
    body = b"--b\r\n" + PART + made.make(whole) + b"\r\n--b\r\n" + PART + made.make(cut)
    report = victim.post(body, boundary="b")
    assert report.status == 400
    assert cut.instance not in report.stored
    assert victim.count(cut) == 0
    assert victim.count(whole) == len(report.stored), "STOW-19: what is said to be stored is, and nothing else"
    alone = victim.post(b"--b\r\n" + PART + made.make(cut), boundary="b")
    assert (alone.status, alone.stored) == (400, [])
    assert "delimiter" in alone.explanation or "boundary" in alone.explanation
    assert victim.count(cut) == 0


@pytest.mark.parametrize("boundary", ["other", "B", "b ", "bb"])
def test_wrong_boundary_is_400(victim: Victim, boundary: str) -> None:
    target = made.new_target()
    body = b"--b\r\n" + PART + made.make(target) + b"\r\n--b--\r\n"
    reply = victim.running.ask("POST", STUDIES, {"Content-Type": f'{MULTIPART}"{boundary}"'}, body)
    assert reply.status == 400
    assert "boundary" in explained(reply)
    assert victim.count(target) == 0


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ('multipart/related; type="application/dicom"', 400),
        ('multipart/related; type="application/dicom"; boundary=', 400),
        (MULTIPART + "b" * 71, 400),
        (MULTIPART + '"b\\"b"', 400),
        (MULTIPART + "bé", 400),
        ('multipart/related; type="application/dicom+json"; boundary=b', 400),  # none of its parts is that
        ('multipart/related; type="application/dicom+xml"; boundary=b', 400),  # none of its parts is that
        ('multipart/related; type="image/jpeg"; boundary=b', 415),
        ("multipart/form-data; boundary=b", 415),
        ("text/plain", 415),
        ("application/json", 415),
        ("application/xml", 415),
        ("image/png", 415),
        ("nonsense", 400),
        (";;;===", 400),
        (None, 415),
    ],
)
def test_body_of_another_kind_STOW_10(victim: Victim, content_type: str | None, status: int) -> None:
    target = made.new_target()
    body = b"--b\r\n" + PART + made.make(target) + b"\r\n--b--\r\n"
    headers = {"Content-Type": content_type} if content_type is not None else {}
    reply = victim.running.ask("POST", STUDIES, headers, body)
    assert reply.status == status
    assert explained(reply)
    assert victim.count(target) == 0


def test_refused_before_the_body_is_sent(victim: Victim) -> None:
    """T4, performance note 10: a wrong type or a length beyond all bounds is answered without `100 Continue`."""
    for headers, status in (
        ({"Content-Type": "text/plain", "Content-Length": "1000000"}, 415),
        ({"Content-Type": MULTIPART + "b", "Content-Length": str(1 << 40)}, 413),
        ({"Content-Type": MULTIPART + "b", "Content-Length": str(1 << 62)}, 413),
    ):
        with victim.running.line() as line:
            line.say(format_request("POST", STUDIES, {**headers, "Expect": "100-continue"}))
            reply = line.hear("POST")
        assert reply.status == status
        assert explained(reply)


@pytest.mark.parametrize(
    "part_type",
    ["text/plain", "image/jpeg", "application/dicom+json", "application/octet-stream", "x", "a/b/c", "\xff"],
)
def test_part_of_unknown_type_spoils_only_itself(victim: Victim, part_type: str) -> None:
    good, bad = made.new_target(), made.new_target()
    body = b"".join(
        (
            b"--b\r\n" + PART + made.make(good) + b"\r\n",
            b"--b\r\nContent-Type: " + part_type.encode("latin-1") + b"\r\n\r\n" + made.make(bad) + b"\r\n--b--\r\n",
        )
    )
    report = victim.post(body, boundary="b")
    assert (report.status, report.stored, report.others) == (202, [good.instance], [Reason.WRONG_PART_TYPE])
    assert "media type" in report.explanation
    assert victim.count(bad) == 0
    alone = victim.store(made.make(bad), content_type=part_type if part_type != "\xff" else "x")
    assert (alone.status, alone.stored) == (409, [])
    assert victim.count(bad) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"--b--\r\n",
        b"--b\r\n\r\n\r\n--b--",
        b"--b",
        b"--",
        b"b" * 200_000,
        b"\r\n--b" * 20_000,
        b"--b\r\n" + b"X: y\r\n" * 50_000 + b"\r\nz\r\n--b--",
        b"--b\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\nz\r\n--b--",
        b"--b\r\n: \r\n\r\nz\r\n--b--",
        b"--b\r\nno colon\r\n\r\nz\r\n--b--",
        b"--b\r\nContent-Type: application/dicom\r\n folded\r\n\r\nz\r\n--b--",
        b"--b\r\nContent-Type: application/dicom\0\r\n\r\nz\r\n--b--",
        b"--b" + b" " * 5000 + b"\r\n\r\nz\r\n--b--",
        b"x" * 1_000_000 + b"\r\n--b\r\n\r\nz\r\n--b--",
    ],
    ids=range(16),
)
def test_bodies_that_are_no_multipart_T7(victim: Victim, body: bytes) -> None:
    began = time.monotonic()
    report = victim.post(body, boundary="b")
    assert report.status in ({409} if b"folded" in body else {400, 413})
    assert report.explanation
    assert report.stored == []
    assert time.monotonic() - began < PATIENCE


def test_too_many_parts_are_413_T7(victim: Victim) -> None:
    report = victim.store(*[b"x"] * 501)
    assert report.status == 413
    assert report.stored == []


def test_instance_too_large_spoils_only_itself(victim: Victim) -> None:
    target = made.new_target()
    big = made.make(after=made.pixels(1, 1, bytes(65 << 20)))
    report = victim.store(big, made.make(target))
    assert (report.status, report.stored, report.others) == (202, [target.instance], [Reason.LIMIT_PASSED])


def test_body_too_large_is_413_when_nobody_said_so_before(victim: Victim) -> None:
    chunk = b"%x\r\n" % (1 << 20) + bytes(1 << 20) + b"\r\n"
    headers = {"Content-Type": MULTIPART + "b", "Transfer-Encoding": "chunked"}
    sent = 0
    with victim.running.line() as line:
        line.say(format_request("POST", STUDIES, headers) + b"7\r\n--b\r\n\r\n\r\n")
        with contextlib.suppress(OSError):
            while sent < 1000:
                line.say(chunk)
                sent += 1
        with contextlib.suppress(OSError):  # who keeps sending may have been let go before he listens
            assert line.hear("POST").status == 413
    assert 256 <= sent < 400


def test_wrong_study_in_the_address_STOW_15(victim: Victim) -> None:
    here, elsewhere = made.new_target(), made.new_target()
    alone = victim.store(made.make(elsewhere), study=here.study)
    assert (alone.status, alone.failed) == (409, [(elsewhere.instance, Reason.WRONG_STUDY)])
    assert "study in the address" in alone.explanation
    mixed = victim.store(made.make(elsewhere), made.make(here), study=here.study)
    assert (mixed.status, mixed.stored, mixed.reasons) == (202, [here.instance], [Reason.WRONG_STUDY])
    assert victim.count(elsewhere) == 0


@pytest.mark.parametrize(
    "study",
    ["../../etc", "%2e%2e%2f%2e%2e%2fetc", "1.2.3%00", "1." + "2" * 63, "1..2", ".", "1.2%0d%0aX:y", "a" * 9000],
)
def test_no_study_in_the_address_T9(victim: Victim, study: str) -> None:
    before = victim.blobs()
    body = b"--b\r\n" + PART + made.make() + b"\r\n--b--\r\n"
    reply = victim.running.ask("POST", f"{STUDIES}/{study}", {"Content-Type": MULTIPART + "b"}, body)
    assert reply.status in {400, 404, 405}
    assert victim.running.ask("GET", f"{STUDIES}/{study}/metadata").status in {400, 404}
    assert victim.blobs() == before


def test_same_uid_again_and_with_other_content_T10(victim: Victim) -> None:
    target = made.new_target()
    first = made.make(
        target, between=made.element(0x00100010, "PN", b"Secret^One") + made.element(0x00100020, "LO", b"1")
    )
    assert victim.store(first).status == 200
    assert (again := victim.store(first, first)).status == 200
    assert again.stored == [target.instance] * 2
    for name, other, reason in (
        ("content", first.replace(b"Secret^One", b"Secret^Two"), Reason.OTHER_CONTENT),
        (
            "study",
            made.make(Target(made.new_target().study, target.series, target.instance)),
            Reason.OTHER_PARENT,
        ),
        (
            "series",
            made.make(Target(target.study, made.new_target().series, target.instance)),
            Reason.OTHER_PARENT,
        ),
        (
            "patient",
            made.make(
                Target(target.study, made.new_target().series, made.new_target().instance),
                between=made.element(0x00100020, "LO", b"2"),
            ),
            Reason.OTHER_PATIENT,
        ),
        (
            "study of a series",
            made.make(Target(made.new_target().study, target.series, made.new_target().instance)),
            Reason.OTHER_PARENT,
        ),
    ):
        report = victim.store(other)
        assert (report.status, report.reasons) == (409, [reason]), name
        assert report.explanation, name
        assert victim.store(other, made.make()).status == 202, name
    assert victim.file(target) == first, "the first is untouched"
    assert victim.count(target) == 1
    kept = {path.read_bytes() for path in (victim.running.data / "aside").glob("*.dcm")}
    assert first.replace(b"Secret^One", b"Secret^Two") in kept, "kept aside for a person"


def test_sixteen_clients_store_the_same_at_once_T11(victim: Victim) -> None:
    """One row, right counts, no 5xx: the same instance, and first instances of one new study."""
    target = made.new_target()
    content = instances.make(target, rows=64, columns=64)
    others = [instances.make(Target(target.study, target.series, made.new_target().instance)) for _ in range(16)]
    gate = threading.Barrier(16)

    def send(number: int) -> tuple[int, int]:
        gate.wait()
        same = victim.store(content)
        gate.wait()
        return same.status, victim.store(others[number], content).status

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(send, range(16))) == {(200, 200)}
    (study,) = victim.search(f"/studies?StudyInstanceUID={target.study}")
    assert study["00201208"]["Value"] == [17]
    assert study["00201206"]["Value"] == [1]
    assert victim.file(target) == content


def test_sixteen_clients_contradict_each_other_T10_T11(victim: Victim) -> None:
    """One wins whole; all others hear why not."""
    target = made.new_target()
    contents = [made.make(target, between=made.element(0x00081030, "LO", b"%04d" % n)) for n in range(16)]
    gate = threading.Barrier(16)

    def send(content: bytes) -> int:
        gate.wait()
        return victim.store(content).status

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(send, contents))
    assert sorted(statuses) == [200] + [409] * 15
    assert victim.file(target) == contents[statuses.index(200)]


def test_dropped_connection_leaves_nothing_half_STOW_19(victim: Victim) -> None:
    """Cut at any point of an upload: what was complete may be there, the rest is not."""
    targets = [made.new_target() for _ in range(3)]
    contents = [picture(target, 512 << 10) for target in targets]
    body = b"".join(b"--b\r\n" + PART + content + b"\r\n" for content in contents) + b"--b--\r\n"
    request = format_request("POST", STUDIES, {"Content-Type": MULTIPART + "b"}, body)
    for part in range(1, 12):
        with victim.running.line() as line:
            line.say(request[: len(request) * part // 12])
            if part % 2:  # a reset rather than an end
                line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert wait_until(lambda: not list((victim.running.data / "spool").iterdir()))
    for target, content in zip(targets, contents, strict=True):
        assert victim.count(target) == 0 or victim.file(target) == content
    assert victim.count(targets[2]) == 0
    assert victim.post(body, boundary="b").status == 200


def test_large_upload_that_breaks_off_leaves_the_spool_empty(victim: Victim) -> None:
    target = made.new_target()
    head = b"--b\r\n" + PART + made.make(target, after=made.pixels(1, 1, b"", length=40 << 20))
    headers = {"Content-Type": MULTIPART + "b", "Content-Length": str(50 << 20)}
    spool = victim.running.data / "spool"
    with victim.running.line() as line:
        line.say(format_request("POST", STUDIES, headers) + head)
        for _ in range(20):
            line.say(bytes(1 << 20))
        assert wait_until(lambda: list(spool.iterdir())), "a large part goes to a file as it comes"
    assert wait_until(lambda: not list(spool.iterdir()))
    assert victim.count(target) == 0


def test_upload_that_stalls_is_let_go_T13(victim: Victim) -> None:
    target = made.new_target()
    body = b"--b\r\n" + PART + made.make(target)
    with victim.running.line() as line:
        line.say(format_request("POST", STUDIES, {"Content-Type": MULTIPART + "b", "Content-Length": "100000"}) + body)
        began = time.monotonic()
        with contextlib.suppress(OSError):
            assert line.hear("POST").status in {400, 408}
        assert time.monotonic() - began < PATIENCE
    assert victim.count(target) == 0


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="both"),
        pytest.param("Content-Length: 0\r\nContent-Length: 0\r\n\r\n", id="twice"),
        pytest.param("Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello", id="two lengths"),
        pytest.param("Content-Length: +0\r\n\r\n", id="plus"),
        pytest.param("Content-Length: 0x0\r\n\r\n", id="hex"),
        pytest.param("Content-Length: 99999999999999999999999\r\n\r\n", id="overflow"),
        pytest.param("Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", id="chunk overflow"),
        pytest.param("Transfer-Encoding: chunked\r\n\r\n-1\r\n", id="negative chunk"),
        pytest.param("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", id="odd coding"),
        pytest.param("Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", id="chunked is not last"),
        pytest.param("Content-Length : 0\r\n\r\n", id="blank before colon"),
        pytest.param("X-Y: a\0b\r\n\r\n", id="NUL"),
    ],
)
def test_smuggling_is_refused_and_nothing_stored_T13(victim: Victim, said: str) -> None:
    target = made.new_target()
    inner = format_request(
        "POST", STUDIES, {"Content-Type": MULTIPART + "b"}, b"--b\r\n" + PART + made.make(target) + b"\r\n--b--\r\n"
    )
    with victim.running.line() as line:
        line.say(f"POST {STUDIES} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {MULTIPART}b\r\n{said}".encode() + inner)
        with contextlib.suppress(OSError):
            assert line.hear("POST").status in {400, 413, 501}
        assert line.is_closed()
    assert victim.count(target) == 0


def test_half_open_connections_do_not_delay_others_T13(victim: Victim) -> None:
    lines = [victim.running.line() for _ in range(150)]
    try:
        for number, line in enumerate(lines):
            line.say(b"POST /dicomweb/studies HTTP/1.1\r\nHost: localhost\r\nX-Y: "[: number % 40])
        began = time.monotonic()
        for _ in range(10):
            assert victim.store(made.make()).status == 200
        assert time.monotonic() - began < PATIENCE
    finally:
        for line in lines:
            line.socket.close()


def test_headers_are_bounded_T13(victim: Victim) -> None:
    for fields in ({"X-Y": "z" * 200_000}, {f"X-{n}": "y" for n in range(5000)}):
        with victim.running.line() as line:
            try:
                line.say(format_request("GET", "/healthz", fields))
                assert line.hear().status == 431
            except OSError:
                pass
    with victim.running.line() as line:
        line.say(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        assert line.hear().status == 408
    assert victim.running.ask("GET", "/dicomweb/studies?" + "x" * 100_000).status in {414, 431}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "QUERY"])
@pytest.mark.parametrize(
    "path", ["/dicomweb/studies", "/dicomweb/studies/1.2", "/dicomweb/series", "/wado", "/healthz"]
)
def test_other_methods_are_405_with_allow_GEN_10(victim: Victim, method: str, path: str) -> None:
    reply = victim.running.ask(method, path)
    assert reply.status in {400, 405, 501}
    if reply.status == 405:
        assert "GET" in reply.headers["allow"]
        assert "DELETE" not in reply.headers["allow"]


def test_every_answer_keeps_html_from_running_T15(victim: Victim) -> None:
    target = made.new_target()
    victim.store(made.make(target))
    for method, path in (
        ("GET", "/healthz"),
        ("GET", "/dicomweb/studies"),
        ("GET", path_of(target)),
        ("GET", path_of(target) + "/metadata"),
        ("GET", "/dicomweb/<script>alert(1)</script>"),
        ("GET", "/nowhere"),
        ("GET", "/dicomweb/studies?limit=<script>"),
        ("POST", "/dicomweb/studies"),
        ("PUT", "/dicomweb/studies"),
        ("GET", "/wado?requestType=<script>"),
    ):
        reply = victim.running.ask(method, path, {"Accept": "text/html, */*"})
        assert reply.headers["x-content-type-options"] == "nosniff", path
        assert "default-src 'none'" in reply.headers["content-security-policy"], path
        if "json" not in reply.headers["content-type"]:
            assert b"<script>alert(1)" not in reply.body, path


def test_host_and_forwarding_are_not_believed_T16_V12(victim: Victim) -> None:
    target = made.new_target()
    content = made.make(target, after=made.pixels(64, 64, bytes(8192)))
    evil = {"Host": "localhost:1", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example;proto=https"}
    body = b"--b\r\n" + PART + content + b"\r\n--b--\r\n"
    stored = victim.running.ask("POST", STUDIES, {**evil, "Content-Type": MULTIPART + "b"}, body)
    answers = [
        stored,
        victim.get(path_of(target) + "/metadata", evil),
        victim.get(f"/dicomweb/instances?SOPInstanceUID={target.instance}", evil),
        victim.get(path_of(target), {**evil, **STORED}),
        victim.get("/dicomweb/studies/1.2.3", evil),
    ]
    for reply in answers:
        assert b"evil" not in reply.body
        assert not any("evil" in value or "localhost:1/" in value for value in reply.headers.values())
    assert b"localhost:1/" not in answers[1].body
    assert victim.get("/dicomweb/studies", {**evil, "Host": "evil.example"}).status == 403
    assert victim.running.root.encode() in answers[1].body


def test_foreign_pages_may_not_read_T16_V15(victim: Victim) -> None:
    for origin in (
        "https://evil.example",
        "null",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "file://",
    ):
        for path in ("/dicomweb/studies", "/dicomweb/studies/1.2.3", "/nowhere"):
            headers = victim.get(path, {"Origin": origin}).headers
            assert headers.get("access-control-allow-origin") not in {origin, "*"}, origin
            assert "access-control-allow-credentials" not in headers


QUERIES = [
    ("limit=99999999999999999999999999", {200, 400}),
    ("offset=99999999999999999999999999", {204, 400}),
    ("limit=-1", {400}),
    ("limit=1e3", {400}),
    ("limit=%00", {400}),
    ("offset=٣", {400}),
    ("fuzzymatching=maybe", {400}),
    ("PatientName=%00", {400}),
    ("PatientName=%ff%fe", {400}),
    ("PatientName=%ed%a0%80", {400}),
    ("%ff=1", {400}),
    ("PatientName=%", {200, 204, 400}),
    ("PatientName=%25_%25", {204}),
    ("PatientName=" + "*a" * 500, {200, 204, 400, 413}),
    ("PatientName=" + "%3F*" * 3000, {200, 204, 400, 413, 414}),
    ("StudyDate=20249999", {204, 400}),
    ("StudyDate=20240230-20240101", {204, 400}),
    ("StudyDate=--", {204, 400}),
    ("StudyTime=99", {204, 400}),
    ("StudyInstanceUID=" + ",".join(["1.2.3"] * 5000), {204, 400, 413, 414}),
    ("StudyInstanceUID=1.2.3' OR '1'='1", {204, 400}),
    ("PatientID=' OR 1=1 --", {204}),
    ("includefield=" + "00100010," * 3000, {200, 204, 400, 413, 414}),
    ("includefield=../../etc/passwd", {200, 204}),
    ("&".join(f"PatientID={n}" for n in range(500)), {400}),
    ("&" * 20_000, {200, 204, 400, 413, 414}),
    ("=" * 20_000, {200, 204, 400, 413, 414}),
    (".".join(["00081110"] * 1000) + "=1", {200, 204, 400}),
    ("RequestAttributesSequence.ScheduledProcedureStepID=*", {200, 204, 400}),
]


@pytest.mark.parametrize("resource", ["studies", "series", "instances"])
def test_searches_that_mean_harm_T17(victim: Victim, resource: str) -> None:
    for query, statuses in QUERIES:
        target = f"/dicomweb/{resource}?{query}".replace(" ", "%20").encode().decode("latin-1")
        began = time.monotonic()
        reply = victim.get(target)
        assert reply.status in statuses, (query[:60], reply.status, reply.body[:200])
        assert time.monotonic() - began < PATIENCE, query[:60]
        if reply.status >= 400:
            assert explained(reply)
        elif reply.body:
            read_json(reply.body)


def test_wildcards_of_sql_are_letters_T17(victim: Victim) -> None:
    plain, odd = made.new_target(), made.new_target()
    for target, name in ((plain, b"ABC"), (odd, b"A%C")):
        victim.store(made.make(target, between=made.element(0x00100020, "LO", name)))
    for asked, wanted in (("A%25C", [odd]), ("A_C", []), ("A?C", [plain, odd]), ("A%25*", [odd])):
        for one in (plain, odd):
            found = victim.search(f"/studies?PatientID={asked}&StudyInstanceUID={one.study}")
            assert bool(found) == (one in wanted), asked


FRAMES = [
    ("0", {400}),
    ("-1", {400}),
    ("1.5", {400}),
    ("a", {400}),
    ("", {400, 404}),
    (",", {400}),
    ("1,", {400}),
    ("1,,1", {400}),
    ("3,1", {400}),
    ("1,1", {200, 400}),
    ("2", {404}),
    ("99999999999999999999999999", {400, 404}),
    ("1" + ",1" * 20_000, {400, 413, 414}),
    (",".join(str(n) for n in range(1, 8000)), {400, 404, 413, 414}),
    ("%31", {200, 400}),
    ("١", {400}),
    ("1%00", {400}),
]


def test_frame_lists_that_are_none_FRM_01(victim: Victim) -> None:
    target = made.new_target()
    victim.store(made.make(target, after=made.pixels(2, 2, bytes(8))))
    for listed, statuses in FRAMES:
        reply = victim.get(f"{path_of(target)}/frames/{listed}".encode().decode("latin-1"))
        assert reply.status in statuses, (listed[:40], reply.status)


RANGES = ["bytes=0-", "bytes=-1", "bytes=999999999999-", "bytes=5-2", "bytes=a-b", "bytes=" + ",".join(["0-0"] * 4000),
          "bytes=--1", "bytes=0-99999999999999999999999", "items=0-1", "bytes", "bytes=,", "bytes=0-0,2-2"]  # fmt: skip


def test_ranges_that_are_none_GEN_12(victim: Victim) -> None:
    target = made.new_target()
    content = instances.make(target, rows=64, columns=64)
    victim.store(content)
    for asked in RANGES:
        for path, accept in ((path_of(target), STORED), (path_of(target) + "/frames/1", BYTES)):
            reply = victim.get(path, {**accept, "Range": asked})
            assert reply.status in {200, 206, 400, 416, 431}, asked[:40]
            assert len(reply.body) <= len(content)


ACCEPTS = ["", ",", ";", "*", "*/", "a/b/c", "*/*;q=", "*/*;q=nan", "*/*;q=-1", "x" * 20_000, ",".join(["a/b;q=0.5"] * 5000),
           'multipart/related; type="', 'multipart/related; type="\\"', "multipart/related;" * 2000, "application/dicom;" + "a=b;" * 5000,
           "application/dicom; transfer-syntax=../../x", "application/dicom\r\n"]  # fmt: skip


def test_accepts_that_are_none_MT_03(victim: Victim) -> None:
    target = made.new_target()
    victim.store(made.make(target))
    for path in (path_of(target), path_of(target) + "/metadata", "/dicomweb/studies"):
        for accept in ACCEPTS:
            began = time.monotonic()
            reply = victim.get(path, {"Accept": accept})
            assert reply.status in {200, 400, 406, 431}, accept[:40]
            assert time.monotonic() - began < PATIENCE


def test_caller_who_leaves_a_download_stops_the_work_T21(victim: Victim) -> None:
    target = made.new_target()
    content = picture(target, 32 << 20)
    assert victim.store(content).status == 200
    request = format_request("GET", path_of(target), STORED)
    before = victim.running.cpu()
    for _ in range(5):
        assert victim.file(target) == content
    whole = victim.running.cpu() - before
    for _ in range(20):
        with victim.running.line(receive_buffer=4096) as line:
            line.say(request)
            line.socket.recv(100)
    assert victim.file(target) == content
    assert victim.running.cpu() - before - whole < 2 * whole, "20 who left cost as much as 10 who stayed"


@pytest.mark.parametrize(
    "path",
    [
        "/dicomweb/../../etc/passwd",
        "/../../../etc/passwd",
        "/dicomweb/studies/%2e%2e/%2e%2e/index.sqlite",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/dicomweb//studies",
        "/dicomweb/studies/1.2.3/series/..%2f..%2f",
        "/viewer/../../../index.sqlite",
        "/static/%5c..%5c..%5cindex.sqlite",
        "/index.sqlite",
        "/dicomweb/studies/1.2/series/1.3/instances/1.4/bulkdata/../../../x",
        "/dicomweb/studies/1.2/series/1.3/instances/1.4/bulkdata/" + "7FE00010/1/" * 500,
        "/dicomweb/" + "a/" * 3000,
        "/%00",
        "/dicomweb/studies/%ff%fe",
        "*",
        "http://evil.example/dicomweb/studies",
    ],
)
def test_paths_lead_nowhere_T9(victim: Victim, path: str) -> None:
    reply = victim.running.ask("GET", path)
    assert reply.status in {200, 204, 400, 404, 414} if path.startswith(("http", "*")) else {400, 404, 414}
    assert b"root:" not in reply.body
    assert b"SQLite" not in reply.body


@pytest.mark.parametrize(
    "query",
    [
        "",
        "requestType=WADO",
        "requestType=OTHER&studyUID=1.2&seriesUID=1.3&objectUID=1.4",
        "requestType=WADO&studyUID=../..&seriesUID=1.3&objectUID=1.4",
        "requestType=WADO&studyUID=1.2&seriesUID=1.3&objectUID=1.4&contentType=application/dicom;transfer-syntax=*",
        "requestType=WADO&studyUID=1.2&seriesUID=1.3&objectUID=1.4&anonymize=maybe",
        "requestType=WADO&studyUID=1.2&studyUID=1.2&seriesUID=1.3&objectUID=1.4",
        "requestType=WADO&studyUID=%00&seriesUID=1.3&objectUID=1.4",
    ],
)
def test_wado_uri_of_nothing_is_400_URI_01(victim: Victim, query: str) -> None:
    reply = victim.get(f"/wado?{query}")
    assert reply.status == 400
    assert explained(reply)


def test_one_byte_at_a_time_T7(victim: Victim) -> None:
    """Every split of a small body, as chunks of one byte."""
    target = made.new_target()
    body = b"--b\r\n" + PART + made.make(target) + b"\r\n--b--\r\n"
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    headers = {"Content-Type": MULTIPART + "b", "Transfer-Encoding": "chunked"}
    with victim.running.line() as line:
        line.say(format_request("POST", STUDIES, headers) + chunks)
        report = read_report(line.hear("POST"))
    assert (report.status, report.stored) == (200, [target.instance])
    assert victim.file(target) == made.make(target)


def test_many_clients_send_garbage_at_once(victim: Victim) -> None:
    """Good ones among bad ones all come through."""
    kinds = itertools.cycle(["good", "garbage", "cut", "drop"])

    def send(kind: str) -> int:
        target = made.new_target()
        match kind:
            case "good":
                return victim.store(instances.make(target)).status
            case "garbage":
                return victim.store(b"\xff" * 50_000).status
            case "cut":
                return victim.store(instances.make(target)[:-7]).status
            case _:
                with victim.running.line() as line:
                    line.say(
                        format_request("POST", STUDIES, {"Content-Length": "1000", "Content-Type": MULTIPART + "b"})
                    )
                return 0

    asked = [next(kinds) for _ in range(200)]
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(send, asked))
    wanted = {"good": 200, "garbage": 400, "cut": 400, "drop": 0}
    assert statuses == [wanted[kind] for kind in asked]
