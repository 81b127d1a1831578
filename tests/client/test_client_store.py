"""Storing on another server: what is sent, what its answers mean, and what happens when it fails."""

import json
import os

import pytest

from dicomgate import errors
from dicomgate.client import offers, store
from dicomgate.client.caller import Caller, Patience
from dicomgate.client.offers import Became
from dicomgate.dicomweb import media_types, multipart

pytestmark = pytest.mark.slow  # the fast loop stays under a minute

JSON = {"Content-Type": "application/dicom+json"}


def parts_of(headers, body):
    content_type = media_types.parse(headers["Content-Type"])
    parser = multipart.Parser(multipart.boundary_of(content_type))
    parts = []
    for event in parser.feed(body):
        match event:
            case multipart.PartBegin():
                parts.append(b"")
            case multipart.PartData(data):
                parts[-1] += bytes(data)
    parser.finish()
    return parts


def report(kept=(), refused=(), other=()):
    def items(pairs, tag):
        return {
            "vr": "SQ",
            "Value": [
                {"00081155": {"vr": "UI", "Value": [uid]}, tag: {"vr": "US", "Value": [code] if code else []}}
                for uid, code in pairs
            ],
        }

    dataset = {"00081190": {"vr": "UR"}}
    if kept:
        dataset["00081199"] = items(kept, "00081196")
    if refused:
        dataset["00081198"] = items(refused, "00081197")
    if other:
        dataset["0008119A"] = {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [code]}} for code in other]}
    return json.dumps(dataset).encode()


def made(tmp_path, make_file, count=1, size=0):
    paths = [make_file(tmp_path / f"{n}.dcm", instance=f"1.2.3.4.{n}", size=size) for n in range(1, count + 1)]
    return [offers.read(path) for path in paths]


def outcomes(receipts):
    return [(receipt.path.name, receipt.became.value, receipt.code) for receipt in receipts]


def test_files_arrive_byte_for_byte_with_their_length_told(tmp_path, server, caller, make_file):
    offered = made(tmp_path, make_file, 3, size=300_000)
    server.answers.append((200, JSON, report(kept=[(offer.target.instance, None) for offer in offered])))
    receipts = list(store.store(caller, offered))
    assert [receipt.became for receipt in receipts] == [Became.STORED] * 3
    ((method, path, headers, body),) = server.asked
    assert (method, path) == ("POST", "/dicomweb/studies")
    assert int(headers["Content-Length"]) == len(body)
    assert "Transfer-Encoding" not in headers
    assert headers["Accept"] == "application/dicom+json"
    assert parts_of(headers, body) == [offer.path.read_bytes() for offer in offered]


def test_each_file_gets_its_own_outcome(tmp_path, server, caller, make_file):
    offered = made(tmp_path, make_file, 5)
    uids = [offer.target.instance for offer in offered]
    answer = report(
        kept=[(uids[0], None), (uids[1], 0xB000)], refused=[(uids[2], 0xC409), (uids[3], 0xA7FF)], other=[0xC001]
    )
    server.answers.append((202, JSON, answer))
    receipts = list(store.store(caller, offered))
    assert outcomes(receipts) == [
        ("1.dcm", "stored", None),
        ("2.dcm", "stored", 0xB000),
        ("3.dcm", "refused", 0xC409),
        ("4.dcm", "refused", 0xA7FF),
        ("5.dcm", "refused", 0xC001),
    ]
    assert receipts[3].detail == "no room to keep the instance"


@pytest.mark.parametrize(
    ("status", "headers", "body", "became"),
    [
        (200, {}, b"", Became.STORED),
        (200, {"Content-Type": "text/html"}, b"<p>fine", Became.STORED),
        (200, JSON, b"{broken", Became.STORED),
        (202, {}, b"", Became.REFUSED),
        (400, {"Content-Type": "text/plain"}, b"no", Became.REFUSED),
        (409, JSON, b"null", Became.REFUSED),
        (409, JSON, b'{"00081198": 7}', Became.REFUSED),
        (409, JSON, b'{"00081198": {"Value": [3, {"00081155": []}]}}', Became.REFUSED),
    ],
)
def test_odd_answers_are_read_for_what_they_say(tmp_path, server, caller, make_file, status, headers, body, became):
    server.answers.append((status, headers, body))
    assert [receipt.became for receipt in store.store(caller, made(tmp_path, make_file))] == [became]


def test_a_report_wrapped_in_a_list_is_read_too(tmp_path, server, caller, make_file):
    server.answers.append((409, JSON, b"[" + report(refused=[("1.2.3.4.1", 0x0122)]) + b"]"))
    assert outcomes(store.store(caller, made(tmp_path, make_file))) == [("1.dcm", "refused", 0x0122)]


@pytest.mark.parametrize(
    "failure", [(503, {"Retry-After": "0"}, b""), (429, {}, b""), (408, {}, b""), (500, {}, b""), "break"]
)
def test_what_may_pass_is_tried_again(tmp_path, server, caller, make_file, failure):
    offered = made(tmp_path, make_file)
    server.answers.extend([failure, failure, (200, JSON, report(kept=[("1.2.3.4.1", None)]))])
    assert outcomes(store.store(caller, offered)) == [("1.dcm", "stored", None)]
    bodies = [parts_of(headers, body) for _, _, headers, body in server.asked]
    assert bodies == [[offered[0].path.read_bytes()]] * 3


def test_retry_after_is_obeyed_within_reason_V18():
    patience = Patience(first=1, longest=30)
    assert patience.pause(0, "7") == 7
    assert patience.pause(0, "999999999999999999999") == 30
    assert 0.7 <= patience.pause(0, "Wed, 21 Oct 2015 07:28:00 GMT") <= 1.3
    assert 2.8 <= patience.pause(2, None) <= 5.2
    assert patience.pause(1000, None) == 30


@pytest.mark.parametrize(
    ("answer", "fault", "sentence"),
    [
        ((401, {}, b""), errors.Forbidden, "asks who you are"),
        ((403, {}, b""), errors.Forbidden, "does not let you"),
        ((404, {}, b""), errors.UpstreamFailed, "no such service at this address"),
        ((405, {}, b""), errors.UpstreamFailed, "does not offer"),
        ((507, {}, b""), errors.UpstreamFailed, "no room left"),
        ((302, {"Location": "http://elsewhere.example"}, b""), errors.UpstreamFailed, "another address"),
        ((503, {}, b""), errors.UpstreamFailed, "answers 503, also when asked again"),
        ("break", errors.UpstreamFailed, "the connection breaks"),
    ],
)
def test_when_going_on_makes_no_sense_one_sentence_says_why(
    tmp_path, server, caller, make_file, answer, fault, sentence
):
    server.answers.append(answer)
    with pytest.raises(fault, match=sentence):
        list(store.store(caller, made(tmp_path, make_file)))


def test_a_server_that_is_not_there_is_told_at_once(tmp_path, server, make_file):
    root = server.root
    server.shutdown()
    server.server_close()
    with (
        Caller(root, patience=Patience(first=60)) as caller,
        pytest.raises(errors.UpstreamFailed, match="cannot reach 127"),
    ):
        list(store.store(caller, made(tmp_path, make_file)))


@pytest.mark.parametrize("root", ["http://", "ftp://x.example", "http://[::1", "nonsense"])
def test_what_is_no_address_is_malformed(tmp_path, root, make_file):
    with Caller(root) as caller, pytest.raises((errors.Malformed, errors.UpstreamFailed)):
        list(store.store(caller, made(tmp_path, make_file)))


def test_too_large_a_request_is_halved(tmp_path, server, caller, make_file):
    def small_only(path, body):
        count = body.count(b"Content-Type: application/dicom")
        uids = [f"1.2.3.4.{n}" for n in range(1, 6)]
        return (413, {}, b"") if count > 2 else (200, JSON, report(kept=[(uid, None) for uid in uids]))

    server.answers.append(small_only)
    receipts = list(store.store(caller, made(tmp_path, make_file, 5)))
    assert [receipt.became for receipt in receipts] == [Became.STORED] * 5


def test_a_single_file_that_is_too_large_is_refused_alone(tmp_path, server, caller, make_file):
    server.answers.append((413, {}, b""))
    (receipt,) = store.store(caller, made(tmp_path, make_file))
    assert receipt.became is Became.REFUSED
    assert "413" in receipt.detail


def test_a_file_that_changes_or_goes_costs_only_itself(tmp_path, server, caller, make_file):
    offered = made(tmp_path, make_file, 3)
    offered[1].path.write_bytes(b"another")
    server.answers.append((200, JSON, report(kept=[("1.2.3.4.1", None), ("1.2.3.4.3", None)])))
    got = {receipt.path.name: receipt.became for receipt in store.store(caller, offered)}
    assert got == {"1.dcm": Became.STORED, "2.dcm": Became.UNREADABLE, "3.dcm": Became.STORED}
    offered[0].path.unlink()
    got = {receipt.path.name: receipt.became for receipt in store.store(caller, offered[:1])}
    assert got == {"1.dcm": Became.UNREADABLE}


@pytest.mark.parametrize("more", [b"", b"more"])
def test_a_file_that_was_written_anew_is_not_sent_as_what_it_was(tmp_path, server, caller, make_file, more):
    (offer,) = made(tmp_path, make_file)
    offer.path.write_bytes(offer.path.read_bytes() + more)
    os.utime(offer.path, ns=(1, 1))
    (receipt,) = store.store(caller, [offer])
    assert receipt.became is Became.UNREADABLE
    assert "changed" in receipt.detail
    assert all(len(body) < int(headers["Content-Length"]) for _, _, headers, body in server.asked)


def test_bundles_keep_both_bounds_and_never_repeat_an_instance(tmp_path, make_file):
    offered = made(tmp_path, make_file, 7)
    size = max(offer.size for offer in offered)
    by_count = list(offers.gather(offered, most_bytes=1 << 30, most_files=3))
    assert [len(bundle) for bundle in by_count] == [3, 3, 1]
    by_size = list(offers.gather(offered, most_bytes=2 * size, most_files=99))
    assert [len(bundle) for bundle in by_size] == [2, 2, 2, 1]
    assert [len(bundle) for bundle in offers.gather(offered, most_bytes=1, most_files=99)] == [1] * 7
    assert [len(bundle) for bundle in offers.gather([offered[0]] * 3, most_bytes=1 << 30, most_files=99)] == [1] * 3


def test_what_a_file_is_shows_before_it_is_sent(tmp_path, make_file):
    good = make_file(tmp_path / "good")
    torn = tmp_path / "torn"
    torn.write_bytes(good.read_bytes()[:200])
    text = tmp_path / "text"
    text.write_text("hello")
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    found = {path.name: offers.read(path) for path in offers.walk([tmp_path])}
    assert isinstance(found["good"], offers.Offer)
    assert found["torn"].became is Became.UNREADABLE
    assert found["text"].became is found["empty"].became is found["pipe"].became is Became.FOREIGN
    assert offers.read(tmp_path / "none").became is Became.UNREADABLE
