"""Bodies of instances on the wire: refused early, read at any cut, stored side by side, spoiled one by one (STOW-RS)."""

from __future__ import annotations

import contextlib
import errno
import gzip
import json
import os
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_origin import TARGET, Made
from waiting import PATIENCE, until

from dicomgate import errors
from dicomgate.dicom.outcomes import Outcome, Reason, Refused, Stored
from dicomgate.dicom.uids import Target
from dicomgate.spool import Arrival
from dicomgate.testing.serving import Reply, Served, format_request

STUDIES = "/dicomweb/studies"
RELATED = 'multipart/related; type="application/dicom"; boundary=XX'
MIB = 1 << 20


def body_of(*contents: bytes, boundary: str = "XX", head: str = "Content-Type: application/dicom\r\n") -> bytes:
    parts = b"".join(f"--{boundary}\r\n{head}\r\n".encode() + content + b"\r\n" for content in contents)
    return parts + f"--{boundary}--\r\n".encode()


def post(served: Served, body: bytes, content_type: str = RELATED, path: str = STUDIES, **headers: str) -> Reply:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return served.ask("POST", path, {"Content-Type": content_type, **fields}, body)


def reasons(reply: Reply) -> list[int]:
    report = json.loads(reply.body)
    items = [item for tag in ("00081198", "0008119A") for item in report.get(tag, {}).get("Value", [])]
    return [item["00081197"]["Value"][0] for item in items]


def stored(reply: Reply) -> int:
    return len(json.loads(reply.body).get("00081199", {}).get("Value", []))


def is_empty(folder: Path) -> bool:
    """Also what callers of other tests left when they went."""
    return until(lambda: not os.listdir(folder))


def by_number(content: bytes) -> Outcome:
    """Instance n of made-up bytes; `bad` is refused, `slow` takes its time."""
    if content.startswith(b"bad"):
        return Refused(Reason.CANNOT_UNDERSTAND, syntax_fault=True)
    if content.startswith(b"slow"):
        time.sleep(0.1)
    number = content.split(b"/")[1].decode()
    return Stored(Target("1.2.3", "1.2.3.4", f"1.2.3.4.{number}"), "1.2")


@pytest.mark.slow
def test_parts_are_stored_and_reported_in_order_STOW_12(serve_made: Callable[..., Served]) -> None:
    made = Made()
    made.judge = by_number
    contents = [b"slow/%d" % number if number % 3 == 0 else b"fast/%d" % number for number in range(1, 41)]
    reply = post(serve_made(made), body_of(*contents))
    assert (reply.status, reply.headers["content-type"]) == (200, "application/dicom+json")
    items = json.loads(reply.body)["00081199"]["Value"]
    assert [item["00081155"]["Value"][0] for item in items] == [f"1.2.3.4.{number}" for number in range(1, 41)]
    assert sorted(made.accepted) == sorted(contents)


def test_parts_are_judged_side_by_side(serve_made: Callable[..., Served]) -> None:
    made = Made()
    together = threading.Barrier(8, timeout=PATIENCE)

    def judge(content: bytes) -> Outcome:
        together.wait()  # passes only when eight of them are here at once
        return Stored(TARGET, "1.2")

    made.judge = judge
    assert post(serve_made(made), body_of(*[b"/1"] * 16)).status == 200  # as many as the window lets in


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 60])
def test_any_cut_of_the_body_gives_the_same_T7(serve_made: Callable[..., Served], limit: int) -> None:
    content = b"\r\n--X\r\n--XXX\r\n--XX\r--XX-\r\n-" * 3
    made = Made()
    served = serve_made(made)
    body = b"preamble\r\n" + body_of(content, b"", b"/2")
    with served.line() as line:
        line.say(format_request("POST", STUDIES, {"Content-Type": RELATED, "Transfer-Encoding": "chunked"}))
        for start in range(0, len(body), limit):
            piece = body[start : start + limit]
            line.say(b"%x\r\n%s\r\n" % (len(piece), piece))
        line.say(b"0\r\n\r\n")
        assert line.hear().status == 200
    assert sorted(made.accepted) == sorted([content, b"", b"/2"])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=st.lists(st.binary(max_size=300), min_size=1, max_size=5), data=st.data())
def test_any_content_arrives_unchanged_T7(made_served: tuple[Made, Served], contents: list[bytes], data) -> None:
    made, served = made_served
    made.accepted.clear()
    assert post(served, body_of(*contents, boundary="b" * 40), RELATED.replace("XX", "b" * 40)).status == 200
    assert sorted(made.accepted) == sorted(contents)


@pytest.fixture
def made_served(serve_made: Callable[..., Served]) -> tuple[Made, Served]:
    made = Made()
    return made, serve_made(made)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ('multipart/related; type="application/dicom"; boundary="XX"', body_of(b"/1")),
        ("multipart/related; type=application/dicom; boundary=XX", body_of(b"/1")),
        ("multipart/related; boundary=XX", body_of(b"/1")),
        ("Multipart/Related; Boundary=XX; Type=Application/DICOM", body_of(b"/1")),
        (RELATED, b"\r\n" + body_of(b"/1").removesuffix(b"\r\n")),
        (RELATED, body_of(b"/1", head="Content-Type: application/dicom; transfer-syntax=1.2.840.10008.1.2.1\r\n")),
        (RELATED, body_of(b"/1", head="content-type:application/dicom\r\nContent-ID: <a>\r\n")),
        (RELATED, body_of(b"/1", head="")),
        ("application/dicom", b"/1"),
        ("application/dicom; transfer-syntax=1.2.840.10008.1.2.4.90", b"/1"),
    ],
)
def test_every_way_of_writing_it_is_taken_V17(
    serve_made: Callable[..., Served], content_type: str, body: bytes
) -> None:
    made = Made()
    assert post(serve_made(made), body, content_type).status == 200
    assert made.accepted == [b"/1"]


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "multipart/form-data; boundary=XX",
        'multipart/related; type="image/jpeg"; boundary=XX',
        'multipart/related; type="application/octet-stream"; boundary=XX',
        "image/jpeg",
        "application/octet-stream",
    ],
)
def test_other_types_are_415_before_the_body_is_read_STOW_10(
    serve_made: Callable[..., Served], content_type: str
) -> None:
    """Performance trap 3: with Expect: 100-continue the body is never sent."""
    made = Made()
    with serve_made(made).line() as line:
        fields = {"Content-Type": content_type, "Content-Length": "1000000", "Expect": "100-continue"}
        line.say(format_request("POST", STUDIES, fields))
        reply = line.hear()
        assert reply.status == 415
        assert "application/dicom" in json.loads(reply.body)["see"]
        assert "application/dicom" in reply.headers["accept"]
        assert reply.headers["connection"] == "close"
        assert line.is_closed()


def test_no_type_is_415(serve_made: Callable[..., Served]) -> None:
    assert serve_made(Made()).ask("POST", STUDIES, {}, b"abc").status == 415


@pytest.mark.parametrize("content_type", [RELATED, "application/dicom"])
@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP", "deflate", "Identity"])
def test_body_may_come_compressed(serve_made: Callable[..., Served], content_type: str, coding: str) -> None:
    made = Made()
    content = os.urandom(3 * MIB) + b"/1"
    body = body_of(content) if content_type == RELATED else content
    shrink = {"deflate": zlib.compress, "Identity": bytes}.get(coding, gzip.compress)
    assert post(serve_made(made), shrink(body), content_type, Content_Encoding=coding).status == 200
    assert made.accepted == [content]


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_compressed_body_at_any_cut(serve_made: Callable[..., Served], limit: int) -> None:
    made = Made()
    body = gzip.compress(body_of(b"/1")[:40]) + gzip.compress(body_of(b"/1")[40:])
    fields = {"Content-Type": RELATED, "Transfer-Encoding": "chunked", "Content-Encoding": "gzip"}
    with serve_made(made).line() as line:
        line.say(format_request("POST", STUDIES, fields))
        for start in range(0, len(body), limit):
            piece = body[start : start + limit]
            line.say(b"%x\r\n%s\r\n" % (len(piece), piece))
        line.say(b"0\r\n\r\n")
        assert line.hear().status == 200
    assert made.accepted == [b"/1"]


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip"])
def test_other_codings_are_415_before_the_body_is_read(serve_made: Callable[..., Served], coding: str) -> None:
    fields = {"Content-Type": RELATED, "Content-Encoding": coding, "Content-Length": "100", "Expect": "100-continue"}
    with serve_made(Made()).line() as line:
        line.say(format_request("POST", STUDIES, fields))
        reply = line.hear()
    assert (reply.status, reply.headers["accept-encoding"]) == (415, "gzip, deflate")


@pytest.mark.parametrize("spoil", [lambda body: body[:-5], lambda body: body + b"more", lambda body: b"plain" + body])
def test_broken_compression_is_400_with_what_was_whole(serve_made: Callable[..., Served], spoil) -> None:
    made = Made()
    reply = post(serve_made(made), spoil(gzip.compress(body_of(b"/1"))), Content_Encoding="gzip")
    assert reply.status == 400
    assert made.accepted == ([] if reply.headers["content-type"] == "application/problem+json" else [b"/1"])


@pytest.mark.slow
def test_gzip_bomb_is_413_and_leaves_nothing_T3(serve_made: Callable[..., Served], spool_folder: Path) -> None:
    """10 GB of zeros in 10 MB: refused once more than 64 MiB have come of it."""
    made = Made()
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    one = compressor.compress(b"--XX\r\n\r\n") + b"".join(compressor.compress(bytes(MIB)) for _ in range(100))
    body = one + b"".join(compressor.compress(bytes(MIB)) for _ in range(100))
    with serve_made(made).line() as line:
        fields = {"Content-Type": RELATED, "Content-Encoding": "gzip", "Content-Length": str(10 * MIB)}
        line.say(format_request("POST", STUDIES, fields) + body)
        assert line.hear().status == 413
    assert made.accepted == []
    assert is_empty(spool_folder)


def test_expanded_body_is_bounded_like_any(serve_made: Callable[..., Served]) -> None:
    body = gzip.compress(body_of(bytes(2000)))
    assert len(body) < 1000
    assert post(serve_made(Made(), body_bytes=1000), body, Content_Encoding="gzip").status == 413


def test_expected_body_is_asked_for_when_it_is_wanted(serve_made: Callable[..., Served]) -> None:
    made = Made()
    with serve_made(made).line() as line:
        line.say(
            format_request(
                "POST",
                STUDIES,
                {"Content-Type": "application/dicom", "Content-Length": "2", "Expect": "100-continue"},
            )
        )
        assert line.socket.recv(100).startswith(b"HTTP/1.1 100 ")
        line.say(b"/1")
        assert line.hear().status == 200


def test_too_long_a_body_is_413_before_it_is_read(serve_made: Callable[..., Served]) -> None:
    made = Made()
    with serve_made(made, body_bytes=1000).line() as line:
        line.say(format_request("POST", STUDIES, {"Content-Type": RELATED, "Content-Length": "1001"}))
        assert line.hear().status == 413
        assert line.is_closed()


def test_early_refusal_is_heard_by_one_who_keeps_sending(serve_made: Callable[..., Served]) -> None:
    with serve_made(Made(), body_bytes=1000).line() as line:
        line.say(format_request("POST", STUDIES, {"Content-Type": RELATED}, bytes(4_000_000)))
        assert line.hear().status == 413


def test_body_that_grows_too_long_is_413_with_what_was_stored(serve_made: Callable[..., Served]) -> None:
    made = Made()
    served = serve_made(made, body_bytes=1000)
    with served.line() as line:
        line.say(format_request("POST", STUDIES, {"Content-Type": RELATED, "Transfer-Encoding": "chunked"}))
        first = body_of(b"/1").removesuffix(b"--XX--\r\n") + b"--XX\r\n\r\n"
        line.say(b"%x\r\n%s\r\n" % (len(first), first))
        assert until(lambda: made.accepted)
        line.say(b"%x\r\n%s\r\n" % (2000, bytes(2000)))
        reply = line.hear()
        assert (reply.status, stored(reply)) == (413, 1)
    assert made.accepted == [b"/1"]


def test_too_long_an_instance_spoils_only_itself(serve_made: Callable[..., Served], spool_folder: Path) -> None:
    made = Made()
    reply = post(serve_made(made, instance_bytes=5 * MIB), body_of(b"/1", bytes(9 * MIB), b"/2"))
    assert (reply.status, stored(reply), reasons(reply)) == (202, 2, [Reason.LIMIT_PASSED])
    assert made.accepted == [b"/1", b"/2"]
    assert is_empty(spool_folder)


@pytest.mark.parametrize("size", [1, MIB])
def test_too_many_parts_are_413_with_all_that_came_before(serve_made: Callable[..., Served], size: int) -> None:
    """Also when all of it comes in one piece."""
    reply = post(serve_made(Made(), parts=3), body_of(*[os.urandom(size)] * 5))
    assert (reply.status, stored(reply)) == (413, 3)


def test_part_before_a_broken_one_of_the_same_piece_is_stored(serve_made: Callable[..., Served]) -> None:
    made = Made()
    body = body_of(b"/1").removesuffix(b"--XX--\r\n") + b"--XX\r\nno colon\r\n\r\n"
    with serve_made(made).line() as line:
        line.say(format_request("POST", STUDIES, {"Content-Type": RELATED, "Content-Length": "100000"}, body))
        reply = line.hear()  # at once, though more of the body could come
    assert (reply.status, stored(reply)) == (400, 1)


@pytest.mark.slow
def test_large_instance_goes_through_the_spool_and_leaves_nothing_there(
    serve_made: Callable[..., Served], spool_folder: Path
) -> None:
    made = Made()
    content = os.urandom(MIB) * 30 + b"/"
    reply = post(serve_made(made), body_of(b"/1", content, b"/2"))
    assert (reply.status, stored(reply)) == (200, 3)
    assert max(made.accepted, key=len) == content
    assert is_empty(spool_folder)


def test_one_bad_part_spoils_only_itself_STOW_12(serve_made: Callable[..., Served]) -> None:
    made = Made()
    made.judge = by_number
    reply = post(serve_made(made), body_of(b"/1", b"bad", b"/2"))
    assert (reply.status, stored(reply), reasons(reply)) == (202, 2, [Reason.CANNOT_UNDERSTAND])


def test_part_of_another_type_spoils_only_itself(serve_made: Callable[..., Served]) -> None:
    made = Made()
    body = body_of(b"/1").removesuffix(b"--XX--\r\n") + body_of(b"picture", head="Content-Type: image/jpeg\r\n")
    reply = post(serve_made(made), body)
    assert (reply.status, stored(reply), reasons(reply)) == (202, 1, [Reason.WRONG_PART_TYPE])
    assert made.accepted == [b"/1"]


def test_part_whose_type_cannot_be_read_spoils_only_itself(serve_made: Callable[..., Served]) -> None:
    body = body_of(b"/1").removesuffix(b"--XX--\r\n") + body_of(b"/2", head="Content-Type: nonsense\r\n")
    reply = post(serve_made(Made()), body)
    assert (reply.status, stored(reply), reasons(reply)) == (202, 1, [Reason.WRONG_PART_TYPE])


@pytest.mark.parametrize(
    ("field", "status"),
    [
        ("Content-Transfer-Encoding: base64", 409),
        ("Content-Transfer-Encoding: quoted-printable", 409),
        ("Content-Encoding: gzip", 409),
        ("Content-Transfer-Encoding: BINARY", 200),
        ("Content-Transfer-Encoding: 8bit", 200),
        ("Content-Encoding: identity", 200),
    ],
)
def test_part_that_is_encoded_is_not_taken_for_its_content(
    serve_made: Callable[..., Served], field: str, status: int
) -> None:
    made = Made()
    reply = post(serve_made(made), body_of(b"/1", head=f"Content-Type: application/dicom\r\n{field}\r\n"))
    assert reply.status == status
    assert made.accepted == [b"/1"] * (status == 200)
    assert reasons(reply) == [Reason.WRONG_PART_TYPE] * (status == 409)


def test_poisoned_part_spoils_only_itself(serve_made: Callable[..., Served], capfd) -> None:
    made = Made()

    def judge(content: bytes) -> Outcome:
        if content == b"poison":
            raise ZeroDivisionError("DOE^JOHN")
        return Stored(TARGET, "1.2")

    made.judge = judge
    reply = post(serve_made(made), body_of(b"/1", b"poison", b"/2"))
    assert (reply.status, stored(reply), reasons(reply)) == (202, 2, [Reason.PROCESSING_FAILURE])
    said = capfd.readouterr().err
    assert "ZeroDivisionError" in said
    assert "DOE" not in said


@pytest.mark.parametrize(
    ("fault", "status"),
    [(OSError(errno.ENOSPC, "full"), 507), (errors.OutOfSpace("full"), 507), (errors.Unavailable("no"), 503)],
)
def test_a_full_disk_is_507_other_want_of_room_503_and_both_say_when_to_come_back_D3(
    serve_made: Callable[..., Served], fault: Exception, status: int, spool_folder: Path
) -> None:
    made = Made()

    def judge(content: bytes) -> Outcome:
        raise fault

    made.judge = judge
    served = serve_made(made)
    reply = post(served, body_of(b"/1", b"/2"))
    assert (reply.status, reasons(reply)) == (status, [Reason.OUT_OF_RESOURCES] * 2)
    assert reply.headers["retry-after"]
    assert served.ask("GET", "/healthz").status == 200
    assert is_empty(spool_folder)


def test_full_disk_while_spooling_spoils_only_that_part_D3(
    serve_made: Callable[..., Served], monkeypatch: pytest.MonkeyPatch, spool_folder: Path
) -> None:
    made = Made()
    served = serve_made(made)
    spill = Arrival._spill

    def full(arrival: Arrival) -> None:
        spill(arrival)
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Arrival, "_spill", full)
    reply = post(served, body_of(b"/1", bytes(12 * MIB), b"/2"))
    assert (reply.status, stored(reply), reasons(reply)) == (202, 2, [Reason.OUT_OF_RESOURCES])
    assert is_empty(spool_folder)


def test_full_disk_gets_its_room_back_while_the_sender_goes_on_D3(
    serve_made: Callable[..., Served], monkeypatch: pytest.MonkeyPatch, spool_folder: Path
) -> None:
    """What was written of a part that cannot be kept is no use to anybody; it could come for hours yet."""
    served = serve_made(Made())
    spill = Arrival._spill
    is_full = threading.Event()

    def full(arrival: Arrival) -> None:
        spill(arrival)
        if arrival.size > 8 * MIB:
            is_full.set()
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Arrival, "_spill", full)
    with served.line() as line:
        line.say(format_request("POST", STUDIES, {"Content-Type": RELATED, "Content-Length": str(30 * MIB)}))
        line.say(b"--XX\r\n\r\n" + bytes(20 * MIB))
        assert is_full.wait(PATIENCE)
        assert is_empty(spool_folder)
    assert is_empty(spool_folder)


def test_no_closing_delimiter_is_400_with_what_was_stored_MP_07(
    serve_made: Callable[..., Served], spool_folder: Path
) -> None:
    made = Made()
    whole = body_of(b"/1", os.urandom(9 * MIB))
    reply = post(serve_made(made), whole[:-20])
    assert (reply.status, stored(reply)) == (400, 1)
    assert "closing delimiter" in reply.headers["warning"], "a report of success alone would not tell why it is 400"
    assert made.accepted == [b"/1"]
    assert is_empty(spool_folder)


@pytest.mark.parametrize(
    "body", [b"", b"--XX--\r\n", b"no boundary here", body_of(b"/1", boundary="YY"), b"--XX\r\nbroken header\r\n\r\nx"]
)
def test_body_with_nothing_in_it_is_400(serve_made: Callable[..., Served], body: bytes) -> None:
    made = Made()
    reply = post(serve_made(made), body)
    assert reply.status == 400
    assert made.accepted == []


def test_empty_single_body_is_400(serve_made: Callable[..., Served]) -> None:
    assert post(serve_made(Made()), b"", "application/dicom").status == 400


def test_boundary_missing_or_odd_is_400_T7(serve_made: Callable[..., Served]) -> None:
    served = serve_made(Made())
    for boundary in ("", "; boundary=", f"; boundary={'b' * 71}", '; boundary="a{b}"'):
        assert post(served, body_of(b"/1"), f"multipart/related{boundary}").status == 400


def test_caller_who_leaves_keeps_what_was_complete_STOW_19(
    serve_made: Callable[..., Served], spool_folder: Path, lines: list[bytes]
) -> None:
    made = Made()
    served = serve_made(made)
    whole = body_of(b"/1", os.urandom(9 * MIB))
    with served.line() as line:
        line.say(format_request("POST", STUDIES, {"Content-Type": RELATED, "Content-Length": str(len(whole) + 9)}))
        line.say(whole[:-100_000])
        assert until(lambda: made.accepted)
        assert until(lambda: os.listdir(spool_folder)), "the second is on its way"
    assert until(lambda: any(b'"access"' in one for one in lines))
    assert is_empty(spool_folder)
    assert made.accepted == [b"/1"]


@pytest.mark.parametrize("bounds", [{"store_window": 4}, {"store_window": 1000, "store_memory": 8 * MIB}])
@pytest.mark.slow
def test_memory_under_way_is_bounded(serve_made: Callable[..., Served], bounds: dict[str, int]) -> None:
    """While nothing can be judged, the caller is not read any further."""
    made = Made()
    made.hold.clear()
    served = serve_made(made, **bounds)
    body = body_of(*[bytes(MIB)] * 120)
    with served.line() as line:
        line.say(format_request("POST", STUDIES, {"Content-Type": RELATED, "Content-Length": str(len(body))}))
        line.socket.settimeout(0.3)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < len(body):
                sent += line.socket.send(body[sent : sent + MIB])
        assert sent < 40 * MIB
        line.socket.settimeout(PATIENCE)
        made.hold.set()
        line.say(body[sent:])
        reply = line.hear()
        assert (reply.status, stored(reply)) == (200, 120)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "application/dicom+json"),
        ("*/*", "application/dicom+json"),
        ("application/dicom+json", "application/dicom+json"),
        ("application/dicom+xml", "application/dicom+xml"),
        ("text/html", "application/dicom+json"),
        ("application/dicom+json;q=0.5, application/dicom+xml", "application/dicom+xml"),
    ],
)
def test_report_is_json_unless_xml_is_asked_for_V6(
    serve_made: Callable[..., Served], accept: str | None, expected: str
) -> None:
    headers = {"Accept": accept} if accept else {}
    reply = post(serve_made(Made()), body_of(b"/1"), **headers)
    assert (reply.status, reply.headers["content-type"]) == (200, expected)
    if expected.endswith("xml"):
        assert b"NativeDicomModel" in reply.body
    else:
        assert isinstance(json.loads(reply.body), dict)


def test_report_as_multipart_xml(serve_made: Callable[..., Served]) -> None:
    reply = post(serve_made(Made()), body_of(b"/1"), Accept='multipart/related; type="application/dicom+xml"')
    assert reply.headers["content-type"].startswith("multipart/related")
    assert b"Content-Type: application/dicom+xml\r\n" in reply.body


def test_location_of_what_is_new_STOW_16(serve_made: Callable[..., Served]) -> None:
    made = Made()
    served = serve_made(made)
    assert post(served, body_of(b"/1")).headers["location"] == f"{served.url}/dicomweb/studies/1.2.3"
    made.judge = lambda content: Stored(TARGET, "1.2", again=True)
    assert "location" not in post(served, body_of(b"/1")).headers


def test_store_is_not_offered_where_the_origin_cannot(serve_made: Callable[..., Served]) -> None:
    served = serve_made(Made())
    for path in ("/dicomweb/series", "/dicomweb/studies/1.2/series", "/dicomweb/studies/1.2/metadata"):
        reply = post(served, body_of(b"/1"), path=path)
        assert reply.status == 405
        assert reply.headers["allow"] == "GET, HEAD, OPTIONS"
