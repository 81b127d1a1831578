"""Metadata and bulk data on the wire: at any cut, abandoned, broken, too large, hostile (STOW-05, -19, T4, T6, T7, T14)."""

from __future__ import annotations

import base64
import gzip
import json
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from made_origin import Made

from dicomgate import errors
from dicomgate.composition import draft
from dicomgate.dicom import header
from dicomgate.dicom.outcomes import Outcome, Reason, Stored
from dicomgate.dicom.source import BytesSource
from dicomgate.dicom.uids import Target
from dicomgate.spool import Pile
from dicomgate.testing.serving import Reply, Served, format_request

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

STUDIES = "/dicomweb/studies"
JSON, XML = "application/dicom+json", "application/dicom+xml"
MIB = 1 << 20


def describe(number: int = 1, uri: str | None = "bulk", **more: Any) -> dict[str, Any]:
    """A data set whose one value is elsewhere."""
    uids = {"00080016": "1.2.840.10008.5.1.4.1.1.66", "00080018": f"1.2.3.4.{number}", "0020000D": "1.2.3"}
    dataset: dict[str, Any] = {
        tag: {"vr": "UI", "Value": [uid]} for tag, uid in (uids | {"0020000E": "1.2.3.4"}).items()
    }
    if uri is not None:
        dataset["00420011"] = {"vr": "OB", "BulkDataURI": uri}
    return dataset | {tag.removeprefix("x"): element for tag, element in more.items()}


def part(content: bytes, content_type: str = "application/octet-stream", location: str | None = "bulk") -> bytes:
    where = f"Content-Location: {location}\r\n" if location is not None else ""
    return f"--XX\r\nContent-Type: {content_type}\r\n{where}\r\n".encode() + content + b"\r\n"


def body_of(datasets: Any, *bulk: bytes) -> bytes:
    return part(json.dumps(datasets).encode(), JSON, None) + b"".join(bulk) + b"--XX--\r\n"


def related(root: str = JSON) -> str:
    return f'multipart/related; type="{root}"; boundary=XX'


def post(served: Served, body: bytes, root: str = JSON, **headers: str) -> Reply:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return served.ask("POST", STUDIES, {"Content-Type": related(root), **fields}, body)


def reasons(reply: Reply) -> list[int]:
    report = json.loads(reply.body)
    found = [item for tag in ("00081198", "0008119A") for item in report.get(tag, {}).get("Value", [])]
    return [item["00081197"]["Value"][0] for item in found]


def stored(reply: Reply) -> int:
    return len(json.loads(reply.body).get("00081199", {}).get("Value", []))


def documents(made: Made) -> list[bytes]:
    """The one value of every file that arrived, in the order of their names."""
    found = {}
    for content in made.accepted:
        seen = header.read(BytesSource(content))
        element = seen.attributes["00420011"]
        place = seen.bulk.get("00420011")
        inline = base64.b64decode(element.get("InlineBinary", ""))
        found[seen.target] = content[place.offset : place.offset + place.length] if place else inline
    return [found[target] for target in sorted(found, key=str)]


@pytest.fixture
def made() -> Made:
    made = Made()

    def judge(content: bytes) -> Outcome:
        seen = header.read(BytesSource(content))
        assert seen.target is not None
        return Stored(seen.target, str(seen.sop_class))

    made.judge = judge
    return made


@pytest.fixture
def leaves_nothing(spool_folder: Path) -> Iterator[None]:
    yield
    deadline = time.monotonic() + 60
    while os.listdir(spool_folder) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert os.listdir(spool_folder) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 60])
def test_any_cut_of_the_body_gives_the_same_T7(serve_made: Callable[..., Served], made: Made, limit: int) -> None:
    content = b"\r\n--X\r\n--XXX\r\n--XX\r--XX-\r\n-" * 3
    body = b"preamble\r\n" + body_of([describe(1), describe(2, "other")], part(content), part(b"2", location="other"))
    with serve_made(made).line() as line:
        line.say(format_request("POST", STUDIES, {"Content-Type": related(), "Transfer-Encoding": "chunked"}))
        for start in range(0, len(body), limit):
            piece = body[start : start + limit]
            line.say(b"%x\r\n%s\r\n" % (len(piece), piece))
        line.say(b"0\r\n\r\n")
        assert line.hear().status == 200
    assert documents(made) == [content + bytes(len(content) % 2), b"2\0"]


@pytest.mark.usefixtures("leaves_nothing")
def test_large_values_go_through_the_spool(serve_made: Callable[..., Served], made: Made) -> None:
    first, second = os.urandom(9 * MIB), os.urandom(7 * MIB + 1)
    body = body_of([describe(1, "a"), describe(2, "b")], part(first, location="a"), part(second, location="b"))
    assert post(serve_made(made), body).status == 200
    assert documents(made) == [first, second + b"\0"]


def test_compressed_body(serve_made: Callable[..., Served], made: Made) -> None:
    assert (
        post(serve_made(made), gzip.compress(body_of([describe()], part(b"ab"))), Content_Encoding="gzip").status == 200
    )
    assert documents(made) == [b"ab"]


@pytest.mark.usefixtures("leaves_nothing")
@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body.removesuffix(b"--XX--\r\n"),
        lambda body: body.removesuffix(b"--XX--\r\n") + b"--XX\r\nContent-Location: b\r\n\r\nnever closed",
        lambda body: body.replace(b"Content-Location: bulk", b"Content-Location: bu\0lk"),
        lambda body: body.replace(b"Content-Location: bulk", b"Content-Location: bu\x1blk"),
        lambda body: body.replace(b"Content-Location: bulk", b"no header"),
    ],
)
def test_broken_body_is_400_and_nothing_of_it_is_stored_STOW_19(
    serve_made: Callable[..., Served], made: Made, spoil: Callable[[bytes], bytes]
) -> None:
    reply = post(serve_made(made), spoil(body_of([describe(1), describe(2)], part(bytes(6 * MIB)))))
    assert (reply.status, reply.headers["content-type"]) == (400, "application/problem+json")
    assert made.accepted == []


@pytest.mark.usefixtures("leaves_nothing")
def test_caller_who_leaves_takes_everything_with_him_T21(serve_made: Callable[..., Served], made: Made, lines) -> None:
    body = body_of([describe()], part(bytes(9 * MIB)))
    with serve_made(made).line() as line:
        fields = {"Content-Type": related(), "Content-Length": str(len(body) + 1)}
        line.say(format_request("POST", STUDIES, fields) + body)
    deadline = time.monotonic() + 20
    while not any(b'"access"' in one for one in lines) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert made.accepted == []


@pytest.mark.parametrize(
    "body",
    [
        b"--XX--\r\n",
        part(b"bulk alone") + b"--XX--\r\n",
        body_of([]),
        body_of(7),
        body_of([7]),
        body_of(None),
        part(b"", JSON, None) + b"--XX--\r\n",
        part(b"{", JSON, None) + b"--XX--\r\n",
        part(b"\xff\xfe{}", JSON, None) + b"--XX--\r\n",
        part(b'[{"00080018":{"vr":"UI","Value":[NaN]}}]', JSON, None) + b"--XX--\r\n",
    ],
)
def test_without_metadata_it_is_400(serve_made: Callable[..., Served], made: Made, body: bytes) -> None:
    assert post(serve_made(made), body).status == 400
    assert made.accepted == []


@pytest.mark.parametrize("root", [JSON, XML])
@pytest.mark.parametrize("alias", [None, "Application/DICOM+JSON; charset=utf-8", "application/json"])
def test_type_of_the_metadata_part_may_be_missing_or_written_otherwise(
    serve_made: Callable[..., Served], made: Made, root: str, alias: str | None
) -> None:
    text = json.dumps([describe()]).encode()
    head = f"Content-Type: {alias}\r\n" if alias else ""
    if root == XML:
        from dicomgate.dicom import xmlmodel

        text = xmlmodel.format_dataset(describe())
        head = ""
    body = f"--XX\r\n{head}\r\n".encode() + text + b"\r\n" + part(b"ab") + b"--XX--\r\n"
    assert post(serve_made(made), body, root).status == 200


@pytest.mark.usefixtures("leaves_nothing")
def test_too_much_metadata_is_413_before_all_of_it_is_read_T4(serve_made: Callable[..., Served], made: Made) -> None:
    served = serve_made(made, metadata_bytes=1000)
    with served.line() as line:
        head = f"--XX\r\nContent-Type: {JSON}\r\n\r\n".encode()
        fields = {"Content-Type": related(), "Content-Length": "100000000"}
        line.say(format_request("POST", STUDIES, fields) + head + b"[" + b" " * 2000)
        assert line.hear().status == 413
    two = part(json.dumps([describe()]).encode().ljust(600), JSON, None) * 2 + b"--XX--\r\n"
    assert post(served, two).status == 413, "all parts of it count"


def test_what_is_said_of_the_parts_counts_as_metadata_T4(serve_made: Callable[..., Served], made: Made) -> None:
    """It is kept in memory until the body is whole; ten thousand parts could bring a hundred megabytes of it."""
    served = serve_made(made, metadata_bytes=100_000)
    bulk = [part(b"x", location=f"{number}/" + 7_000 * "a") for number in range(20)]
    assert post(served, body_of([describe()], part(b"ab"), *bulk)).status == 413
    assert post(served, body_of([describe()], part(b"ab"), *bulk[:10])).status == 200


def test_large_metadata_is_read_one_after_the_other(serve_made: Callable[..., Served], made: Made) -> None:
    """Read, it is many times as large: two requests at once would take twice what a process has for this."""
    judge, lock, second = made.judge, threading.Lock(), threading.Event()
    under_way: set[bytes] = set()

    def watch(content: bytes) -> Outcome:
        with lock:
            under_way.add(content)
            if len(under_way) > 1:
                second.set()
        second.wait(0.5)
        with lock:
            under_way.remove(content)
        return judge(content)

    made.judge = watch
    served = serve_made(made, store_memory=MIB)
    bodies = [part(json.dumps([describe(number, None)]).encode().ljust(200_000), JSON, None) for number in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(lambda body: post(served, body + b"--XX--\r\n"), bodies))
    assert [reply.status for reply in replies] == [200, 200]
    assert not second.is_set()


@pytest.mark.usefixtures("leaves_nothing")
def test_what_is_made_of_a_part_is_bounded_in_each_instance_T3(serve_made: Callable[..., Served], made: Made) -> None:
    """A part that serves many values of one data set makes a file far larger than the body."""
    many = {f"x0009{element:04X}": {"vr": "OB", "BulkDataURI": "bulk"} for element in range(0x1000, 0x1100)}
    body = body_of([describe(1), describe(2, **many)], part(bytes(100_000)))
    reply = post(serve_made(made, instance_bytes=MIB), body)
    assert (reply.status, stored(reply), reasons(reply)) == (202, 1, [Reason.LIMIT_PASSED])


@pytest.mark.usefixtures("leaves_nothing")
def test_what_is_made_of_a_part_is_bounded_together_T3(serve_made: Callable[..., Served], made: Made) -> None:
    """A part that serves many data sets makes as many files as large as itself."""
    body = body_of([describe(number) for number in range(40)], part(bytes(100_000)))
    reply = post(serve_made(made, body_bytes=MIB), body)
    assert (reply.status, stored(reply)) == (202, 10)
    assert set(reasons(reply)) == {Reason.LIMIT_PASSED}
    assert len(made.accepted) == 10


@pytest.mark.usefixtures("leaves_nothing")
def test_too_large_a_part_spoils_what_needs_it(serve_made: Callable[..., Served], made: Made) -> None:
    body = body_of([describe(1), describe(2, "small")], part(bytes(9 * MIB)), part(b"ab", location="small"))
    reply = post(serve_made(made, instance_bytes=5 * MIB), body)
    assert (reply.status, reasons(reply), stored(reply)) == (202, [Reason.LIMIT_PASSED], 1)
    assert documents(made) == [b"ab"]


def test_more_data_sets_than_parts_are_allowed_are_413(serve_made: Callable[..., Served], made: Made) -> None:
    datasets = [describe(number, None) for number in range(4)]
    assert post(serve_made(made, parts=3), body_of(datasets)).status == 413
    assert made.accepted == []


@pytest.mark.usefixtures("leaves_nothing")
def test_ten_thousand_parts(serve_made: Callable[..., Served], made: Made) -> None:
    count = 9_999
    bulk = b"".join(part(struct.pack("<I", number), location=f"{number}") for number in range(count))
    reply = post(serve_made(made), body_of([describe(1, "17"), describe(2, "9000")], bulk))
    assert reply.status == 200
    assert f"names: {count - 2}" in reply.headers["warning"]
    assert documents(made) == [struct.pack("<I", 17), struct.pack("<I", 9000)]
    assert post(serve_made(made), body_of([describe()], bulk, bulk)).status == 413


def test_a_hundred_thousand_addresses(serve_made: Callable[..., Served], made: Made) -> None:
    dataset = describe() | {
        f"{group:04X}{element:04X}": {"vr": "OB", "BulkDataURI": f"http://10.0.0.1/{element}"}
        for group in range(0x0009, 0x0011, 2)
        for element in range(0x1000, 0x7000)
    }
    reply = post(serve_made(made), body_of([dataset], part(b"ab")))
    assert reply.status in {400, 409}
    assert made.accepted == []


DEEP = b'{"00081115":{"vr":"SQ","Value":[' * 10_000 + b"]}}" * 10_000
BOMB = (
    b"""<?xml version="1.0"?><!DOCTYPE NativeDicomModel [<!ENTITY a "aaaaaaaaaa">%s]><NativeDicomModel>&z;</NativeDicomModel>"""
    % (
        b"".join(
            b'<!ENTITY %c "&%c;&%c;&%c;&%c;">' % (n, n - 1, n - 1, n - 1, n - 1) for n in range(ord("b"), ord("z") + 1)
        )
    )
)
OUTSIDE = (
    b"""<!DOCTYPE NativeDicomModel [<!ENTITY x SYSTEM "file:///etc/passwd">]><NativeDicomModel>&x;</NativeDicomModel>"""
)
NESTED = b"<NativeDicomModel>" + b'<DicomAttribute tag="00081115" vr="SQ"><Item number="1">' * 10_000


@pytest.mark.parametrize(
    ("root", "text"),
    [
        (JSON, DEEP),
        (JSON, b"[" * 100_000),
        (JSON, b'[{"00080018":{"vr":"UI","Value":[1e999]}}]'),
        (JSON, b'[{"00080018":{"vr":"UI","Value":["1\\u0000"]}}]'),
        (XML, BOMB),
        (XML, OUTSIDE),
        (XML, NESTED),
        (XML, b"<NativeDicomModel>\0</NativeDicomModel>"),
    ],
    ids=["deep", "arrays", "huge number", "NUL", "bomb", "outside entity", "nested", "XML NUL"],
)
def test_hostile_metadata_is_400_T6(serve_made: Callable[..., Served], made: Made, root: str, text: bytes) -> None:
    reply = post(serve_made(made), part(text, root, None) + part(b"ab") + b"--XX--\r\n", root)
    assert reply.status in {400, 409}
    assert b"root:" not in reply.body
    assert made.accepted == []


@pytest.mark.usefixtures("leaves_nothing")
def test_bug_while_composing_spoils_only_its_instance_0110(
    serve_made: Callable[..., Served], made: Made, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    compose = draft.Draft._compose

    def poisoned(self: draft.Draft, *about: Any) -> Any:
        if self._attributes["00080018"]["Value"] == ["1.2.3.4.1"]:
            raise ZeroDivisionError("DOE^JOHN")
        return compose(self, *about)

    monkeypatch.setattr(draft.Draft, "_compose", poisoned)
    reply = post(serve_made(made), body_of([describe(1), describe(2)], part(b"ab")))
    assert (reply.status, stored(reply), reasons(reply)) == (202, 1, [Reason.PROCESSING_FAILURE])
    said = capfd.readouterr().err
    assert "ZeroDivisionError" in said
    assert "DOE" not in said


@pytest.mark.usefixtures("leaves_nothing")
def test_full_disk_while_parts_gather_is_507_D3(
    serve_made: Callable[..., Served], made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(pile: Pile) -> None:
        raise OSError(28, "full")

    monkeypatch.setattr(Pile, "_spill", full)
    reply = post(serve_made(made), body_of([describe()], part(bytes(12 * MIB))))
    assert reply.status == 507
    assert reply.headers["retry-after"]


def test_what_the_origin_refuses_is_reported_in_order(serve_made: Callable[..., Served], made: Made) -> None:
    judge = made.judge

    def slow_first(content: bytes) -> Outcome:
        outcome = judge(content)
        assert isinstance(outcome, Stored)
        if outcome.target.instance == "1.2.3.4.0":
            time.sleep(0.2)
        return outcome

    made.judge = slow_first
    datasets = [describe(number, None) for number in range(30)]
    reply = post(serve_made(made), body_of(datasets))
    items = json.loads(reply.body)["00081199"]["Value"]
    assert [item["00081155"]["Value"][0] for item in items] == [f"1.2.3.4.{number}" for number in range(30)]


EXPECTING = {"Content-Length": "1000000", "Expect": "100-continue"}


@pytest.mark.parametrize("root", ["application/dicom", JSON, XML])
def test_refusals_come_before_the_body_is_asked_for(serve_made: Callable[..., Served], made: Made, root: str) -> None:
    """413, 415, 406 and 503 with Expect: 100-continue: the first line that is heard is the refusal."""

    def first_line(served: Served, **fields: str) -> bytes:
        with served.line() as line:
            headers = {"Content-Type": related(root), **EXPECTING, **fields}
            line.say(
                format_request("POST", STUDIES, {name.replace("_", "-"): value for name, value in headers.items()})
            )
            return line.socket.recv(12)

    assert first_line(serve_made(made)) == b"HTTP/1.1 100"
    assert first_line(serve_made(made, body_bytes=1000)) == b"HTTP/1.1 413"
    assert first_line(serve_made(made), Content_Type="text/plain") == b"HTTP/1.1 415"
    assert first_line(serve_made(made), Content_Encoding="br") == b"HTTP/1.1 415"
    assert first_line(serve_made(made, strict=True), Accept="image/jpeg") == b"HTTP/1.1 406"
    made.no_room = errors.Unavailable("the quota is used up")
    served = serve_made(made)
    assert first_line(served) == b"HTTP/1.1 503"
    assert post(served, b"", root).headers["retry-after"]


def test_targets_of_what_is_refused_are_named(serve_made: Callable[..., Served], made: Made) -> None:
    reply = post(serve_made(made), body_of([describe(7, "nowhere")]))
    (item,) = json.loads(reply.body)["00081198"]["Value"]
    assert item["00081155"]["Value"] == [Target("1.2.3", "1.2.3.4", "1.2.3.4.7").instance]
    assert item["00081150"]["Value"] == ["1.2.840.10008.5.1.4.1.1.66"]
